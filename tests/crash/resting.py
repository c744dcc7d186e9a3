"""Coming to rest: what still waits gets its time, and whoever was locked out is let in again."""

import time

import sqlalchemy as sa

from regportal.outbox.models import Message, MessageState, Pause
from regportal.outbox.operating import pauses, resume
from tests.crash.accounts import left_to_do
from tests.patience import PATIENCE

GLANCE = 0.1
QUIET = 0.5
"""Seconds in which nothing moves: then everything that is left waits for its time."""
A_WHILE = 60.0


class Operator:
    """The person who resumes connectors, and for whom the clock runs on at the end."""

    def __init__(self, store, clock):
        self.store, self.clock = store, clock
        self.resumed = 0

    def resume(self):
        """Let connectors go on that wait for a person."""
        now = self.clock.now()
        with self.store.read() as session:
            stopped = [one.connector for one in pauses(session, now=now) if one.until is None]
        for connector in stopped:
            self.resumed += self.store.write(
                lambda session, key=connector: resume(session, key, now=now)
            )

    def left(self):
        """Return how much still waits, by kind."""
        with self.store.read() as session:
            return left_to_do(session)

    def rest(self, wake):
        """Let the clock run to whatever is next, until nothing is left or nothing moves."""
        moved, last = time.monotonic(), None
        while any(left := self.left().values()) and time.monotonic() - moved < 2 * PATIENCE:
            self.resume()
            now = (*left, *self._tried())
            if now != last:
                moved, last, quiet = time.monotonic(), now, time.monotonic()
            elif time.monotonic() - quiet > QUIET:
                self.clock.turn(self._next())
                quiet = time.monotonic()
                wake()
            time.sleep(GLANCE)

    def _tried(self):
        """Return how often anything was tried: what moves although nothing becomes less."""
        tried = sa.select(sa.func.sum(Message.attempts), sa.func.count(Message.leased_until))
        with self.store.read() as session:
            return session.execute(tried).one()

    def _next(self):
        """Return in how many seconds the next thing is due."""
        now = self.clock.now()
        due = sa.select(sa.func.min(Message.due)).where(
            Message.state == MessageState.DUE, Message.due > now
        )
        ends = sa.select(sa.func.min(Pause.until)).where(Pause.until > now)
        with self.store.read() as session:
            times = [at for query in (due, ends) if (at := session.scalar(query)) is not None]
        return min([(at - now).total_seconds() + 0.1 for at in times], default=A_WHILE)
