"""Browsers may tell us of a broken policy; the log gets one line, without anybody's secrets."""

import json


def report(portal, body):
    """Send what a browser sends."""
    return portal.app.test_client().post(
        "/_r/csp", data=body, content_type="application/reports+json"
    )


def test_a_report_is_one_line_without_query_or_token(portal, caplog):
    body = {
        "effectiveDirective": "script-src\nforged",
        "documentURL": "http://localhost:8000/m/secret-token?email=ann@example.com",
        "blockedURL": "https://evil.example/x.js?who=ann",
    }
    answer = report(portal, json.dumps([{"type": "csp-violation", "body": body}]))

    assert (answer.status_code, answer.data) == (204, b"")
    [line] = [one.getMessage() for one in caplog.records if one.name == "regportal.reports"]
    assert "evil.example" in line
    assert "\n" not in line
    assert not any(secret in line for secret in ("secret-token", "ann", "x.js"))


def test_a_report_that_is_none_is_refused_or_passed_over(portal, caplog):
    for body in (b"", b"{", b"\xff", b"[" * 5000, b'{"a":NaN}'):
        assert report(portal, body).status_code == 400
    for body in (b"[]", b"{}", b"1", b'[{"body":1}]', b'[{"body":{"documentURL":"http://["}}]'):
        assert report(portal, body).status_code == 204

    assert sum(one.name == "regportal.reports" for one in caplog.records) == 1
    assert report(portal, b"x" * 20_000).status_code == 413


def test_a_flood_of_reports_fills_no_log(limited, caplog):
    body = json.dumps({"body": {"effectiveDirective": "script-src"}})
    answers = [report(limited, body).status_code for _ in range(130)]

    assert answers == [204] * 120 + [429] * 10
    assert sum(one.name == "regportal.reports" for one in caplog.records) == 120
