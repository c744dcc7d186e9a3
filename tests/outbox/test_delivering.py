"""Delivering: order, leases, the schedule, pauses, parking."""

import random
import threading
from collections import defaultdict
from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.app.worker import SMTP_LEASE
from regportal.connectors.base import Outcome, Result
from regportal.errors import UnreachableError
from regportal.mail.postman import TIMEOUT
from regportal.outbox.drain import take_back
from regportal.outbox.leases import LEASE, RENEWALS
from regportal.outbox.models import MessageState
from regportal.outbox.operating import pause, pauses, replay, resume
from regportal.outbox.pausing import set_pause
from regportal.outbox.rules import WAITS, WITHDRAWAL, wait
from regportal.store.sessions import PATIENCE
from tests.outbox.conftest import NOON, Crm
from tests.patience import until

HOUR = timedelta(hours=1)


def test_everything_is_told_in_order_and_nothing_is_left(box, crm):
    for number in range(40):
        box.put(f"contact:{number % 4}")
    again = box.drain(crm)

    assert again is None
    assert {row.state for row in box.rows()} == {MessageState.SENT}
    assert len(crm.heard) == 40
    for subject in range(4):
        told = [number for name, number in crm.heard if name == f"contact:{subject}"]
        assert told == list(range(1, 11))


def test_a_batch_holds_each_subject_once(box):
    for number in range(30):
        box.put(f"contact:{number % 3}")
    batches = []

    def deliver(changes, *, now):
        batches.append([change.subject for change in changes])
        return [Result(change.id, Outcome.DONE) for change in changes]

    box.drain(deliver, size=5)

    assert len(batches) == 10
    assert all(sorted(batch) == ["contact:0", "contact:1", "contact:2"] for batch in batches)


def test_while_one_batch_is_on_its_way_the_next_is_made_ready(box):
    for number in range(6):
        box.put(f"contact:{number}")
    ready = []

    def deliver(changes, *, now):
        told = {change.id for change in changes}

        def next_is_ready():
            return {row.id for row in box.rows() if row.leased_until and row.id not in told}

        if until(next_is_ready):
            ready.append(next_is_ready())
        return [Result(change.id, Outcome.DONE) for change in changes]

    def last_ones(changes, *, now):
        if len(ready) == 2:  # nothing comes after the third
            return [Result(change.id, Outcome.DONE) for change in changes]
        return deliver(changes, now=now)

    box.drain(last_ones, size=2)

    assert [len(some) for some in ready] == [2, 2]
    assert {row.state for row in box.rows()} == {MessageState.SENT}


def test_what_was_made_ready_stays_when_the_crm_is_overrun(box, clock):
    for number in range(6):
        box.put(f"contact:{number}")
    calls = []

    def deliver(changes, *, now):
        calls.append(changes)
        later = now + timedelta(minutes=3)
        return [Result(change.id, Outcome.THROTTLED, retry_at=later) for change in changes]

    again = box.drain(deliver, size=2)

    assert (len(calls), again) == (1, NOON + timedelta(minutes=3))
    assert {(row.state, row.attempts, row.leased_until) for row in box.rows()} == {
        (MessageState.DUE, 0, None)
    }
    clock.turn(minutes=3)
    box.drain(Crm(), size=2)
    assert {row.state for row in box.rows()} == {MessageState.SENT}


def test_a_batch_is_no_larger_than_asked(box):
    for number in range(7):
        box.put(f"contact:{number}")
    sizes = []

    def deliver(changes, *, now):
        sizes.append(len(changes))
        return [Result(change.id, Outcome.DONE) for change in changes]

    box.drain(deliver, size=3)

    assert sizes == [3, 3, 1]


def test_a_withdrawal_goes_ahead_of_others_and_takes_its_own_past_with_it(box, crm):
    for number in range(20):
        box.put(f"contact:{number}")
    box.put("contact:19", "consent.changed", lane=0)
    box.drain(crm, size=1)

    assert crm.heard[:2] == [("contact:19", 1), ("contact:19", 2)]
    assert len(crm.heard) == 21


def test_other_connectors_are_left_alone(box, crm):
    box.connector = "other"
    box.put()
    box.connector = "crm"
    box.put()
    box.drain(crm)

    assert len(crm.got) == 1
    assert sorted((row.connector, row.state.value) for row in box.rows()) == [
        ("crm", "sent"),
        ("other", "due"),
    ]


def test_a_message_is_tried_ten_times_by_the_schedule_and_then_parked(box, clock, crm):
    message = box.put()
    crm.answers["*"] = {"outcome": Outcome.RETRY, "says": "the receiver answered 503"}
    tried = []
    while True:
        tried.append(clock() - NOON)
        due = box.drain(crm)
        if due is None:
            break
        clock.now = due - timedelta(seconds=1)
        assert box.drain(crm) == due
        clock.now = due

    assert [round(at / HOUR, 2) for at in tried] == [
        0, 0, 0.08, 0.58, 2.58, 7.58, 17.58, 31.58, 51.58, 75.58,
    ]  # fmt: skip
    row = box.row(message)
    assert (row.state, row.attempts) == (MessageState.PARKED, len(WAITS))
    assert row.trouble == "given up: the receiver answered 503"
    assert [change.attempt for change in crm.got] == list(range(1, 11))
    assert {change.id for change in crm.got} == {message}


def test_a_thousand_timelines_keep_within_a_fifth_of_the_schedule(box):

    draw = random.Random(1)
    for _ in range(1000):
        for attempts in range(1, len(WAITS)):
            waits = wait(attempts, draw.random())
            assert 0.8 * WAITS[attempts] <= waits <= 1.2 * WAITS[attempts]


def test_a_message_that_waits_holds_its_subject_and_nobody_else(box, clock, crm):
    box.put("contact:1")
    box.put("contact:1")
    box.put("contact:2")
    crm.answers["contact:1"] = Outcome.RETRY
    due = box.drain(crm)

    assert sorted(crm.heard) == [("contact:1", 1), ("contact:2", 1)]
    assert due == clock() + timedelta(seconds=5)

    crm.answers.clear()
    clock.now = due
    box.drain(crm)

    assert crm.heard[2:] == [("contact:1", 1), ("contact:1", 2)]


@pytest.mark.parametrize(
    "outcome", [Outcome.REJECTED, Outcome.AMBIGUOUS, Outcome.CONFLICT, Outcome.UNSUPPORTED]
)
def test_what_a_person_must_look_at_is_parked_and_does_not_hold_the_others(box, crm, outcome):
    refused = box.put(payload={"id": "bad"})
    box.put()
    crm.answer = lambda change: Result(
        change.id, outcome if change.sequence == 1 else Outcome.DONE, "no such newsletter"
    )
    box.drain(crm)
    row = box.row(refused)

    assert (row.state, row.trouble) == (MessageState.PARKED, "no such newsletter")
    assert row.outcome == outcome
    assert [row.state.value for row in box.rows()] == ["parked", "sent"]


def test_a_parked_message_that_creates_the_contact_holds_its_subject(box, crm):
    box.put(topic="contact.identified", creates=True)
    box.put()
    box.put("contact:2")
    crm.answers["contact:1"] = Outcome.REJECTED
    again = box.drain(crm)

    assert again is None
    assert [row.state.value for row in box.rows()] == ["parked", "due", "sent"]


def withdraw(box, newsletter="prices"):
    return box.put(topic="consent.changed", merges=f"consent:{newsletter}", lane=WITHDRAWAL)


def test_a_withdrawal_passes_a_parked_creator_and_what_waits_behind_it(box, crm):
    created = box.put(topic="contact.identified", creates=True)
    box.drain(Crm({"*": Outcome.AMBIGUOUS}))
    deed = box.put()
    first = withdraw(box)
    second = withdraw(box, "news")
    yes = box.put(topic="consent.changed", merges="consent:tips")
    box.drain(crm)

    assert [change.id for change in crm.got] == [first, second]
    box.write(replay, [created], now=box.clock())
    box.drain(crm)
    assert [change.id for change in crm.got[2:]] == [created, deed, yes]


def test_a_withdrawal_that_is_told_keeps_what_it_passed_waiting(box, crm):
    """One message of a subject at a time, also where a person lets the creator go meanwhile."""
    created = box.put(topic="contact.identified", creates=True)
    box.drain(Crm({"*": Outcome.AMBIGUOUS}))
    told = withdraw(box)
    assert [change.id for change in box.take().changes] == [told]

    box.write(replay, [created], now=box.clock())
    assert box.take().changes == ()
    box.clock.turn(seconds=LEASE.total_seconds() + 1)
    assert [change.id for change in box.take().changes] == [created]


def test_a_withdrawal_does_not_pass_what_may_be_told_nor_its_own_newsletter(box, crm):
    deed = box.put()
    created = box.put(topic="contact.identified", creates=True)
    box.drain(crm)
    yes = box.put(topic="consent.changed", merges="consent:prices")
    box.drain(Crm({"*": Outcome.RETRY}))  # it may have been told: nothing merges in
    box.write(replay, [created], now=box.clock())
    box.drain(Crm({"*": Outcome.REJECTED}))
    box.write(replay, [deed], now=box.clock())
    no = withdraw(box)
    crm.got.clear()
    box.drain(crm)

    assert [change.id for change in crm.got] == [deed]
    box.write(replay, [created], now=box.clock())
    box.clock.turn(minutes=1)
    box.drain(crm)
    assert [change.id for change in crm.got[1:]] == [created, yes, no]


@pytest.mark.parametrize("outcome", [Outcome.AUTH, Outcome.GONE])
def test_a_connector_that_does_not_let_us_in_waits_for_a_person(box, clock, crm, outcome):
    message = box.put()
    for number in range(20):
        box.put(f"contact:{number + 2}")
    crm.answers["*"] = {"outcome": outcome, "says": "the receiver answered 401"}
    again = box.drain(crm, size=1)

    assert again is None
    assert len(crm.got) == 1
    row = box.row(message)
    assert (row.state, row.attempts, row.leased_until) == (MessageState.DUE, 0, None)
    assert [(one.connector, one.until) for one in box.read(pauses, now=clock())] == [("crm", None)]

    crm.answers.clear()
    clock.turn(days=10)
    assert box.drain(crm) is None
    assert box.write(resume, "crm", now=clock()) is True
    assert box.write(resume, "crm", now=clock()) is False
    box.drain(crm)

    assert {row.state for row in box.rows()} == {MessageState.SENT}


def test_a_connector_that_is_overrun_is_left_alone_as_long_as_it_asks(box, clock, crm):
    message = box.put()
    box.put("contact:2")
    until = clock() + timedelta(minutes=10)
    crm.answers["*"] = {"outcome": Outcome.THROTTLED, "retry_at": until, "says": "429"}

    assert box.drain(crm, size=1) == until
    assert box.drain(crm, size=1) == until
    assert len(crm.got) == 1
    assert box.row(message).attempts == 0

    crm.answers.clear()
    clock.now = until

    assert box.drain(crm) is None
    assert len(crm.got) == 3


def test_a_longer_pause_stays(box, clock, crm):
    until = clock() + timedelta(minutes=10)
    box.put("contact:1")
    box.put("contact:2")
    crm.answers = {
        "contact:1": {"outcome": Outcome.AUTH},
        "contact:2": {"outcome": Outcome.THROTTLED, "retry_at": until},
    }
    box.drain(crm)

    assert [one.until for one in box.read(pauses, now=clock())] == [None]


def test_later_costs_no_attempt_and_holds_only_its_subject(box, clock, crm):
    until = clock() + timedelta(seconds=90)
    first = box.put("address:1", "mail.claim")
    box.put("address:1", "mail.claim")
    box.put("address:2", "mail.claim")
    crm.answers["address:1"] = {"outcome": Outcome.LATER, "retry_at": until}

    assert box.drain(crm) == until
    row = box.row(first)
    assert (row.state, row.attempts, row.trouble) == (MessageState.DUE, 0, None)
    assert sorted(crm.heard) == [("address:1", 1), ("address:2", 1)]


def test_a_pause_by_hand_holds_until_it_is_lifted(box, clock, crm):
    box.put()
    box.write(pause, "crm", "maintenance")

    assert box.drain(crm) is None
    assert crm.got == []

    box.write(resume, "crm", now=clock())
    box.drain(crm)

    assert len(crm.got) == 1


def test_a_pause_by_hand_that_comes_at_once_with_another_is_not_shortened(box, clock, crm):
    box.write(pause, "crm", "maintenance")
    box.write(set_pause, "crm", "it asked for it", clock() + timedelta(minutes=1))

    assert [(one.until, one.because) for one in box.read(pauses, now=clock())] == [
        (None, "maintenance")
    ]


def test_a_retry_after_on_one_message_is_kept(box, clock, crm):
    asked = clock() + timedelta(hours=2)
    box.put()
    crm.answers["*"] = {"outcome": Outcome.RETRY, "retry_at": asked}

    assert box.drain(crm) == asked


def test_what_nobody_could_reach_is_tried_again(box, clock):
    message = box.put()

    def deliver(changes, *, now):
        raise UnreachableError("crm.example could not be reached", after=600)

    assert box.drain(deliver) == clock() + timedelta(seconds=600)
    assert box.row(message).trouble == "crm.example could not be reached"


def test_a_connector_with_a_fault_stops_nobody(box, clock):
    message = box.put()

    def deliver(changes, *, now):
        raise ZeroDivisionError

    assert box.drain(deliver) == clock() + timedelta(seconds=5)
    assert box.row(message).trouble == "the connector failed: ZeroDivisionError"


def test_a_change_without_a_result_is_tried_again(box, clock):
    box.put("contact:1")
    box.put("contact:2")
    box.drain(lambda changes, *, now: [Result(changes[0].id, Outcome.DONE)], size=2)

    assert sorted(row.state.value for row in box.rows()) == ["due", "sent"]


def test_a_killed_worker_holds_its_messages_only_until_its_lease_ends(box, clock, crm):
    message = box.put()
    box.put()
    box.take()

    assert box.drain(crm) == clock() + LEASE
    assert crm.got == []

    clock.now += LEASE
    box.drain(crm)

    assert crm.heard == [("contact:1", 1), ("contact:1", 2)]
    assert box.row(message).attempts == 1


def test_what_a_killed_worker_held_can_be_taken_back_at_once(box, clock, crm):
    message = box.put(topic="phase.changed", merges="phase")
    box.take()
    box.write(take_back, "crm", now=clock())
    newer = box.put(topic="phase.changed", merges="phase")
    box.drain(crm)

    assert newer != message
    assert len(crm.got) == 2


def test_a_result_that_comes_after_the_lease_has_passed_on_counts_for_nothing(box, clock, crm):
    message = box.put()
    crm.answers["*"] = {"outcome": Outcome.RETRY}

    def slow(changes, *, now):
        clock.now += LEASE
        box.drain(crm)
        return [Result(change.id, Outcome.DONE) for change in changes]

    box.drain(slow)
    row = box.row(message)

    assert (row.state, row.attempts) == (MessageState.DUE, 1)


def test_a_clock_that_was_ten_years_ahead_delays_nothing(box, clock, crm):
    clock.turn(days=3650)
    box.put()
    crm.answers["*"] = {"outcome": Outcome.RETRY}
    box.drain(crm)
    crm.answers["*"] = {"outcome": Outcome.THROTTLED}
    clock.turn(seconds=10)
    box.drain(crm)
    clock.now = NOON
    crm.answers.clear()

    assert box.drain(crm) is None
    assert [row.state for row in box.rows()] == [MessageState.SENT]


def test_it_stops_between_two_batches_when_told_to(box, crm):
    for number in range(10):
        box.put(f"contact:{number}")
    box.drain(crm, size=2, going=lambda: len(crm.got) < 4)

    assert len(crm.got) == 4
    assert sum(row.leased_until is not None for row in box.rows()) == 0


@pytest.mark.parametrize("size", [1, 2, 5])
def test_whether_it_goes_on_is_asked_once_a_batch(box, crm, size):
    asked = []
    for number in range(10):
        box.put(f"contact:{number}")
    box.drain(crm, size=size, going=lambda: asked.append(len(crm.got)) or True)

    assert asked == [*range(0, 11, size)]


def test_what_is_cut_off_because_we_end_costs_no_attempt(box, clock):
    going, taken, lost = [True], box.put("contact:1"), box.put("contact:2")

    def hung_up(changes, *, now):
        going.clear()
        outcomes = {taken: Outcome.DONE, lost: Outcome.RETRY}
        return [Result(change.id, outcomes[change.id]) for change in changes]

    box.drain(hung_up, going=lambda: bool(going))

    assert box.row(taken).state is MessageState.SENT
    row = box.row(lost)
    assert (row.state, row.attempts, row.due) == (MessageState.DUE, 0, clock())
    assert (row.leased_until, row.trouble) == (None, None)


def test_where_nothing_waits_nobody_is_kept_from_writing(box, crm):
    begun = []
    sa.event.listen(box.store.engine, "before_cursor_execute", lambda *seen: begun.append(seen[2]))

    assert box.drain(crm) is None
    assert [one.split()[0] for one in begun if one != "BEGIN"] == ["SELECT"]


@pytest.mark.parametrize("why", ["a parked creator", "a later attempt", "a pause"])
def test_where_nothing_can_be_told_nobody_is_kept_from_writing(box, clock, crm, why):
    outcome = Outcome.REJECTED if why == "a parked creator" else Outcome.RETRY
    box.put(topic="contact.identified", creates=True)
    box.drain(Crm({"*": outcome}))
    box.put()
    if why == "a pause":
        clock.turn(days=1)
        box.write(pause, "crm", "maintenance")
    begun = []
    sa.event.listen(box.store.engine, "before_cursor_execute", lambda *seen: begun.append(seen[2]))
    box.drain(crm)

    assert crm.got == []
    assert {one.split()[0] for one in begun} <= {"BEGIN", "SELECT"}
    assert not [one for one in begun if "IMMEDIATE" in one or "FOR UPDATE" in one]


def test_many_that_wait_for_one_that_is_parked_keep_nobody_else_waiting(box, crm):
    """What is parked and creates a contact, and all that comes after it, may wait for weeks."""
    box.put("contact:0", topic="contact.identified", creates=True)
    box.drain(Crm({"*": Outcome.REJECTED}))
    for _ in range(50):
        box.put("contact:0")
    told = [box.put(f"contact:{number}") for number in range(1, 40)]
    box.drain(crm, size=3)

    assert [change.id for change in crm.got] == told


def test_a_lease_is_longer_than_what_it_is_for():
    letter = 10 * TIMEOUT  # connect, greet, encrypt, greet, sign in, from, to, data, body, bye

    assert LEASE.total_seconds() / RENEWALS > 2 * PATIENCE  # a write that renews it may wait
    assert SMTP_LEASE.total_seconds() > letter


def test_many_workers_never_tell_anything_twice_nor_out_of_order(box, clock):
    for number in range(240):
        box.put(f"contact:{number % 12}")
    told, on_the_line, faults = defaultdict(list), set(), []
    lock = threading.Lock()

    def deliver(changes, *, now):
        with lock:
            faults.extend(change for change in changes if change.subject in on_the_line)
            on_the_line.update(change.subject for change in changes)
        for change in changes:
            told[change.subject].append(change.sequence)
        with lock:
            on_the_line.difference_update(change.subject for change in changes)
        return [Result(change.id, Outcome.DONE) for change in changes]

    def work():
        while box.drain(deliver, size=3) is not None:
            pass

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert faults == []
    assert all(sequences == list(range(1, 21)) for sequences in told.values())
    assert len(told) == 12


def test_random_faults_change_neither_order_nor_number(box, clock):
    draw = random.Random(7)
    for number in range(60):
        box.put(f"contact:{number % 5}")
    kinds = [Outcome.DONE, Outcome.DONE, Outcome.RETRY, Outcome.THROTTLED, Outcome.LATER]
    effects = defaultdict(list)

    class Moody(Crm):
        def answer(self, change):
            outcome = draw.choice(kinds)
            applied = outcome is Outcome.DONE or draw.random() < 0.3  # then the answer was lost
            if applied and change.sequence not in effects[change.subject]:
                effects[change.subject].append(change.sequence)
            return Result(change.id, outcome)

    while (due := box.drain(Moody(), chance=draw.random)) is not None:
        clock.now = max(due, clock.now)

    assert all(sequences == list(range(1, 13)) for sequences in effects.values())
    assert len(effects) == 5
