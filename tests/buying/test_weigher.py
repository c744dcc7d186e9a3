"""The log becomes moves, evidence and news: in order, exactly once."""

import contextlib
import random
import threading
import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying import actions, weigher
from regportal.buying.following import Following
from regportal.buying.schema import AtLeast, Buying, Condition, Enter, Phase
from regportal.buying.weigher import BATCH
from regportal.connectors.schema import Connector
from regportal.outbox.models import Message
from regportal.store.documents import Shelf
from regportal.store.sessions import Store, make_engine
from regportal.tracking.actions import record
from regportal.tracking.models import Attributed, Interaction, Judged
from tests.buying.scene import NOON

pytestmark = pytest.mark.both

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
OTHER = Connector(key="other", type="webhook", url="https://other.example/", secret="env:OTHER")
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class KilledError(Exception):
    pass


def summary(scene):
    """What was decided and owed, without keys that are made anew each time."""
    moved = [(move.from_phase, move.to_phase, move.at, move.evidence) for move in scene.moves()]
    owed = [(each.connector, each.topic, each.subject, each.sequence) for each in scene.messages()]
    return moved, sorted(owed)


def test_a_price_list_moves_an_open_opportunity_to_comparison(scene, ann, deal):
    taken = scene.did(ann, now=NOON + SECOND)
    scene.weigh()

    (move,) = scene.moves()
    assert scene.phase(deal) == "comparison"
    assert (move.from_phase, move.to_phase, move.at) == ("unaware", "comparison", NOON + SECOND)
    assert (move.cause, move.rules_version) == ("event", 0)
    assert move.evidence == [
        {
            "event": "download",
            "category": ["price-list", "quote"],
            "at_least": 1,
            "within": "45d",
            "interactions": [str(taken)],
        }
    ]


def test_silence_takes_a_phase_back_at_its_very_moment_and_by_time_alone(scene, ann, deal):
    scene.did(ann, now=NOON + SECOND)
    scene.weigh(now=NOON + SECOND)
    scene.weigh(now=NOON + 46 * DAY)

    assert [(move.to_phase, move.at, move.cause) for move in scene.moves()] == [
        ("comparison", NOON + SECOND, "event"),
        ("stalled", NOON + SECOND + 45 * DAY, "timer"),
    ]


def test_the_crm_is_told_of_the_move_and_why(scene, ann, deal):
    taken = scene.did(ann, now=NOON + SECOND)
    scene.weigh()

    (message,) = scene.messages("phase.changed")
    (move,) = scene.moves()
    assert (message.connector, message.subject, message.merges) == (
        "crm",
        f"opportunity:{deal}",
        "phase",
    )
    assert message.payload == {
        "id": str(move.id),
        "opportunity": {"key": str(deal), "external_id": "006", "name": "500 widgets"},
        "from": "unaware",
        "to": "comparison",
        "since": "2026-03-04T12:00:01Z",
        "reason": (
            "Comparison since 4 Mar 2026 12:00: ann@example.com downloaded Price list 2026"
            " (1 needed in 45 days)"
        ),
        "evidence": [str(taken)],
        "rules_version": 0,
    }


def test_the_crm_is_told_of_the_interaction(scene, ann, deal):
    taken = scene.did(ann, now=NOON + SECOND)
    scene.weigh()

    (message,) = scene.messages("interaction.recorded")
    assert message.subject == f"contact:{ann}"
    assert message.payload == {
        "id": str(taken),
        "contact": {"key": str(ann), "email": "ann@example.com", "assurance": "crm"},
        "interaction": {
            "id": str(taken),
            "type": "download",
            "object": "price-list-2026",
            "category": "price-list",
            "properties": {},
            "occurred_at": "2026-03-04T12:00:01Z",
            "received_at": "2026-03-04T12:00:01Z",
            "attribution": "verified",
            "judged": "person",
        },
        "title": "Price list 2026",
        "opportunities": ["006"],
    }


def test_each_crm_hears_of_its_own_opportunities_only(scene, ann, deal):
    scene.publish(OTHER)
    theirs = scene.opportunity("77", connector="other")
    scene.role(theirs, ann)
    scene.did(ann)
    scene.weigh()

    told = {each.connector: each.payload for each in scene.messages("interaction.recorded")}
    moved = {each.connector: each.subject for each in scene.messages("phase.changed")}
    assert {name: payload["opportunities"] for name, payload in told.items()} == {
        "crm": ["006"],
        "other": ["77"],
    }
    assert moved == {"crm": f"opportunity:{deal}", "other": f"opportunity:{theirs}"}


def test_a_crm_that_wants_no_interactions_gets_none(scene, ann, deal):
    quiet = OTHER.model_copy(update={"sends": ("phase",)})
    scene.publish(quiet)
    scene.did(ann)
    scene.weigh()

    assert [each.connector for each in scene.messages("interaction.recorded")] == ["crm"]


def test_the_move_of_an_opportunity_whose_crm_is_gone_is_kept(scene, ann):
    deal = scene.opportunity("1", connector="archived")
    scene.role(deal, ann)
    scene.did(ann)
    scene.weigh()

    assert scene.phase(deal) == "comparison"
    assert scene.messages("phase.changed") == []


@pytest.mark.parametrize(
    "doubtful",
    [
        {"attribution": Attributed.CLAIMED},
        {"attribution": Attributed.ANONYMOUS},
        {"attribution": Attributed.IMPORTED},
        {"judged": Judged.MACHINE},
    ],
)
def test_only_what_a_proven_person_did_counts(scene, ann, deal, doubtful):
    scene.did(ann, **doubtful)
    scene.weigh()

    assert scene.moves() == []
    assert scene.messages() == []


def test_what_was_held_counts_when_the_claim_is_confirmed(scene, ann, deal):
    pressed = NOON + 2 * DAY
    taken = scene.did(None, attribution=Attributed.CLAIMED)
    scene.weigh()
    scene.attribute(ann, taken, now=pressed)
    scene.weigh(now=pressed)

    (move,) = scene.moves()
    (told,) = scene.messages("interaction.recorded")
    assert move.at == pressed
    assert move.evidence[0]["interactions"] == [str(taken)]
    assert told.payload["interaction"]["occurred_at"] == "2026-03-04T12:00:00Z"
    assert told.payload["interaction"]["attribution"] == "verified"


def test_read_late_it_still_settles_at_the_press(scene, ann, deal):
    pressed = NOON + 2 * DAY
    taken = scene.did(None, attribution=Attributed.CLAIMED)
    scene.attribute(ann, taken, now=pressed)
    scene.weigh(now=pressed + DAY)

    assert [move.at for move in scene.moves()] == [pressed]


def test_what_was_held_too_long_does_not_count(scene, ann, deal):
    taken = scene.did(None, attribution=Attributed.CLAIMED)
    scene.attribute(ann, taken, now=NOON + 45 * DAY)
    scene.weigh()

    assert scene.phase(deal) == "interest"


def test_an_interaction_is_told_once_however_often_it_is_attributed(scene, ann, deal):
    taken = scene.did(ann)
    held = scene.did(None, attribution=Attributed.CLAIMED)
    for later in range(3):
        scene.attribute(ann, taken, held, now=NOON + later * SECOND)
        scene.attribute(ann, held, now=NOON + later * SECOND)
        scene.weigh()

    told = [each.payload["id"] for each in scene.messages("interaction.recorded")]
    assert sorted(told) == sorted([str(taken), str(held)])


def test_a_part_given_today_counts_what_was_done_before(scene, ann):
    scene.did(ann, now=NOON - 44 * DAY)
    scene.weigh()
    deal = scene.opportunity()
    scene.role(deal, ann)
    scene.weigh()

    assert [(move.to_phase, move.at) for move in scene.moves()] == [("comparison", NOON)]


def test_a_part_given_today_does_not_count_what_is_too_old(scene, ann):
    scene.did(ann, now=NOON - 45 * DAY)
    deal = scene.opportunity()
    scene.role(deal, ann)
    scene.weigh()

    assert scene.phase(deal) == "interest"


def test_who_has_no_part_any_more_moves_nothing(scene, ann, deal):
    scene.role(deal, ann, add=False, now=NOON + SECOND)
    scene.did(ann, now=NOON + 2 * SECOND)
    scene.weigh()

    assert scene.phase(deal) == "unaware"


def test_two_contacts_together_can_move_an_opportunity(scene, ann, deal):
    bob = scene.contact("bob@example.com")
    scene.role(deal, bob)
    scene.did(ann, "paper", name="first")
    scene.did(bob, "paper", name="second", now=NOON + SECOND)
    scene.weigh()

    last = scene.messages("phase.changed")[-1]
    assert scene.phase(deal) == "exploration"
    assert last.payload["reason"] == (
        "Exploration since 4 Mar 2026 12:00: ann@example.com downloaded first,"
        " bob@example.com downloaded second (2 needed in 90 days)"
    )


def test_a_closed_opportunity_is_frozen_until_it_is_opened_again(scene, ann, deal):
    scene.opportunity("006", is_closed=True, now=NOON + SECOND)
    scene.did(ann, now=NOON + 2 * SECOND)
    scene.weigh()
    scene.opportunity("006", is_closed=False, now=NOON + DAY)
    scene.weigh(now=NOON + DAY)
    spent = scene.phase(deal)
    scene.did(ann, now=NOON + 2 * DAY)
    scene.weigh(now=NOON + 2 * DAY)

    assert spent == "unaware"  # what was done until it was opened again is spent
    assert [(move.to_phase, move.at) for move in scene.moves()] == [("comparison", NOON + 2 * DAY)]
    assert scene.messages("interaction.recorded")[0].payload["opportunities"] == []


def test_a_lesser_sign_never_moves_it_back(scene, ann, deal):
    scene.did(ann)
    scene.did(ann, "paper", now=NOON + SECOND)
    scene.weigh()

    assert scene.phase(deal) == "comparison"
    assert len(scene.moves()) == 1


def test_the_published_model_holds_and_its_version_is_kept(scene, ann, deal):
    model = Buying(
        timezone="Europe/Berlin",
        phases=(
            Phase(id="cold"),
            Phase(
                id="warm",
                label={"en": "Getting warm", "de": "Warm"},
                enter=Enter(
                    all=(
                        Condition(event="download", count=AtLeast(at_least=2), within="1d"),
                        Condition(event="custom:trade-fair", within="1mo"),
                    )
                ),
            ),
        ),
    )
    scene.publish(model)
    scene.publish(model)
    scene.did(ann)
    scene.did(ann, now=NOON + SECOND)
    scene.did(ann, None, type="custom:trade-fair", name="Hanover", now=NOON + 2 * SECOND)
    scene.weigh()

    (move,) = scene.moves()
    assert (move.to_phase, move.rules_version) == ("warm", 2)
    assert scene.messages("phase.changed")[0].payload["reason"] == (
        "Getting warm since 4 Mar 2026 13:00: ann@example.com downloaded Price list 2026 twice"
        " (2 needed in 1 day); ann@example.com did trade-fair: Hanover (1 needed in 1 month)"
    )


def test_nothing_claimed_or_done_by_machines_ever_moves_a_phase(scene, ann, deal):
    chance = random.Random(46)
    for number in range(60):
        claimed = chance.random() < 0.5
        scene.did(
            chance.choice([ann, None]),
            chance.choice(["price-list", "quote", "paper", "contract"]),
            now=NOON + number * SECOND,
            attribution=Attributed.CLAIMED if claimed else Attributed.VERIFIED,
            judged=Judged.PERSON if claimed else Judged.MACHINE,
        )
    scene.weigh()

    assert scene.moves() == []
    assert scene.messages() == []
    assert scene.phase(deal) == "unaware"


def test_moves_that_wait_together_are_told_as_the_one_way_they_went(scene, ann, deal):
    scene.did(ann, "paper", now=NOON + SECOND)
    scene.weigh()
    scene.did(ann, now=NOON + 2 * SECOND)
    scene.weigh()

    (told,) = scene.messages("phase.changed")
    assert (told.payload["from"], told.payload["to"]) == ("unaware", "comparison")
    assert told.payload["since"] == "2026-03-04T12:00:02Z"


def test_what_was_somebodys_for_a_while_counts_for_that_while(scene, ann, deal):
    bob = scene.contact("bob@example.com")
    other = scene.opportunity("007")
    scene.role(other, bob)
    taken = scene.did(ann, now=NOON + SECOND)
    scene.attribute(bob, taken, now=NOON + 2 * SECOND)
    scene.did(ann, "paper", now=NOON + 3 * SECOND)
    scene.weigh()

    steps = [(move.opportunity_id, move.to_phase, move.at) for move in scene.moves()]
    assert steps == [
        (deal, "comparison", NOON + SECOND),
        (deal, "unaware", NOON + 2 * SECOND),
        (other, "comparison", NOON + 2 * SECOND),
        (deal, "interest", NOON + 3 * SECOND),
    ]


# --- keeping up ---


def statements(scene):
    """Weigh, and return how many statements it took."""
    seen = []

    def count(*_):
        seen.append(1)

    sa.event.listen(scene.store.engine, "before_cursor_execute", count)
    scene.weigh_once()
    sa.event.remove(scene.store.engine, "before_cursor_execute", count)
    return len(seen)


@on_sqlite
def test_many_lines_cost_no_more_statements_than_few(scene, ann, deal):
    def burst(many):
        for number in range(many):
            scene.did(ann, "product", now=NOON + number * SECOND)
        return statements(scene)

    burst(3)
    few, many = burst(5), burst(90)

    assert many == few


@on_sqlite
def test_what_nobody_known_did_is_only_passed_over(scene, ann, deal):
    scene.weigh()
    for number in range(90):
        scene.did(None, attribution=Attributed.ANONYMOUS, now=NOON + number * SECOND)

    assert statements(scene) <= 13


# --- exactly once ---


def busy(scene):
    """A log of every kind of line; returns nothing, the log is what matters."""
    people = [scene.contact(f"p{number}@example.com") for number in range(3)]
    deals = [scene.opportunity(f"d{number}") for number in range(2)]
    for number, person in enumerate(people):
        scene.role(deals[number % 2], person)
    held = []
    for number in range(12):
        at = NOON + number * SECOND
        claimed = number % 3 == 0
        key = scene.did(
            None if claimed else people[number % 3],
            ("paper", "price-list")[number % 2],
            now=at,
            attribution=Attributed.CLAIMED if claimed else Attributed.VERIFIED,
        )
        held += [key] if claimed else []
    scene.attribute(people[0], *held[:2], now=NOON + 20 * SECOND)
    scene.attribute(people[1], *held[2:], now=NOON + 20 * SECOND)


def told_once(scene):
    """Assert that no interaction and no move was told twice; return how many were told."""
    told = [
        (each.connector, each.topic, each.payload["id"])
        for each in scene.messages()
        if each.topic == "interaction.recorded"
    ]
    assert len(told) == len(set(told))
    return len(told)


@pytest.mark.parametrize("limit", [1, 2, 7, 200])
def test_the_size_of_a_transaction_changes_nothing(scene, limit):
    busy(scene)
    scene.weigh(limit=limit)
    moved, _ = summary(scene)
    steps = [(before, after, at) for before, after, at, _ in moved]

    assert told_once(scene) == 12
    assert steps == [
        ("unaware", "comparison", NOON + SECOND),
        ("unaware", "interest", NOON + 2 * SECOND),
        ("interest", "comparison", NOON + 5 * SECOND),
    ]


def test_however_much_waits_the_clock_is_looked_at_again(scene, monkeypatch):
    busy(scene)
    monkeypatch.setattr(weigher, "A_WHILE", -1.0)
    times = [NOON + number * SECOND for number in range(9)]
    held = [scene.weigh_once(now=now, limit=2) for now in times]

    assert held[:3] == times[:3]
    scene.weigh(limit=2)
    assert told_once(scene) == 12


@pytest.mark.parametrize("limit", [2, 3, 4, 200])
def test_equal_moments_apart_from_each_other_are_each_read(scene, ann, deal, limit):
    for seconds in (1, 2, 1, 3, 2, 2, 3):
        scene.did(ann, "paper", now=NOON + seconds * SECOND)
    scene.weigh(now=NOON + 4 * SECOND, limit=limit)

    assert told_once(scene) == 7


@on_sqlite  # on PostgreSQL what runs elsewhere may hold back a part of the moment
def test_nobody_is_worked_out_anew_in_the_middle_of_a_moment(scene, ann, deal, monkeypatch):
    scene.did(ann, "paper", now=NOON + SECOND)
    scene.weigh(now=NOON + SECOND)
    for seconds in (2, 3):
        for _ in range(BATCH - 1 + seconds):  # more than are read at first
            scene.did(ann, "paper", now=NOON + seconds * SECOND)
    anew = []
    monkeypatch.setattr(Following, "look_again", lambda *given: anew.append(given))
    scene.weigh(now=NOON + 4 * SECOND, limit=None)

    assert told_once(scene) == 2 * BATCH + 4
    assert anew == []


def test_weighing_again_changes_nothing(scene):
    busy(scene)
    scene.weigh()
    before = summary(scene)
    for _ in range(3):
        assert scene.weigh() is None

    assert summary(scene) == before


def test_killed_at_any_statement_nothing_is_lost_and_nothing_happens_twice(scene):
    busy(scene)
    engine = scene.store.engine
    left = [0]

    def kill(*_):
        left[0] -= 1
        if left[0] <= 0:  # and nothing is done any more: what is dead does not try again
            raise KilledError

    sa.event.listen(engine, "before_cursor_execute", kill)
    try:
        kills = 0
        for lasts in range(1, 10_000):
            left[0] = lasts
            with contextlib.suppress(KilledError):
                scene.weigh(limit=3)
                break
            kills += 1
    finally:
        sa.event.remove(engine, "before_cursor_execute", kill)

    assert kills > 20
    assert told_once(scene) == 12
    subjects = {}
    for each in scene.messages():
        subjects.setdefault(each.subject, []).append(each.sequence)
    assert all(sorted(numbers) == list(range(1, len(numbers) + 1)) for numbers in subjects.values())
    assert [(move.from_phase, move.to_phase) for move in scene.moves()] == [
        ("unaware", "comparison"),
        ("unaware", "interest"),
        ("interest", "comparison"),
    ]


def test_workers_that_weigh_at_once_take_turns(scene, database_url):
    busy(scene)
    others = [Store(make_engine(database_url)) for _ in range(3)]
    crowd = [
        threading.Thread(
            target=actions.weigh, args=(store, Shelf()), kwargs={"now": NOON, "limit": 1}
        )
        for store in others
    ]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    for store in others:
        store.close()

    assert scene.weigh() is None
    assert told_once(scene) == 12


def late(store, contact, at):
    """Begin a transaction that records a download, and leave it open."""
    session = Session(store.engine)
    interaction = Interaction(
        id=uuid.uuid4(),
        type="download",
        object="price-list-2026",
        category="price-list",
        properties={},
        occurred_at=at,
        received_at=at,
        contact_id=contact,
        attribution=Attributed.VERIFIED,
        judged=Judged.PERSON,
    )
    record(session, interaction, now=at)
    return session


@on_postgres
def test_a_line_whose_transaction_commits_late_is_not_passed_over(scene):
    ann, bob = scene.contact("ann@example.com"), scene.contact("bob@example.com")
    deal = scene.opportunity()
    scene.role(deal, ann)
    scene.role(deal, bob)
    scene.weigh()
    slow = late(scene.store, ann, NOON + SECOND)
    scene.did(bob, "paper", now=NOON + 2 * SECOND)

    again = scene.weigh_once(now=NOON + 3 * SECOND)
    assert NOON + 3 * SECOND < again < NOON + 4 * SECOND
    assert scene.moves() == []

    slow.commit()
    slow.close()
    assert scene.weigh(now=NOON + 4 * SECOND) is None
    assert [move.to_phase for move in scene.moves()] == ["comparison"]
    told = [each.subject for each in scene.messages("interaction.recorded")]
    assert told == [f"contact:{ann}", f"contact:{bob}"]


@on_postgres
def test_a_transaction_that_is_given_up_holds_nobody_for_ever(scene):
    ann, bob = scene.contact("ann@example.com"), scene.contact("bob@example.com")
    slow = late(scene.store, ann, NOON + SECOND)
    scene.did(bob, now=NOON + 2 * SECOND)
    held = scene.weigh_once()
    slow.rollback()
    slow.close()

    assert held is not None
    assert scene.weigh() is None
    assert len(scene.messages("interaction.recorded")) == 1


def test_a_clock_that_is_a_little_slow_loses_nothing(scene, ann, deal):
    scene.publish(
        Buying(
            phases=(
                Phase(id="unaware"),
                Phase(
                    id="warm",
                    enter=Enter(
                        all=(Condition(event="download", count=AtLeast(at_least=2), within="1d"),)
                    ),
                ),
            )
        )
    )
    scene.did(ann, now=NOON + 2 * SECOND)
    scene.did(ann, now=NOON + SECOND)
    scene.weigh()

    assert [(move.to_phase, move.at) for move in scene.moves()] == [("warm", NOON + 2 * SECOND)]


def test_a_clock_that_was_once_ten_years_ahead_does_not_stop_the_log(scene, ann, deal):
    bob = scene.contact("bob@example.com")
    scene.did(bob, now=NOON + 3650 * DAY)
    scene.did(ann, now=NOON + SECOND)
    scene.weigh()

    assert [(move.to_phase, move.at) for move in scene.moves()] == [("comparison", NOON + SECOND)]


def test_an_opportunity_that_is_closed_meanwhile_does_not_move(scene, ann, deal):
    scene.did(ann, now=NOON + SECOND)
    scene.opportunity("006", is_closed=True, is_won=True, now=NOON + 2 * SECOND)
    scene.weigh()

    assert scene.phase(deal) == "unaware"
    with scene.store.read() as session:
        count = session.scalar(
            sa.select(sa.func.count()).select_from(Message).where(Message.topic == "phase.changed")
        )
    assert count == 0


def test_an_opportunity_of_an_account_the_crm_names_is_weighed_on(scene, ann):
    deal = scene.opportunity("006", account={"name": "Initech", "domain": "initech.example"})
    scene.role(deal, ann)
    scene.weigh()
    scene.did(ann, now=NOON + timedelta(seconds=1))
    scene.weigh(now=NOON + timedelta(seconds=1))

    assert scene.phase(deal) == "comparison"
