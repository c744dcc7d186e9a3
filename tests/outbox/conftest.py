import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.connectors.base import Outcome, Result
from regportal.outbox.actions import News, drain, put
from regportal.outbox.leases import Leases
from regportal.outbox.models import Message

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that a test turns."""

    now: datetime = NOON

    def __call__(self):
        return self.now

    def turn(self, **by):
        self.now += timedelta(**by)


@dataclass
class Crm:
    """A CRM that takes everything, or answers what it is told to."""

    answers: dict = field(default_factory=dict)
    got: list = field(default_factory=list)

    def __call__(self, changes, *, now):
        self.got += changes
        return [self.answer(change) for change in changes]

    def answer(self, change):
        said = self.answers.get(change.subject, self.answers.get("*", Outcome.DONE))
        if isinstance(said, Outcome):
            return Result(change.id, said, "" if said is Outcome.DONE else f"said {said}")
        return Result(change.id, **said)

    @property
    def heard(self):
        return [(change.subject, change.sequence) for change in self.got]


class Box:
    """The outbox of one connector, as a test uses it."""

    def __init__(self, store, clock):
        self.store, self.clock, self.connector = store, clock, "crm"

    def put(self, subject="contact:1", topic="interaction.recorded", **news):
        news = {"payload": {"id": str(uuid.uuid4())}, "occurred_at": self.clock(), **news}
        return self.write(put, self.connector, News(topic, subject, **news), now=self.clock())

    def drain(self, crm, **options):
        options = {"chance": lambda: 0.5, **options}
        return drain(self.store, self.connector, crm, clock=self.clock, **options)

    def take(self, leases=None):
        """Take in hand what is due."""
        leases, now = leases or Leases(self.connector), self.clock()
        return self.write(leases.take, self.read(leases.look, now=now), now=now)

    def write(self, action, *given, **named):
        return self.store.write(lambda session: action(session, *given, **named))

    def read(self, action, *given, **named):
        with self.store.read() as session:
            return action(session, *given, **named)

    def row(self, message_id):
        with self.store.read() as session:
            return session.get_one(Message, message_id)

    def rows(self):
        with self.store.read() as session:
            return session.scalars(
                sa.select(Message).order_by(Message.subject, Message.sequence)
            ).all()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def crm():
    return Crm()


@pytest.fixture
def box(store, clock):
    return Box(store, clock)
