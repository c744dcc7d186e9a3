"""Something was put down to the wrong person: what rested on it is taken back, and says why."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.buying import actions
from regportal.buying.checking import standing_differences
from regportal.errors import BadRequestError, NotHereError, StaleError
from regportal.store.ids import uuid7
from regportal.tracking.models import Attributed, Attribution
from regportal.tracking.reverting import revert
from tests.buying.scene import NOON

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
STUDENT = "a student of the same name"


@pytest.fixture
def undo(scene):
    """Says that somebody did not do something, and lets the worker look."""

    def says(interaction, because=STUDENT, *, now=NOON + DAY):
        whose = scene.store.write(lambda session: revert(session, interaction, because, now=now))
        scene.weigh(now=now)
        return whose

    return says


def reasons(scene):
    return [one.payload["reason"] for one in scene.messages("phase.changed")]


def test_the_move_it_caused_is_taken_back_with_the_reason(scene, ann, deal, undo):
    taken = scene.did(ann, now=NOON + SECOND)
    scene.weigh()
    whose = undo(taken)

    assert whose == ann
    assert [(one.from_phase, one.to_phase, one.cause) for one in scene.moves()] == [
        ("unaware", "comparison", "event"),
        ("comparison", "unaware", "correction"),
    ]
    assert reasons(scene)[-1] == (
        f"Unaware since 5 Mar 2026 12:00: Price list 2026 no longer counts: {STUDENT}"
    )
    with scene.store.read() as session:
        published = scene.shelf.published(session)
        assert [*standing_differences(session, published, now=NOON + DAY)] == []


def test_the_move_it_caused_still_says_what_was_believed(scene, ann, deal, undo):
    undo(scene.did(ann, now=NOON + SECOND))
    with scene.store.read() as session:
        first, last = actions.list_moves(session)

    assert "ann@example.com downloaded Price list 2026" in first["reason"]
    assert "no longer counts" in last["reason"]


def test_a_worker_that_comes_late_says_the_same_reason(scene, ann, deal, undo):
    undo(scene.did(ann, now=NOON + SECOND))

    assert reasons(scene)[-1] == (
        f"Unaware since 5 Mar 2026 12:00: Price list 2026 no longer counts: {STUDENT}"
    )


def test_what_is_left_says_what_it_rests_on(scene, ann, deal, undo):
    scene.did(ann, "white-paper", name="paper", now=NOON + SECOND)
    taken = scene.did(ann, now=NOON + 2 * SECOND)
    scene.weigh()
    undo(taken)

    assert reasons(scene)[-1] == (
        "Interest since 5 Mar 2026 12:00: ann@example.com downloaded paper (1 needed in 180 days);"
        f" Price list 2026 no longer counts: {STUDENT}"
    )


def test_a_phase_that_does_not_rest_on_it_stays(scene, ann, deal, undo):
    scene.did(ann, now=NOON + SECOND)
    other = scene.did(ann, "white-paper", name="paper", now=NOON + 2 * SECOND)
    scene.weigh()
    undo(other)

    assert scene.phase(deal) == "comparison"
    assert len(scene.moves()) == 1


def test_whose_it_is_may_be_found_out_later_after_all(scene, ann, deal, undo):
    taken = scene.did(ann, now=NOON + SECOND)
    undo(taken)
    scene.attribute(ann, taken, now=NOON + 2 * DAY)
    scene.weigh(now=NOON + 2 * DAY)

    assert scene.phase(deal) == "comparison"


@pytest.mark.parametrize("because", ["", " ", "a\nb", "x" * 301])
def test_without_a_reason_on_one_line_nothing_is_taken_back(scene, ann, undo, because):
    taken = scene.did(ann)
    with pytest.raises(BadRequestError, match="because must be one line"):
        undo(taken, because)

    with scene.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Attribution)) == 0


def test_what_is_nobodys_is_refused(scene, ann, undo):
    unknown = scene.did(None, attribution=Attributed.ANONYMOUS)
    taken = scene.did(ann)
    undo(taken)
    for one in (unknown, taken):
        with pytest.raises(StaleError, match="is nobody's"):
            undo(one)
    with pytest.raises(NotHereError, match="there is no interaction"):
        undo(uuid7())
