"""How many calls a connector may make a day, how many records, and what goes out near the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, tzinfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.config import Settings
from regportal.connectors.base import Connector, Secrets, connector_for
from regportal.connectors.egress import Egress
from regportal.connectors.meter import NONE, Meter, Reading, Said
from regportal.connectors.schema import Connector as Document
from regportal.outbox.models import Connection, Spent
from regportal.outbox.rules import BELIEVED, Calls, Met, Standing, astray, day_ends
from regportal.outbox.waiting import PEOPLE
from regportal.store.facts import insert_in, table_of
from regportal.store.sessions import Store

TABLE = table_of(Spent)
TODAY = sa.select(TABLE.c.calls, TABLE.c.said_used, TABLE.c.said_most, TABLE.c.said_at).where(
    TABLE.c.connector == sa.bindparam("connector"), TABLE.c.day == sa.bindparam("day")
)


COUNTS = tuple(TABLE.c[one.name] for one in fields(Met))
NOBODY = Met()
ALL = 100  # per cent
LOCK = sa.text("SELECT pg_advisory_xact_lock(:first, hashtext(:connector))")
FIRST_RUN = 0x66697273  # "firs", among the locks that others take


@dataclass(frozen=True, slots=True)
class Budget:
    """
    What all workers together may do through one connector; days are those of the CRM's time zone.

    ``most`` calls may be made a day (None: no limit is set); ``meter`` counts those of this worker.
    Of the contacts the CRM is told of on a day at most ``most_new`` per cent may be new to it. It
    is told of ``first_run`` people, then a person must let it go on (None: of all at once).
    """

    connector: str
    most: int | None = None
    zone: tzinfo = UTC
    meter: Meter = field(default_factory=Meter)
    most_new: int = 100
    first_run: int | None = None

    @classmethod
    def of(cls, document: Document, meter: Meter | None = None) -> "Budget":
        """Return the budget that a connector's document sets."""
        return cls(
            document.key,
            document.calls_a_day,
            document.zone,
            meter or Meter(),
            document.most_new,
            document.first_run,
        )

    def stands(self, session: Session, more: Reading = NONE, *, now: datetime) -> Standing:
        """
        Return which lanes go out; ``more`` are calls that were not written down yet.

        Where the CRM itself says how many calls are used, the worse of both holds, for an hour.
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
        calls = max(both, key=lambda one: one.share, default=None)
        return Standing(calls, self._left(session))

    def begin(self, session: Session) -> None:
        """In the first run, let no other worker lease messages before we have: it counts people."""
        is_first = self.first_run is not None and let_go_at(session, self.connector) is None
        if is_first and session.get_bind().dialect.name == "postgresql":
            session.execute(LOCK, {"first": FIRST_RUN, "connector": self.connector})

    def _left(self, session: Session) -> int | None:
        """Return how many more people may be told of in the first run; None where it is over."""
        if self.first_run is None or let_go_at(session, self.connector) is not None:
            return None
        rows = session.execute(PEOPLE, {"connector": self.connector})
        return max(self.first_run - len({address or subject for subject, address in rows}), 0)

    def keep(
        self, session: Session, spent: Reading, met: Met = NOBODY, *, now: datetime
    ) -> str | None:
        """
        Add calls and contacts met to those of the day; return why nothing more may be sent, if so.

        The last thing of a transaction, for other workers wait for its end.
        """
        if spent == NONE and met == NOBODY:
            return None
        said = spent.said
        row = {
            **self._today(now),
            "calls": spent.calls,
            "said_used": said.used if said else None,
            "said_most": said.most if said else None,
            "said_at": now if said else None,
            **asdict(met),
        }
        asked = insert_in(session.get_bind().dialect.name)(TABLE)
        new = asked.excluded
        over = {name: sa.func.coalesce(new[name], TABLE.c[name]) for name in row if "said" in name}
        over |= {name: TABLE.c[name] + new[name] for name in ("calls", *asdict(met))}
        keys = ["connector", "day"]
        upsert = asked.on_conflict_do_update(index_elements=keys, set_=over).returning(*COUNTS)
        today = Met(*session.execute(upsert, row).one())
        let_go = let_go_at(session, self.connector) if self.most_new < ALL else None
        is_today = let_go is not None and let_go.astimezone(self.zone).date() == row["day"]
        return astray(today, ALL if is_today else self.most_new)

    def _today(self, now: datetime) -> dict[str, object]:
        """Return the key of today's row."""
        return {"connector": self.connector, "day": now.astimezone(self.zone).date()}


def let_go_at(session: Session, connector: str) -> datetime | None:
    """Return when a person last let a connector go on after a first run; None where nobody did."""
    return session.scalar(sa.select(Connection.go_at).where(Connection.connector == connector))


def compare_anew(session: Session, connector: str) -> None:
    """Let a CRM be asked soon whether every record we know is still there."""
    asked = sa.update(Connection).where(Connection.connector == connector)
    session.execute(asked.values(compared_at=None))


def begin_anew(session: Session, connector: str) -> None:
    """Count contacts met and records made from zero: a person has looked at the connector."""
    session.execute(sa.update(TABLE).where(TABLE.c.connector == connector).values(asdict(NOBODY)))


def keep_spent(store: Store, budget: Budget, *, now: datetime) -> None:
    """Write down the calls a budget's meter has counted, and nothing else."""
    spent = budget.meter.read()
    store.write(lambda session: budget.keep(session, spent, now=now))


@contextmanager
def calling(
    store: Store,
    document: Document,
    settings: Settings,
    secret: Secrets,
    *,
    patience: float | None = None,
) -> Iterator[Connector]:
    """
    Give a connector for the block; the calls it makes are added to the day's when it ends.

    With ``patience`` they may take so many seconds in all. Raises ConfigError where it cannot be
    made.
    """
    egress = Egress(settings.allow_private_targets, patience=patience)
    connector = connector_for(document, settings, secret, egress=egress)
    budget = Budget.of(document, egress.meter)
    try:
        yield connector
    finally:
        connector.close()
        keep_spent(store, budget, now=datetime.now(UTC))
