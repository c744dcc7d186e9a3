"""Whatever a clock does, and however long a CRM is away, everything is told once and in order."""

import random
from datetime import timedelta

import pytest

from regportal.connectors.base import Outcome, Result
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


def test_after_three_days_without_a_crm_everything_is_told_once_and_in_order(box, clock):
    """72 hours: shorter than the schedule of attempts, so that nothing is parked."""
    away = Moody(lambda: 0.0)
    away.answer = lambda change: Result(change.id, Outcome.RETRY, "nobody there")
    for hour in range(72):
        for subject in range(3):
            box.put(f"contact:{subject}")
        if hour % 6 == 0:
            box.put("contact:0", lane=0, topic="consent.changed")
        for _ in range(4):
            box.drain(away)
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
