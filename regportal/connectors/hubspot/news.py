"""
What happened in HubSpot, asked for page by page: deals, and contacts of ours.

A search finds what changed only after a while, and ten thousand records at most; and it sorts by
one property. So a sweep goes by the moment of the change, within one moment by ids.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from regportal.connectors.base import Notice
from regportal.connectors.desk import NotTakenError
from regportal.connectors.hubspot.asking import BATCH, Hub
from regportal.connectors.hubspot.deals import DEALS, TOLD, Deals
from regportal.connectors.hubspot.lists import NO_MAIL, Lists
from regportal.connectors.hubspot.people import CONTACTS, EMAIL, OTHERS
from regportal.connectors.hubspot.reading import id_of, properties
from regportal.connectors.hubspot.values import many, moment
from regportal.connectors.places import START, Place, cursor_of, places_of, settled
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Row
from regportal.connectors.telling import notice
from regportal.connectors.wanted import KEY

GRAIN = timedelta(milliseconds=1)
ID, MERGED = "hs_object_id", "hs_merged_object_ids"
DATES = {DEALS: "hs_lastmodifieddate", CONTACTS: "lastmodifieddate"}


class News:
    """What happened in one account. Its cursor is a place among deals and one among contacts."""

    def __init__(self, hub: Hub, deals: Deals, lists: Lists) -> None:
        """Take whom to ask."""
        self._hub, self._deals, self._lists = hub, deals, lists

    def after(self, cursor: str | None, limit: int) -> tuple[list[Notice], str]:
        """Return what happened after a cursor, and the cursor to ask with next."""
        changed, known = places_of(cursor, 2)
        rows, changed = self._page(DEALS, changed, TOLD, limit)
        news = [*self._deals.news(rows)] if rows else []
        names = [EMAIL, KEY, NO_MAIL, OTHERS, MERGED, DATES[CONTACTS]]
        rows, known = self._page(CONTACTS, known, names, limit)
        if rows:
            news += [*self._lists.news(rows), *_merged(rows)]
        return news, cursor_of([changed, known])

    def _page(
        self, kind: str, at: Place, names: Sequence[str], limit: int
    ) -> tuple[list[Row], Place]:
        """Return the next records in the order of their change, and where to go on."""
        date, most = DATES[kind], min(limit, BATCH)
        asked = [*_behind(date, at)]
        asked += [{"propertyName": KEY, "operator": "HAS_PROPERTY"}] if kind == CONTACTS else []
        told = {
            "filterGroups": [{"filters": asked}],
            "sorts": [ID if at.is_within else date],
            "properties": [*names],
            "limit": most,
            "after": "0",
        }
        rows, now = self._hub.search(kind, told)
        till = settled(now, GRAIN)
        found = [(_moment(properties(row).get(date)), id_of(row)) for row in rows]
        return rows, at.behind(found, is_full=len(rows) == most, settled=till).turned(till)


def _behind(date: str, at: Place) -> Iterator[dict[str, str]]:
    """Yield the filters that find what is behind a place: of one moment by ids, else by moments."""
    since = _millis(at.begins(GRAIN))
    yield {"propertyName": date, "operator": "GTE", "value": since}
    if at.is_within:
        yield {"propertyName": date, "operator": "LTE", "value": since}
        yield {"propertyName": ID, "operator": "GT", "value": at.tie}


def _merged(rows: Sequence[Row]) -> Iterator[Notice]:
    """Yield which other addresses a contact has by a merge."""
    for row in rows:
        told = properties(row)
        if many(told.get(MERGED)):
            for address in many(told.get(OTHERS)):
                body = {"email": address, "into": told[KEY]}
                yield notice("contact.merged", body, None, id_of(row))


def _moment(text: Any) -> datetime:
    """Return a moment in whole milliseconds; raise NotTakenError where it is none."""
    at = moment(text)
    if at is None:
        raise NotTakenError(Outcome.RETRY, "HubSpot answered no moment")
    return START + (at - START) // GRAIN * GRAIN


def _millis(at: datetime) -> str:
    """
    Return a moment as a filter has it: in milliseconds since 1970.

    >>> _millis(START + 7 * GRAIN)
    '7'
    """
    return str((at - START) // GRAIN)
