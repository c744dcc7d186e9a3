import pytest
import sqlalchemy as sa

from regportal.buying.batch import look_up
from regportal.buying.models import KnownInteraction
from regportal.buying.scores.actions import cool, score
from regportal.buying.scores.checking import differences
from regportal.buying.scores.heard import Heard
from regportal.buying.scores.models import ScoreCrossing, ScoreState
from regportal.buying.scores.news import tell
from regportal.buying.telling import log_time
from regportal.tracking.actions import Place, read_log
from regportal.tracking.models import Attributed, EntryKind, LogEntry
from regportal.tracking.shards import shards_in
from tests.buying.scene import NOON
from tests.portal import patiently


class Listener:
    """Reads the log as the weigher does, and lets the scores hear of it."""

    def __init__(self, scene):
        self.scene, self.places, self.at = scene, {}, None

    def hear(self, *, now=NOON, limit=100):
        """Weigh what is in the log, some lines a transaction."""
        patiently(lambda: self._all(limit, now))

    def _all(self, limit, now):
        """Weigh what may be weighed; return whether lines wait for another's transaction."""
        with self.scene.store.read() as session:
            shards = range(shards_in(session))
        return [one for one in shards if self._shard(one, limit, now)] or None

    def _shard(self, shard, limit, now):
        while self.scene.store.write(lambda session: self._some(session, shard, limit, now)):
            pass
        place = self.places.get(shard, Place())
        done = sa.tuple_(sa.literal(place.transaction), sa.literal(place.number))
        later = sa.tuple_(LogEntry.transaction, LogEntry.number) > done
        left = sa.select(LogEntry.number).where(LogEntry.shard == shard, later).limit(1)
        with self.scene.store.read() as session:
            return session.scalars(left).first()

    def _some(self, session, shard, limit, now):
        published = self.scene.shelf.published(session)
        read = read_log(session, shard, self.places.get(shard, Place()), limit)
        lines = []
        for line in read:
            self.at = log_time(self.at, line.at)
            lines.append((line, self.at))
        if not lines:
            return None
        batch = look_up(session, read, Attributed.VERIFIED)
        heard, known = Heard(), []
        for line, at in lines:
            heard.line(line, at, batch)
            if line.kind is EntryKind.OPPORTUNITY:
                continue
            for one in batch.became_known(line, at)[1]:
                if one.taken.id not in batch.told:
                    batch.told.add(one.taken.id)
                    known.append({"interaction_id": one.taken.id})
                    heard.fresh(one, at)
        if known:
            session.execute(sa.insert(KnownInteraction), known)
        found = score(session, published, heard, now=now)
        tell(session, published, found.news, now=now)
        self.places[shard] = Place(read[-1].transaction, read[-1].number)
        return len(lines)

    def tell(self, heard, *, now=NOON):
        """Let the scores hear something by itself."""
        return self._write(
            lambda session, published: score(session, published, heard, now=now), now
        )

    def cool(self, *, now):
        """Let time go by."""
        return self._write(lambda session, published: cool(session, published, now=now), now)

    def _write(self, work, now):
        def both(session):
            published = self.scene.shelf.published(session)
            found = work(session, published)
            tell(session, published, found.news, now=now)
            return [(one.from_level, one.to_level, one.cause) for one in found.crossings]

        return self.scene.store.write(both)

    def states(self):
        with self.scene.store.read() as session:
            return {
                (row.contact_id, row.score): row for row in session.scalars(sa.select(ScoreState))
            }

    def crossings(self):
        """Every threshold that was passed: from which to which, when, and why."""
        order = sa.select(ScoreCrossing).order_by(ScoreCrossing.at, ScoreCrossing.id)
        with self.scene.store.read() as session:
            return [
                (one.from_level, one.to_level, one.at, one.cause) for one in session.scalars(order)
            ]

    def differences(self, *, now=NOON):
        with self.scene.store.read() as session:
            return [*differences(session, self.scene.shelf.published(session), now=now)]


@pytest.fixture
def listener(scene):
    return Listener(scene)
