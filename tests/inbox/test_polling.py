"""A CRM is asked what happened: by one however many could, and nothing is lost or kept twice."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.connectors.base import Notice as News
from regportal.connectors.desk import NotTakenError
from regportal.connectors.rules import Outcome
from regportal.errors import UnreachableError
from regportal.inbox import polling
from regportal.inbox.actions import understand
from regportal.inbox.models import Notice, NoticeState, Poll
from regportal.inbox.polling import (
    BREATH,
    EVERY,
    LEASE,
    LEAST,
    LONGEST,
    PATIENCE,
    SELDOM,
    hint,
    troubles,
)
from regportal.outbox.budget import Budget
from regportal.store.documents import Shelf

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Asked:
    """A CRM with so many opportunities, told some at a time."""

    def __init__(self, count=0):
        self.deals = [self.deal(number) for number in range(count)]
        self.asked, self.trouble = [], None

    def deal(self, number, stage="New"):
        body = {
            "type": "opportunity.upserted",
            "timestamp": "2026-03-04T11:00:00Z",
            "data": {"external_id": f"{number:03}", "stage": stage},
        }
        return News(f"opportunity:{number:03}", body)

    def changes(self, cursor, limit):
        self.asked.append(cursor)
        if self.trouble is not None:
            raise self.trouble
        start = int(cursor or 0)
        some = self.deals[start : start + limit]
        return some, str(start + len(some))


def poll(store, key, crm, budget=None, *, now=None, clock=None, **how):
    clock = clock or (lambda: now)
    return polling.poll(store, key, crm, budget or Budget(key), clock=clock, **how)


def kept(store):
    with store.read() as session:
        rows = sa.select(Notice).order_by(Notice.number)
        return [(one.message_id.rpartition(":")[0], one.state) for one in session.scalars(rows)]


def state_of(store):
    with store.read() as session:
        return session.get(Poll, "crm")


def test_everything_is_asked_for_and_kept_in_order(store, monkeypatch):
    monkeypatch.setattr(polling, "AT_ONCE", 2)
    crm = Asked(5)
    assert poll(store, "crm", crm, now=NOON) == NOON + EVERY
    assert crm.asked == [None, "2", "4", "5"]
    assert [name for name, _ in kept(store)] == [f"opportunity:{n:03}" for n in range(5)]
    assert (state_of(store).cursor, state_of(store).trouble) == ("5", None)


def test_a_crm_that_never_ends_leaves_others_their_turn(store, monkeypatch):
    monkeypatch.setattr(polling, "MOST", 3)
    crm = Asked()
    crm.changes = lambda cursor, limit: ([crm.deal(int(cursor or 0))], str(int(cursor or 0) + 1))
    assert poll(store, "crm", crm, now=NOON) == NOON
    assert len(kept(store)) == 3
    assert state_of(store).cursor == "3"


def test_it_goes_on_from_where_it_was(store):
    crm = Asked(1)
    poll(store, "crm", crm, now=NOON)
    crm.deals.append(crm.deal(7))
    poll(store, "crm", crm, now=NOON + EVERY)
    assert crm.asked == [None, "1", "1", "2"]
    assert len(kept(store)) == 2


def test_before_its_time_nobody_asks(store):
    crm = Asked()
    poll(store, "crm", crm, now=NOON)
    assert poll(store, "crm", crm, now=NOON + EVERY - SECOND) == NOON + EVERY
    assert len(crm.asked) == 2


def test_to_find_that_it_is_too_early_keeps_nobody_from_writing(store, monkeypatch):
    poll(store, "crm", Asked(), now=NOON)
    monkeypatch.setattr(store, "write", None)
    assert poll(store, "crm", Asked(), now=NOON + SECOND) == NOON + EVERY


def test_whoever_understands_is_woken_by_what_was_not_known_alone(store):
    crm, heard = Asked(1), []
    crm.changes = lambda cursor, limit: (crm.deals, "overlapping")
    for minute in range(3):
        poll(store, "crm", crm, now=NOON + minute * EVERY, on_heard=lambda: heard.append(True))
    assert len(heard) == 1


def test_while_one_asks_no_other_does(store):
    others = []

    class Slow(Asked):
        def changes(self, cursor, limit):
            others.append(poll(store, "crm", Asked(), now=NOON))
            return super().changes(cursor, limit)

    poll(store, "crm", Slow(), now=NOON)
    assert {*others} == {NOON + LEASE}


def test_while_one_asks_for_long_no_other_does(store, monkeypatch):
    monkeypatch.setattr(polling, "AT_ONCE", 1)
    passed, other = [NOON], Asked()

    class Slow(Asked):
        def changes(self, cursor, limit):
            passed[0] += LEASE - SECOND
            poll(store, "crm", other, now=passed[0] - SECOND)
            return super().changes(cursor, limit)

    poll(store, "crm", Slow(3), clock=lambda: passed[0])
    assert (len(kept(store)), other.asked) == (3, [])


def test_a_hint_that_comes_while_it_is_asked_is_heard(store):
    class Changing(Asked):
        def changes(self, cursor, limit):
            told = super().changes(cursor, limit)
            store.write(lambda session: hint(session, "crm", now=NOON))
            return told

    crm = Changing(2)
    poll(store, "crm", crm, now=NOON)
    before = len(crm.asked)
    poll(store, "crm", crm, now=NOON)
    assert len(crm.asked) > before


def test_while_a_first_run_waits_for_a_person_it_is_asked_as_ever(store):
    crm = Asked(2)
    assert poll(store, "crm", crm, Budget("crm", first_run=0), now=NOON) == NOON + EVERY
    assert len(kept(store)) == 2


def test_an_error_of_ours_is_noted(store):
    crm = Asked(1)
    crm.trouble = ZeroDivisionError("1/0")
    with pytest.raises(ZeroDivisionError):
        poll(store, "crm", crm, now=NOON)
    assert state_of(store).trouble == "an error of ours: ZeroDivisionError"


def test_one_that_died_in_the_middle_is_relieved(store):
    class DiedError(BaseException):
        pass

    crm = Asked(1)
    crm.trouble = DiedError()
    with pytest.raises(DiedError):
        poll(store, "crm", crm, now=NOON)
    crm.trouble = None
    assert poll(store, "crm", crm, now=NOON + SECOND) == NOON + LEASE
    poll(store, "crm", crm, now=NOON + LEASE)
    assert len(kept(store)) == 1


def test_what_is_told_again_is_kept_once_and_another_state_is_kept_too(store):
    crm = Asked(1)
    crm.changes = lambda cursor, limit: (crm.deals, "overlapping")
    poll(store, "crm", crm, now=NOON)
    poll(store, "crm", crm, now=NOON + EVERY)
    assert len(kept(store)) == 1
    crm.deals = [crm.deal(0, stage="Won")]
    poll(store, "crm", crm, now=NOON + 2 * EVERY)
    assert len(kept(store)) == 2


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (UnreachableError("crm.example did not answer in time"), BREATH),
        (NotTakenError(Outcome.AUTH, "we are not let in"), BREATH),
        (NotTakenError(Outcome.THROTTLED, "later", retry_at=NOON + timedelta(hours=3)), 3 * 60),
        (NotTakenError(Outcome.THROTTLED, "later", retry_at=NOON + timedelta(days=99)), LONGEST),
        (NotTakenError(Outcome.THROTTLED, "later", retry_at=NOON + 90 * SECOND), 1.5),
        (NotTakenError(Outcome.THROTTLED, "later", retry_at=NOON), LEAST),
        (NotTakenError(Outcome.RETRY, "down", retry_at=NOON + PATIENCE + SECOND), EVERY),
        (NotTakenError(Outcome.THROTTLED, "later, at some time"), BREATH),
    ],
)
def test_trouble_is_noted_and_it_is_asked_again_later(store, error, again):
    crm = Asked(1)
    crm.trouble = error
    wait = again if isinstance(again, timedelta) else timedelta(minutes=again)
    assert poll(store, "crm", crm, now=NOON) == NOON + wait
    assert (state_of(store).trouble, state_of(store).cursor) == (str(error), None)
    crm.trouble = None
    poll(store, "crm", crm, now=NOON + wait)
    assert (state_of(store).trouble, len(kept(store))) == (None, 1)


class Busy(Asked):
    """One that answers some calls, then puts us off."""

    def __init__(self, count, *answers):
        super().__init__(count)
        self._answers = iter(answers)

    def changes(self, cursor, limit):
        self.trouble = next(self._answers, None)
        return super().changes(cursor, limit)


def put_off(wait, outcome=Outcome.THROTTLED):
    return NotTakenError(outcome, "too many calls", retry_at=NOON + wait)


@pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.RETRY, Outcome.LATER])
def test_a_crm_that_asks_for_some_seconds_gets_them(store, monkeypatch, outcome):
    monkeypatch.setattr(polling, "AT_ONCE", 1)
    rests, soon = [], put_off(2 * SECOND, outcome)
    crm = Busy(2, soon, None, soon, None, put_off(-SECOND))
    again = poll(store, "crm", crm, now=NOON, rest=lambda wait: rests.append(wait) is None)

    assert (rests, again) == ([2, 2, 0], NOON + EVERY)
    assert crm.asked == [None, None, "1", "1", "2", "2"]
    assert (len(kept(store)), state_of(store).trouble) == (2, None)


def test_a_crm_that_asks_again_and_again_is_not_waited_for_again_and_again(store):
    rests = []
    crm = Busy(1, *[put_off(SECOND)] * 9)
    again = poll(store, "crm", crm, now=NOON, rest=lambda wait: rests.append(wait) is None)

    assert (rests, again) == ([1], NOON + LEAST)
    assert state_of(store).trouble == "too many calls"


def test_a_worker_that_ends_waits_for_nobody(store):
    crm = Busy(1, put_off(SECOND))
    poll(store, "crm", crm, now=NOON, rest=lambda _: False)

    assert crm.asked == [None]


@pytest.mark.parametrize("wait", [SECOND, 90 * SECOND, SELDOM])
def test_a_crm_that_told_something_and_then_puts_us_off_was_asked(store, monkeypatch, wait):
    monkeypatch.setattr(polling, "AT_ONCE", 1)
    poll(store, "crm", Busy(0, UnreachableError("silent")), now=NOON - timedelta(hours=1))
    crm, again = Busy(2, None, put_off(wait)), NOON + max(wait, LEAST)

    assert poll(store, "crm", crm, now=NOON, rest=lambda _: False) == again
    assert (len(kept(store)), state_of(store).cursor) == (1, "1")
    assert (state_of(store).trouble, state_of(store).awaited) == (None, again)
    with store.read() as session:
        assert troubles(session) == {}


@pytest.mark.parametrize(
    "error",
    [
        put_off(SELDOM + SECOND),
        put_off(90 * SECOND, Outcome.RETRY),
        NotTakenError(Outcome.AUTH, "too many calls"),
        UnreachableError("too many calls"),
    ],
)
def test_what_is_more_than_a_little_patience_is_trouble_whatever_was_told_before(
    store, monkeypatch, error
):
    monkeypatch.setattr(polling, "AT_ONCE", 1)
    poll(store, "crm", Busy(2, None, error), now=NOON)

    assert (len(kept(store)), state_of(store).cursor) == (1, "1")
    assert (state_of(store).trouble, state_of(store).awaited) == ("too many calls", NOON)


def test_since_when_it_cannot_be_asked_is_known(store):
    crm = Asked(1)
    poll(store, "crm", crm, now=NOON)
    since = NOON + EVERY
    for attempt in range(5):
        crm.trouble = (UnreachableError("it is silent"), KeyError("ours"))[attempt % 2]
        with suppress(KeyError):
            poll(store, "crm", crm, now=since + attempt * BREATH)
    with store.read() as session:
        assert troubles(session) == {
            "crm": "cannot be asked since 2026-03-04T12:01:00Z: it is silent"
        }
    assert state_of(store).awaited == since
    crm.trouble = None
    poll(store, "crm", crm, now=since + 5 * BREATH)

    assert state_of(store).awaited == since + 5 * BREATH + EVERY
    with store.read() as session:
        assert troubles(session) == {}


def test_a_clock_that_was_wrong_hides_no_trouble(store):
    crm = Asked()
    poll(store, "crm", crm, now=NOON + timedelta(days=3650))
    crm.trouble = UnreachableError("it is silent")
    poll(store, "crm", crm, now=NOON)

    assert state_of(store).awaited == NOON


def test_a_hint_lets_it_be_asked_at_once(store):
    crm = Asked()
    poll(store, "crm", crm, now=NOON)
    store.write(lambda session: hint(session, "crm", now=NOON + SECOND))
    assert poll(store, "crm", crm, now=NOON + SECOND) == NOON + SECOND + EVERY
    assert len(crm.asked) == 3


def test_a_clock_that_was_wrong_stops_nothing(store):
    crm = Asked()
    poll(store, "crm", crm, now=NOON + timedelta(days=3650))
    assert poll(store, "crm", crm, now=NOON) == NOON + EVERY


def test_what_was_asked_for_is_understood_as_what_is_told(store):
    poll(store, "crm", Asked(2), now=NOON)
    understand(store, Shelf(), pepper="pepper", erase=lambda *_: None, now=NOON)
    assert [state for _, state in kept(store)] == [NoticeState.DONE] * 2


@pytest.mark.parametrize(
    ("used", "again", "asked"),
    [(79, EVERY, True), (80, SELDOM, True), (100, timedelta(hours=12), False)],
)
def test_with_few_calls_left_it_is_asked_less_often_and_then_no_more(store, used, again, asked):
    crm, budget = Asked(), Budget("crm", 100)
    for _ in range(used):
        budget.meter.count()
    spent = budget.meter.read()
    store.write(lambda session: budget.keep(session, spent, now=NOON))
    assert poll(store, "crm", crm, budget, now=NOON) == NOON + again
    assert bool(crm.asked) is asked
    if not asked:
        assert poll(store, "crm", crm, budget, now=NOON + again) == NOON + again + EVERY


def test_what_asking_costs_is_counted(store):
    budget = Budget("crm", 100)

    class Calling(Asked):
        def changes(self, cursor, limit):
            budget.meter.count()
            return super().changes(cursor, limit)

    poll(store, "crm", Calling(1), budget, now=NOON)
    with store.read() as session:
        assert budget.stands(session, now=NOON).calls.used == 2


def test_a_crm_that_forgot_how_far_we_were_is_asked_from_the_beginning(store):
    crm = Asked(2)
    poll(store, "crm", crm, now=NOON)
    crm.trouble = NotTakenError(Outcome.GONE, "the cursor is too old")
    assert poll(store, "crm", crm, now=NOON + EVERY) == NOON + EVERY
    assert (state_of(store).cursor, state_of(store).trouble) == (None, "the cursor is too old")
    crm.trouble = None
    poll(store, "crm", crm, now=NOON + EVERY)
    assert crm.asked == [None, "2", "2", None, "2"]
    assert len(kept(store)) == 2
    crm.trouble = NotTakenError(Outcome.GONE, "go away")
    store.write(lambda session: polling._set(session, "crm", cursor=None, due=NOON + 2 * EVERY))
    again = poll(store, "crm", crm, now=NOON + 2 * EVERY)
    assert again == NOON + 2 * EVERY + BREATH  # without a cursor there is none to forget
