"""Leases: what a worker has in hand stays there as long as it lives, and no longer."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.connectors.base import Outcome, Result
from regportal.outbox.leases import LEASE, RENEWALS, Leases
from regportal.outbox.models import Message, MessageState, Pause
from regportal.outbox.operating import pause, pauses, replay
from tests.outbox.conftest import Crm
from tests.patience import until

SHORT = timedelta(milliseconds=60)


def leased_until(box):
    """Return until when messages are in hand."""
    return {row.leased_until for row in box.rows() if row.leased_until}


class Slow(Crm):
    """A CRM that is at its first call for longer than a lease, until something else was done."""

    def __init__(self, box, meanwhile=lambda: None):
        super().__init__()
        self.box, self.meanwhile, self.was_held = box, meanwhile, []

    def __call__(self, changes, *, now):
        if not self.got:
            for _ in range(2 * RENEWALS):
                self.box.clock.now += SHORT / RENEWALS
                end = self.box.clock() + SHORT
                self.was_held.append(until(lambda end=end: leased_until(self.box) == {end}))
            self.meanwhile()
        return super().__call__(changes, now=now)


def test_a_deliver_that_outlasts_its_lease_keeps_what_it_has(box):
    box.put("opportunity:1", "phase.changed", payload={"to": "comparison"})
    other = Crm()

    def meanwhile():
        box.put("opportunity:1", "phase.changed", payload={"to": "decision"})
        box.drain(other, lease=SHORT)

    slow = Slow(box, meanwhile)
    box.drain(slow, lease=SHORT)

    assert all(slow.was_held)
    assert (slow.heard, other.heard) == ([("opportunity:1", 1), ("opportunity:1", 2)], [])


def test_what_was_made_ready_is_kept_with_what_is_being_told(box):
    for number in range(4):
        box.put(f"contact:{number}")
    other = Crm()
    slow = Slow(box, lambda: box.drain(other, lease=SHORT))
    box.drain(slow, lease=SHORT, size=2)

    assert all(slow.was_held)
    assert (len(slow.got), other.got) == (4, [])


def test_what_was_put_off_until_the_lease_is_over_is_put_off_with_it(box, clock):
    first = box.put()
    box.drain(Crm())
    box.put()
    other = Crm()
    batch = box.take()
    box.write(replay, [first], now=clock())
    clock.now += LEASE / 2
    box.write(Leases("crm").renew, batch, now=clock())
    clock.now += LEASE / 2
    box.drain(other)

    assert other.got == []

    clock.now += LEASE / 2
    box.drain(other)

    assert other.heard == [("contact:1", 1), ("contact:1", 2)]


def test_what_waits_longer_or_is_of_others_is_not_put_off(box, clock):
    away = Crm({"contact:2": {"outcome": Outcome.LATER, "retry_at": clock() + LEASE / 2}})
    box.put("contact:2")
    box.drain(away)
    tomorrow = clock() + timedelta(days=1)
    away.answers = {"contact:1": {"outcome": Outcome.LATER, "retry_at": tomorrow}}
    box.put()
    box.drain(away)
    before = {row.id: row.due for row in box.rows()}
    box.put("contact:3")
    batch = box.take()
    assert [change.subject for change in batch.changes] == ["contact:3"]
    box.write(Leases("crm").renew, batch, now=clock())

    assert {row.id: row.due for row in box.rows() if row.id in before} == before


def test_who_lost_a_lease_does_not_get_it_back(box, clock):
    box.put()
    late = box.take()
    clock.now += LEASE
    box.take()
    (before,) = box.rows()
    clock.now += LEASE / 2
    box.write(Leases("crm").renew, late, now=clock())
    (row,) = box.rows()

    assert (row.lease, row.leased_until, row.due) == (before.lease, before.due, before.due)


def test_where_it_cannot_be_renewed_the_answer_still_counts(box):
    """Somebody else holds the database for a moment."""
    message, refused = box.put(), []

    def refuse(connection, cursor, statement, parameters, context, executemany):
        if "leased_until=CASE" in statement:
            refused.append(statement)
            raise sa.exc.OperationalError(statement, {}, RuntimeError("database is locked"))

    def slow(changes, *, now):
        assert until(lambda: len(refused) > 1)
        return [Result(change.id, Outcome.DONE) for change in changes]

    sa.event.listen(box.store.engine, "before_cursor_execute", refuse)
    box.drain(slow, lease=SHORT)

    assert box.row(message).state is MessageState.SENT


@pytest.fixture
def probe(box, clock):
    """Return the batch with which a CRM is tried that does not answer."""
    box.put()

    def hold(session):
        session.add(
            Pause(connector="crm", until=clock(), because="away", failures=3, since=clock())
        )

    box.write(hold)
    batch = box.take()
    assert batch.is_probe
    return batch


def test_while_a_probe_takes_long_nobody_else_tries(box, clock, probe):
    box.put("contact:2")
    clock.now += LEASE / 2
    box.write(Leases("crm").renew, probe, now=clock())
    clock.now += LEASE / 2

    assert box.take().changes == ()


def test_a_probe_that_takes_long_ends_no_pause_by_hand(box, clock, probe):
    box.write(pause, "crm", "maintenance")
    box.write(Leases("crm").renew, probe, now=clock())

    assert [one.until for one in box.read(pauses, now=clock())] == [None]


def test_a_thousand_that_failed_are_written_down_at_once(box):
    for number in range(1000):
        box.put(f"contact:{number}")
    written = []

    def note(connection, cursor, statement, parameters, context, executemany):
        written.append(statement)

    def fail(changes, *, now):
        sa.event.listen(box.store.engine, "before_cursor_execute", note)
        return [Result(change.id, Outcome.RETRY, "503") for change in changes]

    box.drain(fail, size=1001, chance=iter([number / 1001 for number in range(1001)]).__next__)
    sa.event.remove(box.store.engine, "before_cursor_execute", note)

    assert sum(one.startswith("UPDATE message") for one in written) == 1
    assert box.read(lambda session: session.scalar(sa.select(sa.func.count(Message.id)))) == 1000
