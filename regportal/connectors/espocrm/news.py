"""
What happened in EspoCRM, asked for page by page.

Three things are asked: which opportunities were changed; whose parts in them began and ended, which
moves no opportunity's date, but its stream where the link is audited; and who has opted out, of
which EspoCRM keeps no date, so that all are looked at in turn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from regportal.connectors.base import Notice
from regportal.connectors.espocrm.asking import PAGE, Espo, Where, some, written
from regportal.connectors.espocrm.deals import TOLD, Deals, moment
from regportal.connectors.espocrm.lists import AGAIN, Lists
from regportal.connectors.espocrm.people import KEY
from regportal.connectors.espocrm.stream import Stream
from regportal.connectors.places import BEGINNING, SECOND, START, Place, settled, unreadable
from regportal.connectors.rules import in_full, read_moment
from regportal.connectors.shapes import Row
from regportal.connectors.telling import notice

LOOKED_INTO = 50
"""Opportunities whose stream is read in one go: one call each."""
PARTS = {"Relate": "contact_role.added", "Unrelate": "contact_role.removed"}
NOTE = ("id", "type", "parentId", "relatedType", "relatedId", "createdAt")
EVERY = "all"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far all is read."""

    changed: Place = BEGINNING
    stream: Place = BEGINNING
    """At the start: of what was before we asked first, the opportunities themselves tell."""
    opted_out: int = 0
    looked: datetime = START
    """When, by the minute, was looked who opted out: once a minute."""

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """
        Return the cursor that a text says, the first one for none; raise as `Place.read` does.

        >>> Cursor.read(str(Cursor(opted_out=7))) == Cursor(opted_out=7)
        True
        """
        if text is None:
            return cls()
        try:
            changed, stream, opted_out, looked = text.split("|")
            return cls(Place.read(changed), Place.read(stream), int(opted_out), read_moment(looked))
        except ValueError:
            raise unreadable() from None

    def __str__(self) -> str:
        """Return it as the text that is kept."""
        return f"{self.changed}|{self.stream}|{self.opted_out}|{in_full(self.looked)}"


class News:
    """What happened in one EspoCRM."""

    def __init__(self, espo: Espo, deals: Deals, lists: Lists, stream: Stream) -> None:
        """Take whom to ask."""
        self._espo, self._deals, self._lists, self._stream = espo, deals, lists, stream

    def after(self, text: str | None, limit: int) -> tuple[list[Notice], str]:
        """Return what happened after a cursor, of each kind about so many, and the next one."""
        at = Cursor.read(text)
        rows, changed, now = self._page("modifiedAt", at.changed, limit)
        news = [*self._deals.news(rows)]
        parts, stream = self._parts(at.stream, min(limit, LOOKED_INTO), now)
        news, onward = [*news, *parts], replace(at, changed=changed, stream=stream)
        looked = settled(now, SECOND)
        if looked == at.looked:  # whoever asks until nothing is new is done within the minute
            return news, str(onward)
        outs, opted_out = self._opted_out(at.opted_out, limit)
        return [*news, *outs], str(replace(onward, opted_out=opted_out, looked=looked))

    def _page(self, column: str, at: Place, limit: int) -> tuple[list[Row], Place, datetime]:
        """Return the next opportunities in the order of a moment, where to go on, and the time."""
        most, order = min(limit, PAGE), "id" if at.is_within else column
        page = self._espo.page("Opportunity", _behind(column, at), TOLD, order=order, most=most)
        rows, now = page
        till = settled(now, SECOND)
        found = [(read_moment(moment(row.get(column))), row["id"]) for row in rows]
        onward = at.behind(found, is_full=len(rows) == most, settled=till)
        return rows, onward.turned(till), now

    def _parts(self, at: Place, limit: int, now: datetime) -> tuple[list[Notice], Place]:
        """Return whose parts began or ended, as the streams of opportunities tell."""
        if at == BEGINNING:
            begin = settled(now, SECOND)
            return [], Place(begin, since=begin)
        rows, onward, _ = self._page("streamUpdatedAt", at, limit)
        after = written(at.since - SECOND)
        notes = [
            note
            for row in rows
            for note in self._espo.page(f"Opportunity/{row['id']}/stream", (), NOTE, after=after)[0]
            if note.get("type") in PARTS and note.get("relatedType") == "Contact"
        ]
        whom = self._deals.names({str(note.get("relatedId")) for note in notes})
        return [*_told(notes, whom)], onward

    def _opted_out(self, skip: int, limit: int) -> tuple[list[Notice], int]:
        """Return who has opted out, of some of them, and where to look on."""
        most, is_over = min(limit, PAGE), True
        found: list[tuple[str, str, str | None]] = []
        for name, newsletter in self._lists.watched().items():
            rows, _ = self._espo.page(f"TargetList/{name}/optedOut", most=most, skip=skip)
            is_over = is_over and len(rows) < most
            contacts = [row["id"] for row in rows if row.get("_scope") == "Contact"]
            found += [(name, id, newsletter) for id in contacts]
        where: list[Where] = [
            ("isTrue", "emailAddressIsOptedOut", None),
            ("isNotNull", KEY, None),
        ]
        rows, _ = self._espo.page("Contact", where, order="createdAt", most=most, skip=skip)
        is_over = is_over and len(rows) < most
        found += [(EVERY, row["id"], None) for row in rows]
        return [*self._withdrawn(found)], 0 if is_over else skip + most

    def _withdrawn(self, found: Sequence[tuple[str, str, str | None]]) -> Iterator[Notice]:
        """Yield the opt-outs of contacts that are ours, each time they opted out one."""
        rows = self._espo.by_id(
            "Contact", (id for _, id, _ in found), ["emailAddress", KEY, "modifiedAt"]
        )
        again = self._again([id for id in rows if rows[id].get(KEY)])
        for name, id, newsletter in found:
            row = rows.get(id)
            if row is None or not row.get(KEY) or not row.get("emailAddress"):
                continue
            told = {"email": row["emailAddress"], "newsletter": newsletter}
            of_list = "" if name == EVERY else f"{name}:"
            times = str(sum(f":{id}:{AGAIN}:{of_list}" in post for post in again))
            stamp = [str(row.get("modifiedAt"))] if name == EVERY else []
            yield notice("consent.withdrawn", told, None, name, id, times, *stamp)

    def _again(self, contacts: Sequence[str]) -> list[str]:
        """Return our notes that say that contacts took an opt-out back."""
        return [
            str(row["post"])
            for part in some(contacts)
            for row in self._stream.notes(part, [f":{AGAIN}:"])
        ]


def _told(notes: Sequence[Row], whom: dict[str, dict[str, str]]) -> Iterator[Notice]:
    """Yield what notes of streams tell."""
    for note in notes:
        contact = whom.get(str(note.get("relatedId")))
        if contact is not None:
            told = contact | {"opportunity": str(note.get("parentId"))}
            at = moment(note.get("createdAt"))
            yield notice(PARTS[note["type"]], told, at, note["id"])


def _behind(column: str, at: Place) -> list[Where]:
    """
    Return the conditions of what is behind a place: of one moment by ids, else by moments.

    >>> _behind("modifiedAt", Place(tie="6b03"))
    [('equals', 'modifiedAt', '1970-01-01 00:00:00'), ('greaterThan', 'id', '6b03')]
    """
    since = written(at.begins(SECOND))
    if at.is_within:
        return [("equals", column, since), ("greaterThan", "id", at.tie)]
    return [("greaterThanOrEquals", column, since)]
