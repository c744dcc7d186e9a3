"""What the CRM tells of opportunities and parts is kept, and the newest word holds."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.models import ContactRole, Opportunity, Snapshot
from regportal.tracking.models import EntryKind, LogEntry
from tests.buying.scene import NOON

HOUR = timedelta(hours=1)


def column(scene, name, key):
    with scene.store.read() as session:
        return getattr(session.get_one(Opportunity, key), name)


def parts(scene):
    with scene.store.read() as session:
        return [
            (part.role, part.since, part.until)
            for part in session.scalars(sa.select(ContactRole).order_by(ContactRole.id))
        ]


def lines(scene):
    with scene.store.read() as session:
        return session.scalar(
            sa.select(sa.func.count())
            .select_from(LogEntry)
            .where(LogEntry.kind == EntryKind.OPPORTUNITY)
        )


def test_a_new_opportunity_begins_in_the_first_phase(scene):
    deal = scene.opportunity(stage="Offer")

    assert column(scene, "phase", deal) == "unaware"
    assert column(scene, "stage", deal) == "Offer"


def test_what_the_crm_does_not_speak_of_stays_as_it_is(scene):
    deal = scene.opportunity(stage="Offer", amount="100.00")

    assert scene.opportunity(stage="Signed", now=NOON + HOUR) == deal
    assert column(scene, "amount", deal) == "100.00"
    assert column(scene, "stage", deal) == "Signed"


def test_an_older_description_never_overwrites_a_newer_one(scene):
    deal = scene.opportunity(stage="Signed", told_at=NOON)
    scene.opportunity(stage="Offer", told_at=NOON - HOUR, now=NOON + HOUR)

    assert column(scene, "stage", deal) == "Signed"
    assert column(scene, "told_at", deal) == NOON


def test_every_description_is_kept_as_a_series(scene):
    scene.opportunity(stage="Signed", told_at=NOON)
    scene.opportunity(stage="Offer", told_at=NOON - HOUR, now=NOON + HOUR)

    with scene.store.read() as session:
        series = session.scalars(sa.select(Snapshot).order_by(Snapshot.told_at)).all()
    assert [each.body["stage"] for each in series] == ["Offer", "Signed"]


def test_two_crms_may_use_the_same_name(scene):
    assert scene.opportunity(connector="crm") != scene.opportunity(connector="other")


def test_a_part_that_changes_is_ended_and_begun_anew(scene, ann):
    deal = scene.opportunity()
    scene.role(deal, ann, role="user")
    scene.role(deal, ann, role="decision_maker", now=NOON + HOUR)

    assert parts(scene) == [
        ("user", NOON, NOON + HOUR),
        ("decision_maker", NOON + HOUR, None),
    ]


def test_a_part_told_twice_is_one(scene, ann):
    deal = scene.opportunity()
    scene.role(deal, ann, role="user")
    before = lines(scene)
    scene.role(deal, ann, role="user", now=NOON + HOUR)

    assert parts(scene) == [("user", NOON, None)]
    assert lines(scene) == before


def test_a_part_that_ends_is_not_deleted(scene, ann):
    deal = scene.opportunity()
    scene.role(deal, ann)
    scene.role(deal, ann, add=False, now=NOON + HOUR)

    assert parts(scene) == [(None, NOON, NOON + HOUR)]


@pytest.mark.parametrize("late", [True, False])
def test_the_newest_word_on_a_part_holds_in_whatever_order_it_comes(scene, ann, late):
    deal = scene.opportunity()
    added, removed = (
        lambda: scene.role(deal, ann, told_at=NOON, now=NOON + 2 * HOUR),
        lambda: scene.role(deal, ann, add=False, told_at=NOON + HOUR, now=NOON + 2 * HOUR),
    )
    for tell in (removed, added) if late else (added, removed):
        tell()

    assert all(until is not None for _, _, until in parts(scene))


def test_a_part_may_begin_again(scene, ann):
    deal = scene.opportunity()
    scene.role(deal, ann)
    scene.role(deal, ann, add=False, now=NOON + HOUR)

    assert scene.role(deal, ann, now=NOON + 2 * HOUR)
    assert parts(scene)[-1] == (None, NOON + 2 * HOUR, None)
