"""The calls that a connection may cost a day, and what goes out while few are left."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.config import Settings
from regportal.connectors.base import Connector, Secrets, connector_for
from regportal.connectors.egress import Egress
from regportal.connectors.meter import NONE, Meter, Reading, Said
from regportal.connectors.schema import Connector as Document
from regportal.outbox.models import Spent
from regportal.outbox.rules import BELIEVED, Calls, Standing, day_ends
from regportal.store.facts import insert_in, table_of
from regportal.store.sessions import Store

TABLE = table_of(Spent)
TODAY = sa.select(TABLE.c.calls, TABLE.c.said_used, TABLE.c.said_most, TABLE.c.said_at).where(
    TABLE.c.connector == sa.bindparam("connector"), TABLE.c.day == sa.bindparam("day")
)


@dataclass(frozen=True, slots=True)
class Budget:
    """
    The calls of one connector, on days as they are over there.

    ``most`` of them may be made a day (None: nobody says), by all workers together; ``meter``
    counts what one of them makes.
    """

    connector: str
    most: int | None = None
    zone: tzinfo = UTC
    meter: Meter = field(default_factory=Meter)

    @classmethod
    def of(cls, document: Document, meter: Meter | None = None) -> "Budget":
        """Return the budget that a document sets."""
        return cls(document.key, document.calls_a_day, document.zone, meter or Meter())

    def stands(self, session: Session, more: Reading = NONE, *, now: datetime) -> Standing:
        """
        Return which lanes go out; ``more`` is used besides what was kept.

        Where the CRM itself says what is used, the worse of both holds, for an hour.
        """
        row = session.execute(TODAY, self._today(now)).first()
        calls, used, of, said_at = row or (0, None, None, None)
        said = more.said or (None if used is None or of is None else Said(used, of))
        ends = day_ends(now, self.zone)
        both = []
        if self.most is not None:
            both.append(Calls(calls + more.calls, self.most, ends))
        believed = now if more.said else said_at
        if said and believed and believed <= now < believed + BELIEVED:
            both.append(Calls(said.used, said.most, min(believed + BELIEVED, ends)))
        return Standing(max(both, key=lambda one: one.share, default=None))

    def keep(self, session: Session, spent: Reading, *, now: datetime) -> None:
        """Keep what was used; the last thing of a transaction, for others wait for its end."""
        if spent == NONE:
            return
        said = spent.said
        row = {
            **self._today(now),
            "calls": spent.calls,
            "said_used": said.used if said else None,
            "said_most": said.most if said else None,
            "said_at": now if said else None,
        }
        asked = insert_in(session.get_bind().dialect.name)(TABLE)
        new = asked.excluded
        over = {name: sa.func.coalesce(new[name], TABLE.c[name]) for name in row if "said" in name}
        over["calls"] = TABLE.c.calls + new.calls
        keys = ["connector", "day"]
        session.execute(asked.on_conflict_do_update(index_elements=keys, set_=over), row)

    def _today(self, now: datetime) -> dict[str, object]:
        """Return which row is today's."""
        return {"connector": self.connector, "day": now.astimezone(self.zone).date()}


@contextmanager
def calling(
    store: Store, document: Document, settings: Settings, secret: Secrets
) -> Iterator[Connector]:
    """
    Give a connector for a while; what it costs is kept with what all others cost.

    Raises ConfigError where it cannot be made.
    """
    egress = Egress(settings.allow_private_targets)
    connector = connector_for(document, settings, secret, egress=egress)
    budget = Budget.of(document, egress.meter)
    try:
        yield connector
    finally:
        connector.close()
        spent, now = egress.meter.read(), datetime.now(UTC)
        store.write(lambda session: budget.keep(session, spent, now=now))
