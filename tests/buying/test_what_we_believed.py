"""What did we believe on 1 March? The past is never rewritten, so it can be asked."""

from datetime import timedelta

import pytest

from regportal.buying import overriding
from regportal.buying.believed import opportunity_on
from regportal.errors import NotHereError
from regportal.tracking.reverting import revert
from tests.buying.scene import NOON

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.fixture
def history(scene, ann, deal):
    """
    A week of an opportunity, with all that was found out later.

    Day 1: Ann takes the price list. Day 2: Bob gets a part, the stage and the name change. Day 3:
    it was not Ann. Day 4: Ann's part ends. Day 5: a colleague says decision. Day 6: it is won.
    """
    taken = scene.did(ann, now=NOON + DAY)
    scene.role(deal, scene.contact("bob@example.com"), role="user", now=NOON + 2 * DAY)
    scene.opportunity("006", name="900 widgets", stage="Offer", now=NOON + 2 * DAY)
    scene.weigh(now=NOON + 2 * DAY)
    scene.store.write(lambda session: revert(session, taken, "a student", now=NOON + 3 * DAY))
    scene.weigh(now=NOON + 3 * DAY)
    scene.role(deal, ann, add=False, now=NOON + 4 * DAY)
    scene.weigh(now=NOON + 4 * DAY)
    now = NOON + 5 * DAY
    word = overriding.Word("decision", "Bo Lind", "he called", now + 30 * DAY)
    scene.store.write(
        lambda session: overriding.override(
            session, scene.shelf.published(session), "crm:006", word, now=now
        )
    )
    scene.opportunity("006", stage="Won", is_closed=True, is_won=True, now=NOON + 6 * DAY)
    scene.weigh(now=NOON + 6 * DAY)
    return taken


def believed(scene, days, name="crm:006"):
    with scene.store.read() as session:
        return opportunity_on(session, name, NOON + days * DAY)


def test_the_phase_is_that_of_then_with_the_reason_of_then(scene, history):
    found = [believed(scene, days) for days in (0.5, 1, 3, 5, 7)]

    assert [(one["phase"], one["since"]) for one in found] == [
        ("unaware", "2026-03-04T12:00:00Z"),
        ("comparison", "2026-03-05T12:00:00Z"),
        ("unaware", "2026-03-07T12:00:00Z"),
        ("decision", "2026-03-09T12:00:00Z"),
        ("decision", "2026-03-09T12:00:00Z"),
    ]
    assert [one["reason"] for one in found[:3]] == [
        None,
        (
            "Comparison since 5 Mar 2026 12:00: ann@example.com downloaded Price list 2026"
            " (1 needed in 45 days)"
        ),
        "Unaware since 7 Mar 2026 12:00: Price list 2026 no longer counts: a student",
    ]
    assert [one["evidence"] for one in found[:2]] == [[], [str(history)]]


def test_names_stage_and_parts_are_those_that_were_known_then(scene, history):
    early, later, last = (believed(scene, days) for days in (1.5, 2.5, 4.5))

    assert (early["name"], early["stage"]) == ("500 widgets", None)
    assert (later["name"], later["stage"]) == ("900 widgets", "Offer")
    assert [[one["email"] for one in each["contacts"]] for each in (early, later, last)] == [
        ["ann@example.com"],
        ["ann@example.com", "bob@example.com"],
        ["bob@example.com"],
    ]


def test_what_a_colleague_said_and_how_it_ended_is_that_of_then(scene, history):
    found = [believed(scene, days) for days in (4.5, 5.5, 6.5)]

    assert [one["override"] and one["override"]["text"] for one in found] == [
        None,
        "Bo Lind said so until 8 Apr 2026: he called",
        "ended 10 Mar 2026 12:00: what Bo Lind said held until it was won",
    ]
    assert [(one["open"], one["won"]) for one in found] == [
        (True, False),
        (True, False),
        (False, True),
    ]


def test_before_anything_was_known_of_it_nothing_was_believed(scene, history):
    with pytest.raises(NotHereError, match="nothing was known of crm:006 on 3 Mar 2026 12:00"):
        believed(scene, -1)
    with pytest.raises(NotHereError, match="there is no opportunity"):
        believed(scene, 1, "crm:007")
