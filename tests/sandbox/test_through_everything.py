"""
Three calls of ten go wrong, in all fourteen ways: what is owed arrives all the same, and once.

For every world of a sandbox: real HTTP, the real outbox, the real drain. Its operator does what
operators do: ends a pause, and replays what was parked.
"""

import contextlib
import uuid
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from regportal.outbox.actions import News, put
from regportal.outbox.drain import drain
from regportal.outbox.models import Message, MessageState
from regportal.outbox.operating import replay, resume
from regportal.sandbox.luck import Odds
from tests.connectors.changes import Outbox
from tests.connectors.worlds.dynamics import dynamics
from tests.connectors.worlds.dynamics import unlucky as unlucky_dynamics
from tests.connectors.worlds.salesforce import SalesforceWorld
from tests.connectors.worlds.salesforce import unlucky as unlucky_salesforce

WORLDS = {
    "dynamics": (dynamics, unlucky_dynamics),
    "salesforce": (lambda: contextlib.closing(SalesforceWorld()), unlucky_salesforce),
}
"""How a made CRM is begun, and a connector to it that does not wait for long."""
PEOPLE, ROUNDS, MOST = 12, 4, 400
PHASES = ("interest", "comparison", "decision")
STATE = {"contact.updated": "fields", "phase.changed": "phase", "consent.changed": "prices"}
"""News that tell a state: of those that wait, the newest is told."""


@pytest.fixture(params=WORLDS)
def world(request):
    """A CRM that fails as it is told to; the same seed brings the same faults."""
    begun, _ = WORLDS[request.param]
    with begun() as world:
        world.sandbox.luck.turn(Odds(fail=0.3, seed=7))
        yield world


class Owing:
    """An outbox with a clock of its own, and its operator."""

    def __init__(self, store, world, connector):
        self.store, self.world, self.connector = store, world, connector
        self.told = Outbox(connector, names=world.names)
        self.now, self.turns = self.told.now, 0

    def owe(self, *changes):
        for one in changes:
            news = News(
                one.topic,
                one.subject,
                one.payload,
                one.occurred_at,
                merges=STATE.get(one.topic),
                creates=one.topic == "contact.identified",
            )
            self.store.write(partial(put, connector="crm", news=news, now=self.now))

    def turn(self):
        """Deliver what is due, go on to when the next is, and end pauses."""
        again = drain(self.store, "crm", self.connector.deliver, clock=lambda: self.now, size=8)
        self.turns += 1
        self.now = max(again or self.now, self.now + timedelta(seconds=1))
        if self.store.write(partial(resume, connector="crm")):
            self.now += timedelta(minutes=1)
        self.store.write(partial(replay, connector="crm", now=self.now))

    def left(self):
        with self.store.read() as session:
            waits = Message.state.in_([MessageState.DUE, MessageState.PARKED])
            return session.scalar(sa.select(sa.func.count()).where(waits))

    def troubles(self):
        with self.store.read() as session:
            return sorted({one or "" for one in session.scalars(sa.select(Message.trouble))})


def test_what_is_owed_arrives_whatever_goes_wrong_and_once_and_in_order(store, world):
    _, unlucky = WORLDS[world.name]
    owing = Owing(store, world, unlucky(world))
    people = [(str(uuid.uuid4()), f"visitor-{number}@acme.example") for number in range(PEOPLE)]
    deal = world.opportunity(name="500 widgets")
    told, seen, phases = owing.told, {}, []

    def look():
        """Nothing goes back: neither what people said, nor where an opportunity is."""
        for _, email in people:
            for there in world.people(email):
                country = world.field(there, "country") or ""
                assert country >= seen.get(email, "")
                seen[email] = country
        phases.extend([world.phase(deal)] if world.phase(deal) not in phases[-1:] else [])

    owing.owe(*(told.knows(*one, country="0") for one in people))
    for number in range(ROUNDS):
        for one in people:
            owing.owe(told.did(*one), told.knows(*one, "contact.updated", country=str(number)))
        if number:
            owing.owe(told.moves(deal, PHASES[number - 1]))
        owing.owe(told.allows(*people[number], "prices", "confirmed", at=told.now))
        owing.turn()
        look()
    while owing.left() and owing.turns < MOST:
        owing.turn()
        look()

    assert (owing.left(), owing.turns < MOST) == (0, True), owing.troubles()
    for _, email in people:
        (there,) = world.people(email)
        assert len(world.notes(there)) == ROUNDS
        assert world.field(there, "country") == str(ROUNDS - 1)
    places = [PHASES.index(one) for one in phases if one]
    assert places == sorted(places)
    assert world.phase(deal) == PHASES[-1]
    for _, email in people[:ROUNDS]:
        assert world.wants(world.people(email)[0], email, "prices") is True
    assert len({one.fault for one in world.sandbox.seen if one.fault}) > 10
