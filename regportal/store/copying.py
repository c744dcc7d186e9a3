"""Copying every row of one database into another, with a proof that both say the same."""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from itertools import islice
from typing import Any

import sqlalchemy as sa

from regportal.errors import RegportalError

Row = dict[str, Any]
Change = Callable[[Row], Row]
"""Makes of a row what is to be kept of it elsewhere."""

AT_ONCE = 1000
"""Rows that are in memory at a time."""
MODULUS = 2**256
WRITTEN: Mapping[type, Callable[[Any], str]] = {
    bytes: bytes.hex,
    date: date.isoformat,
    datetime: lambda at: at.astimezone(UTC).isoformat(),
    uuid.UUID: str,
}
"""How what JSON does not have is written."""


@dataclass(frozen=True, slots=True)
class Digest:
    """
    How many rows a table has, and what they say: the same for the same rows in any order.

    It is the sum of the SHA-256 of each row, so that no database has to sort.
    """

    rows: int = 0
    total: int = 0

    def __add__(self, other: "Digest") -> "Digest":
        """Return that of the rows of both."""
        return Digest(self.rows + other.rows, (self.total + other.total) % MODULUS)

    @property
    def text(self) -> str:
        """Return it as it is printed."""
        return f"{self.total:064x}"


class CopyError(RegportalError):
    """Something could not be copied whole: nothing of it was kept."""


def digest_of(rows: Iterable[Iterable[Any]]) -> Digest:
    """
    Return the digest of rows.

    >>> one, two = ["ann", 1], ["bob", 2]
    >>> digest_of([one, two]) == digest_of([two, one])
    True
    >>> digest_of([one, two]) == digest_of([one, one])
    False
    """
    total = count = 0
    for row in rows:
        said = json.dumps([*map(_plain, row)], sort_keys=True, separators=(",", ":"))
        total += int.from_bytes(hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest())
        count += 1
    return Digest(count, total % MODULUS)


def _plain(value: Any) -> Any:
    """
    Return a value as JSON that is the same whichever database it was read from.

    Databases keep a whole number in JSON as one, however it was written:

    >>> _plain({"a": [1.0, uuid.UUID(int=1), None, True]})
    {'a': [1, '00000000-0000-0000-0000-000000000001', None, True]}
    >>> _plain(datetime(2026, 3, 4, 12, tzinfo=UTC))
    '2026-03-04T12:00:00+00:00'
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    written = WRITTEN.get(type(value))
    return written(value) if written else value


def rows_of(connection: sa.Connection, table: sa.Table) -> Iterator[Row]:
    """Yield every row of a table; no more than some of them are in memory."""
    columns = [*table.columns]
    names = [column.key for column in columns]
    some = {"stream_results": True, "yield_per": AT_ONCE}
    with connection.execute(sa.select(*columns), execution_options=some) as found:
        for row in found:
            yield dict(zip(names, row, strict=True))


def copy_all(
    source: sa.Connection,
    target: sa.Connection,
    tables: Sequence[sa.Table],
    *,
    changes: Mapping[str, Change],
    on_rows: Callable[[int], None] = lambda _number: None,
) -> dict[str, Digest]:
    """
    Copy all tables, in this order, into one that has nothing, and prove that it says the same.

    ``changes`` are by the name of the table. ``on_rows`` is told how many rows were written or
    read back since it was told last: each row is both. Returns the digest of every table; raises
    CopyError where a table says something else afterwards. It commits nothing.
    """
    if target.dialect.name == "sqlite":
        target.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    put = _put_postgresql if target.dialect.name == "postgresql" else _put
    copied: dict[str, Digest] = {}
    for table in tables:
        change = changes.get(table.name)
        read = rows_of(source, table)
        rows = map(change, read) if change else read
        digest = Digest()
        while some := [*islice(rows, AT_ONCE)]:
            digest += digest_of(row.values() for row in some)
            put(target, table, some)
            on_rows(len(some))
        copied[table.name] = digest
    for table in tables:
        again = Digest()
        rows = rows_of(target, table)
        while some := [*islice(rows, AT_ONCE)]:
            again += digest_of(row.values() for row in some)
            on_rows(len(some))
        if again != copied[table.name]:
            raise CopyError(f"{table.name} says something else after it was copied")
    return copied


def number_on(
    source: sa.Connection, target: sa.Connection, tables: Sequence[sa.Table]
) -> dict[str, int]:
    """
    Let every sequence of a PostgreSQL go on where the source is; return where each stands.

    Numbers that were given to rows that are no more are given to nobody else.
    """
    stands = {}
    for table in tables:
        column = table.autoincrement_column
        if column is None or column.autoincrement is not True:
            continue
        last = max(_last(source, column), _last(target, column))
        stands[table.name] = last
        if target.dialect.name == "postgresql" and last:
            target.execute(
                sa.text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)"),
                {"table": table.name, "column": column.name, "last": last},
            )
    return stands


def _last(connection: sa.Connection, column: sa.Column[Any]) -> int:
    """Return the last number that a database gave."""
    highest = connection.scalar(sa.select(sa.func.max(column))) or 0
    if connection.dialect.name != "postgresql":
        return int(highest)
    named = sa.text("SELECT pg_get_serial_sequence(:table, :column)")
    where = {"table": column.table.description, "column": column.name}
    sequence = connection.scalar(named, where)
    given = sa.text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")  # noqa: S608 - its name comes from the database
    return max(int(highest), int(connection.scalar(given) or 0))


def _put(target: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Write some rows."""
    target.execute(table.insert(), rows)


def _put_postgresql(target: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Write some rows as PostgreSQL takes them fastest."""
    dialect = target.dialect
    columns = [*table.columns]
    sent = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
    names = ", ".join(dialect.identifier_preparer.format_column(column) for column in columns)
    name = dialect.identifier_preparer.format_table(table)
    cursor: Any = target.connection.cursor()
    with cursor, cursor.copy(f"COPY {name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(
                [
                    value if send is None or value is None else send(value)
                    for send, value in zip(sent, row.values(), strict=True)
                ]
            )
