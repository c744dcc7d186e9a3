"""`regportal bench timeline`: the newest of what one contact did, among what everybody did."""

import json
import random
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from regportal.cli.bench.databases import scratch
from regportal.cli.bench.measure import Figures, Goal, Measured, ratio, rounds
from regportal.cli.bench.report import Report
from regportal.cli.bench.visits import WrongAnswerError
from regportal.store.facts import table_of
from regportal.store.migrate import upgrade
from regportal.store.sessions import Store, make_engine
from regportal.tracking.models import Interaction
from regportal.tracking.series import Wanted, page_of

EACH = 1000
"""Interactions of one contact."""
NEWEST = 50
SIZES = (100_000, 1_000_000, 10_000_000)
COLUMNS = (
    "id, type, object, category, properties, occurred_at, received_at, contact_id, attribution,"
    " judged, judged_by"
)
ROWS = {
    "sqlite": f"""
        INSERT INTO interaction ({COLUMNS})
        WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :last)
        SELECT printf('%032x', i), 'page_view', 'https://www.bench.example/widgets/' || (i % 97),
               NULL, '{{"title":"Widgets"}}',
               strftime('%Y-%m-%d %H:%M:%S.000000', :at + i, 'unixepoch'),
               strftime('%Y-%m-%d %H:%M:%S.000000', :at + i, 'unixepoch'),
               printf('%032x', i % :contacts), 'verified', 'person', 'bench' FROM n""",  # noqa: S608 - ours
    "postgresql": f"""
        INSERT INTO interaction ({COLUMNS})
        SELECT CAST(lpad(to_hex(i), 32, '0') AS uuid), 'page_view',
               'https://www.bench.example/widgets/' || (i % 97), NULL,
               CAST('{{"title":"Widgets"}}' AS jsonb), to_timestamp(:at + i), to_timestamp(:at + i),
               CAST(lpad(to_hex(i % :contacts), 32, '0') AS uuid), 'verified', 'person', 'bench'
          FROM generate_series(:first, :last - 1) AS i""",  # noqa: S608 - ours
}
"""What everybody did, one a second: contact after contact, again and again."""
BEGAN = 1_700_000_000
NEWEST_OF = (
    "SELECT id, occurred_at, received_at, properties, type, object, category, attribution, judged,"
    " judged_because, judged_by, contact_id, claim_id, visit_id FROM interaction"
    " WHERE contact_id = {mark} ORDER BY occurred_at DESC, id DESC LIMIT {most}"
)
RAW = {
    dialect: NEWEST_OF.format(mark=mark, most=NEWEST)
    for dialect, mark in (("sqlite", "?"), ("postgresql", "%s"))
}


def bench_timeline(
    folder: Path,
    count: int,
    requests: int,
    most: int,
    server: str | None,
    *,
    even_if_busy: bool,
    progress: Callable[[str], None],
) -> Report:
    """Measure our page beside the same rows by raw SQL, while the table grows."""
    sizes = [size for size in SIZES if size <= most]
    with scratch(server, folder, "timeline") as url:
        upgrade(url)
        store = Store(make_engine(url))
        found: dict[int, list[Measured]] = {}
        for size in sizes:
            _grow(url, size)
            progress(f"{size:,} interactions")
            found[size] = rounds(
                count,
                partial(_round, store, size // EACH, requests),
                even_if_busy=even_if_busy,
                progress=progress,
            )
        store.close()
    measured = [
        {
            f"{name} {size:,}": figures
            for size in sizes
            for name, figures in found[size][one].items()
        }
        for one in range(count)
    ]
    goals = [
        ratio(f"raw / ours among {size:,}", measured, f"ours {size:,}", f"raw {size:,}", 1 / 3)
        for size in sizes
    ]
    small, large = f"ours {sizes[0]:,}", f"ours {sizes[-1]:,}"
    flat = tuple(one[large].p50_ms / one[small].p50_ms for one in measured)
    says = f"time among {sizes[-1]:,} / among {sizes[0]:,}"
    goals.append(Goal(says, at_least=False, wanted=1.2, each=flat))
    database = "SQLite" if server is None else "PostgreSQL"
    notes = [f"on {database}: the {NEWEST} newest of {EACH:,} of a contact, another one each time"]
    return Report("timeline", measured, goals, notes)


def _grow(url: str, size: int) -> None:
    """Write what so many did, of people nobody needs to know, and make the indexes after it."""
    table, engine = table_of(Interaction), sa.create_engine(url)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        for index in table.indexes:
            index.drop(connection)
        connection.execute(sa.text("DELETE FROM interaction"))
        rows = {"first": 0, "last": size, "at": BEGAN, "contacts": size // EACH}
        connection.execute(sa.text(ROWS[engine.dialect.name]), rows)
        for index in table.indexes:
            index.create(connection)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE interaction"))
    engine.dispose()


def _round(store: Store, contacts: int, requests: int) -> Measured:
    """Measure both, of the same contacts."""
    whose = [uuid.UUID(int=random.randrange(contacts)) for _ in range(requests)]  # noqa: S311 - not a secret
    ours, seen = _timed(lambda one: _ours(store, one), whose)
    raw, rows = _timed(lambda one: _raw(store.engine, one), whose)
    if seen != rows or any(len(each) != NEWEST for each in seen):
        raise WrongAnswerError("our page is not what the table says")
    return {"ours": ours, "raw": raw}


def _ours(store: Store, contact: uuid.UUID) -> list[uuid.UUID]:
    """Return the keys on the first page of a contact."""
    with store.read() as session:
        seen, _ = page_of(session, Wanted([contact]), None, NEWEST)
    return [one.id for one in seen]


def _raw(engine: sa.Engine, contact: uuid.UUID) -> list[uuid.UUID]:
    """Return the same by the driver, with the values as ours are."""
    is_sqlite = engine.dialect.name == "sqlite"
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(RAW[engine.dialect.name], (contact.hex if is_sqlite else contact,))
        rows = cursor.fetchall()
    finally:
        connection.close()
    if is_sqlite:
        rows = [
            (
                uuid.UUID(row[0]),
                *map(datetime.fromisoformat, row[1:3]),
                json.loads(row[3]),
                *row[4:],
            )
            for row in rows
        ]
    return [row[0] for row in rows]


def _timed(
    read: Callable[[uuid.UUID], list[uuid.UUID]], whose: Sequence[uuid.UUID]
) -> tuple[Figures, list[list[uuid.UUID]]]:
    """Return how long it took, and what was read."""
    took, found = [], []
    cpu = time.process_time()
    for one in whose:
        began = time.perf_counter()
        found.append(read(one))
        took.append((time.perf_counter() - began) * 1000)
    cpu = time.process_time() - cpu
    took.sort()
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    return Figures(1000 / p50, p50, p99, cpu * 1000 / len(whose), 0.0), found
