"""Bringing in subscribers whose permission was given elsewhere: with evidence, or not at all."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TextIO

from sqlalchemy.orm import Session

from regportal.consent.actions import change_consent, states_of, subject_of_contact
from regportal.consent.lines import Evidence
from regportal.consent.models import ConsentState
from regportal.consent.rules import LIVE
from regportal.consent.schema import Newsletter
from regportal.consent.suppression import reasons
from regportal.errors import RegportalError
from regportal.forms.news import tell_consent
from regportal.forms.showing import refusals_of
from regportal.identity.actions import contact_from_import, find_contact
from regportal.identity.addresses import Address, read_address
from regportal.store.documents import Published, Site, said
from regportal.store.sessions import Store
from regportal.tracking.actions import met

COLUMNS = frozenset({"email", "since", "wording", "locale", "source"})
"""What a file may say of each subscriber; only the address must be there."""
GROUP = 200
"""Rows of one transaction."""
LONGEST = 2000
LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?")
IMPORTED, BEFORE = "imported", "there before"
"""What becomes of a row that is taken."""
NEVER = "may not be brought back"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file; ``number`` counts as spreadsheets do, the heading is the first."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not taken, and why; it names the row and never the address."""

    row: int
    reason: str


@dataclass(slots=True)
class Report:
    """What became of a file."""

    imported: int = 0
    before: int = 0
    refused: list[Refused] = field(default_factory=list)

    def add(self, row: Row, became: str) -> None:
        """Count a row."""
        if became == IMPORTED:
            self.imported += 1
        elif became == BEFORE:
            self.before += 1
        else:
            self.refused.append(Refused(row.number, became))

    def reasons(self) -> Counter[str]:
        """Return how often each reason refused a row."""
        return Counter(one.reason for one in self.refused)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a list comes from: for which newsletter, who vouches, and what shows the permission."""

    newsletter: Newsletter
    by: str
    evidence_file: str
    """SHA-256 of the evidence, which is kept under this name."""
    pepper: str


def rows_of(file: TextIO) -> Iterator[Row]:
    """
    Yield the rows of a CSV file with a heading; ``email`` must be in it.

    Raises RegportalError where it is no such file.
    """
    try:
        first = file.readline()
        separator = max(",;\t", key=first.count)
        file.seek(0)
        reader = csv.reader(file, delimiter=separator, strict=True)
        heading = [name.strip().lower() for name in next(reader, [])]
        if "email" not in heading:
            raise RegportalError("the first line must name the columns, and one of them email")
        strange = sorted(set(heading) - COLUMNS)
        if strange or len(set(heading)) != len(heading):
            known = ", ".join(sorted(COLUMNS))
            raise RegportalError(f"the columns may be {known}, each once")
        for number, cells in enumerate(reader, start=2):
            if any(cell.strip() for cell in cells):
                yield Row(number, dict(zip(heading, map(str.strip, cells), strict=False)))
    except csv.Error as error:
        raise RegportalError(f"this is not a CSV file: {error}") from error
    except UnicodeDecodeError as error:
        raise RegportalError("the file is not UTF-8; save it as CSV UTF-8") from error


def opened(path: Path) -> TextIO:
    """Open a CSV file as spreadsheets write it: UTF-8, perhaps with a byte order mark."""
    return io.TextIOWrapper(path.open("rb"), encoding="utf-8-sig", newline="")


def bring_in(
    store: Store, published: Published, source: Source, rows: Iterable[Row], *, now: datetime
) -> Iterator[Report]:
    """
    Import rows, some at a time, and yield the report so far after each time.

    What is there stays as it is: nobody who stopped, refused or was erased comes back. The same
    file again changes nothing.
    """
    report = Report()
    waiting = iter(rows)
    while group := list(islice(waiting, GROUP)):
        work = partial(_bring, published=published, source=source, rows=group, now=now)
        for row, became in zip(group, store.write(work), strict=True):
            report.add(row, became)
        yield report


def _bring(
    session: Session, *, published: Published, source: Source, rows: list[Row], now: datetime
) -> list[str]:
    """Import some rows in one transaction; return what became of each."""
    return [_bring_one(session, published, source, row, now=now) for row in rows]


def _bring_one(
    session: Session, published: Published, source: Source, row: Row, *, now: datetime
) -> str:
    """Import one row; return what became of it."""
    fault = _fault(row, now)
    if fault is not None:
        return fault
    address = read_address(row.cells["email"])
    obstacle = _obstacle(session, source, address)
    return obstacle or _keep(session, published, source, row, address, now=now)


def _fault(row: Row, now: datetime) -> str | None:
    """Return what is wrong with a row by itself."""
    if any(len(cell) > LONGEST or not cell.isprintable() for cell in row.cells.values()):
        return "a cell is too long, or has signs that cannot be printed"
    try:
        read_address(row.cells.get("email", ""))
    except ValueError:
        return "not an e-mail address"
    if not LOCALE.fullmatch(row.cells.get("locale") or "en"):
        return "locale is no language, as de or de-AT"
    try:
        _since(row.cells.get("since"), now)
    except ValueError:
        return "since is no day of the past, as 2026-03-04"
    return None


def _obstacle(session: Session, source: Source, address: Address) -> str | None:
    """Return why an address is not imported (again): its owner's word holds over any list."""
    newsletter = source.newsletter.key
    suppressed = reasons(session, address.match_key, source.pepper, newsletter)
    if suppressed:
        return f"{NEVER}: {', '.join(sorted(suppressed))}"
    contact = find_contact(session, address.email)
    if contact is not None:
        stands = states_of(session, subject_of_contact(contact.id)).get(newsletter)
        if stands is not None:
            return BEFORE if stands.state in LIVE else f"{NEVER}: {stands.state.value}"
    no = refusals_of(session, address.match_key, pepper=source.pepper)
    return f"{NEVER}: refused" if newsletter in no else None


def _keep(
    session: Session,
    published: Published,
    source: Source,
    row: Row,
    address: Address,
    *,
    now: datetime,
) -> str:
    """Write the permission down, and tell of it."""
    locale = row.cells.get("locale") or Site.of(published).locale
    contact = met(session, contact_from_import(session, address, locale, now=now), now=now)
    session.flush()
    told = {name: row.cells[name] for name in ("source",) if row.cells.get(name)}
    since = _since(row.cells.get("since"), now)
    signals = {"row": row.number, **told, **({"since": since} if since else {})}
    line = change_consent(
        session,
        published,
        contact,
        source.newsletter.key,
        ConsentState.IMPORTED,
        "import",
        evidence=Evidence(contact.email, signals=signals),
        entity=f"administrator {source.by}",
        evidence_file=source.evidence_file,
        wording=row.cells.get("wording") or said(source.newsletter.wording, locale),
        locale=locale,
        valid_for=source.newsletter.valid_for,
        now=now,
    )
    if line is None:
        return BEFORE
    tell_consent(session, published, contact, line, now=now)
    return IMPORTED


def _since(text: str | None, now: datetime) -> str | None:
    """
    Return the day since when a permission is there; raise ValueError for a day to come.

    >>> from datetime import UTC
    >>> _since("2024-05-01", datetime(2026, 3, 4, tzinfo=UTC))
    '2024-05-01'
    """
    if not text:
        return None
    day = date.fromisoformat(text[:10])
    if day > now.date():
        raise ValueError(text)
    return day.isoformat()
