"""
What happened in HubSpot, asked for page by page: deals, and contacts of ours.

A search finds what changed only after a while, and ten thousand records at most. So a sweep goes
by the moment of the change, and the next one begins some minutes before the end of the last: what
is met again has the id it had.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from regportal.connectors.base import Notice
from regportal.connectors.contacts import KEY
from regportal.connectors.desk import NotTakenError
from regportal.connectors.hubspot.asking import BATCH, Hub
from regportal.connectors.hubspot.deals import DEALS, TOLD, Deals
from regportal.connectors.hubspot.lists import NO_MAIL, Lists
from regportal.connectors.hubspot.people import CONTACTS, EMAIL, OTHERS
from regportal.connectors.hubspot.reading import Row, id_of, properties
from regportal.connectors.hubspot.values import many, moment
from regportal.connectors.rules import Outcome
from regportal.connectors.telling import notice

OVERLAP = timedelta(minutes=2)
"""How long it may take until a search finds a change."""
MERGED = "hs_merged_object_ids"
DATES = {DEALS: "hs_lastmodifieddate", CONTACTS: "lastmodifieddate"}


@dataclass(frozen=True, slots=True)
class Place:
    """How far a sweep is: since when (milliseconds since 1970), and how many of it."""

    since: int = 0
    skip: int = 0

    @classmethod
    def read(cls, text: str) -> "Place":
        """
        Return the place that is written ``<since>+<skip>``.

        >>> Place.read(str(Place(1772625600000, 100)))
        Place(since=1772625600000, skip=100)
        """
        since, _, skip = text.partition("+")
        return cls(int(since), int(skip))

    def __str__(self) -> str:
        """Return it as it is kept."""
        return f"{self.since}+{self.skip}"

    def after(self, stamps: Sequence[int], *, is_full: bool, now: datetime) -> "Place":
        """
        Return where to go on after a page of records with these moments.

        >>> noon = datetime(2026, 3, 4, 12, 0, 30, tzinfo=UTC)
        >>> (
        ...     Place(5).after([7, 9], is_full=True, now=noon),
        ...     Place(9).after([9, 9], is_full=True, now=noon),
        ... )
        (Place(since=9, skip=0), Place(since=9, skip=2))
        >>> Place(5).after([7, 9], is_full=False, now=noon)
        Place(since=1772625480000, skip=0)
        """
        if is_full:
            last = stamps[-1]
            return Place(last) if last > self.since else Place(self.since, self.skip + len(stamps))
        settled = (now - OVERLAP).replace(second=0, microsecond=0)
        return Place(max(self.since, int(settled.timestamp()) * 1000))


class News:
    """What happened in one account. Its cursor is a place among deals and one among contacts."""

    def __init__(self, hub: Hub, deals: Deals, lists: Lists) -> None:
        """Take whom to ask."""
        self._hub, self._deals, self._lists = hub, deals, lists

    def after(self, cursor: str | None, limit: int) -> tuple[list[Notice], str]:
        """Return what happened after a cursor, and the cursor to ask with next."""
        text = cursor or f"{Place()} {Place()}"
        changed, known = (Place.read(one) for one in text.split(" "))
        rows, changed = self._page(DEALS, changed, TOLD, limit)
        news = [*self._deals.news(rows)] if rows else []
        names = [EMAIL, KEY, NO_MAIL, OTHERS, MERGED, DATES[CONTACTS]]
        rows, known = self._page(CONTACTS, known, names, limit)
        if rows:
            news += [*self._lists.news(rows), *_merged(rows)]
        return news, f"{changed} {known}"

    def _page(
        self, kind: str, at: Place, names: Sequence[str], limit: int
    ) -> tuple[list[Row], Place]:
        """Return the next records in the order of their change, and where to go on."""
        date, most = DATES[kind], min(limit, BATCH)
        since: dict[str, Any] = {"propertyName": date, "operator": "GTE", "value": str(at.since)}
        ours = [{"propertyName": KEY, "operator": "HAS_PROPERTY"}] if kind == CONTACTS else []
        told = {
            "filterGroups": [{"filters": [since, *ours]}],
            "sorts": [date],
            "properties": [*names],
            "limit": most,
            "after": str(at.skip),
        }
        rows, now = self._hub.search(kind, told)
        stamps = [_millis(properties(row).get(date)) for row in rows]
        return rows, at.after(stamps, is_full=len(rows) == most, now=now)


def _merged(rows: Sequence[Row]) -> Iterator[Notice]:
    """Yield which other addresses a contact has by a merge."""
    for row in rows:
        told = properties(row)
        if many(told.get(MERGED)):
            for address in many(told.get(OTHERS)):
                body = {"email": address, "into": told[KEY]}
                yield notice("contact.merged", body, None, id_of(row))


def _millis(text: Any) -> int:
    """Return a moment in milliseconds; raise NotTakenError where it is none."""
    at = moment(text)
    if at is None:
        raise NotTakenError(Outcome.RETRY, "HubSpot answered no moment")
    return round(at.astimezone(UTC).timestamp() * 1000)
