"""
Making somebody's browser press our buttons.

A page elsewhere can send a form, or a piece of JSON dressed as text, to any address, and the
browser adds the cookies. Where a product takes it, the visitor has claimed the attacker's address,
asked for a newsletter, or agreed to be followed, without ever seeing the page.
"""

import json

import pytest
import sqlalchemy as sa

from regportal.forms.models import Submission
from regportal.identity.models import Choice, Claim, ClaimState, Visitor
from tests.identity.test_codes import code_in
from tests.portal import ORIGIN

ANN = "ann@widgetworks.example"
ELSEWHERE = [
    {},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://localhost:8000.evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://evil.localhost:8000", "Sec-Fetch-Site": "same-site"},
    {"Origin": "https://www.acme.example.evil.example"},
    {"Origin": "https://wwwXacme.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
ROUTES = ["/g/study", "/g/guide/code", "/g/guide/not-you", "/g/guide/resend", "/g/guide/change"]
NO_POST = ["GET", "HEAD", "PUT", "PATCH", "DELETE"]


@pytest.fixture
def ann(portal):
    """Ann's browser, which has claimed her address."""
    browser = portal.browser()
    browser.claim(ANN)
    portal.work()
    return browser


def state(portal):
    """Return all that a form could have changed."""
    with portal.store.read() as session:
        return [
            session.execute(sa.select(kind.__table__).order_by(kind.id)).all()
            for kind in (Claim, Submission, Choice)
        ], [
            (one.state, one.ended_at, one.tracks, one.remembered)
            for one in session.scalars(sa.select(Visitor).order_by(Visitor.id))
        ]


def send(browser, path, headers, **how):
    """Send something as another page would make this browser do."""
    return browser.client.post(
        path, headers={"User-Agent": "x", **headers}, base_url=ORIGIN, **how
    ).status_code


@pytest.mark.parametrize("route", ROUTES)
def test_a_form_from_elsewhere_is_refused(portal, ann, route):
    page = ann.get("/g/guide/done") if route != "/g/study" else ann.gate("study")
    fields = {**page.fields, "code": code_in(portal), "email": "eve@evil.example"}
    before = state(portal)
    answers = [(headers, send(ann, route, headers, data=fields)) for headers in ELSEWHERE]

    assert answers == [(headers, 403) for headers in ELSEWHERE]
    assert state(portal) == before


@pytest.mark.parametrize("route", ROUTES)
def test_a_form_dressed_as_text_or_json_is_refused(portal, ann, route):
    before = state(portal)
    for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x"):
        status = send(ann, route, ann.origin, data="code=123456", content_type=kind)
        assert status == 400

    assert state(portal) == before


@pytest.mark.parametrize("route", ROUTES[1:])
def test_only_a_post_presses_a_button(portal, ann, route):
    fields = {**ann.get("/g/guide/done").fields, "code": code_in(portal), "_method": "POST"}
    before = state(portal)
    how = {"query_string": fields, "base_url": ORIGIN}
    how["headers"] = {"X-HTTP-Method-Override": "POST", **ann.origin}
    answers = {one: ann.client.open(route, method=one, **how).status_code for one in NO_POST}

    assert answers == dict.fromkeys(NO_POST, 405)
    assert state(portal) == before


@pytest.mark.parametrize("route", ROUTES[1:])
def test_the_token_of_another_browsers_page_is_no_good(portal, ann, route):
    eve = portal.browser()
    eve.claim("eve@evil.example")
    fields = {**eve.get("/g/guide/done").fields, "code": code_in(portal)}

    assert send(ann, route, ann.origin, data=fields) == 403
    with portal.store.read() as session:
        assert {one.state for one in session.scalars(sa.select(Claim))} == {ClaimState.OPEN}


@pytest.mark.parametrize("headers", ELSEWHERE, ids=lambda headers: str(list(headers.values())))
def test_nobody_elsewhere_can_agree_to_be_followed(portal, ann, headers):
    before = state(portal)
    body = json.dumps({"recognise": True, "track": True})

    assert send(ann, "/api/v1/choice", headers, data=body, content_type="application/json") == 403
    assert send(ann, "/api/v1/choice", headers, data=body, content_type="text/plain") == 403
    assert state(portal) == before
