"""Taking the time series along: every interaction, or every visit, as the API tells of them."""

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import IO, Any, Protocol

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.orm import Session

from regportal.errors import RegportalError
from regportal.store.tables import cell, records
from regportal.tracking.actions import NOW, Seen
from regportal.tracking.later import known_now
from regportal.tracking.models import Interaction, Visit
from regportal.tracking.series import InteractionRead, Wanted, as_read, done_by
from regportal.tracking.visiting import VisitRead, read_visits

PAGE = 500
"""Rows in memory at a time."""
GROUP = 20_000
"""Rows of one row group of a Parquet file: as many are in memory until it is written."""
PRICED: Mapping[str, str] = {"price_lookup": "price", "purchase": "amount"}
"""By type the property that is an amount of money."""
TIMED = frozenset({"video_watch", "reply", "call", "meeting"})
"""Types that say how many seconds it took."""
MONEY = (16, 4)
"""Digits of an amount, and how many of them are after the point."""


# --- what there is ---


def interactions(session: Session, wanted: Wanted) -> Iterator[Sequence[InteractionRead]]:
    """Yield interactions as they are understood now, some at a time, by their ids."""
    for some in session.execute(
        _interactions(wanted), execution_options={"yield_per": PAGE}
    ).partitions():
        yield [as_read(Seen(*row)) for row in some]


def visits(session: Session, wanted: Wanted) -> Iterator[Sequence[VisitRead]]:
    """Yield visits, some at a time, by their ids; ``wanted`` bounds when they began."""
    for some in session.scalars(
        _visits(wanted), execution_options={"yield_per": PAGE}
    ).partitions():
        yield read_visits(session, some, wanted)


def how_many(session: Session, kind: type[BaseModel], wanted: Wanted) -> int:
    """Return how many rows of a kind there are."""
    query = _interactions(wanted) if kind is InteractionRead else _visits(wanted)
    count = sa.select(sa.func.count()).select_from(query.order_by(None).subquery())
    return session.scalar(count) or 0


def _interactions(wanted: Wanted) -> sa.Select[Any]:
    """Select the interactions that are asked for."""
    if wanted.contacts is not None:
        theirs = done_by(wanted).subquery()
        return sa.select(theirs).order_by(theirs.c.id)
    query = _between(known_now(sa.select(*NOW)), Interaction.occurred_at, wanted)
    return query.order_by(Interaction.id)


def _visits(wanted: Wanted) -> sa.Select[Any]:
    """Select the visits that are asked for."""
    query = _between(sa.select(Visit), Visit.started_at, wanted).order_by(Visit.id)
    if wanted.contacts is not None:
        theirs = done_by(Wanted(wanted.contacts)).subquery()
        query = query.where(Visit.id.in_(sa.select(theirs.c.visit_id)))
    return query


def _between(query: sa.Select[Any], at: Any, wanted: Wanted) -> sa.Select[Any]:
    """Narrow a query to a time."""
    if wanted.since is not None:
        query = query.where(at >= wanted.since)
    return query if wanted.until is None else query.where(at < wanted.until)


# --- how it is written ---


class Writer(Protocol):
    """Writes rows to a file, some at a time."""

    def write(self, rows: Sequence[BaseModel]) -> None:
        """Write some rows."""

    def close(self) -> None:
        """Write what ends the file; does not close it."""


class JsonLines:
    """One JSON object a line, as the API answers it."""

    def __init__(self, file: IO[bytes], kind: type[BaseModel]) -> None:
        """Write to a file."""
        del kind
        self._file = file

    def write(self, rows: Sequence[BaseModel]) -> None:
        """Write some rows."""
        self._file.write(b"".join(row.model_dump_json().encode() + b"\n" for row in rows))

    def close(self) -> None:
        """Nothing ends such a file."""


class Csv:
    """A table for spreadsheets (RFC 4180, UTF-8): whatever looks like a formula stays text."""

    def __init__(self, file: IO[bytes], kind: type[BaseModel]) -> None:
        """Write to a file, beginning with the names of the columns."""
        self._file, self._names = file, names_of(kind)
        self._file.write(records([self._names]).encode())

    def write(self, rows: Sequence[BaseModel]) -> None:
        """Write some rows."""
        flat = (_flat(row.model_dump(mode="json")) for row in rows)
        cells = ([_cell(row[name]) for name in self._names] for row in flat)
        self._file.write(records(cells).encode())

    def close(self) -> None:
        """Nothing ends such a file."""


class Parquet:
    """A columnar file with typed columns (docs/interactions.md names them)."""

    def __init__(self, file: IO[bytes], kind: type[BaseModel]) -> None:
        """Write to a file; raise RegportalError where the optional package is not there."""
        self._arrow = _arrow()
        self._schema = schema_of(kind)
        self._writer = self._arrow.parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[dict[str, Any]] = []

    def write(self, rows: Sequence[BaseModel]) -> None:
        """Write some rows; in groups of many."""
        self._waiting += [_typed(row) for row in rows]
        if len(self._waiting) >= GROUP:
            self._write_group()

    def close(self) -> None:
        """Write the last group, and what is where."""
        if self._waiting:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        """Write what waits."""
        table = self._arrow.Table.from_pylist(self._waiting, schema=self._schema)
        self._writer.write_table(table)
        self._waiting = []


WRITERS: Mapping[str, type[JsonLines | Csv | Parquet]] = {
    "csv": Csv,
    "jsonl": JsonLines,
    "parquet": Parquet,
}


def names_of(kind: type[BaseModel]) -> list[str]:
    """
    Return the columns of a table of such rows: what led to a visit has columns of its own.

    >>> names_of(VisitRead)[-4:]
    ['machines', 'referrer', 'utm', 'click_ids']
    """
    names = [name for name in kind.model_fields if name != "touch"]
    return [*names, "referrer", "utm", "click_ids"] if "touch" in kind.model_fields else names


def _arrow() -> Any:
    """Return the optional package that writes Parquet; it is large, and seldom needed."""
    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ImportError as error:
        says = "Parquet needs the optional extra: pip install 'regportal[parquet]'"
        raise RegportalError(says) from error


def schema_of(kind: type[BaseModel]) -> Any:
    """Return the columns of a Parquet file, and their types."""
    pa = _arrow()
    moment, text, texts = (
        pa.timestamp("us", tz="UTC"),
        pa.string(),
        pa.map_(pa.string(), pa.string()),
    )
    types = {
        **dict.fromkeys(("occurred_at", "received_at", "started_at", "ended_at"), moment),
        **dict.fromkeys(("interactions", "machines"), pa.int64()),
        **dict.fromkeys(("utm", "click_ids"), texts),
        "contacts": pa.list_(text),
    }
    fields = [(name, types.get(name, text)) for name in names_of(kind)]
    if kind is InteractionRead:
        fields += [("amount", pa.decimal128(*MONEY)), ("currency", text), ("seconds", pa.float64())]
    return pa.schema(fields)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Give what led to a visit columns of its own."""
    if "touch" in row:
        touch = row.pop("touch") or {}
        row |= {name: touch.get(name) for name in ("referrer", "utm", "click_ids")}
    return row


def _cell(value: Any) -> str:
    """Return a value as a cell that no spreadsheet computes; keys are apart by blanks."""
    return cell(" ".join(value) if isinstance(value, list) else value)


def _typed(row: BaseModel) -> dict[str, Any]:
    """Return a row with the types of its columns."""
    told, flat = row.model_dump(), _flat(row.model_dump(mode="json"))
    flat |= {name: value for name, value in told.items() if isinstance(value, datetime)}
    if isinstance(row, InteractionRead):
        amount = row.properties.get(PRICED.get(row.type, ""))
        seconds = row.properties.get("seconds")
        flat["properties"] = json.dumps(row.properties, ensure_ascii=False)
        flat["amount"] = Decimal(amount) if isinstance(amount, str) else None
        flat["currency"] = row.properties.get("currency") if row.type in PRICED else None
        flat["seconds"] = float(seconds) if row.type in TIMED and seconds is not None else None
    return flat
