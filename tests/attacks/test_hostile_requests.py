"""
Sending what no browser sends: NUL, half characters, languages that are paths, endless headers.

Elsewhere one such parameter is an error page with a trace, or a row that breaks every later
reader. Here it is taken for what it is worth, on both databases, and nothing of it comes back as
anything but text.
"""

import re

import pytest

pytestmark = pytest.mark.both

ANN = "ann@widgetworks.example"
QUERIES = [
    "utm_source=%00",
    "utm_source=a%00b&gclid=%ff%fe",
    "utm_source=%ED%A0%80",
    "utm_source=%E2%80%AEgnp.exe",
    "rp_ref=http://x.example/%00",
    "rp_ref=http://%5Bx/",
    "rp_ref=javascript:alert(1)",
    "rp_ref=//evil.example",
    "rp_ref=http://x.example/%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    "utm_source=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    "utm_source=%27%20OR%201=1%20--",
    "utm_source=" + "x" * 5000,
    "&".join(f"utm_{chr(97 + n)}=1" for n in range(26)),
    "in=frame&host=https://evil.example",
    "in=frame&host=https://www.acme.example;%20script-src%20*",
    "in=frame&host=%00",
    "key=other&_external=1&_scheme=javascript&_anchor=x&_method=PUT",
]
HEADERS = [
    {"Referer": "http://x.example/\x00"},
    {"Referer": "http://[x"},
    {"Referer": "http://x.example/\xff\xfe<script>"},
    {"User-Agent": "\xff\x00<script>alert(1)</script>"},
    {"Sec-GPC": "\x00"},
    {"Sec-Fetch-User": "\x00?1"},
    {"Sec-Fetch-User": "x" * 60_000},
    {"Accept-Language": "../../../etc/passwd"},
    {"Accept-Language": "\x00"},
    {"Accept-Language": "en_US"},
    {"Accept-Language": "en_US_POSIX@x"},
    {"Accept-Language": "root,c;q=nan,de;q=inf"},
    {"Accept-Language": "x" * 9000},
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Proto": "javascript", "X-Forwarded-Prefix": "/evil"},
]


def action_of(page):
    """Return where the form of a page goes."""
    found = re.search(r'<form data-rp="gate" method="post" action="([^"]*)"', page.text)
    return found[1].replace("&amp;", "&")


@pytest.mark.parametrize("query", QUERIES)
def test_no_parameter_is_an_error_or_comes_back_as_more_than_text(portal, query):
    ann = portal.browser()
    page = ann.gate(f"guide?{query}")
    sent = ann.post(action_of(page), {**page.fields, "email": ANN, "remember": "yes"})

    assert page.status == 200
    assert "<script>alert" not in page.text
    assert "evil.example" not in page.headers["Content-Security-Policy"]
    assert "script-src *" not in page.headers["Content-Security-Policy"]
    assert action_of(page).startswith("/g/guide")
    assert sent.status == 303
    assert sent.headers["Location"].startswith("/g/guide/done")
    assert "evil" not in sent.headers["Location"]
    portal.work()
    assert portal.mails()


@pytest.mark.parametrize("headers", HEADERS)
def test_no_header_is_an_error_anywhere_on_the_way(portal, headers):
    ann = portal.browser(**headers)
    ann.claim(ANN)
    portal.work()
    pressed = ann.prove(portal)
    page = ann.gate("study")
    answered = ann.send("study", page, q_country="DE", n_news="yes")

    assert (pressed.status, page.status, answered.status) == (303, 200, 303)
    assert "evil" not in pressed.headers["Location"] + answered.headers["Location"]
    assert portal.link().startswith("/m/")


@pytest.mark.parametrize("host", ["evil.example", "localhost@evil.example", "localhost evil", ""])
@pytest.mark.parametrize("path", ["/g/guide", "/m/x", "/d/x", "/hooks/crm", "/theme.css", "/x"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_another_host_is_400_and_led_nowhere(portal, host, path):
    answer = portal.app.test_client().get(path, headers={"Host": host})

    assert answer.status_code == 400
    assert b"evil" not in answer.data
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "Location" not in answer.headers


@pytest.mark.parametrize("path", ["/g/", "/m/", "/d/", "/"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_not_here_is_not_repeated(portal, path):
    page = portal.browser().get(path + "Your-account-is-blocked-call-0800" * 100)

    assert page.status == 404
    assert "account" not in page.text
    assert len(page.text) < 4000


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_answer_to_nothing_is_400(portal):
    ann = portal.browser()
    page = ann.gate("guide")

    for name in ("q-None", "n-None", "q-", "n-", "q-country", "q-company"):
        sent = ann.post("/g/guide", {**page.fields, "email": ANN, name: "yes"})
        assert sent.status == 400, name
