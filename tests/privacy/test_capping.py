"""What nobody is known for is kept up to a cap: the oldest goes, and nothing of anybody's."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.privacy import capping
from regportal.privacy.capping import cap
from regportal.store.ids import uuid7
from regportal.tracking.models import Interaction, Parcel, Told, Touch, Verdict, Visit
from regportal.tracking.rejudging import Judged, judge_by_hand
from tests.privacy.test_clocks import count, night
from tests.tracking.test_the_collector import (
    ann,  # noqa: F401 - a fixture
    choose,
    event,
    followed,  # noqa: F401 - a fixture
    kept,
    tell,
)


def objects(portal):
    return {one.object for one in kept(portal)}


def comes(portal, browser, *names, headers=()):
    """Let a browser open pages, a second apart, now."""
    for name in names:
        tell(browser, event(about=f"/{name}"), headers=headers)
        portal.work()


@pytest.fixture
def crowd(portal, ann, monkeypatch):  # noqa: F811 - the fixture
    """Ann, somebody who may be followed, and somebody who may not, in turns."""
    monkeypatch.setattr(capping, "AT_ONCE", 2)
    linked, unlinked = portal.browser(), portal.browser()
    choose(linked)
    for number in range(4):
        comes(portal, linked, f"linked-{number}")
        comes(portal, unlinked, f"unlinked-{number}")
        comes(portal, ann, f"ann-{number}")
    return linked


def test_the_oldest_that_can_be_nobodys_go_first_and_what_is_anns_stays(portal, crowd):
    at_first = cap(portal.store, 8)
    some = cap(portal.store, 5)
    after_some = objects(portal)
    more = cap(portal.store, 2)

    assert at_first.get("interactions") is None
    assert (some["interactions"], more["interactions"]) == (3, 3)
    hers = {f"/ann-{number}" for number in range(4)} | {"guide"}
    assert after_some == hers | {"/unlinked-3"} | {f"/linked-{number}" for number in range(4)}
    assert objects(portal) == hers | {"/linked-2", "/linked-3"}


def test_what_is_gone_leaves_neither_call_nor_verdict_nor_mark(portal, crowd):
    for one in kept(portal):
        if one.object.startswith("/linked"):
            now = datetime.now(UTC)
            portal.store.write(
                lambda session, id=one.id, now=now: judge_by_hand(
                    session, id, Judged.MACHINE, "bot", now=now
                )
            )
    cap(portal.store, 0)

    assert objects(portal) == {"guide", *(f"/ann-{number}" for number in range(4))}
    assert count(portal, Verdict) == 0
    assert count(portal, Told) == 4
    assert {one.contact_id or one.claim_id for one in kept(portal, Parcel)} != {None}
    assert count(portal, Parcel) == 4


def test_a_machine_in_her_browser_fills_no_more_than_one_browser_may(
    portal,
    ann,  # noqa: F811 - the fixture
    monkeypatch,
):
    monkeypatch.setattr(capping, "OF_ONE", 3)
    comes(portal, ann, *(f"hers-{number}" for number in range(5)))
    fetched = [f"fetched-{number}" for number in range(5)]
    comes(portal, ann, *fetched, headers={"Sec-Purpose": "prefetch"})
    cap(portal.store, 1_000)

    hers = {f"/hers-{number}" for number in range(5)}
    assert objects(portal) == hers | {"guide", "/fetched-2", "/fetched-3", "/fetched-4"}


def test_visits_of_which_nothing_is_left_go_also_of_a_browser_that_still_comes(
    portal,
    followed,  # noqa: F811 - the fixture
):
    comes(portal, followed, "long-ago")
    later = datetime.now(UTC) + timedelta(days=85)
    with time_machine.travel(later):
        comes(portal, followed, "lately")
    night(portal, 91)

    assert objects(portal) == {"/lately"}
    assert (count(portal, Visit), count(portal, Touch)) == (1, 1)


def test_a_big_crowd_is_brought_down_to_the_cap(portal):
    """More than one listing and many transactions; on both databases."""
    noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    rows = [
        {
            "id": uuid7(),
            "type": "page_view",
            "object": f"/{number}",
            "properties": {},
            "occurred_at": noon,
            "received_at": noon + timedelta(seconds=number),
            "attribution": "anonymous",
            "judged": "person",
        }
        for number in range(2_000)
    ]
    portal.store.write(lambda session: session.execute(sa.insert(Interaction), rows))
    cap(portal.store, 1_500)

    assert objects(portal) == {f"/{number}" for number in range(500, 2_000)}
