"""A CRM that does not answer is left alone, and tried with one message until it does."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.connectors.base import Outcome, Result
from regportal.errors import UnreachableError
from regportal.outbox.breaker import FIRST, TRIPS
from regportal.outbox.leases import LEASE, Leases
from regportal.outbox.models import MessageState, Pause
from regportal.outbox.operating import pause, pauses, replay_parked, resume, why
from tests.outbox.conftest import NOON, Crm

AWAY = {"outcome": Outcome.RETRY, "says": "crm.example could not be reached"}
MINUTE = timedelta(minutes=1)


class Away(Crm):
    """A CRM whose every call comes to nothing, for as long as it is away."""

    def __init__(self):
        super().__init__()
        self.calls, self.is_away = [], True

    def __call__(self, changes, *, now):
        self.calls.append(len(changes))
        if self.is_away:
            raise UnreachableError("crm.example could not be reached")
        return super().__call__(changes, now=now)


@pytest.fixture
def away():
    return Away()


def owe(box, number, first=0):
    return [box.put(f"contact:{each}") for each in range(first, first + number)]


def look(box, crm, *, hours):
    """Let a worker look every half hour."""
    for _ in range(2 * hours):
        box.drain(crm)
        box.clock.turn(minutes=30)


def held(box):
    """Return what holds the connector at the moment."""
    return box.read(pauses, now=box.clock())


def trip(box, away):
    """Let calls fail until the breaker is open."""
    box.drain(away)
    assert [one.failures for one in held(box)] == [TRIPS]


def go_on(box, crm, *, minutes):
    """Let a worker do what it does for so long."""
    ends = box.clock() + timedelta(minutes=minutes)
    while (again := box.drain(crm)) is not None and again <= ends:
        box.clock.now = max(again, box.clock())
    box.clock.now = ends


def test_it_opens_after_few_calls_and_costs_the_others_no_attempt(box, away):
    owe(box, 100)
    again = box.drain(away)

    assert away.calls == [8, 1, 1]  # ten messages, also where each is a call of its own
    assert again == NOON + FIRST
    assert sorted(row.attempts for row in box.rows()) == [0] * 90 + [1] * 10
    assert box.drain(away) == again
    assert len(away.calls) == TRIPS


def test_it_is_tried_with_one_message_and_closes_when_that_is_taken(box, clock, away):
    owe(box, 100)
    trip(box, away)
    clock.now += FIRST
    box.drain(away)
    tried = away.calls[TRIPS:]
    away.is_away = False
    clock.now += 2 * FIRST
    box.drain(away)

    assert tried == [1]
    assert away.calls[TRIPS + 1 :][:2] == [1, 8]
    assert held(box) == []
    assert sum(row.state is MessageState.SENT for row in box.rows()) >= 89


def test_it_is_left_alone_longer_and_longer_up_to_a_minute(box, clock, away):
    owe(box, 40)
    trip(box, away)
    rests = []
    for _ in range(7):
        until = held(box)[0].until
        rests.append((until - clock()).total_seconds())
        clock.now = until
        box.drain(away)

    assert rests == [5, 10, 20, 40, 60, 60, 60]


@pytest.mark.parametrize("chance", [0.0, 0.25, 1.0])
def test_the_rest_is_spread_so_that_not_all_come_back_at_once(box, away, chance):
    owe(box, 20)
    box.drain(away, chance=lambda: chance)

    assert held(box)[0].until - NOON == FIRST * (0.8 + 0.4 * chance)


def test_a_refusal_is_an_answer(box, crm):
    owe(box, 60)
    crm.answers = {f"contact:{number}": AWAY for number in range(60)}
    crm.answers |= {f"contact:{number}": Outcome.REJECTED for number in range(0, 60, 8)}
    box.drain(crm)

    assert len(crm.got) == 60
    assert held(box) == []


def test_what_is_only_put_off_says_nothing(box, clock, crm):
    owe(box, 60)
    crm.answers["*"] = {"outcome": Outcome.LATER, "retry_at": clock() + MINUTE}
    box.drain(crm)

    assert len(crm.got) == 60
    assert held(box) == []


def test_one_bad_message_does_not_hold_up_the_others(box, clock, crm):
    box.put("contact:bad")
    crm.answers["contact:bad"] = AWAY
    for number in range(50):
        box.put(f"contact:{number}")
        go_on(box, crm, minutes=10)

    assert {row.state for row in box.rows() if row.subject != "contact:bad"} == {MessageState.SENT}
    assert len([who for who, _ in crm.heard if who == "contact:bad"]) == 6  # by its schedule


def test_a_bad_message_alone_is_not_what_a_crm_is_judged_by_for_long(box, clock, crm):
    """It is tried again, fails, and opens the breaker; the next one closes it."""
    box.put("contact:bad")
    crm.answers["contact:bad"] = AWAY
    go_on(box, crm, minutes=3 * 60)
    assert [one.failures for one in held(box)] == [5]
    box.put("contact:good")
    go_on(box, crm, minutes=1)

    assert ("contact:good", 1) in crm.heard
    assert held(box) == []


def test_of_many_workers_one_tries_it(box, clock, away):
    owe(box, 40)
    trip(box, away)
    clock.now += FIRST
    tried, gate = [], threading.Barrier(6)

    def take():
        gate.wait()
        tried.append(len(box.take().changes))

    workers = [threading.Thread(target=take) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(tried) == [0, 0, 0, 0, 0, 1]


def test_who_dies_with_the_probe_in_hand_holds_it_as_long_as_his_lease(box, clock, away):
    owe(box, 40)
    trip(box, away)
    clock.now += FIRST
    box.take()
    away.is_away = False

    assert box.drain(away) == clock() + LEASE
    clock.now += LEASE
    assert box.drain(away) == box.row(box.rows()[0].id).due or box.drain(away) is None
    assert held(box) == []


def test_a_probe_that_was_not_told_after_all_is_tried_again_at_once(box, clock, away, crm):
    owe(box, 40)
    trip(box, away)
    clock.now += FIRST
    tomorrow = clock() + timedelta(days=1)
    crm.answer = lambda change: Result(
        change.id, Outcome.LATER if len(crm.got) == 1 else Outcome.DONE, retry_at=tomorrow
    )
    box.drain(crm)

    assert len(crm.got) > 2
    assert held(box) == []


def test_once_it_is_open_only_the_probe_counts(box, clock, away):
    """What was under way when it opened says nothing new, and makes no rest longer."""
    owe(box, 40)
    leases = Leases("crm", chance=lambda: 0.5)
    under_way = box.take(leases)
    trip(box, away)
    until = held(box)[0].until
    failed = [Result(change.id, Outcome.RETRY, "nobody") for change in under_way.changes]
    box.write(leases.settle, under_way, failed, now=clock())

    assert [(one.failures, one.until) for one in held(box)] == [(TRIPS, until)]


def test_an_answer_to_what_was_under_way_closes_it(box, clock, away):
    owe(box, 40)
    leases = Leases("crm")
    under_way = box.take(leases)
    trip(box, away)
    taken = [Result(change.id, Outcome.DONE) for change in under_way.changes]
    box.write(leases.settle, under_way, taken, now=clock())

    assert held(box) == []


def test_not_being_let_in_is_an_answer_and_waits_for_a_person(box, clock, away, crm):
    owe(box, 40)
    trip(box, away)
    clock.now += FIRST
    crm.answers["*"] = {"outcome": Outcome.AUTH, "says": "401"}
    box.drain(crm)

    assert [(one.until, one.failures, why(one)) for one in held(box)] == [(None, 0, "401")]


def test_a_pause_by_hand_is_not_ended_by_what_was_under_way(box, clock, away):
    owe(box, 40)
    leases = Leases("crm")
    batches = [box.take(leases) for _ in range(2)]
    box.write(pause, "crm", "maintenance")
    for batch, outcome in zip(batches, (Outcome.RETRY, Outcome.DONE), strict=True):
        results = [Result(change.id, outcome) for change in batch.changes]
        box.write(leases.settle, batch, results, now=clock())

    assert [(one.until, one.because) for one in held(box)] == [(None, "maintenance")]


def test_a_person_closes_it(box, clock, away):
    owe(box, 100)
    trip(box, away)
    away.is_away = False

    assert box.write(resume, "crm", now=clock()) is True
    assert held(box) == []
    box.drain(away)
    assert away.calls[TRIPS] == 8


def test_two_calls_that_came_to_nothing_are_no_pause(box, clock, away):
    owe(box, 2)
    box.drain(away, size=1)

    assert held(box) == []
    assert box.write(resume, "crm", now=clock()) is False


def test_when_it_is_back_nothing_waits_for_its_own_time(box, clock, away):
    owe(box, 60)
    trip(box, away)
    go_on(box, away, minutes=3 * 60)
    waits = [row.due for row in box.rows() if row.due > clock()]
    away.is_away = False
    owe(box, 1, first=60)
    go_on(box, away, minutes=1.2)

    assert len(waits) > 10
    assert {row.state for row in box.rows()} == {MessageState.SENT}


def test_after_a_moment_away_everything_keeps_its_time(box, clock, away):
    owe(box, 100)
    trip(box, away)
    away.is_away = False
    go_on(box, away, minutes=1)
    late = [row for row in box.rows() if row.state is MessageState.DUE]
    go_on(box, away, minutes=5)

    assert late == [] or {row.attempts for row in late} == {1}
    assert {row.state for row in box.rows()} == {MessageState.SENT}


def test_a_crm_that_never_comes_back_is_given_up_by_the_schedule(box, clock, away):
    """Also by what was never tried: the probe spoke for all."""
    owe(box, 200)
    trip(box, away)
    look(box, away, hours=75)
    states = {row.state for row in box.rows()}
    owe(box, 50, first=200)
    look(box, away, hours=2)
    old = [row for row in box.rows() if int(row.subject[8:]) < 200]
    new = [row for row in box.rows() if int(row.subject[8:]) >= 200]

    assert states == {MessageState.DUE}
    assert {row.state for row in old if not row.attempts} == {MessageState.PARKED}
    assert {row.state for row in new} == {MessageState.DUE}
    assert {row.trouble for row in old if row.state is MessageState.PARKED} == {
        "given up: crm.example could not be reached"
    }


def test_whoever_is_given_up_can_be_replayed_as_ever(box, clock, away):
    owe(box, 20)
    box.put("contact:1")
    trip(box, away)
    look(box, away, hours=160)
    parked = {row.state for row in box.rows()}
    away.is_away = False
    replay_parked(box.store, now=clock())
    go_on(box, away, minutes=5)

    assert parked == {MessageState.PARKED}
    assert {row.state for row in box.rows()} == {MessageState.SENT}
    assert [number for who, number in away.heard if who == "contact:1"] == [1, 2]


def test_news_of_a_contact_that_is_given_up_waits_for_it(box, clock, away):
    box.put("contact:1", "contact.identified", creates=True)
    box.put("contact:1")
    owe(box, 20, first=2)
    trip(box, away)
    look(box, away, hours=160)
    states = [row.state.value for row in box.rows() if row.subject == "contact:1"]

    assert states == ["parked", "due"]


def test_what_waited_for_other_reasons_is_not_given_up_for_a_moments_silence(box, clock, away):
    owe(box, 100)
    box.write(pause, "crm", "the holidays")
    clock.turn(days=10)
    box.write(resume, "crm", now=clock())
    trip(box, away)
    go_on(box, away, minutes=20)

    assert {row.state for row in box.rows()} == {MessageState.DUE}


def test_a_clock_that_was_wrong_neither_gives_up_nor_holds(box, clock, away):
    owe(box, 100)
    clock.turn(days=3650)
    trip(box, away)
    clock.now = NOON
    go_on(box, away, minutes=10)
    clock.turn(days=3650)
    go_on(box, away, minutes=20)
    clock.now = NOON + timedelta(hours=1)
    away.is_away = False
    go_on(box, away, minutes=1)

    assert {row.state for row in box.rows()} == {MessageState.SENT}


def test_it_says_how_long_and_why(box, away):
    owe(box, 20)
    trip(box, away)

    assert why(*held(box)) == (
        "3 calls in a row came to nothing, the last: crm.example could not be reached"
    )
    with box.store.read() as session:
        assert session.scalars(sa.select(Pause.since)).one() == NOON
