"""
What happened in SuiteCRM, asked for page by page.

What was changed when, it tells of opportunities and of addresses, by the minute. Who was put on
an opportunity, or on a list of exemptions, it does not: those are looked through in turn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from regportal.connectors.base import Notice
from regportal.connectors.places import BEGINNING, FIRST, START, Place, settled, unreadable
from regportal.connectors.rules import in_full, read_moment
from regportal.connectors.shapes import Row
from regportal.connectors.suitecrm.asking import PAGE, Suite
from regportal.connectors.suitecrm.deals import TOLD, WON, Deals
from regportal.connectors.suitecrm.lists import Lists
from regportal.connectors.suitecrm.notes import Notes
from regportal.connectors.suitecrm.people import KEY, People
from regportal.connectors.suitecrm.values import moment, told_at, written
from regportal.connectors.telling import notice

MINUTE = timedelta(minutes=1)
"""SuiteCRM shows moments as its user sees them: mostly without seconds."""
AT_ONCE = 50
"""Opportunities, or addresses, in one go: each costs a call more."""
IN_TURN = 20
"""Open opportunities of which it is asked, once a minute, who has a part in them."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far all is read."""

    changed: Place = BEGINNING
    addresses: Place = BEGINNING
    lists: int = 1
    """The page of the lists of exemptions."""
    parts: str = FIRST
    """The opportunity of which it was asked last who has a part in it."""
    looked: datetime = START
    """When, by the minute, was looked through what is looked through in turn."""

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """
        Return the cursor that a text says, the first one for none; raise as `Place.read` does.

        >>> Cursor.read(str(Cursor(lists=3))) == Cursor(lists=3)
        True
        """
        if text is None:
            return cls()
        try:
            changed, addresses, lists, parts, looked = text.split("|")
            places = Place.read(changed), Place.read(addresses)
            return cls(*places, int(lists), parts, read_moment(looked))
        except ValueError:
            raise unreadable() from None

    def __str__(self) -> str:
        """Return it as the text that is kept."""
        read = f"{self.changed}|{self.addresses}|{self.lists}|{self.parts}"
        return f"{read}|{in_full(self.looked)}"


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
        rows, changed, now = self._page("Opportunities", at.changed, TOLD, most)
        fields = ("email_address",)
        outs, addresses, _ = self._page("EmailAddresses", at.addresses, fields, most, opt_out="1")
        news = [*self._deals.news(rows), *self._opted_out_of_all(outs)]
        onward = replace(at, changed=changed, addresses=addresses, looked=settled(now, MINUTE))
        if onward.looked == at.looked:  # whoever asks until nothing is new is done in the minute
            return news, str(onward)
        opted_out, lists = self._opted_out(at.lists)
        parts, last = self._parts(at.parts)
        return [*news, *opted_out, *parts], str(replace(onward, lists=lists, parts=last))

    def _page(
        self, module: str, at: Place, fields: Sequence[str], most: int, **where: str
    ) -> tuple[list[Row], Place, datetime]:
        """Return the next records of a module, where to go on, and the time."""
        fits = _behind(at) | {name: {"eq": value} for name, value in where.items()}
        sort, asked = "id" if at.is_within else "date_modified", [*fields, "date_modified"]
        rows, now = self._suite.page(module, fits, asked, sort=sort, most=most)
        till = settled(now, MINUTE)
        found = [(moment(row.get("date_modified")).replace(second=0), row["id"]) for row in rows]
        onward = at.behind(found, is_full=len(rows) == most, settled=till)
        return rows, onward.turned(till), now

    def _opted_out_of_all(self, addresses: Sequence[Row]) -> Iterator[Notice]:
        """Yield who of our contacts wants no mail at all any more, each time it was written."""
        for row in addresses:
            email = row["email_address"]
            if any(one.get(KEY) for one in self._people.with_address("Contacts", email, [KEY])):
                told = {"email": email, "newsletter": None}
                yield notice("consent.withdrawn", told, None, "all", row["id"], told_at(row))

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
        last = rows[-1]["id"] if len(rows) == IN_TURN else FIRST
        return [one for row in rows for one in self._deals.parts(row)], last


def _behind(at: Place) -> dict[str, dict[str, Any]]:
    """
    Return the conditions of what is behind a place: within a minute by ids, else by moments.

    >>> _behind(Place(tie="6b04"))
    {'date_modified': {'gte': '1970-01-01 00:00:00', 'lt': '1970-01-01 00:01:00'},
     'id': {'gt': '6b04'}}
    """
    since = {"gte": written(at.begins(MINUTE))}
    if not at.is_within:
        return {"date_modified": since}
    return {"date_modified": since | {"lt": written(at.at + MINUTE)}, "id": {"gt": at.tie}}
