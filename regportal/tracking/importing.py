"""Bringing in the past: events of contacts from a file, downloads from a web server's log."""

import hashlib
import hmac
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from regportal.identity.addresses import Address, read_address
from regportal.identity.wire import is_ignored
from regportal.store.documents import Site
from regportal.store.ids import EPOCH, uuid7, uuid7_of
from regportal.store.sessions import Store
from regportal.tracking.access_log import Downloads, NotALineError, Sitting, read_line
from regportal.tracking.collecting import Teller, take, whose
from regportal.tracking.events import Event, NotAnEventError, understand
from regportal.tracking.lines import Kind, Lines, rows_of_csv, rows_of_json, text_of
from regportal.tracking.models import Source

GROUP = 300
"""Events of one transaction; of a log some more, for a sitting is kept whole."""
SHOWN = 50
"""Refused rows that a report names."""

T = TypeVar("T")


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
    clock: Callable[[], datetime]
    """Tells the time: what is imported became known when it was written, not when that began."""
    dry: bool = False
    """Only say what would become of it."""


def bring_in(store: Store, lines: Lines, kind: Kind, terms: Terms, report: Report) -> None:
    """
    Import a file, some hundred events a transaction; the report grows with each of them.

    Whatever was taken before is a duplicate: broken off and begun anew, nothing is there twice.
    Raises RegportalError where it is no such file at all.
    """
    if kind is Kind.ACCESS_LOG:
        _bring_log(store, lines, terms, report)
        return
    rows = rows_of_csv(lines) if kind is Kind.CSV else rows_of_json(lines)
    for group in _groups(_events(rows, terms, report)):
        _bring_events(store, group, terms, report)


# --- events of contacts ---


@dataclass(frozen=True, slots=True)
class Row:
    """One event of a file, understood, and whose it is."""

    number: int
    event: Event
    address: Address


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
    if event.occurred_at > terms.clock():
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
        key = uuid7_of(event.occurred_at, _digest(event, address, terms))
        event = event._replace(id=str(key))
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
    contact = whose(session, address, terms.pepper, locale, now=terms.clock())
    if contact is None:
        return None
    staff = is_ignored(terms.site, None, contact.email)
    teller = Teller(Source.IMPORT, contact_id=contact.id, own_staff=staff)
    return take(session, teller, [row.event for row in rows], now=terms.clock())


# --- the log of a web server ---


def _bring_log(store: Store, lines: Lines, terms: Terms, report: Report) -> None:
    """Count the downloads of a log, and keep them sitting by sitting."""
    downloads = Downloads(terms.is_wanted)
    downloads.not_counted = report.not_counted
    waiting: list[Sitting] = []
    for number, raw in lines:
        try:
            line = read_line(text_of(raw))
        except (NotALineError, NotAnEventError) as error:
            report.refuse(number, str(error))
            continue
        if line.at > terms.clock():
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
            take(session, _visitor_of(one, terms), one.events(terms.pepper), now=terms.clock())
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
