"""Bringing in the past: events of contacts from a file, downloads from a web server's log."""

import csv
import enum
import hashlib
import hmac
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, BinaryIO, TypeVar

from sqlalchemy.orm import Session

from regportal.errors import JsonError, RegportalError
from regportal.identity.addresses import Address, read_address
from regportal.identity.wire import is_ignored
from regportal.store.documents import Site
from regportal.store.ids import EPOCH, uuid7, uuid7_of
from regportal.store.sessions import Store
from regportal.store.strict_json import BOM, KIB, read_json
from regportal.tracking.access_log import Downloads, NotALineError, Sitting, read_line
from regportal.tracking.collecting import Teller, take, whose
from regportal.tracking.events import TYPES, Event, NotAnEventError, understand
from regportal.tracking.models import Source

GROUP = 300
"""Events of one transaction; of a log some more, for a sitting is kept whole."""
LONGEST = 64 * KIB
"""Bytes of a line; a longer one is refused, and never held whole."""
HEARD = 256 * KIB
"""Bytes after which somebody is told how far we are."""
SHOWN = 50
"""Refused rows that a report names."""
NEEDED = frozenset({"type", "object", "occurred_at", "contact"})
COLUMNS = NEEDED | {"id", "category"}
PROPERTY = "property."
MARK = "\ufeff"
PACKED = b"\x1f\x8b"


T = TypeVar("T")


class Kind(enum.StrEnum):
    """What a file is."""

    CSV = "csv"
    JSONL = "jsonl"
    ACCESS_LOG = "access-log"


SUFFIXES: Mapping[str, Kind] = {
    ".csv": Kind.CSV,
    ".jsonl": Kind.JSONL,
    ".ndjson": Kind.JSONL,
    ".log": Kind.ACCESS_LOG,
}


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not taken, and why; it names the row and never what it says."""

    row: int
    reason: str


@dataclass(slots=True)
class Report:
    """What became of a file so far."""

    accepted: int = 0
    duplicate: int = 0
    not_counted: Counter[str] = field(default_factory=Counter)
    """Requests of a log that are no downloads of their own, by reason."""
    refused: list[Refused] = field(default_factory=list)
    """The first of them."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why rows were refused, and how many."""
    on_refused: Callable[[Refused], object] = lambda _: None

    def refuse(self, row: int, reason: str) -> None:
        """Report a row that is not taken."""
        shown = "".join(sign if sign.isprintable() else "?" for sign in reason)[:200]
        one = Refused(row, shown)
        known = shown in self.reasons or len(self.reasons) < SHOWN
        self.reasons[shown if known else "other reasons"] += 1
        if len(self.refused) < SHOWN:
            self.refused.append(one)
        self.on_refused(one)


@dataclass(frozen=True, slots=True)
class Terms:
    """By what a file is read and kept."""

    site: Site
    pepper: str
    is_wanted: Callable[[str], bool]
    """Whether a path of a log is one of the files."""
    now: datetime
    dry: bool = False
    """Only say what would become of it."""


class Lines:
    """The lines of a file, numbered from 1, one after the other and none of them endless."""

    def __init__(self, file: BinaryIO, on_read: Callable[[int], object]) -> None:
        """Read a file; ``on_read`` hears from time to time how many bytes more were read."""
        self._file, self._on_read = file, on_read
        self._heard = 0
        self._ahead: list[tuple[bytes, bool]] = []
        self._number = 0

    def peek(self) -> bytes:
        """Return the first line without taking it."""
        self._ahead = [self._next()]
        return self._ahead[0][0]

    def __iter__(self) -> Iterator[tuple[int, bytes | None]]:
        """Yield each line that is not blank; None for one that is too long."""
        while True:
            line, whole = self._ahead.pop() if self._ahead else self._next()
            if not line:
                self._on_read(self._heard)
                return
            self._number += 1
            if not whole:
                yield self._number, None
            elif line.strip():
                yield self._number, line.rstrip(b"\r\n")

    def _next(self) -> tuple[bytes, bool]:
        """Return a line, and whether it is whole: of one that is too long, the beginning."""
        line = part = self._file.readline(LONGEST)
        self._hear(part)
        while len(part) == LONGEST and not part.endswith(b"\n"):
            part = self._file.readline(LONGEST)
            self._hear(part)
        return line, len(line) < LONGEST or line.endswith(b"\n")

    def _hear(self, part: bytes) -> None:
        self._heard += len(part)
        if self._heard >= HEARD:
            self._on_read(self._heard)
            self._heard = 0


def kind_of(name: str, first: bytes) -> Kind:
    """
    Return what a file is, by its name or else by its first line.

    >>> kind_of("events.jsonl", b""), kind_of("events", b"contact;type;object;occurred_at")
    (<Kind.JSONL: 'jsonl'>, <Kind.CSV: 'csv'>)
    """
    if first.startswith(PACKED):
        raise RegportalError("the file is compressed; unpack it first")
    for suffix, kind in SUFFIXES.items():
        if name.lower().endswith(suffix):
            return kind
    text = first.decode("utf-8-sig", "replace").strip()
    if text.startswith("{"):
        return Kind.JSONL
    if set(_cells(text, _separator(text)) or ()) >= NEEDED:
        return Kind.CSV
    try:
        read_line(text)
    except NotALineError:
        raise RegportalError("it cannot be seen what kind of file this is; say --format") from None
    return Kind.ACCESS_LOG


def bring_in(store: Store, lines: Lines, kind: Kind, terms: Terms, report: Report) -> None:
    """
    Import a file, some hundred events a transaction; the report grows with each of them.

    Whatever was taken before is a duplicate: broken off and begun anew, nothing is there twice.
    Raises RegportalError where it is no such file at all.
    """
    if kind is Kind.ACCESS_LOG:
        _bring_log(store, lines, terms, report)
        return
    rows = _rows_of_csv(lines) if kind is Kind.CSV else _rows_of_json(lines)
    for group in _groups(_events(rows, terms, report)):
        _bring_events(store, group, terms, report)


# --- events of contacts ---


@dataclass(frozen=True, slots=True)
class Row:
    """One event of a file, understood, and whose it is."""

    number: int
    event: Event
    address: Address


def _rows_of_json(lines: Lines) -> Iterator[tuple[int, Any]]:
    """Yield what each line of JSON says, or why it says nothing."""
    for number, line in lines:
        try:
            yield number, read_json(_whole(line).removeprefix(BOM))
        except (JsonError, NotAnEventError) as error:
            yield number, NotAnEventError(str(error))


def _rows_of_csv(lines: Lines) -> Iterator[tuple[int, Any]]:
    """Yield what each row of a CSV file says, or why it says nothing; the first names columns."""
    waiting = iter(lines)
    _, first = next(waiting, (0, b""))
    try:
        text = _text(first).removeprefix(MARK)
    except NotAnEventError as error:
        raise RegportalError(f"the first line must name the columns: {error}") from error
    separator = _separator(text)
    heading = _heading(_cells(text, separator))
    for number, line in waiting:
        try:
            yield number, _told(_under(heading, _cells(_text(line), separator)))
        except NotAnEventError as error:
            yield number, error


def _heading(names: Sequence[str] | None) -> list[str]:
    """Return the columns of a file; raise RegportalError where they are not those of events."""
    heading = [name if name.startswith(PROPERTY) else name.lower() for name in names or ()]
    missing = sorted(NEEDED - {*heading})
    if missing:
        raise RegportalError(f"the first line must name the columns; {missing[0]} is not there")
    others = [one for one in heading if one not in COLUMNS]
    if not all(one.startswith(PROPERTY) and one.isprintable() for one in others) or len(
        {*heading}
    ) != len(heading):
        known = ", ".join(sorted(COLUMNS))
        raise RegportalError(f"the columns may be {known} and {PROPERTY}<name>, each once")
    return heading


def _under(heading: Sequence[str], cells: Sequence[str] | None) -> dict[str, str]:
    """Return the cells of a row by their columns; refuse a row that does not fit under them."""
    if cells is None:
        raise NotAnEventError("not a row of CSV: its quotes do not close on the line")
    if len(cells) != len(heading):
        raise NotAnEventError(f"{len(cells)} cells under {len(heading)} columns")
    if not all(cell.isprintable() for cell in cells):
        raise NotAnEventError("a cell has signs that cannot be printed")
    return dict(zip(heading, cells, strict=True))


def _told(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return a row as programs would tell it; what is empty is not said."""
    said = {name: cell for name, cell in cells.items() if cell}
    texts = _texts_of(said.get("type", ""))
    properties = {
        (key := name.removeprefix(PROPERTY)): cell
        if texts is None or key in texts
        else _value(cell)
        for name, cell in said.items()
        if name.startswith(PROPERTY)
    }
    plain = {name: cell for name, cell in said.items() if not name.startswith(PROPERTY)}
    return plain | {"properties": properties}


@cache
def _texts_of(kind: str) -> frozenset[str] | None:
    """Return which properties of a type are texts; None where all of them are."""
    if kind not in TYPES:
        return None
    fields = TYPES[kind].model_json_schema()["properties"]
    return frozenset(name for name, one in fields.items() if '"string"' in json.dumps(one))


def _value(cell: str) -> Any:
    """Return the number or list that a cell is; else its text, which its type refuses."""
    try:
        return read_json(cell.encode())
    except JsonError:
        return cell


def _events(rows: Iterable[tuple[int, Any]], terms: Terms, report: Report) -> Iterator[Row]:
    """Yield the events that can be taken; report the other rows."""
    for number, told in rows:
        try:
            if isinstance(told, NotAnEventError):
                raise told
            yield _row(number, told, terms)
        except NotAnEventError as error:
            report.refuse(number, str(error))


def _row(number: int, told: Any, terms: Terms) -> Row:
    """Return an event of a file; without an id it gets the one that such a row always has."""
    named = isinstance(told, dict) and "id" in told
    whole = told if named or not isinstance(told, dict) else {**told, "id": str(uuid7())}
    event = understand(whole, by_browser=False)
    if event.occurred_at > terms.now:
        raise NotAnEventError("occurred_at: is in the future")
    if event.occurred_at < EPOCH:
        raise NotAnEventError("occurred_at: is before 1970")
    if event.contact is None:
        raise NotAnEventError("contact: is missing: name the contact's e-mail address")
    try:
        address = read_address(event.contact)
    except ValueError:
        raise NotAnEventError("contact: is not an e-mail address") from None
    if not named:
        event = event._replace(id=uuid7_of(event.occurred_at, _digest(event, address, terms)))
    return Row(number, event, address)


def _digest(event: Event, address: Address, terms: Terms) -> bytes:
    """Return what one row always gives, and nobody without the pepper can work out."""
    said = [event.type, event.object, event.category, event.properties, address.match_key]
    text = json.dumps(["event", *said], sort_keys=True)
    return hmac.digest(terms.pepper.encode(), text.encode(), hashlib.sha256)


def _bring_events(store: Store, rows: Sequence[Row], terms: Terms, report: Report) -> None:
    """Keep some rows in one transaction, those of one contact together."""
    of_contact: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of_contact[row.address.match_key].append(row)

    def work(session: Session) -> tuple[int, list[Row]]:
        accepted, erased = 0, []
        for _, some in sorted(of_contact.items()):
            taken = _take_of_contact(session, some, terms)
            accepted += taken or 0
            erased += some if taken is None else []
        return accepted, erased

    accepted, erased = _written(store, work, terms)
    for row in erased:
        report.refuse(row.number, "contact: was erased, and is not brought back")
    report.accepted += accepted
    report.duplicate += len(rows) - accepted - len(erased)


def _take_of_contact(session: Session, rows: Sequence[Row], terms: Terms) -> int | None:
    """Take the events of one contact; None where whoever it was is not brought back."""
    address, locale = rows[0].address, terms.site.locale
    contact = whose(session, address, terms.pepper, locale, now=terms.now)
    if contact is None:
        return None
    staff = is_ignored(terms.site, None, contact.email)
    teller = Teller(Source.IMPORT, contact_id=contact.id, own_staff=staff)
    return take(session, teller, [row.event for row in rows], now=terms.now)


# --- the log of a web server ---


def _bring_log(store: Store, lines: Lines, terms: Terms, report: Report) -> None:
    """Count the downloads of a log, and keep them sitting by sitting."""
    downloads = Downloads(terms.is_wanted)
    downloads.not_counted = report.not_counted
    waiting: list[Sitting] = []
    for number, raw in lines:
        try:
            line = read_line(_text(raw))
        except (NotALineError, NotAnEventError) as error:
            report.refuse(number, str(error))
            continue
        if line.at > terms.now:
            report.refuse(number, "the moment is in the future")
            continue
        waiting += downloads.add(line)
        if sum(one.files for one in waiting) >= GROUP:
            _bring_sittings(store, waiting, terms, report)
            waiting = []
    for some in _groups([*waiting, *downloads.rest()]):
        _bring_sittings(store, some, terms, report)


def _bring_sittings(
    store: Store, sittings: Sequence[Sitting], terms: Terms, report: Report
) -> None:
    """Keep some sittings in one transaction, each a parcel: the worker judges it as a whole."""

    def work(session: Session) -> int:
        return sum(
            take(session, _visitor_of(one, terms), one.events(terms.pepper), now=terms.now)
            for one in sittings
        )

    accepted = _written(store, work, terms)
    report.accepted += accepted
    report.duplicate += sum(one.files for one in sittings) - accepted


def _visitor_of(sitting: Sitting, terms: Terms) -> Teller:
    """Return who sat there: nobody we know, in a browser of this name."""
    staff = is_ignored(terms.site, sitting.address)
    return Teller(Source.ACCESS_LOG, agent=sitting.agent, own_staff=staff)


# --- both ---


def _groups(rows: Iterable[T]) -> Iterator[list[T]]:
    """Yield rows some at a time."""
    waiting = iter(rows)
    while group := list(islice(waiting, GROUP)):
        yield group


class _UndoneError(Exception):
    """What was written is not to be kept; carries what it came to."""


def _written(store: Store, work: Callable[[Session], T], terms: Terms) -> T:
    """Return what some work comes to; of a dry run nothing is kept."""
    if not terms.dry:
        return store.write(work)

    def undone(session: Session) -> None:
        raise _UndoneError(work(session))

    try:
        store.write(undone)
    except _UndoneError as done:
        came_to: T = done.args[0]
        return came_to
    raise AssertionError("unreachable")


def _whole(line: bytes | None) -> bytes:
    """Return a line; refuse one that is too long."""
    if line is None:
        raise NotAnEventError(f"the line is longer than {LONGEST // KIB} KiB")
    return line


def _text(line: bytes | None) -> str:
    """Return a line as a text."""
    try:
        return _whole(line).decode()
    except UnicodeDecodeError:
        raise NotAnEventError("the line is not UTF-8") from None


def _separator(heading: str) -> str:
    """Return what parts the columns: a comma, a semicolon or a tab."""
    return max(",;\t", key=heading.count)


def _cells(text: str, separator: str) -> list[str] | None:
    """
    Return the cells of one line; None where its quotes are not right.

    >>> _cells('a,"b ""c"" d"', ","), _cells('a,"b', ",")
    (['a', 'b "c" d'], None)
    """
    try:
        rows = [*csv.reader([text], delimiter=separator, strict=True)]
    except csv.Error:
        return None
    return [cell.strip() for cell in rows[0]] if len(rows) == 1 else None
