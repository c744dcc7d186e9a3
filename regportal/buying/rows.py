"""The files of a replay: parts, what the seller did, and what contacts did, row by row."""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from regportal.buying.facts import Answered, Noted, Scored, Sign, Watched, moment
from regportal.buying.films import FILMED, watched_in
from regportal.buying.foreign import FactRow, RoleRow, ToldRow
from regportal.buying.standing import NEVER
from regportal.buying.vocabulary import EVENTS
from regportal.errors import JsonError, RegportalError
from regportal.store.strict_json import BOM, read_json
from regportal.tracking.events import NotAnEventError, properties_of
from regportal.tracking.lines import MARK, PACKED, Lines, cells_of, separator_of, text_of

TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
EVENT = re.compile(EVENTS)
LONGEST = 500
Cells = Mapping[str, str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table:
    """Which columns a file has: those it must have, and those that may be left out."""

    needed: tuple[str, ...]
    others: tuple[str, ...] = ()


INTERACTIONS = Table(("time", "contact", "type"), ("category", "object", "id", "properties"))
ROLES = Table(("opportunity", "contact"), ("role", "from", "to"))
OPPORTUNITIES = Table(("time", "opportunity"), ("stage", "is_closed", "is_won"))
OF_FILMS = frozenset({"watched", "duration"})
"""What is read of the properties of a row about a film."""
FACTS = Table(("time", "contact", "kind", "name", "value"))


class RowError(Exception):
    """What is wrong with a row."""


def interactions(file: Path, on_read: Callable[[int], object]) -> list[FactRow]:
    """Return what contacts did; raise RegportalError at the first row that cannot be taken."""
    return [*_rows(file, INTERACTIONS, _interaction, on_read)]


def roles(file: Path, on_read: Callable[[int], object]) -> list[RoleRow]:
    """Return who had a part in what; raise RegportalError at the first row that is no such."""
    return [*_rows(file, ROLES, _role, on_read)]


def opportunities(file: Path, on_read: Callable[[int], object]) -> list[ToldRow]:
    """Return what the seller did; raise RegportalError at the first row that is no such."""
    return [*_rows(file, OPPORTUNITIES, _told, on_read)]


def facts(file: Path, on_read: Callable[[int], object]) -> list[FactRow]:
    """Return what became known of contacts; raise RegportalError at the first row amiss."""
    return [*_rows(file, FACTS, _fact, on_read)]


# --- one row ---


def _interaction(cells: Cells, number: int) -> FactRow:
    """Return something a contact did."""
    at = _moment(cells, "time")
    kind = cells["type"]
    if not EVENT.fullmatch(kind):
        raise RowError(
            f"type: {kind[:60]!r} is not one of ours, like download or page_view; name others"
            " custom:<name>"
        )
    contact = _name(cells, "contact")
    known = cells.get("id") or f"row {number}"
    category, thing = cells.get("category") or None, cells.get("object", "")
    watched = _watched(cells, kind) if cells.get("properties") else None
    sign = Sign(known, contact, kind, category, at, at, thing, watched)
    return FactRow(contact, moment(at), sign)


def _watched(cells: Cells, kind: str) -> Watched | None:
    """Return what was watched of a film: of all properties the rules hear of nothing else."""
    if kind not in FILMED:
        return None
    told = read_json(cells["properties"].encode())
    if not isinstance(told, dict):
        raise RowError("properties: must be an object")
    return watched_in(kind, properties_of(kind, {key: told[key] for key in OF_FILMS & told.keys()}))


def _role(cells: Cells, number: int) -> RoleRow:
    """Return a contact's part."""
    del number
    since = moment(_moment(cells, "from")) if cells.get("from") else NEVER
    until = moment(_moment(cells, "to")) if cells.get("to") else None
    if until is not None and until < since:
        raise RowError("to: is before from")
    names = (_name(cells, "opportunity"), _name(cells, "contact"))
    return RoleRow(*names, cells.get("role", ""), since, until)


def _told(cells: Cells, number: int) -> ToldRow:
    """Return what the seller did with an opportunity."""
    del number
    at = moment(_moment(cells, "time"))
    closed = cells.get("is_closed", "").casefold()
    if closed and closed not in TRUTH:
        raise RowError("is_closed: must be true or false")
    name, stage = _name(cells, "opportunity"), cells.get("stage") or None
    return ToldRow(name, at, stage, TRUTH[closed] if closed else None)


def _fact(cells: Cells, number: int) -> FactRow:
    """Return an answer, a score or a field of a contact."""
    del number
    at, contact, name = _moment(cells, "time"), _name(cells, "contact"), _name(cells, "name")
    value, kind = cells["value"], cells["kind"]
    fact: Answered | Scored | Noted
    if kind == "answer":
        fact = Answered(contact, name, (value,), at)
    elif kind == "field":
        fact = Noted(contact, name, value or None)
    elif kind == "score":
        try:
            fact = Scored(contact, name, float(value))
        except ValueError:
            raise RowError("value: a score must be a number") from None
    else:
        raise RowError(f"kind: {kind[:60]!r} is not one of answer, score, field")
    return FactRow(contact, moment(at), fact)


def _name(cells: Cells, column: str) -> str:
    """Return what somebody or something is called."""
    name = cells[column]
    if not name:
        raise RowError(f"{column}: is missing")
    if len(name) > LONGEST:
        raise RowError(f"{column}: is longer than {LONGEST} characters")
    return name


def _moment(cells: Cells, column: str) -> datetime:
    """Return a moment; without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(cells[column])
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        says = "is not a moment like 2026-03-04T12:00:00Z" if cells[column] else "is missing"
        raise RowError(f"{column}: {says}") from None


# --- a file ---


def _rows(
    file: Path, table: Table, read: Callable[[Cells, int], T], on_read: Callable[[int], object]
) -> Iterator[T]:
    """Yield each row of a file; it is JSON Lines or CSV, and may be packed by gzip."""
    number = 1
    try:
        with file.open("rb") as raw:
            lines = Lines(_unpacked(raw), _how_far(raw, on_read))
            for number, cells in _cells(file, lines, table):
                yield read(_clean(cells, table), number)
    except (RowError, NotAnEventError, JsonError) as error:
        raise RegportalError(f"{file.name}, row {number}: {error}") from None
    except OSError as error:
        raise RegportalError(f"{file.name} cannot be read: {error.strerror or error}") from None
    except (EOFError, zlib.error):
        raise RegportalError(f"{file.name} cannot be unpacked: it is not whole") from None


def _clean(cells: Cells | RowError, table: Table) -> Cells:
    """Return the cells of a row; raise RowError where it has none, or cannot be printed."""
    if isinstance(cells, RowError):
        raise cells
    if not all(cells.get(name, "").isprintable() for name in (*table.needed, *table.others)):
        raise RowError("there is a character that cannot be printed")
    return cells


def _unpacked(raw: BinaryIO) -> BinaryIO:
    """Return what a file says, also when it is packed."""
    is_packed = raw.read(2) == PACKED
    raw.seek(0)
    return cast("BinaryIO", gzip.open(raw)) if is_packed else raw


def _how_far(raw: BinaryIO, on_read: Callable[[int], object]) -> Callable[[int], object]:
    """Return what tells how many bytes more of a file were read, packed or not."""
    heard = 0

    def hear(_: int) -> None:
        nonlocal heard
        on_read(raw.tell() - heard)
        heard = raw.tell()

    return hear


def _cells(
    file: Path, lines: Lines, table: Table
) -> Iterator[tuple[int, dict[str, str] | RowError]]:
    """Yield the cells of each row by their columns, or what is wrong with it."""
    first = lines.peek()
    name = file.name.lower().removesuffix(".gz")
    begins = first.removeprefix(BOM).lstrip()[:1]
    is_json = name.endswith((".jsonl", ".ndjson")) or begins == b"{"
    yield from _of_json(lines, table) if is_json else _of_csv(lines, table)


def _of_json(lines: Lines, table: Table) -> Iterator[tuple[int, dict[str, str] | RowError]]:
    """Yield what each line of JSON says."""
    for number, line in lines:
        try:
            yield number, _under(read_json(text_of(line).removeprefix(MARK).encode()), table)
        except (JsonError, NotAnEventError, RowError) as error:
            yield number, RowError(str(error))


def _under(told: Any, table: Table) -> dict[str, str]:
    """Return the values of an object as cells."""
    if not isinstance(told, dict):
        raise RowError("must be an object")
    missing = [column for column in table.needed if column not in told]
    if missing:
        raise RowError(f"{missing[0]}: is missing")
    cells = {}
    for column in (*table.needed, *table.others):
        value = told.get(column)
        if isinstance(value, dict) and column == "properties":
            value = json.dumps(value)
        if isinstance(value, (dict, list)):
            raise RowError(f"{column}: must be a text")
        text = "" if value is None else str(value)
        cells[column] = (text.lower() if isinstance(value, bool) else text).strip()
    return cells


def _of_csv(lines: Lines, table: Table) -> Iterator[tuple[int, dict[str, str] | RowError]]:
    """Yield the rows of a table; its first line names the columns."""
    waiting = iter(lines)
    number, first = next(waiting, (1, b""))
    try:
        heading_text = text_of(first).removeprefix(MARK)
    except NotAnEventError as error:
        yield number, RowError(str(error))
        return
    separator = separator_of(heading_text)
    heading = [name.lower() for name in cells_of(heading_text, separator) or ()] if first else []
    missing = [column for column in table.needed if column not in heading]
    twice = [column for column in heading if column and heading.count(column) > 1]
    if missing or twice:
        known = ", ".join((*table.needed, *table.others))
        what = f"{missing[0]} is not there" if missing else f"{twice[0]} is there twice"
        yield number, RowError(f"it must name the columns {known}: {what}")
        return
    for number, line in waiting:
        try:
            cells = cells_of(text_of(line), separator)
        except NotAnEventError as error:
            yield number, RowError(str(error))
            continue
        if cells is None:
            yield number, RowError("its quotes do not close on the line")
        elif len(cells) != len(heading):
            yield number, RowError(f"has {len(cells)} cells under {len(heading)} columns")
        else:
            yield number, dict(zip(heading, cells, strict=True))
