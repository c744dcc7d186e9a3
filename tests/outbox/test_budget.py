"""How many calls a CRM costs a day: counted together, and what goes out while few are left."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from regportal.connectors.base import Outcome, Result
from regportal.connectors.meter import Meter
from regportal.connectors.schema import Connector
from regportal.outbox.budget import Budget
from regportal.outbox.models import MessageState
from regportal.outbox.rules import AWAITED, LANES, REST, WITHDRAWAL
from tests.outbox.conftest import NOON

BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHT = NOON + timedelta(hours=11)  # in Berlin, in winter


def budget(most=10, meter=None):
    return Budget("crm", most, BERLIN, meter or Meter())


class Costly:
    """A CRM that a batch costs so many calls, and that may say how many are used."""

    def __init__(self, budget, calls=1, says=None):
        self.budget, self.calls, self.says, self.got = budget, calls, says, []

    def __call__(self, changes, *, now):
        self.got += [change.topic for change in changes]
        for _ in range(self.calls):
            self.budget.meter.count()
        if self.says:
            self.budget.meter.says(*self.says)
        return [Result(change.id, Outcome.DONE) for change in changes]


def stands(box, one, now=NOON):
    return box.read(one.stands, now=now)


def owe(box):
    """Owe one message of each urgency, the least urgent first."""
    box.put("contact:1", lane=REST)
    box.put("opportunity:2", "phase.changed", lane=AWAITED)
    box.put("contact:3", "consent.changed", lane=WITHDRAWAL)


def test_calls_are_counted_over_all_workers(box):
    box.put()
    one, other = budget(), budget()
    box.drain(Costly(one, 3), budget=one)
    box.put()
    box.drain(Costly(other, 2), budget=other)

    assert stands(box, budget()).calls.used == 5


@pytest.mark.parametrize(
    ("used", "sent"),
    [(0, 3), (7, 3), (8, 2), (9, 2), (10, 1), (11, 1)],
)
def test_the_less_is_left_the_less_goes_out(box, used, sent):
    owe(box)
    one = budget()
    for _ in range(used):
        one.meter.count()
    box.write(one.keep, one.meter.read(), now=NOON)
    crm = Costly(one, 0)
    again = box.drain(crm, budget=one)
    order = ["consent.changed", "phase.changed", "interaction.recorded"]

    assert crm.got == order[:sent]
    assert again == (None if sent == 3 else MIDNIGHT)
    assert {row.attempts for row in box.rows() if row.state is MessageState.DUE} <= {0}


def test_it_stops_in_the_middle_and_goes_on_when_their_day_changes(box, clock):
    for number in range(20):
        box.put(f"contact:{number}", lane=REST)
    one = budget()
    crm = Costly(one)
    again = box.drain(crm, size=1, budget=one)

    assert (len(crm.got), again) == (8, MIDNIGHT)
    clock.now = MIDNIGHT
    box.drain(crm, size=1, budget=one)
    assert len(crm.got) == 16


def test_what_the_crm_says_itself_holds_for_an_hour(box):
    box.put(lane=REST)
    one = budget(most=None)
    box.drain(Costly(one, says=(14_900, 15_000)), budget=one)
    box.put(lane=REST)
    minutes = timedelta(minutes=59)

    assert stands(box, one).lanes == (WITHDRAWAL, AWAITED)
    assert stands(box, one, NOON + minutes).until == NOON + timedelta(hours=1)
    assert box.drain(Costly(one), budget=one) == NOON + timedelta(hours=1)
    assert stands(box, one, NOON + timedelta(hours=1)).lanes == LANES


def test_the_worse_of_both_counts(box):
    box.put()
    one = budget(most=10)
    box.drain(Costly(one, 9, says=(1, 100)), budget=one)

    assert stands(box, one).calls.used == 9
    box.put(lane=WITHDRAWAL)
    box.drain(Costly(one, 0, says=(100, 100)), budget=one)
    assert stands(box, one).lanes == (WITHDRAWAL,)


def test_what_a_crm_says_that_is_no_number_of_calls_is_left_out(box):
    meter = Meter()
    for used, most in [(-1, 100), (5, 0), (5, -7)]:
        meter.says(used, most)

    assert meter.read().said is None


def test_nobody_is_held_back_where_nobody_set_a_limit(box):
    box.put(lane=REST)
    one = budget(most=None)
    box.drain(Costly(one, 1_000), budget=one)

    assert stands(box, one).lanes == LANES
    assert str(stands(box, one)) == "its calls are not limited"


def test_a_document_sets_the_calls_and_whose_days_count():
    words = {"key": "crm", "type": "odoo", "url": "https://crm.example", "secret": "env:X"}
    one = Budget.of(Connector(**words, calls_a_day=15_000, timezone="America/Los_Angeles"))

    assert (one.most, one.zone) == (15_000, ZoneInfo("America/Los_Angeles"))
    with pytest.raises(ValueError, match="is not a time zone"):
        Connector(**words, timezone="Mars/Olympus")
