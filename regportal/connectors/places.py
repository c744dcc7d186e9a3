"""
How far what changed in a CRM is read, where it is asked by the moment of the change.

A record has the moment at which its change began, and is seen once that is committed, or indexed:
a little later, and many records have one moment. So a sweep reads in the order of moments and,
within a moment, of ids; and once a minute it turns back to where nothing comes late any more. What
is met again is told under the id it had.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from regportal.connectors.desk import NotTakenError
from regportal.connectors.rules import Outcome, in_full, read_moment

OVERLAP = timedelta(minutes=2)
"""How long after its moment a change may come that is not missed."""
START = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FIRST, ALL = "0", "~"
"""In the place of an id: one that is less than any, and one that is greater."""


def settled(clock: datetime | None, grain: timedelta) -> datetime:
    """
    Return the last moment of which all is there for sure: the same for a minute, so polls rest.

    ``clock`` is what time it is over there; None: nobody knows yet. ``grain`` lies between two
    moments, as that CRM writes them.

    >>> settled(datetime(2026, 3, 4, 12, 0, 59, tzinfo=UTC), SECOND).isoformat()
    '2026-03-04T11:57:59+00:00'
    """
    return START if clock is None else (clock - OVERLAP).replace(second=0, microsecond=0) - grain


def unreadable() -> NotTakenError:
    """Return what is raised for a cursor that nobody can read: it is asked from the beginning."""
    return NotTakenError(Outcome.GONE, "the cursor is of another form: all is asked for again")


@dataclass(frozen=True, slots=True)
class Place:
    """How far a sweep is. What is asked for next comes behind it."""

    at: datetime = START
    """The moment of the record that was read last; in a CRM that rounds, the rounded one."""
    tie: str = ""
    """Which record of that moment was read last, by its id; empty: none surely; `ALL`: each."""
    since: datetime = START
    """What is up to then was read when it was settled; what is after is to be read once more."""

    @classmethod
    def read(cls, text: str) -> "Place":
        """
        Return the place that :meth:`__str__` wrote; raise NotTakenError for any other text.

        >>> str(Place.read("2026-03-04T12:00:00Z/006A/2026-03-04T11:58:00Z"))
        '2026-03-04T12:00:00Z/006A/2026-03-04T11:58:00Z'
        >>> Place.read("2026-03-04 12:00:00/7").at
        Traceback (most recent call last):
        ...
        regportal.connectors.desk.NotTakenError: the cursor is of another form: ...
        """
        try:
            at, tie, since = text.split("/")
            return cls(read_moment(at), tie, read_moment(since))
        except (ValueError, OverflowError):
            raise unreadable() from None

    def __str__(self) -> str:
        """Return it as the text that is kept."""
        return f"{in_full(self.at)}/{self.tie}/{in_full(self.since)}"

    @property
    def is_within(self) -> bool:
        """Return whether records of one moment are read, by their ids."""
        return self.tie not in {"", ALL}

    def begins(self, grain: timedelta) -> datetime:
        """
        Return at which moment goes on what is read by moments; ``grain`` is between two of them.

        >>> noon, second = datetime(2026, 3, 4, 12, tzinfo=UTC), timedelta(seconds=1)
        >>> Place(noon).begins(second) == noon, Place(noon, ALL).begins(second) == noon + second
        (True, True)
        """
        return self.at + grain if self.tie == ALL else self.at

    def turned(self, settled: datetime) -> "Place":
        """
        Return where to go on now that all up to ``settled`` is there for sure.

        >>> place = Place(START + OVERLAP, "006A", START)
        >>> place.turned(START) is place, place.turned(START + OVERLAP).at == START
        (True, True)
        """
        return Place(self.since, "", self.since) if self.since < min(self.at, settled) else self

    def after(self, at: datetime, tie: str, settled: datetime) -> "Place":
        """
        Return the place behind a record that was read now.

        For a CRM that sorts by moment and id at once.
        """
        is_new = self.since >= self.at  # else the sweep is in what may still come late
        since = max(self.since, min(at, settled)) if is_new else self.since
        return Place(at, tie, since)

    def behind(
        self, found: Sequence[tuple[datetime, str]], *, is_full: bool, settled: datetime
    ) -> "Place":
        """
        Return the place behind a page of records: their moments and ids, as they were answered.

        For a CRM that sorts by one of them only. A page that is full of one moment is asked for
        again by ids; of the last moment all is read again until it is settled.

        >>> noon, second = datetime(2026, 3, 4, 12, tzinfo=UTC), timedelta(seconds=1)
        >>> page = [(noon, "b"), (noon, "a")]
        >>> place = Place(noon).behind(page, is_full=True, settled=noon)
        >>> place.tie, place.behind(page, is_full=True, settled=noon).tie
        ('0', 'a')
        >>> place.behind([], is_full=False, settled=noon).tie
        '~'
        >>> later = noon + second
        >>> Place(noon).behind([*page, (later, "c")], is_full=True, settled=noon).at == later
        True
        """
        if not found and not self.is_within:
            return self
        at, id = (self.at, found[-1][1] if found else "") if self.is_within else found[-1]
        if self.is_within:
            tie = id if is_full else ALL
        elif is_full:
            tie = "" if at > self.at else FIRST
        else:
            tie = ALL if at <= settled else ""
        return self.after(at, tie, settled)


BEGINNING = Place()
"""Where nothing was read yet."""


def places_of(cursor: str | None, count: int) -> list[Place]:
    """
    Return the places that :func:`cursor_of` wrote, and the first one for each that it has not.

    Raises NotTakenError as :meth:`Place.read` does.

    >>> places_of(cursor_of([BEGINNING] * 2), 3) == [BEGINNING] * 3 == places_of(None, 3)
    True
    """
    places = [Place.read(one) for one in cursor.split(",")] if cursor is not None else []
    return [*places, *[BEGINNING] * (count - len(places))]


def cursor_of(places: Iterable[Place]) -> str:
    """Return the cursor of several sweeps."""
    return ",".join(str(one) for one in places)


def kept(type_: str, cursor: str) -> str:
    """Return a cursor as it is kept: it says of which type of connector it is."""
    return f"{type_}:{cursor}"


def given(type_: str, cursor: str | None) -> str | None:
    """
    Return the cursor that was :func:`kept` for a type, None for none.

    Raises NotTakenError for that of another type: under the same key there was another CRM.

    >>> given("odoo", kept("odoo", "7")), given("odoo", None)
    ('7', None)
    >>> given("odoo", kept("tryton", "7"))
    Traceback (most recent call last):
    ...
    regportal.connectors.desk.NotTakenError: the cursor is of another form: ...
    """
    if cursor is None:
        return None
    whose, _, text = cursor.partition(":")
    if whose != type_:
        raise unreadable()
    return text
