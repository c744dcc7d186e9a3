"""Reading a buying phase from behaviour."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from regportal.buying.schema import Buying, Condition, Enter, Phase

VERBS = {
    "page_view": "viewed",
    "price_lookup": "looked up the price of",
    "download": "downloaded",
    "video_watch": "watched",
    "search": "searched for",
    "share": "shared",
    "form": "filled in",
    "reply": "replied to",
    "call": "talked on the phone about",
    "meeting": "met us about",
    "purchase": "bought",
    "ticket": "opened a ticket about",
}
UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "mo": "month"}
SKEW = timedelta(minutes=5)
"""How far the clocks of our machines may be apart."""
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@dataclass(frozen=True, slots=True)
class Sign:
    """An interaction of a contact, as the rules see it."""

    id: uuid.UUID
    contact: uuid.UUID
    type: str
    category: str | None
    occurred_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Met:
    """A condition that holds, and the signs that make it hold, oldest first."""

    condition: Condition
    signs: tuple[Sign, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """The phase an opportunity goes to, and why."""

    to: str
    because: tuple[Met, ...]


def furthest(model: Buying, current: str, signs: Sequence[Sign], at: datetime) -> Step | None:
    """
    Return the step these signs let an opportunity take at a moment, or None to stay.

    A price list moves a customer who has shown nothing yet; steps may be left out:

    >>> from regportal.buying.default import DEFAULT
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> ann = uuid.uuid4()
    >>> taken = Sign(uuid.uuid4(), ann, "download", "price-list", noon, noon)
    >>> furthest(DEFAULT, "unaware", [taken], noon).to
    'comparison'

    Behaviour never moves anybody backwards; only exit criteria or a person may:

    >>> furthest(DEFAULT, "decision", [taken], noon) is None
    True

    What is older than the window of a condition no longer counts for it:

    >>> furthest(DEFAULT, "unaware", [taken], datetime(2026, 4, 18, 12, tzinfo=UTC)).to
    'interest'

    A phase the model does not have (any more) counts as its first.
    """
    for phase in reversed(_later(model, current)):
        because = entered(phase.enter, signs, at) if phase.enter else ()
        if because:
            return Step(phase.id, because)
    return None


def suggested(
    model: Buying, current: str, known: Sequence[Sign], held: Sequence[Sign], at: datetime
) -> Step | None:
    """
    Return the step an opportunity would take if ``held`` signs were those of one who has a part.

    Nobody has proven yet that they are, so nothing moves by them (R6); a person may ask.

    >>> from regportal.buying.default import DEFAULT
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> ann = uuid.uuid4()
    >>> prices = Sign(uuid.uuid4(), ann, "download", "price-list", noon, noon)
    >>> suggested(DEFAULT, "interest", [], [prices], noon).to
    'comparison'

    None where what is known goes as far without them:

    >>> suggested(DEFAULT, "interest", [prices], [prices], noon) is None
    True
    """
    step, alone = (furthest(model, current, signs, at) for signs in ([*known, *held], known))
    return None if step is None or (alone is not None and alone.to == step.to) else step


def ahead(model: Buying, current: str) -> tuple[Condition, ...]:
    """
    Return the conditions that could still move an opportunity: those of later phases.

    >>> from regportal.buying.default import DEFAULT
    >>> [condition.categories for condition in ahead(DEFAULT, "comparison")]
    [('order-form', 'contract')]
    """
    later = [phase.enter for phase in _later(model, current) if phase.enter]
    return tuple(condition for enter in later for condition in enter.any + enter.all)


def _later(model: Buying, current: str) -> tuple[Phase, ...]:
    """Return the phases after this one."""
    names = [phase.id for phase in model.phases]
    standing = names.index(current) if current in names else 0
    return model.phases[standing + 1 :]


def entered(enter: Enter, signs: Sequence[Sign], at: datetime) -> tuple[Met, ...]:
    """Return the conditions that let an opportunity enter; none where it may not."""
    conditions = enter.any or enter.all
    found = tuple(met for each in conditions if (met := holds(each, signs, at)))
    return () if enter.all and len(found) < len(conditions) else found


def holds(condition: Condition, signs: Iterable[Sign], at: datetime) -> Met | None:
    """
    Return the newest signs that satisfy a condition at a moment, or None.

    One that happened at s counts at t as long as t - within < s <= t:

    >>> once = Condition(event="download", within="1h")
    >>> def taken(*clock):
    ...     when = datetime(2026, 3, 4, *clock, tzinfo=UTC)
    ...     return Sign(uuid.uuid4(), uuid.uuid4(), "download", None, when, when)
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> [holds(once, [taken(*s)], noon) is not None for s in [(11, 0), (11, 1), (12, 0), (12, 1)]]
    [False, True, True, False]
    """
    oldest = at - condition.window
    counted = {
        sign.id: sign
        for sign in signs
        if concerns(condition, sign.type, sign.category) and oldest < sign.occurred_at <= at
    }
    if len(counted) < condition.count.at_least:
        return None
    in_order = sorted(counted.values(), key=lambda sign: (sign.occurred_at, sign.id))
    return Met(condition, tuple(in_order[-condition.count.at_least :]))


def concerns(condition: Condition, kind: str, category: str | None) -> bool:
    """
    Return whether an interaction of this kind can count for a condition.

    >>> concerns(Condition(event="download"), "download", None)
    True
    """
    if kind != condition.event:
        return False
    return not condition.categories or category in condition.categories


@dataclass(frozen=True, slots=True)
class Told:
    """
    How the CRM describes an opportunity.

    ``columns`` holds what it spoke of, as we keep it; what it did not speak of stays as it is.
    ``body`` is the description as it came.
    """

    external_id: str
    columns: Mapping[str, Any]
    body: Mapping[str, Any]
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """What a contact is to an opportunity, and when the CRM said so."""

    role: str | None
    is_primary: bool
    told_at: datetime


def log_time(last: datetime | None, written: datetime) -> datetime:
    """
    Return the time of a line of the log, given the time of the line before it.

    It does not go back because the clock of another machine is a little slow:

    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> log_time(noon, noon - timedelta(seconds=2)) == noon
    True

    But a clock that was once set to a wrong year must not stop the log for that long:

    >>> log_time(datetime(2036, 3, 4, 12, tzinfo=UTC), noon) == noon
    True
    """
    if last is None or last - written > SKEW:
        return written
    return max(last, written)


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did, in words: ann@example.com, download, Price list 2026."""

    who: str
    type: str
    what: str


@dataclass(frozen=True, slots=True)
class Ground:
    """One satisfied condition as its evidence tells it."""

    deeds: tuple[Deed, ...]
    at_least: int
    within: str


def sentence(phase: str, since: datetime, grounds: Iterable[Ground], zone: tzinfo = UTC) -> str:
    """
    Return why an opportunity is in a phase, as one plain sentence.

    >>> took = Deed("ann@example.com", "download", "Price list 2026")
    >>> tenpast = datetime(2026, 3, 4, 10, 12, tzinfo=UTC)
    >>> sentence("Comparison", tenpast, [Ground((took,), 1, "45d")])
    'Comparison since 4 Mar 10:12: ann@example.com downloaded Price list 2026 (1 needed in 45 days)'

    >>> looked = Deed("bob@example.com", "page_view", "/prices")
    >>> sentence("Comparison", tenpast, [Ground((looked, looked, took), 3, "1d")])
    'Comparison since 4 Mar 10:12: bob@example.com viewed /prices twice, ann@example.com downloaded
    Price list 2026 (3 needed in 1 day)'
    """
    local = since.astimezone(zone)
    why = _why(grounds)
    when = f"{local.day} {MONTHS[local.month - 1]} {local:%H:%M}"
    return f"{phase} since {when}: {why}" if why else f"{phase} since {when}"


def suggestion(phase: str, who: str, grounds: Iterable[Ground]) -> str:
    """
    Return what a suggestion rests on, as one plain sentence.

    >>> took = Deed("somebody", "download", "Price list 2026")
    >>> suggestion("Comparison", "ann@example.com", [Ground((took,), 1, "45d")])
    'Comparison once ann@example.com confirms: somebody downloaded Price list 2026 (1 needed in 45
    days)'
    """
    return f"{phase} once {who} confirms: {_why(grounds)}"


def _why(grounds: Iterable[Ground]) -> str:
    """Say what was done, and how much of it was needed."""
    return "; ".join(
        f"{_told(ground.deeds)} ({ground.at_least} needed in {in_words(ground.within)})"
        for ground in grounds
    )


def _told(deeds: Iterable[Deed]) -> str:
    """Say each deed once, and how often."""
    often: dict[Deed, int] = {}
    for deed in deeds:
        often[deed] = often.get(deed, 0) + 1
    return ", ".join(
        f"{deed.who} {verb(deed.type)} {deed.what}{_times(count)}" for deed, count in often.items()
    )


def verb(kind: str) -> str:
    """
    Return what somebody did, for a sentence.

    >>> verb("download"), verb("custom:trade-fair")
    ('downloaded', 'did trade-fair:')
    """
    return VERBS.get(kind) or f"did {kind.removeprefix('custom:')}:"


def _times(count: int) -> str:
    """Say how often, unless it was once."""
    return {1: "", 2: " twice"}.get(count, f" {count} times")


def in_words(within: str) -> str:
    """
    Return a length of time as people say it.

    >>> in_words("45d"), in_words("1mo")
    ('45 days', '1 month')
    """
    digits = within.rstrip("smhdo")
    unit = UNITS[within.removeprefix(digits)]
    return f"{digits} {unit}" if digits == "1" else f"{digits} {unit}s"
