"""The collector's own door takes what the page would take, alike, and hands on the rest."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.app.front import Front
from regportal.identity.models import Tally
from regportal.store.ids import uuid7
from regportal.tracking.models import Parcel
from tests.portal import FIREFOX, ORIGIN, SITE

PAGE = "https://www.acme.example"
ODD = {"type": "purchase", "object": "widget-9"}


def event(**more):
    at = datetime.now(UTC) - timedelta(seconds=3)
    about = {"type": "page_view", "object": f"{PAGE}/widgets", "properties": {"title": "Widgets"}}
    return {"id": str(uuid7()), **about, "occurred_at": at.isoformat(), **more}


@pytest.fixture
def followed(portal):
    """A browser whose visitor allowed us to link what it does."""
    browser = portal.browser()
    browser.client.post(
        "/api/v1/choice",
        json={"recognise": True, "track": True},
        headers={**browser.headers, **browser.origin},
        base_url=ORIGIN,
    )
    return browser


def cookie_of(browser):
    return "; ".join(f"{one.key}={one.value}" for one in browser.client._cookies.values())


def ask(application, body, **more):
    """Call an application as a server does; return status, headers and body."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/v1/interactions",
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost:8000",
        "HTTP_ORIGIN": ORIGIN,
        "HTTP_USER_AGENT": FIREFOX,
        "REMOTE_ADDR": "203.0.113.9",
        "CONTENT_TYPE": "text/plain;charset=UTF-8",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        **more,
    }
    environ = {name: value for name, value in environ.items() if value is not None}
    told = {}
    answer = b"".join(application(environ, lambda *said: told.update(said=said)))
    status, headers = told["said"][:2]
    return status, sorted(headers), answer


def kept(portal):
    """Return what is kept of the calls, without what differs between any two."""
    with portal.store.read() as session:
        rows = session.scalars(sa.select(Parcel).order_by(Parcel.id)).all()
    return [
        {
            name: getattr(row, name)
            for name in ("source", "visitor_id", "claim_id", "proven", "own_staff", "agent")
        }
        | {"network": row.network, "purpose": row.purpose, "touch": row.touch}
        | {"events": [{**one, "id": "", "occurred_at": ""} for one in row.events]}
        for row in rows
    ]


def both(portal):
    """Return the door with nothing behind it, and the page without the door."""

    def nobody(environ, start_response):
        start_response("000 HANDED ON", [])
        return [environ["wsgi.input"].read()]

    flask = type(portal.app).wsgi_app.__get__(portal.app)
    with portal.store.read() as session:
        portal.shelf.published(session)
    return Front(portal.app, nobody), flask


GOOD = [
    {},
    {"CONTENT_TYPE": "application/json"},
    {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": PAGE},
    {"HTTP_SEC_FETCH_SITE": "same-site", "HTTP_ORIGIN": PAGE},
    {"HTTP_ORIGIN": None, "HTTP_SEC_FETCH_SITE": "same-origin"},
    {"HTTP_SEC_GPC": "1"},
    {"HTTP_SEC_PURPOSE": "prefetch"},
    {"HTTP_USER_AGENT": "curl/8\x07"},
    {"HTTP_COOKIE": None},
    {"REMOTE_ADDR": "2001:db8::1"},
]


@pytest.mark.parametrize("more", GOOD)
def test_a_plain_call_is_answered_and_kept_as_the_page_does_it(portal, followed, more):
    more = {"HTTP_COOKIE": cookie_of(followed), **more}
    touch = {"referrer": f"{PAGE}/?x=1", "parameters": {"utm_source": "spring", "x": "y"}}
    answers = []
    for application in both(portal):
        told = {"events": [event(), event(**ODD), event(type="search", properties={"query": "w"})]}
        body = json.dumps(told | {"touch": touch, "sent_at": datetime.now(UTC).isoformat()})
        answers.append(ask(application, body.encode(), **more))
    at_the_door, of_the_page = kept(portal)

    assert answers[0] == answers[1]
    assert answers[0][0] == "202 ACCEPTED"
    assert at_the_door == of_the_page
    assert len(at_the_door["events"]) == 2


HANDED_ON = [
    {"REQUEST_METHOD": "OPTIONS"},
    {"REQUEST_METHOD": "GET"},
    {"PATH_INFO": "/api/v1/interactions/"},
    {"QUERY_STRING": "in=frame"},
    {"HTTP_AUTHORIZATION": "Bearer x"},
    {"HTTP_TRANSFER_ENCODING": "chunked"},
    {"CONTENT_TYPE": "application/x-www-form-urlencoded"},
    {"CONTENT_TYPE": None},
    {"CONTENT_LENGTH": None},
    {"CONTENT_LENGTH": "-1"},
    {"CONTENT_LENGTH": "70000"},
    {"CONTENT_LENGTH": "000000001" + "9" * 30},
    {"HTTP_HOST": "evil.example"},
    {"HTTP_ORIGIN": "https://evil.example"},
    {"HTTP_ORIGIN": None},
]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("more", HANDED_ON)
def test_anything_else_is_handed_on_with_its_body(portal, more):
    body = json.dumps({"events": [event()]}).encode()
    front, _ = both(portal)
    status, _, read = ask(front, body, **more)

    assert (status, read) == ("000 HANDED ON", body)
    assert kept(portal) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"events": []}', b'{"events": [1], "more": 1}', b'{"a": 1, "a": 1}']
)
def test_what_is_no_call_is_refused_by_the_page(portal, body):
    front, flask = both(portal)
    status, _, read = ask(front, body)

    assert (status, read) == ("000 HANDED ON", body)
    assert ask(flask, body)[0] == "400 BAD REQUEST"


def test_a_limit_holds_at_the_door_and_is_counted_once(limited, monkeypatch):
    from regportal.identity import limits

    monkeypatch.setitem(limits.LIMITS, "events", limits.Limit(3, limits.HOUR))
    with limited.store.read() as session:
        limited.shelf.published(session)
    told = [
        ask(limited.app.wsgi_app, json.dumps({"events": [event()]}).encode())[0] for _ in range(5)
    ]

    with limited.store.read() as session:
        counted = session.scalars(sa.select(Tally.number)).all()

    assert [one[:3] for one in told] == ["202"] * 3 + ["429"] * 2
    assert len(kept(limited)) == 3
    assert sum(counted) == 5


def test_what_was_published_a_moment_ago_holds_for_the_next_call(portal, followed):
    front, _ = both(portal)
    body = json.dumps({"events": [event()]}).encode()
    more = {"HTTP_ORIGIN": PAGE, "HTTP_COOKIE": cookie_of(followed)}
    before = ask(front, body, **more)[0]
    portal.publish(SITE.replace(PAGE, "https://www.other.example"))
    after = ask(portal.app.wsgi_app, json.dumps({"events": [event()]}).encode(), **more)[0]

    assert (before, after) == ("202 ACCEPTED", "403 FORBIDDEN")
    assert len(kept(portal)) == 1


def test_the_door_takes_no_caller_for_another(portal, followed):
    """What it remembers of a caller is remembered under all that he says of himself."""
    front, flask = both(portal)
    cookie = {"HTTP_COOKIE": cookie_of(followed)}
    callers = [{**cookie, **more} for more in GOOD] + [
        {},
        {**cookie, "HTTP_USER_AGENT": f"{FIREFOX}x"},
        {**cookie, "HTTP_DNT": "1"},
        {**cookie, "HTTP_X_RP_VISITOR": "3q2-" + "a" * 39},
    ]
    for application in (front, flask):
        for more in [*callers, *callers]:
            body = json.dumps({"events": [event()]}).encode()
            assert ask(application, body, **more)[0] == "202 ACCEPTED"
    rows = kept(portal)

    assert rows[: len(rows) // 2] == rows[len(rows) // 2 :]
    assert len(rows) == 4 * len(callers)
