"""Why a phase moved, in words that people read."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from regportal.buying.counting import Met
from regportal.buying.schema import Buying, Condition
from regportal.store.schema import said

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
OVER = {
    "time": "held until then",
    "won": "held until it was won",
    "lost": "held until it was lost",
}
NAMED = 2
"""Of so many of a group the names are said."""
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


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


def sentence(
    phase: str, since: datetime, grounds: Iterable[Ground | str], zone: tzinfo = UTC
) -> str:
    """
    Return why an opportunity is in a phase, as one plain sentence.

    >>> took = Deed("ann@example.com", "download", "Price list 2026")
    >>> tenpast = datetime(2026, 3, 4, 10, 12, tzinfo=UTC)
    >>> sentence("Comparison", tenpast, [Ground((took,), 1, "45d")])
    'Comparison since 4 Mar 2026 10:12: ann@example.com downloaded Price list 2026 (1 needed in 45
    days)'

    >>> looked = Deed("bob@example.com", "page_view", "/prices")
    >>> sentence("Comparison", tenpast, [Ground((looked, looked, took), 3, "1d")])
    'Comparison since 4 Mar 2026 10:12: bob@example.com viewed /prices twice, ann@example.com
    downloaded Price list 2026 (3 needed in 1 day)'
    """
    why = _why(grounds)
    when = moment_in_words(since, zone)
    return f"{phase} since {when}: {why}" if why else f"{phase} since {when}"


def moment_in_words(at: datetime, zone: tzinfo = UTC) -> str:
    """
    Return a moment as people say it.

    >>> moment_in_words(datetime(2026, 3, 4, 10, 12, tzinfo=UTC))
    '4 Mar 2026 10:12'
    """
    return f"{_day(at, zone)} {at.astimezone(zone):%H:%M}"


def ground_of(
    met: Met, deed_of: Callable[[Hashable], Deed], name_of: Callable[[Hashable], str] = str
) -> Ground | str:
    """
    Return a satisfied condition as its evidence tells it: what was done, or in plain words.

    >>> from regportal.buying.schema import Condition
    >>> silent = Condition.model_validate({"quiet": {"for": "30d"}})
    >>> ground_of(Met(silent), deed_of=lambda sign: Deed("", "", ""))
    'nobody did anything for 30 days'
    """
    condition = met.condition
    if met.absent:
        return f"no {_asked(condition)}"
    if condition.event:
        deeds = tuple(deed_of(sign) for sign in met.signs)
        return Ground(deeds, condition.count.at_least, condition.within)
    if condition.quiet:
        return f"nobody did anything for {in_words(condition.quiet.span)}"
    asked = _asked(condition)
    told = (
        says if who == "" else ": ".join(filter(None, (name_of(who), says)))
        for who, says in met.told
    )
    return ": ".join(filter(None, (asked, ", ".join(told))))


def come_as_far(names: Sequence[str]) -> str:
    """
    Return who of the group has come as far: two by name, and how many others.

    >>> come_as_far(["Ann"]), come_as_far(["Ann", "Bob"])
    ('Ann has come as far', 'Ann and Bob have come as far')
    >>> come_as_far(["Ann", "Bob", "Cy"]), come_as_far(["Ann", "Bob", "Cy", "Di"])
    ('Ann, Bob and 1 other have come as far', 'Ann, Bob and 2 others have come as far')
    """
    if len(names) == 1:
        return f"{names[0]} has come as far"
    rest = len(names) - NAMED
    if rest <= 0:
        return f"{' and '.join(names)} have come as far"
    others = "1 other" if rest == 1 else f"{rest} others"
    return f"{', '.join(names[:NAMED])} and {others} have come as far"


def was_said(who: str, until: datetime, because: str, zone: tzinfo = UTC) -> str:
    """
    Return that somebody said over the rules in which phase it is.

    >>> was_said("Bo Lind", datetime(2026, 4, 4, 12, tzinfo=UTC), "met them at the fair")
    'Bo Lind said so until 4 Apr 2026: met them at the fair'
    """
    return f"{who} said so until {_day(until, zone)}: {because}"


def was_over(who: str, how: str) -> str:
    """
    Return that what somebody said over the rules is over.

    >>> was_over("Bo Lind", "time"), was_over("Bo Lind", "hand")
    ('what Bo Lind said held until then', 'what Bo Lind said was taken back')
    """
    if how == "rules":
        return f"the rules are others now and do not know what {who} said"
    return f"what {who} said {OVER.get(how, 'was taken back')}"


def was_denied(what: str, because: str) -> str:
    """
    Return that something is not whose it was taken for.

    >>> was_denied("Price list 2026", "a student of the same name")
    'Price list 2026 no longer counts: a student of the same name'
    """
    return f"{what} no longer counts: {because}"


def _day(at: datetime, zone: tzinfo) -> str:
    """Return a day as people say it, also those who read it years later."""
    local = at.astimezone(zone)
    return f"{local.day} {MONTHS[local.month - 1]} {local.year}"


def called(model: Buying, name: str, locale: str = "en") -> str:
    """
    Return what people call a phase.

    >>> called(Buying(phases=({"id": "first-look"},)), "first-look")
    'First look'
    """
    phase = model.phase(name)
    if phase is None or phase.label is None:
        return name.replace("-", " ").replace("_", " ").capitalize()
    return said(phase.label, locale)


def _asked(condition: Condition) -> str:
    """Return what a condition is about, in few words."""
    if condition.event:
        about = f" of {', '.join(condition.categories)}" if condition.categories else ""
        return f"{condition.event.replace('_', ' ')}{about} in {in_words(condition.within)}"
    if condition.quiet:
        return f"silence of {in_words(condition.quiet.span)}"
    if condition.answer:
        return f"answer to {condition.answer.question}"
    if condition.score:
        return f"{condition.score.name} of at least {condition.score.at_least}"
    if condition.field:
        return condition.field.name
    return "stage in the CRM" if condition.crm else "role"


def suggestion(phase: str, who: str, grounds: Iterable[Ground]) -> str:
    """
    Return what a suggestion rests on, as one plain sentence.

    >>> took = Deed("somebody", "download", "Price list 2026")
    >>> suggestion("Comparison", "ann@example.com", [Ground((took,), 1, "45d")])
    'Comparison once ann@example.com confirms: somebody downloaded Price list 2026 (1 needed in 45
    days)'
    """
    return f"{phase} once {who} confirms: {_why(grounds)}"


def _why(grounds: Iterable[Ground | str]) -> str:
    """Say what was done, and how much of it was needed."""
    return "; ".join(
        ground
        if isinstance(ground, str)
        else f"{_told(ground.deeds)} ({ground.at_least} needed in {in_words(ground.within)})"
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
