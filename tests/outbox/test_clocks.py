"""Whatever a clock does, and however long a CRM is away, everything is told once and in order."""

import random
from datetime import timedelta

import pytest

from regportal.connectors.base import Outcome, Result
from regportal.outbox.actions import News, put_all
from regportal.outbox.models import MessageState
from tests.outbox.conftest import NOON

JUMPS = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=3652), timedelta(days=-3652)]


class Moody:
    """A CRM that takes a message, or tells us to come again; it remembers what it took."""

    def __init__(self, chance, mood=0.5):
        self.chance, self.mood = chance, mood
        self.took, self.again = [], 0

    def __call__(self, changes, *, now):
        return [self.answer(change) for change in changes]

    def answer(self, change):
        if self.chance() < self.mood:
            return Result(change.id, Outcome.LATER, "later")
        if change.id in {id for id, _, _ in self.took}:
            self.again += 1
        else:
            self.took.append((change.id, change.subject, change.sequence))
        return Result(change.id, Outcome.DONE)


def in_order(took):
    """Whether of each subject everything was taken in its order, without a gap."""
    seen = {}
    return all(
        number == seen.setdefault(subject, 0) + 1 and not seen.update({subject: number})
        for _, subject, number in took
    )


@pytest.mark.parametrize("jumps", [100, pytest.param(1000, marks=pytest.mark.soak)])
def test_a_clock_that_jumps_loses_doubles_and_stops_nothing(box, clock, jumps):
    chance = random.Random(jumps)
    crm = Moody(chance.random)
    for number in range(jumps):
        box.put(f"contact:{number % 7}")
        clock.now = max(NOON, clock.now + chance.choice([*JUMPS, timedelta(seconds=30)]))
        box.drain(crm)
    clock.now = NOON + timedelta(days=3)  # somebody has set it right
    for _ in range(200):
        clock.turn(minutes=30)
        box.drain(crm)

    assert {row.state for row in box.rows()} == {MessageState.SENT}
    assert len(crm.took) == jumps
    assert crm.again == 0
    assert in_order(crm.took)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_after_three_days_without_a_crm_everything_is_told_once_and_in_order(box, clock, chance):
    """72 hours: shorter than the schedule of attempts, however chance spreads it."""
    for hour in range(72):
        for subject in range(3):
            box.put(f"contact:{subject}")
        if hour % 6 == 0:
            box.put("contact:0", lane=0, topic="consent.changed")
        for _ in range(4):
            box.drain(nobody, chance=lambda: chance)
            clock.turn(minutes=15)
    states = {row.state for row in box.rows()}
    back = Moody(lambda: 1.0)
    for _ in range(30):
        while (again := box.drain(back)) is not None and again <= clock():
            pass
        clock.turn(hours=1)

    assert states == {MessageState.DUE}
    assert {row.state for row in box.rows()} == {MessageState.SENT}
    assert len(back.took) == len(box.rows()) == 3 * 72 + 12
    assert back.again == 0
    assert in_order(back.took)


@pytest.mark.parametrize("backlog", [2_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_after_three_days_a_backlog_is_worked_off_at_once(box, clock, backlog):
    """While a CRM is away it is tried with one message at a time, whatever waits (R-08)."""
    calls = []

    def away(changes, *, now):
        calls.append(len(changes))
        return nobody(changes, now=now)

    for _ in range(12):
        owe_many(box, backlog // 12, subjects=backlog // 48)
        for _ in range(24):
            box.drain(away, size=200)
            clock.turn(minutes=15)
    box.put("contact:new")
    back, late = Moody(lambda: 1.0), clock() + timedelta(minutes=1)
    while (again := box.drain(back, size=200)) is not None:
        clock.now = max(again, clock())

    assert calls[0] > 1
    assert set(calls[1:]) == {1}
    assert NOON + timedelta(hours=72) <= clock() <= late
    assert len(back.took) == backlog // 12 * 12 + 1
    assert back.again == 0
    assert in_order(back.took)


def nobody(changes, *, now):
    """Stand in for a CRM that is not there."""
    return [Result(change.id, Outcome.RETRY, "nobody there") for change in changes]


def owe_many(box, number, subjects):
    """Owe so many facts of so many subjects, in their turn."""
    for start in range(0, number, 5_000):
        news = [
            News("interaction.recorded", f"contact:{each % subjects}", {"id": "1"}, box.clock())
            for each in range(start, min(number, start + 5_000))
        ]
        box.write(put_all, [(box.connector, one) for one in news], now=box.clock())
