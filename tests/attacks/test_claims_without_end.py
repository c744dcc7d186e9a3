"""
Claims without end: making somebody's own page unusable by typing his address again and again.

Every form with an address makes a claim, and its owner may see each and say whether it was him.
Where a page shows all of them, and looks up for each what was said of all, six hundred forms of a
stranger take it a quarter of a minute, and a few thousand take it away from its owner altogether:
the very page on which he could say no. Here a page shows the newest few, asks the database as
often for fifty as for five, and one press says no to all the others.
"""

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.forms.showing import AT_MOST
from regportal.identity.models import Claim, ClaimState, Visitor
from regportal.store.facts import table_of
from regportal.store.ids import uuid7
from tests.attacks.test_is_the_address_known import Trace
from tests.privacy.people import Person


@pytest.fixture
def victim(portal):
    return Person(portal, "victim@example.com").arrives()


def flood(portal, victim, count):
    """Let strangers make so many more claims of her address."""
    now = datetime.now(UTC) - timedelta(minutes=1)

    def work(session):
        visitor, claim = (
            dict(session.execute(sa.select(table_of(one)).limit(1)).mappings().one())
            for one in (Visitor, Claim)
        )
        new = {"state": "claimed", "claim_id": None, "verified_at": None}
        opened = {"state": ClaimState.OPEN, "contact_id": None, "decided_at": None}
        opened |= {"settled_at": None, "opened_at": now, "match_key": victim.email}
        for _ in range(count):
            id = uuid7()
            session.execute(sa.insert(table_of(Visitor)), visitor | new | {"id": id})
            stranger = {"id": uuid7(), "visitor_id": id}
            session.execute(sa.insert(table_of(Claim)), claim | opened | stranger)

    portal.store.write(work)


def states(portal):
    """Return how many claims there are of each state."""
    with portal.store.read() as session:
        counted = sa.select(Claim.state, sa.func.count()).group_by(Claim.state)
        return {state.value: number for state, number in session.execute(counted)}


def asked_for(portal, victim, path):
    """Return how many statements a page takes, and the page."""
    portal.store.catch_up()
    with Trace(portal.store) as trace:
        page = victim.browser.get(path)
    assert page.status == 200
    return len(trace.seen), page


@pytest.mark.parametrize("path", ["/me", "/me/erase", "/g/guide/done"])
def test_a_page_asks_as_often_for_fifty_claims_as_for_five(portal, victim, path):
    victim.opens_her_page()
    victim.browser.send("guide")
    flood(portal, victim, 5)
    asked_for(portal, victim, path)
    few, _ = asked_for(portal, victim, path)
    flood(portal, victim, 45)
    many, page = asked_for(portal, victim, path)

    assert many == few
    assert page.text.count('data-rp="deny"') == (0 if path == "/me/erase" else AT_MOST)


def test_the_page_says_how_many_more_there_are(portal, victim):
    flood(portal, victim, AT_MOST + 7)
    own = victim.opens_her_page()
    victim.browser.send("guide")
    done = victim.browser.get("/g/guide/done")

    [more] = re.findall(r'data-rp="more-claims">\s*And (\d+) more', own.text)
    assert more == "8"  # hers as well
    assert "And 7 more" in done.text


def test_one_press_says_no_to_all_that_wait_and_to_nothing_later(portal, victim):
    flood(portal, victim, AT_MOST + 27)
    own = victim.opens_her_page()
    until = re.search(r'name="until" value="([^"]+)"', own.text)[1]
    portal.browser().claim(victim.email)
    pressed = {**own.fields, "choice": "deny", "until": until}
    answer = victim.browser.post("/me/claims", pressed)

    assert answer.status == 303
    assert states(portal) == {"confirmed": 1, "open": 1, "rejected": AT_MOST + 27}
    assert victim.browser.post("/me/claims", pressed).status == 303
    assert states(portal)["open"] == 1


def test_a_press_does_only_so_many_at_a_time(portal, victim, monkeypatch):
    monkeypatch.setattr("regportal.privacy.changing.ROUNDS", 2)
    flood(portal, victim, 50)
    own = victim.opens_her_page()
    until = re.search(r'name="until" value="([^"]+)"', own.text)[1]
    left = []
    for _ in range(2):
        victim.browser.post("/me/claims", {**own.fields, "choice": "deny", "until": until})
        left.append(states(portal).get("open", 0))

    assert left == [10, 0]


SAYS_NOTHING = [
    {},
    {"choice": "confirm", "until": "2026-01-01T00:00:00+00:00"},
    {"choice": "deny"},
    {"choice": "deny", "until": "yesterday"},
    {"choice": "deny", "until": "2026-01-01T00:00:00"},
]


def test_a_press_that_says_nothing_does_nothing(portal, victim):
    flood(portal, victim, 3)
    own = victim.opens_her_page()
    for fields in SAYS_NOTHING:
        answer = victim.browser.post("/me/claims", {**own.fields, **fields})

        assert answer.status == 400, fields
        assert states(portal)["open"] == 3, fields


def test_nobody_else_says_no(portal, victim):
    flood(portal, victim, 3)
    eve = Person(portal, "eve@evil.example").arrives()
    own = eve.opens_her_page()
    fields = {"choice": "deny", "until": datetime.now(UTC).isoformat()}
    answer = eve.browser.post("/me/claims", {**own.fields, **fields})
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=16)):
        late = victim.browser.get("/me")
        stale = victim.browser.post("/me/claims", {**late.fields, **fields})

    assert (answer.status, stale.headers["Location"]) == (303, "/me")
    assert states(portal)["open"] == 3
