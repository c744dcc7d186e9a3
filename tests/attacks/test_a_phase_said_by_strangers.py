"""
Saying how far a purchase has come, or that a deed was not hers, without being asked.

Where the phase of a purchase is one field that any integration may write, a key that leaked out of
the web shop raises the forecast, or hides a customer from the seller until it is too late: once
and for all, because nobody knows that it was said, or until when. On products that let a visitor
"remove" what they did, anybody takes away what a phase rests on.

What we do: only a key that is good, and for just that, says it; a visitor's browser never does,
whatever cookies it has. What is said has an end at most 180 days ahead, which cannot be forged to
lie further off, and stands with the reason for all to read. Whatever is refused leaves no trace.
"""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.models import Opportunity, PhaseOverride
from regportal.identity.keys import SCOPES, add_key, revoke_key
from regportal.tracking.models import Attribution
from tests.buying.scene import Scene
from tests.portal import ORIGIN

SAID = {"phase": "decision", "by": "Bo Lind", "because": "they signed"}
DAY = timedelta(days=1)


@pytest.fixture
def deal(portal):
    """An open opportunity, and something that Ann did."""
    scene, now = Scene(portal.store), datetime.now(UTC)
    scene.opportunity("006", now=now - DAY)
    return scene.did(scene.contact("ann@example.com"), now=now - DAY)


@pytest.fixture
def calls(deal):
    """All that says or takes back something, with the scope it needs."""
    here = "/api/v1/opportunities/crm:006/override"
    return [
        ("override", here, SAID),
        ("override", f"{here}/end", {}),
        ("revert", f"/api/v1/interactions/{deal}/revert", {"because": "a student"}),
    ]


def key(portal, *scopes, **more):
    now = datetime.now(UTC)
    return portal.store.write(lambda one: add_key(one, "shop", scopes, now=now, **more))


def post(portal, address, body, secret):
    headers = {"Authorization": f"Bearer {secret}"}
    client = portal.app.test_client()
    return client.post(address, json=body, base_url=ORIGIN, headers=headers).status_code


def traces(portal):
    """Return what is left of anything that was said."""
    with portal.store.read() as session:
        phases = session.scalars(sa.select(Opportunity.phase)).all()
        said = sa.select(sa.func.count()).select_from(PhaseOverride)
        taken = sa.select(sa.func.count()).select_from(Attribution)
        return phases, session.scalar(said), session.scalar(taken), portal.news("phase.changed")


NOTHING = (["unaware"], 0, 0, [])


def test_a_key_for_anything_else_says_nothing(portal, calls):
    for scope, address, body in calls:
        _, secret = key(portal, *(SCOPES.keys() - {scope}))
        assert post(portal, address, body, secret) == 403

    assert traces(portal) == NOTHING


def test_a_key_that_is_over_says_nothing(portal, calls):
    now = datetime.now(UTC)
    revoked, secret = key(portal, *SCOPES)
    portal.store.write(lambda one: revoke_key(one, revoked.id, now=now))
    _, expired = key(portal, *SCOPES, expires_at=now - DAY)
    for _, address, body in calls:
        for one in (secret, expired, "", f"rpk_{'A' * 43}"):
            assert post(portal, address, body, one) == 401

    assert traces(portal) == NOTHING


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_browser_says_nothing_even_of_what_its_owner_did(portal, calls):
    ann = portal.browser()
    ann.claim("ann@example.com")
    portal.work()
    ann.prove(portal)
    portal.work()
    before = traces(portal)
    for _, address, body in calls:
        answer = ann.client.post(address, json=body, base_url=ORIGIN, headers=ann.origin)
        assert answer.status_code == 401

    assert traces(portal) == before
    assert before[:2] == (["unaware"], 0)


@pytest.mark.parametrize(
    "until",
    [
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
        "2001-01-01T00:00:00Z",
        "2999-01-01T00:00:00",
        "2999-01-01",
        "P99999D",
        "Infinity",
        32503680000,
        1e300,
        True,
        [],
        "",
    ],
    ids=repr,
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_end_is_forged_to_lie_further_off(portal, calls, until):
    (_, address, _), *_ = calls
    _, secret = key(portal, *SCOPES)

    assert post(portal, address, SAID | {"until": until}, secret) == 400
    assert traces(portal) == NOTHING


def test_the_longest_that_is_taken_is_180_days(portal, calls):
    (_, address, _), *_ = calls
    _, secret = key(portal, *SCOPES)
    now = datetime.now(UTC)
    late, last = ((now + one).isoformat() for one in (181 * DAY, 180 * DAY))

    assert post(portal, address, SAID | {"until": late}, secret) == 400
    assert traces(portal) == NOTHING
    assert post(portal, address, SAID | {"until": last}, secret) == 201


@pytest.mark.parametrize("field", ["by", "because", "phase"])
@pytest.mark.parametrize("text", ["a\nb", "\x00", "\u202egnp.exe", "\u2028", " ", "x" * 301, 7, []])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_line_is_forged_in_what_sellers_read(portal, calls, field, text):
    (_, address, _), *_ = calls
    _, secret = key(portal, *SCOPES)

    assert post(portal, address, SAID | {field: text}, secret) == 400
    assert traces(portal) == NOTHING


@pytest.mark.parametrize("field", ["because", "phase"])
def test_nothing_is_said_without_why_and_what(portal, calls, field):
    (_, address, _), *_ = calls
    _, secret = key(portal, *SCOPES)

    assert post(portal, address, SAID | {field: None}, secret) == 400
    assert traces(portal) == NOTHING
