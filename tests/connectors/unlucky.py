"""A real outbox, told to a CRM on a line where three calls of ten go wrong in fourteen ways."""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from regportal.outbox.actions import News, drain, put
from regportal.outbox.models import Message, MessageState
from regportal.outbox.operating import pauses, replay_parked, resume
from regportal.sandbox.faults import FAULTS, KINDS
from regportal.sandbox.luck import Odds
from tests.connectors.changes import Outbox

FAIL = 0.3
ONE_OF_EACH = [next(one.name for one in FAULTS if one.kind == kind) for kind in KINDS]
"""What the first calls meet, so that every kind is met; then it is chance."""
EXPECTED = "given up: "
"""Why messages may be parked: ten attempts failed."""
ENOUGH = 2000
"""Rounds after which something never ends."""
MERGES = {"consent.changed": "consent", "score.changed": "score", "phase.changed": "phase"}
PHASES = ("interest", "comparison", "decision", "comparison", "interest", "decision")


@dataclass
class Told:
    """What was owed, in its order: the titles of deeds by contact, phases by opportunity."""

    deeds: dict = field(default_factory=dict)
    phases: dict = field(default_factory=dict)
    countries: dict = field(default_factory=dict)


class Unlucky:
    """The outbox of one connector, its clock, and who works it off."""

    def __init__(self, store, connector, world, seed):
        self.store, self.connector, self.names = store, connector, world.names
        self.now = datetime.now(UTC)
        self.given_up = 0
        self._random = random.Random(seed)
        world.sandbox.luck.turn(Odds(FAIL, seed=seed))
        world.sandbox.luck.befall(ONE_OF_EACH)

    # --- what is owed ---

    def owe(self, people, deals, told, *, waves):
        """Owe deeds, answers, permissions, scores and phases, and deliver some of it meanwhile."""
        say = Outbox(self.connector, now=self.now, names=self.names)
        for wave in range(waves):
            for number, (key, email) in enumerate(people.items()):
                title = f"Paper {wave}-{number}"
                country = f"C{wave}"
                told.deeds.setdefault(email, []).append(title)
                told.countries.setdefault(email, []).append(country)
                state = ("confirmed", "withdrawn")[wave % 2]
                for change in (
                    say.knows(key, email, country=country),
                    say.did(key, email, *deals, title=title),
                    say.allows(key, email, "prices", state),
                    say.scores(key, email, "fit", 10 + wave),
                ):
                    self._put(change, creates=change.topic == "contact.identified")
            for deal in deals:
                phase = PHASES[wave % len(PHASES)]
                told.phases.setdefault(deal, []).append(phase)
                self._put(say.moves(deal, phase))
            self.work(rounds=3)
            say.now = self.now

    def _put(self, change, *, creates=False):
        news = News(
            change.topic,
            change.subject,
            {"id": str(change.id), **change.payload},
            self.now,
            MERGES.get(change.topic),
            creates=creates,
        )
        self.store.write(lambda session: put(session, "crm", news, now=self.now))

    # --- how it is worked off ---

    def work(self, rounds):
        """Let two workers deliver what is due, and time pass until more is; return if all is."""
        size = self.connector.capabilities.batch
        for _ in range(rounds):
            with ThreadPoolExecutor(2) as workers:
                again = [*workers.map(lambda _: self._drain(size), range(2))]
            nothing_waits = not any(again)
            if nothing_waits and not self._operator():
                return True
            self.now = max([self.now, *(one for one in again if one)]) + timedelta(seconds=1)
        return False

    def work_off(self):
        """Deliver until nothing waits."""
        assert self.work(ENOUGH), "something is never delivered"

    def _drain(self, size):
        return drain(
            self.store,
            "crm",
            self.connector.deliver,
            clock=lambda: self.now,
            size=size,
            chance=self._random.random,
        )

    def _operator(self):
        """Look, as a person does: what is parked is told again, in its order."""

        def look(session):
            parked = session.scalars(
                sa.select(Message).where(Message.state == MessageState.PARKED)
            ).all()
            assert all(one.trouble.startswith(EXPECTED) for one in parked), [
                (one.topic, one.trouble) for one in parked
            ]
            self.given_up += len(parked)
            paused = [one.connector for one in pauses(session, now=self.now) if one.until is None]
            for one in paused:
                resume(session, one, now=self.now)
            return bool(parked or paused)

        looked = self.store.write(look)
        replay_parked(self.store, connector="crm", now=self.now)
        return looked


def in_order(some, all_of_them):
    """Return whether some come in the order in which all do; whatever was merged is left out."""
    rest = iter(all_of_them)
    return all(any(one == other for other in rest) for one in some)


def without_repeats(many):
    """Return values, each once where it stands several times in a row."""
    return [one for one, _ in itertools.groupby(many)]
