"""
What happened in SuiteCRM, asked for page by page.

What was changed when, it tells of opportunities and of addresses, by the minute. Who was put on
an opportunity, or on a list of exemptions, it does not: those are looked through in turn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from regportal.connectors.base import Notice
from regportal.connectors.suitecrm.asking import PAGE, Row, Suite
from regportal.connectors.suitecrm.deals import TOLD, WON, Deals
from regportal.connectors.suitecrm.lists import Lists
from regportal.connectors.suitecrm.notes import Notes
from regportal.connectors.suitecrm.people import KEY, People
from regportal.connectors.suitecrm.values import MOMENT, moment
from regportal.connectors.telling import notice

OVERLAP = timedelta(minutes=2)
"""What is asked for again at least, for changes that were committed late."""
MINUTE = timedelta(minutes=1)
"""SuiteCRM shows moments as its user sees them: mostly without seconds."""
FIRST = "1970-01-01 00:00:00"
BEFORE_ALL = "0"
"""No id of a record is less."""
AT_ONCE = 50
"""Opportunities, or addresses, in one go: each costs a call more."""
IN_TURN = 20
"""Open opportunities of which it is asked, once a minute, who has a part in them."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far records are read: since when, and within a full minute after which id."""

    since: str = FIRST
    id: str = ""

    @classmethod
    def read(cls, text: str) -> "Place":
        """
        Return the place that a text says.

        >>> Place.read(str(Place("2026-03-04 12:00:00", "6b04")))
        Place(since='2026-03-04 12:00:00', id='6b04')
        """
        since, _, id = text.partition("/")
        return cls(since, id)

    def __str__(self) -> str:
        """Return it as the text that is kept."""
        return f"{self.since}/{self.id}"

    @property
    def where(self) -> dict[str, dict[str, str]]:
        """Return the conditions under which it goes on from here."""
        if not self.id:
            return {"date_modified": {"gte": self.since}}
        window = {"gte": self.since, "lt": _moved(self.since, MINUTE)}
        return {"date_modified": window, "id": {"gt": self.id}}

    def after(self, rows: Sequence[Row], most: int, now: datetime) -> "Place":
        """
        Return where to go on after a page.

        Within a minute SuiteCRM puts records in any order, so a page that is full of one minute
        is asked for again by ids.
        """
        if len(rows) < most:
            till = (now.replace(second=0) - OVERLAP).strftime(MOMENT)
            over = till if not self.id else min(till, _moved(self.since, MINUTE))
            return Place(max(self.since, over))
        if self.id:
            return replace(self, id=rows[-1]["id"])
        last = moment(rows[-1].get("date_modified")).replace(second=0).strftime(MOMENT)
        return Place(last) if last > self.since else Place(self.since, BEFORE_ALL)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far all is read."""

    changed: Place = Place()
    addresses: Place = Place()
    lists: int = 1
    """The page of the lists of exemptions."""
    parts: str = BEFORE_ALL
    """The opportunity of which it was asked last who has a part in it."""

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """
        Return the cursor that a text says; the first one for none.

        >>> Cursor.read(str(Cursor(lists=3))) == Cursor(lists=3)
        True
        """
        if text is None:
            return cls()
        changed, addresses, lists, parts = text.split("|")
        return cls(Place.read(changed), Place.read(addresses), int(lists), parts)

    def __str__(self) -> str:
        """Return it as the text that is kept."""
        return f"{self.changed}|{self.addresses}|{self.lists}|{self.parts}"


class News:
    """What happened in one SuiteCRM."""

    def __init__(
        self, suite: Suite, deals: Deals, people: People, lists: Lists, notes: Notes
    ) -> None:
        """Take whom to ask."""
        self._suite, self._deals, self._people = suite, deals, people
        self._lists, self._notes = lists, notes

    def after(self, text: str | None, limit: int) -> tuple[list[Notice], str]:
        """Return what happened after a cursor, of each kind about so many, and the next one."""
        at, most = Cursor.read(text), min(limit, AT_ONCE)
        rows, now = self._page("Opportunities", at.changed, TOLD, most)
        outs, _ = self._page("EmailAddresses", at.addresses, ("email_address",), most, opt_out="1")
        news = [*self._deals.news(rows), *self._opted_out_of_all(outs)]
        changed, addresses = at.changed.after(rows, most, now), at.addresses.after(outs, most, now)
        onward = replace(at, changed=changed, addresses=addresses)
        if onward == at:  # asked again within the minute: whoever asks until nothing is new is done
            return news, str(at)
        opted_out, lists = self._opted_out(at.lists)
        parts, last = self._parts(at.parts)
        return [*news, *opted_out, *parts], str(replace(onward, lists=lists, parts=last))

    def _page(
        self, module: str, at: Place, fields: Sequence[str], most: int, **where: str
    ) -> tuple[list[Row], datetime]:
        """Return the next records of a module, and the time."""
        fits = at.where | {name: {"eq": value} for name, value in where.items()}
        sort = "id" if at.id else "date_modified"
        return self._suite.page(module, fits, [*fields, "date_modified"], sort=sort, most=most)

    def _opted_out_of_all(self, addresses: Sequence[Row]) -> Iterator[Notice]:
        """Yield who of our contacts wants no mail at all any more: told once of each address."""
        for row in addresses:
            email = row["email_address"]
            if any(one.get(KEY) for one in self._people.with_address("Contacts", email, [KEY])):
                told = {"email": email, "newsletter": None}
                yield notice("consent.withdrawn", told, None, "all", row["id"])

    def _opted_out(self, page: int) -> tuple[list[Notice], int]:
        """Return who of our contacts is on a list of exemptions, of some, and where to look on."""
        found, is_over = [], True
        for id, newsletter in self._lists.watched().items():
            rows = self._suite.linked("ProspectLists", id, "contacts", page)
            is_over = is_over and len(rows) < PAGE
            ours = [row for row in rows if row.get(KEY) and row.get("email1")]
            again = self._notes.again(self._lists.called(newsletter)) if ours else []
            for row in ours:
                told = {"email": row["email1"], "newsletter": newsletter}
                times = str(again.count(row["id"]))
                found.append(notice("consent.withdrawn", told, None, id, row["id"], times))
        return found, 1 if is_over else page + 1

    def _parts(self, after: str) -> tuple[list[Notice], str]:
        """Return who has a part in some of the open opportunities, and where to look on."""
        where = {"sales_stage": {"neq": WON}, "id": {"gt": after}}
        rows, _ = self._suite.page("Opportunities", where, sort="id", most=IN_TURN)
        last = rows[-1]["id"] if len(rows) == IN_TURN else BEFORE_ALL
        return [one for row in rows for one in self._deals.parts(row)], last


def _moved(text: str, by: timedelta) -> str:
    """Return a moment that is later, as SuiteCRM writes it."""
    at = datetime.strptime(text, MOMENT).replace(tzinfo=UTC)
    return (at + by).strftime(MOMENT)
