"""When we try again, when we give up, and who is told what."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal

from regportal.connectors.rules import TAKEN, Outcome

WAITS = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Before each attempt: ten attempts in 75 hours and 35 minutes (Standard Webhooks 1.0)."""
SCHEDULE = sum(WAITS, timedelta())

SPREAD = 0.2  # of a wait, to either side, so that failed messages do not all come back at once
WIDEST = timedelta(minutes=15)  # on either side: whoever is away for three days loses nothing
LONGEST = max(WAITS) * (1 + SPREAD)  # no time of ours is further ahead, unless a clock was wrong
BREATH = timedelta(minutes=1)  # for a receiver that says "too many" and not until when

LANES = WITHDRAWAL, AWAITED, REST = 0, 1, 2
"""The most urgent first: withdrawals; what users of the CRM wait for; whatever can wait."""
NEARLY = 0.8  # of a day's calls are used: what can wait does
ASK = "is it the right database?"
BELIEVED = timedelta(hours=1)  # what a CRM says of its calls: others use them, and give them back

PAUSING = frozenset({Outcome.THROTTLED, Outcome.AUTH, Outcome.GONE})
CLAIMS = frozenset({"contact.claimed", "contact.claim_ended"})
ERASURE = "contact.erased"


@dataclass(frozen=True, slots=True)
class AfterAttempt:
    """Where a message stands after an attempt, and whether its connector must wait."""

    state: Literal["due", "sent", "parked"]
    attempts: int
    due: datetime
    trouble: str | None = None
    pauses: bool = False
    until: datetime | None = None
    """When the pause ends; None: when somebody ends it."""


@dataclass(frozen=True, slots=True)
class Calls:
    """How many of a day's calls are used, and until when that holds."""

    used: int
    most: int
    until: datetime

    @property
    def share(self) -> float:
        """Return which share of them is used."""
        return self.used / self.most


@dataclass(frozen=True, slots=True)
class Standing:
    """Which lanes of a connector go out, and until when the others are held back."""

    calls: Calls | None = None
    """The calls this rests on; None: no limit is set, and the CRM tells of none."""
    left: int | None = None
    """How many more people may be told of in the first run; None: it is over, or there is none."""

    @property
    def lanes(self) -> tuple[int, ...]:
        """
        Return the lanes for which calls are left; a question to the CRM counts as ``AWAITED``.

        >>> [Standing(Calls(used, 100, datetime.max)).lanes for used in (79, 80, 100)]
        [(0, 1, 2), (0, 1), (0,)]
        """
        if self.calls is None or self.calls.share < NEARLY:
            return LANES
        return (WITHDRAWAL, AWAITED) if self.calls.share < 1 else (WITHDRAWAL,)

    @property
    def is_over(self) -> bool:
        """Return whether a first run is over: only who was begun is told of further."""
        return self.left == 0

    @property
    def holds(self) -> bool:
        """Return whether anything is held back."""
        return self.is_over or self.lanes != LANES

    @property
    def until(self) -> datetime | None:
        """Return until when a lane is held back; None: none is."""
        waits = self.calls is not None and self.calls.share >= NEARLY
        return self.calls.until if self.calls is not None and waits else None

    def __str__(self) -> str:
        """
        Say it in a sentence.

        >>> midnight = datetime(2026, 3, 5, tzinfo=UTC)
        >>> print(Standing(Calls(812, 1000, midnight)))
        812 of 1000 calls of the day are used: interactions and scores wait until 2026-03-05T00:00Z
        """
        if self.is_over:
            return "the first run is over: look at it, then let all go by `regportal sync go`"
        if self.calls is None:
            return "its calls are not limited"
        says = f"{self.calls.used} of {self.calls.most} calls of the day are used"
        if self.lanes == LANES:
            return says
        waits = "interactions and scores wait" if AWAITED in self.lanes else "only withdrawals go"
        return f"{says}: {waits} until {self.calls.until:%Y-%m-%dT%H:%MZ}"


@dataclass(frozen=True, slots=True)
class Met:
    """How many contacts a CRM was told of, and how many records had to be made for them."""

    told: int = 0
    """Times that it was told who somebody is…"""
    made: int = 0
    """…and times that a record had to be made."""
    known: int = 0
    """Times that anything was told of somebody whose record we knew…"""
    lost: int = 0
    """…and another one had to be made."""


FEW, SOME = 20, 10  # tell nothing yet: contacts told of, and records that are lost
MANY_LOST = 10  # per cent of the times that a contact was told of whose record we knew


def astray(met: Met, most_new: int) -> str | None:
    """
    Return why nothing more may be sent after a day like this; None: all is well.

    More than ``most_new`` per cent of contacts that are new to the CRM mean a wrong database, or a
    lost key. So do many that we knew there and that are gone: each of them is made anew once only,
    however often it is told of.

    >>> astray(Met(told=20, made=20), 100) is astray(Met(told=19, made=19), 30) is None
    True
    >>> astray(Met(told=20, made=7), 30)
    '7 of 20 contacts were new over there, more than 30 %: is it the right database?'
    >>> astray(Met(told=90, made=10, known=60, lost=10), 100)
    '10 contacts that we knew there are gone: is it the right database?'
    >>> astray(Met(told=90, made=10, known=900, lost=10), 100) is None
    True
    """
    if met.lost >= SOME and met.lost * 100 > met.known * MANY_LOST:
        return f"{met.lost} contacts that we knew there are gone: {ASK}"
    if met.told >= FEW and met.made * 100 > met.told * most_new:
        says = f"{met.made} of {met.told} contacts were new over there"
        return f"{says}, more than {most_new} %: {ASK}"
    return None


def elsewhere(known: int, gone: int) -> str | None:
    """
    Return why we keep records that the CRM no longer has; None: they may be forgotten.

    So many can hardly have been deleted: it looks like another database.

    >>> elsewhere(20, 10) is elsewhere(9, 9) is None
    True
    >>> elsewhere(19, 10)
    '10 of 19 records that we knew there are gone: is it the right database?'
    """
    if gone < SOME or gone * 2 <= known:
        return None
    return f"{gone} of {known} records that we knew there are gone: {ASK}"


def day_ends(now: datetime, zone: tzinfo) -> datetime:
    """
    Return when today ends in a time zone, in UTC.

    >>> from zoneinfo import ZoneInfo
    >>> day_ends(datetime(2026, 3, 4, 23, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin")).isoformat()
    '2026-03-05T23:00:00+00:00'
    """
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)


def wait(attempts: int, chance: float) -> timedelta | None:
    """
    Return how long to wait after so many attempts; None after the last.

    ``chance`` lies between 0 and 1 and spreads the wait to either side, by a fifth or a quarter
    of an hour:

    >>> wait(1, 0.5), wait(1, 0.0), wait(1, 1.0)
    (datetime.timedelta(seconds=5), datetime.timedelta(seconds=4), datetime.timedelta(seconds=6))
    >>> wait(9, 0.0)
    datetime.timedelta(seconds=85500)
    >>> sum((wait(attempts, 0.5) for attempts in range(1, 10)), timedelta())
    datetime.timedelta(days=3, seconds=12905)
    >>> wait(10, 0.5) is None
    True
    """
    if attempts >= len(WAITS):
        return None
    nominal = WAITS[attempts]
    return nominal + min(nominal * SPREAD, WIDEST) * (2 * chance - 1)


def left_of(attempts: int) -> timedelta:
    """
    Return for how long a message that is due now is still tried, after so many attempts.

    >>> left_of(0) == SCHEDULE, left_of(8), left_of(9)
    (True, datetime.timedelta(days=1), datetime.timedelta(0))
    """
    return sum(WAITS[attempts + 1 :], timedelta())


def after_attempt(
    outcome: Outcome,
    attempts: int,
    *,
    says: str = "",
    retry_at: datetime | None = None,
    chance: float = 0.5,
    now: datetime,
) -> AfterAttempt:
    """
    Return where a message stands that was tried ``attempts`` times before this outcome.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> after_attempt(Outcome.DONE, 0, now=noon).state
    'sent'
    >>> again = after_attempt(Outcome.RETRY, 1, now=noon)
    >>> again.state, again.attempts, again.due - noon
    ('due', 2, datetime.timedelta(seconds=300))
    >>> after_attempt(Outcome.RETRY, 9, says="503", now=noon).state
    'parked'

    What is not the message's fault costs it no attempt:

    >>> after_attempt(Outcome.AUTH, 3, says="401", now=noon).attempts
    3
    """
    if outcome in TAKEN:
        return AfterAttempt("sent", attempts + 1, now)
    trouble = says or f"the connector answered {outcome}"
    if outcome is Outcome.LATER:
        return AfterAttempt("due", attempts, _clamped(retry_at, now), says or None)
    if outcome in PAUSING:
        throttled = outcome is Outcome.THROTTLED
        until = _clamped(retry_at, now) if throttled else None
        return AfterAttempt("due", attempts, now, trouble, pauses=True, until=until)
    if outcome is not Outcome.RETRY:
        return AfterAttempt("parked", attempts + 1, now, trouble)
    pause = wait(attempts + 1, chance)
    if pause is None:
        return AfterAttempt("parked", attempts + 1, now, f"given up: {trouble}")
    asked = _clamped(retry_at, now) if retry_at else now
    return AfterAttempt("due", attempts + 1, max(now + pause, asked), trouble)


def _clamped(asked: datetime | None, now: datetime) -> datetime:
    """Return when to come back: when we are asked to, but within a day."""
    return min(asked or now + BREATH, now + max(WAITS))


def longer(one: datetime | None, other: datetime | None) -> datetime | None:
    """
    Return the later end of two pauses; a pause without end is the longest.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> longer(noon, noon + BREATH) == noon + BREATH
    True
    >>> longer(noon, None) is None
    True
    """
    return None if one is None or other is None else max(one, other)


def is_paused(until: datetime | None, now: datetime) -> bool:
    """
    Return whether a pause that ends then holds now.

    An end that no pause of ours can have was set by a wrong clock, and is none:

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> is_paused(None, noon), is_paused(noon + BREATH, noon), is_paused(noon, noon)
    (True, True, False)
    >>> is_paused(noon + timedelta(days=3650), noon)
    False
    """
    return until is None or now < until <= now + LONGEST


def is_told(topic: str, sends: Collection[str], claimed: str) -> bool:
    """
    Return whether a connector that ``sends`` these groups is told this topic.

    >>> is_told("phase.changed", ["contact", "phase"], "lead")
    True
    >>> is_told("contact.claimed", ["contact", "phase"], "off")
    False

    Everybody hears of an erasure:

    >>> is_told("contact.erased", [], "off")
    True
    """
    if topic == ERASURE:
        return True
    if topic in CLAIMS and claimed != "lead":
        return False
    return topic.partition(".")[0] in sends
