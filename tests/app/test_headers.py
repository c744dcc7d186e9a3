"""Every answer carries the headers of its page type (security.md 4), and none goes without."""

import re
from datetime import UTC, datetime

import pytest
from flask import Flask, url_for
from werkzeug.routing import AnyConverter, UUIDConverter

from regportal.app import pages
from regportal.kiosk.actions import open_stand
from tests.portal import ORIGIN

COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), "
    "browsing-topics=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Reporting-Endpoints": 'csp="/_r/csp"',
}
GATE = (
    "default-src 'none'; script-src 'nonce-R'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors {}; base-uri 'none'; "
    "object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'; report-to csp"
)
ALONE = {"X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin"}
SECRET = {"Cache-Control": "no-store", "Vary": "Accept-Language, Cookie, Origin, Sec-Fetch-Site"}
P1 = {
    "Content-Security-Policy": GATE.format("'none'"),
    "Referrer-Policy": "strict-origin",
    **ALONE,
    **SECRET,
}
P2 = {
    "Content-Security-Policy": GATE.format("https://www.acme.example"),
    "Referrer-Policy": "strict-origin",
    "X-Frame-Options": None,
    "Cross-Origin-Resource-Policy": "cross-origin",
    **SECRET,
}
P3 = {
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "public, max-age=300",
    "Set-Cookie": None,
}
P5 = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
    **ALONE,
    **SECRET,
}
P6 = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex, noarchive",
}
P10 = P5
P4 = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'; sandbox",
    **SECRET,
}
P11 = {"Content-Security-Policy": "default-src 'none'", "Cache-Control": "no-store"}
P12 = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'; sandbox",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-site",
}

P14 = P12 | {"Cache-Control": "public, max-age=300", "Set-Cookie": None, "Vary": None}
P15 = P14 | {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Vary": "Accept-Language",
}

P16 = P1 | {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'none'; frame-ancestors http://localhost:8000; "
    "base-uri 'none'; object-src 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'; report-to csp",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Frame-Options": None,
    "X-Robots-Tag": "noindex",
}
"""A gate in the Studio's pages (docs/studio.md)."""
P17 = P1 | {
    "Content-Security-Policy": "default-src 'none'; script-src 'nonce-R'; worker-src 'self'; "
    "style-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; object-src 'none'; require-trusted-types-for 'script'; "
    "trusted-types regportal-kiosk; report-to csp",
    "X-Robots-Tag": "noindex",
    "Set-Cookie": None,
}
"""The page of a stand at an event (docs/kiosk.md)."""
P18 = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Set-Cookie": None,
}
PLACES = {
    "/g/": P1,
    "/preview/": P16,
    "/g/nothing/include": P14,
    "/m/": P5,
    "/me": P5,
    "/p/": P5,
    "/u/": P5,
    "/alerts/": P5,
    "/d/": P6,
    "/api/openapi.json": P3,
    "/api/v1/choice": P4 | {"Cross-Origin-Resource-Policy": "cross-origin"},
    "/api/v1/handover": P4 | {"Cross-Origin-Resource-Policy": "cross-origin"},
    "/api/v1/interactions": P4 | {"Cross-Origin-Resource-Policy": "cross-origin"},
    "/api/v1/interactions/": P4 | {"Cross-Origin-Resource-Policy": "same-site"},
    "/api/v1/opportunities/": P4 | {"Cross-Origin-Resource-Policy": "same-site"},
    "/api/v1/gates/": P4 | {"Cross-Origin-Resource-Policy": "cross-origin"},
    "/api/v1/gates/nothing/shell": P15,
    "/api/v1/accounts/": P4 | {"Cross-Origin-Resource-Policy": "same-site"},
    "/api/v1/contacts": P4 | {"Cross-Origin-Resource-Policy": "same-site"},
    "/api/v1/may-mail": P4 | {"Cross-Origin-Resource-Policy": "same-site"},
    "/api/v1/backtests": P4 | {"Cross-Origin-Resource-Policy": "same-site"},
    "/api/v1/bounces": P11,
    "/hooks/": P11,
    "/kiosk/": P17,
    "/kiosk/01890000-0000-7000-8000-000000000000/forms": P11,
    "/kiosk/worker.js": P18,
    "/t/": P5,
    "/static/": P3,
    "/static/js/": P3 | {"Cache-Control": "public, max-age=31536000, immutable"},
    "/theme.css": P3,
    "/.well-known/gpc.json": P3,
    "/favicon.ico": P3,
    "/_r/": P12,
    "/healthz": P12,
    "/readyz": P12,
    "/metrics": P12,
}
"""What is answered under which address; the longest beginning holds."""


def of(page, expected):
    """Return those headers of an answer that a page type names."""
    found = {name: page.headers.get(name) for name in COMMON | expected}
    policy = found["Content-Security-Policy"]
    found["Content-Security-Policy"] = re.sub(r"'nonce-[\w-]{22}'", "'nonce-R'", policy)
    return found


def check(page, expected):
    """Compare the headers of an answer with those its page type asks for."""
    assert of(page, expected) == COMMON | expected
    assert len(page.headers.getlist("Content-Security-Policy")) == 1
    assert "Server" not in page.headers
    kind = page.headers.get("Content-Type", "")
    assert not kind.startswith("text/") or kind.endswith("; charset=utf-8")


@pytest.fixture
def ann(portal):
    """A browser that gave an address at the guide's gate."""
    browser = portal.browser()
    browser.claim("ann@acme.example")
    portal.work()
    return browser


@pytest.mark.parametrize("path", ["/g/guide", "/g/prices", "/g/guide?in=nowhere"])
def test_a_gate(portal, path):
    check(portal.browser().get(path), P1)


@pytest.mark.parametrize(
    "path",
    [
        "/g/guide?in=frame",
        "/g/guide?in=frame&host=https://www.acme.example",
        "/g/guide?in=frame&host=https://evil.example",
        "/g/guide?in=frame&host=*",
        "/g/guide?in=frame&host=https://www.acme.example%20https://evil.example",
        "/g/guide?in=frame&host=https://www.acme.example;%20script-src%20*",
    ],
)
def test_a_gate_in_a_page_of_ours_and_of_nobody_else(portal, path):
    check(portal.browser().get(path, Referer="https://evil.example/"), P2)


def test_the_page_after_a_gate(ann):
    check(ann.get("/g/guide/done"), P1)
    check(ann.get("/g/guide/done?in=frame"), P2)


@pytest.mark.parametrize(
    ("fields", "status"), [({"email": "no"}, 422), ({"email": "a@b.example"}, 303)]
)
def test_what_a_form_is_answered_with(portal, fields, status):
    page = portal.browser().send("guide", **fields)

    assert page.status == status
    check(page, P1)


def test_a_form_that_came_too_late(portal, ann):
    page = ann.gate("study")
    ann.send("study", page, q_country="DE")
    late = ann.send("study", page, q_country="FR")

    assert late.status == 409
    check(late, P1)


def test_the_page_of_a_mail_and_what_comes_of_it(portal, ann):
    link = portal.link()
    asked = ann.get(link)
    denied = portal.browser().post(link, {"choice": "deny"})

    for page, status in ((asked, 200), (denied, 303), (ann.get(link), 200)):
        assert page.status == status
        check(page, P5)
        assert "<script" not in page.text
    check(ann.get("/m/nothing"), P5)


def test_a_file(ann):
    file = ann.get(ann.get("/g/guide/done").download)

    assert file.status == 200
    check(file, P6)
    assert file.headers["Accept-Ranges"] == "bytes"
    assert file.headers["Content-Disposition"].startswith("attachment; filename")


def test_a_file_in_a_frame_may_be_shown_by_the_page_around_and_by_nobody_else(ann):
    """Else WebKit does not hand it over: it judges a file as if it were to be shown."""
    own = "https://www.acme.example"
    policy = P6["Content-Security-Policy"].replace("'none'; base", f"{own}; base")
    link = ann.get(f"/g/guide/done?in=frame&host={own}").download
    evil = f"{link.partition('?')[0]}?in=frame&host=https://evil.example"

    for one in (link, evil):
        check(ann.get(one), P6 | {"Content-Security-Policy": policy})


@pytest.mark.parametrize("navigates", [True, False])
def test_a_file_of_somebody_else(portal, ann, navigates):
    link = ann.get("/g/guide/done").download
    accept = "text/html" if navigates else "*/*"
    page = portal.browser().get(link, Accept=accept)

    assert page.status == (303 if navigates else 403)
    check(page, P6)


@pytest.mark.parametrize(
    "path", ["/theme.css", "/static/css/regportal.css", "/static/js/regportal.js"]
)
def test_what_anybody_may_load(portal, path):
    page = portal.browser().get(path)

    assert page.status == 200
    check(page, P3)


def test_what_the_crm_is_answered_with(portal):
    told = portal.hook("opportunity.upserted", {"external_id": "006A"})
    forged = portal.app.test_client().post("/hooks/crm", data=b"{}", base_url=ORIGIN)

    assert (told.status_code, forged.status_code) == (202, 401)
    for answer in (told, forged):
        check(answer, P11)
    assert forged.mimetype == "application/problem+json"


def test_a_stand_at_an_event(portal):
    stand, _ = portal.store.write(
        lambda session: open_stand(session, "Lyon", "guide", now=datetime.now(UTC))
    )

    check(portal.browser().get(f"/kiosk/{stand.id}"), P17)
    check(portal.browser().get("/kiosk/worker.js"), P18)


def test_health(portal):
    check(portal.browser().get("/healthz"), P12)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/nothing", 404),
        ("/g/nothing", 404),
        ("/g/nothing/done", 404),
        ("/static/nothing.css", 404),
        ("/g/guide/x.css", 404),
        ("/g/guide/not-you", 405),
        ("/hooks/crm", 405),
    ],
)
def test_what_goes_wrong(portal, path, status):
    page = portal.browser().get(path)

    assert page.status == status
    check(page, P10)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/nothing", 404),
        ("/api/v1/contacts/ann@acme.example/interactions", 404),
        ("/api/v1/interactions", 405),
    ],
)
def test_what_goes_wrong_below_the_api_is_told_to_programs(portal, path, status):
    answer = portal.browser().get(path)

    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    check(answer, P10)


def test_a_form_from_elsewhere(portal):
    page = portal.browser().post("/g/guide", {}, Origin="https://evil.example")

    assert page.status == 403
    check(page, P10)


def test_what_nobody_foresaw(portal):
    portal.app.view_functions["forms.gate"] = lambda key: 1 / 0
    page = portal.browser().get("/g/guide")

    assert page.status == 500
    assert "division" not in page.text
    check(page, P10)


def test_a_nonce_is_used_once(portal):
    ann = portal.browser()
    policies = {ann.gate("guide").headers["Content-Security-Policy"] for _ in range(5)}

    assert len(policies) == 5


def routes(app):
    """Return every address of ours and what it takes, filled in with nothing that is known."""
    known = {"key": "nothing", "token": "nothing", "filename": "css/regportal.css"}
    with app.test_request_context(base_url=ORIGIN):
        for rule in app.url_map.iter_rules():
            values = {
                name: value_of(rule._converters[name], known.get(name, "nothing"))
                for name in rule.arguments
            }
            for method in sorted(rule.methods - {"HEAD"}):
                yield method, url_for(rule.endpoint, _method=method, **values)


def value_of(converter, otherwise):
    """Return something that a part of an address takes."""
    if isinstance(converter, UUIDConverter):
        return "01890000-0000-7000-8000-000000000000"
    return min(converter.items) if isinstance(converter, AnyConverter) else otherwise


def test_every_route_answers_as_its_place_does_or_as_an_error(portal):
    browser, seen = portal.browser(), set()
    for method, path in list(routes(portal.app)):
        answer = browser.client.open(
            path, method=method, headers=browser.headers | browser.origin, base_url=ORIGIN
        )
        place = max((one for one in PLACES if path.startswith(one)), key=len)
        expected = [PLACES[place]]
        if answer.status_code >= 400:  # as its place does, only that nobody keeps it; or a page
            expected += [PLACES[place] | {"Cache-Control": "no-store"}, P10]

        assert any(of(answer, one) == COMMON | one for one in expected), (
            *(method, path, answer.status_code, answer.headers),
        )
        assert answer.status_code < 500, (method, path)
        seen.add(place)
        answer.close()
    assert seen == PLACES.keys()


def test_every_endpoint_has_a_page_type(portal):
    endpoints = {rule.endpoint for rule in portal.app.url_map.iter_rules()}

    assert endpoints == pages.TYPES.keys()


def test_an_endpoint_without_a_page_type_is_not_served():
    app = Flask("new")
    app.add_url_rule("/new", "somewhere.new", lambda: "")

    with pytest.raises(LookupError, match=r"no page type for somewhere\.new"):
        pages.use(app)


def test_an_answer_of_no_page_type_gets_the_strictest(portal):
    portal.app._got_first_request = False
    portal.app.add_url_rule("/late", "late", lambda: "late")

    check(portal.browser().get("/late"), P5)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil.example:8000"])
def test_a_host_we_are_not_is_400(portal, host):
    answer = portal.app.test_client().get("/g/guide", headers={"Host": host})

    assert answer.status_code == 400
    assert host not in answer.text
    assert answer.headers["Content-Security-Policy"] == P10["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers


def test_the_theme_is_the_sites(portal):
    theme = portal.browser().get("/theme.css").text
    portal.publish(
        portal.folder.joinpath("regportal.yaml")
        .read_text()
        .replace("newsletters:", "  theme: {accent: '#123456', radius: 1rem}\nnewsletters:", 1)
    )
    changed = portal.browser().get("/theme.css")

    assert "--rp-accent: #0b5cad;" in theme
    assert "--rp-accent: #123456;" in changed.text
    assert "--rp-radius: 1rem;" in changed.text
    assert changed.headers["Content-Type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize(
    "evil",
    [
        "accent: red",
        "accent: '#fff; } body { display: none'",
        "font: 'x; } * { color: red'",
        "font: 'url(https://evil.example)'",
        "radius: 'calc(1px)'",
        "shadow: none",
    ],
)
def test_a_theme_is_colours_and_type_and_nothing_else(portal, evil):
    text = portal.folder.joinpath("regportal.yaml").read_text()
    with pytest.raises(Exception, match="theme"):
        portal.publish(text.replace("newsletters:", f"  theme: {{{evil}}}\nnewsletters:", 1))

    assert "--rp-accent: #0b5cad;" in portal.browser().get("/theme.css").text
