"""
What happened in Dynamics, by its change tracking: a table tells what changed since a token.

Its tokens count versions, not time: nothing that is committed late is missed, and the same is told
for the same token. Deletions are told by their ids alone.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from regportal.connectors.base import Notice
from regportal.connectors.calls import clock_of
from regportal.connectors.desk import NotTakenError
from regportal.connectors.dynamics.consents import EMAIL, OUT, Consents
from regportal.connectors.dynamics.cursor import TABLES, Cursor, asked_of, place_of
from regportal.connectors.dynamics.dataverse import Dataverse
from regportal.connectors.dynamics.judging import EXPIRED, RefusedError
from regportal.connectors.dynamics.shape import KEY
from regportal.connectors.dynamics.telling import DEAL, PART, Telling
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector as Document
from regportal.connectors.shapes import Row
from regportal.connectors.telling import notice

SELECTS = (
    DEAL,
    PART,
    (
        *("contactid", KEY, "merged", "_masterid_value", "emailaddress1"),
        *("donotbulkemail", "donotemail"),
    ),
    (
        *("msdynmkt_contactpointvalue", "msdynmkt_contactpointtype", "msdynmkt_value"),
        *("_msdynmkt_topicid_value", "_msdynmkt_purposeid_value", "_modifiedby_value"),
    ),
)
PAGES = (None, 1000, 2000, 2000)
"""Rows asked for at once: of most tables few are news."""
FORMATTED = 'odata.include-annotations="OData.Community.Display.V1.FormattedValue"'
DELETED = "/$deletedEntity"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""What may be the key of a newsletter; other topics are none of ours."""


class Feed:
    """What happened in one environment."""

    def __init__(self, document: Document, dataverse: Dataverse, consents: Consents) -> None:
        """Take whom to ask, and how newsletters are called there."""
        self._dataverse, self._consents = dataverse, consents
        self._telling = Telling(dataverse)
        self._newsletters = {name: key for key, name in document.newsletters.items()}
        self._us: str | None = None

    def after(self, text: str | None, limit: int) -> tuple[list[Notice], str]:
        """Return what happened after a cursor, and the cursor to ask with next."""
        at, tell = Cursor.read(text), (self._deals, self._parts, self._people, self._opted_out)
        news: list[Notice] = []
        places, day, is_new = [], at.day, False
        for number, place in enumerate(at.places):
            rows, onward, today = self._page(number, place, PAGES[number] or limit)
            news += tell[number](rows)
            places.append(onward)
            is_new = is_new or bool(rows) or not place
            day = today or day
        after = Cursor(day, tuple(places))
        return news, str(after if is_new or day != at.day else at)

    def _page(self, number: int, place: str, most: int) -> tuple[list[Row], str, str]:
        """Return the next rows of a table, from where to ask on, and which day it is there."""
        select = ",".join(SELECTS[number])
        prefer = f"odata.track-changes,odata.maxpagesize={most},{FORMATTED}"
        asked = {"$select": select, **asked_of(place)}
        try:
            told, answer = self._dataverse.get(TABLES[number], asked, prefer)
        except RefusedError as error:
            if error.code == EXPIRED:  # nobody asked for a week: all is read again
                return self._page(number, "", most)
            if error.outcome is Outcome.REJECTED and number:  # not installed, or not tracked
                return [], place, ""
            raise
        rows = told.get("value") if isinstance(told, dict) else None
        link = (
            told.get("@odata.nextLink") or told.get("@odata.deltaLink")
            if rows is not None
            else None
        )
        if not isinstance(rows, list) or not isinstance(link, str):
            raise NotTakenError(Outcome.RETRY, "Dynamics answered no changes")
        clock = clock_of(answer)
        return rows, place_of(link), f"{clock:%Y-%m-%d}" if clock else ""

    # --- what is told of each table ---

    def _deals(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Yield what is told of opportunities; of one that was deleted, that it is closed."""
        yield from self._telling.deals([row for row in rows if not _is_gone(row)])
        for row in filter(_is_gone, rows):
            told = {"external_id": _id(row), "is_closed": True, "is_won": False}
            yield notice("opportunity.upserted", told, None, _id(row), "deleted")

    def _parts(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Yield who became, or no longer is, a stakeholder."""
        yield from self._telling.parts([row for row in rows if not _is_gone(row)])

    def _people(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Yield which of our contacts were merged, and who wants no mail at all."""
        ours = [row for row in rows if not _is_gone(row) and row.get(KEY)]
        yield from self._telling.merges([row for row in ours if row.get("merged")])
        for row in ours:
            is_silent = row.get("donotbulkemail") or row.get("donotemail")
            if is_silent and not row.get("merged"):
                told = {"contact": row[KEY], "newsletter": None}
                yield notice("consent.withdrawn", told, None, str(row["@odata.etag"]))

    def _opted_out(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Yield who opted out of a newsletter, or of all of a purpose; not what we wrote."""
        outs = [row for row in rows if not _is_gone(row) and row.get("msdynmkt_value") == OUT]
        outs = [row for row in outs if row.get("msdynmkt_contactpointtype") == EMAIL]
        if not outs:
            return
        topics = self._consents.topics() or ()
        for row in outs:
            if row.get("_modifiedby_value") == self._who():
                continue
            about, purpose = (
                row.get("_msdynmkt_topicid_value"),
                row.get("_msdynmkt_purposeid_value"),
            )
            for topic in topics:
                is_meant = topic.id == about or (about is None and topic.purpose == purpose)
                known = self._newsletters
                key = known.get(topic.name) or known.get(topic.id) or topic.name
                if is_meant and NAME.fullmatch(key):
                    told = {"email": row["msdynmkt_contactpointvalue"], "newsletter": key}
                    yield notice("consent.withdrawn", told, None, str(row["@odata.etag"]))

    def _who(self) -> Any:
        """Return which user we are there."""
        if self._us is None:
            told, _ = self._dataverse.get("WhoAmI", {})
            self._us = str(told.get("UserId")) if isinstance(told, dict) else ""
        return self._us


def _is_gone(row: Row) -> bool:
    """Return whether a row tells of a deletion."""
    return str(row.get("@odata.context", "")).endswith(DELETED)


def _id(row: Row) -> str:
    """Return the id of a record that was deleted: a GUID, or a URL with it."""
    return str(row.get("id")).rpartition("(")[2].rstrip(")")
