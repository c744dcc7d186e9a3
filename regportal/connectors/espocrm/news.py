"""
What happened in EspoCRM, asked for page by page.

Three things are asked: which opportunities were changed; whose parts in them began and ended, which
moves no opportunity's date, but its stream where the link is audited; and who has opted out, of
which EspoCRM keeps no date, so that all are looked at in turn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from regportal.connectors.base import Notice
from regportal.connectors.espocrm.asking import MOMENT, Espo, Row, Where, some
from regportal.connectors.espocrm.deals import TOLD, Deals, moment
from regportal.connectors.espocrm.lists import AGAIN, Lists
from regportal.connectors.espocrm.people import KEY
from regportal.connectors.espocrm.stream import Stream
from regportal.connectors.telling import notice

OVERLAP = timedelta(minutes=2)
"""What is asked for again at least, for changes that were committed late."""
LOOKED_INTO = 50
"""Opportunities whose stream is read in one go: one call each."""
FIRST = "1970-01-01 00:00:00"
PARTS = {"Relate": "contact_role.added", "Unrelate": "contact_role.removed"}
NOTE = ("id", "type", "parentId", "relatedType", "relatedId", "createdAt")
EVERY = "all"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a list is read that is in the order of a moment: since when, and how many of it."""

    since: str = FIRST
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far all is read."""

    changed: Place = Place()
    stream: Place = Place("")
    """Empty: of what was before we asked first, the opportunities themselves tell."""
    opted_out: int = 0

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """
        Return the cursor that a text says; the first one for none.

        >>> Cursor.read(str(Cursor(Place("2026-03-04 12:00:00", 200), opted_out=7)))
        Cursor(changed=Place(since='2026-03-04 12:00:00', skip=200),
               stream=Place(since='', skip=0), opted_out=7)
        """
        if text is None:
            return cls()
        since, skip, streamed, more, opted_out = text.split("|")
        return cls(Place(since, int(skip)), Place(streamed, int(more)), int(opted_out))

    def __str__(self) -> str:
        """Return it as the text that is kept."""
        changed, stream = self.changed, self.stream
        return f"{changed.since}|{changed.skip}|{stream.since}|{stream.skip}|{self.opted_out}"


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
        after = replace(at, changed=changed, stream=stream)
        if after == at:  # asked again within the minute: whoever asks until nothing is new is done
            return [*news, *parts], str(at)
        outs, opted_out = self._opted_out(at.opted_out, limit)
        return [*news, *parts, *outs], str(replace(after, opted_out=opted_out))

    def _page(self, column: str, at: Place, limit: int) -> tuple[list[Row], Place, datetime]:
        """Return the next opportunities in the order of a moment, where to go on, and the time."""
        where: list[Where] = [("greaterThanOrEquals", column, at.since)]
        page = self._espo.page(
            "Opportunity", where, TOLD, order=column, most=min(limit, 200), skip=at.skip
        )
        rows, now = page
        if len(rows) < min(limit, 200):
            return rows, Place(max(at.since, _overlapping(now))), now
        last = str(rows[-1].get(column))
        moment(last)
        onward = Place(last) if last > at.since else replace(at, skip=at.skip + len(rows))
        return rows, onward, now

    def _parts(self, at: Place, limit: int, now: datetime) -> tuple[list[Notice], Place]:
        """Return whose parts began or ended, as the streams of opportunities tell."""
        if not at.since:
            return [], Place(_overlapping(now))
        rows, onward, _ = self._page("streamUpdatedAt", at, limit)
        since = datetime.strptime(at.since, MOMENT).replace(tzinfo=UTC)
        after = _before(since, timedelta(seconds=1))
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
        most, is_over = min(limit, 200), True
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
        rows = self._espo.by_id("Contact", (id for _, id, _ in found), ["emailAddress", KEY])
        again = self._again([id for id in rows if rows[id].get(KEY)])
        for name, id, newsletter in found:
            row = rows.get(id)
            if row is None or not row.get(KEY) or not row.get("emailAddress"):
                continue
            told = {"email": row["emailAddress"], "newsletter": newsletter}
            times = sum(f":{id}:{AGAIN}:{name}:" in post for post in again)
            yield notice("consent.withdrawn", told, None, name, id, str(times))

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


def _overlapping(now: datetime) -> str:
    """Return from where to ask on after all was read: the same for a minute."""
    return _before(now.replace(second=0), OVERLAP)


def _before(moment_: datetime, by: timedelta) -> str:
    """Return a moment that is earlier, as EspoCRM writes it."""
    return (moment_ - by).strftime(MOMENT)
