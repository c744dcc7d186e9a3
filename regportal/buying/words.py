"""Why a phase moved, in words that people read."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from regportal.buying.counting import Met
from regportal.buying.english import in_words, moment_in_words
from regportal.buying.rules import Step
from regportal.buying.schema import Buying, Condition
from regportal.buying.voice import ENGLISH, Voice
from regportal.store.schema import said
from regportal.store.words import N_, NN_

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
SHORT = (N_("form"), N_("video watch"))
"""What a deed is called in few words, where that is not its noun."""
OVER = {
    "time": N_("what %(who)s said held until then"),
    "won": N_("what %(who)s said held until it was won"),
    "lost": N_("what %(who)s said held until it was lost"),
    "rules": N_("the rules are others now and do not know what %(who)s said"),
}
TAKEN_BACK = N_("what %(who)s said was taken back")
NAMED = 2
"""Of so many of a group the names are said."""


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
    share: int | None = None
    """How many percent of each film must have been watched, where that was asked."""


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

    >>> seen = Deed("ann@example.com", "video_watch", "The tour")
    >>> sentence("Comparison", tenpast, [Ground((seen, seen), 1, "30d", share=75)])
    'Comparison since 4 Mar 2026 10:12: ann@example.com watched at least 75% of The tour (1 needed
    in 30 days)'
    """
    why = _why(grounds)
    when = moment_in_words(since, zone)
    return f"{phase} since {when}: {why}" if why else f"{phase} since {when}"


def ground_of(
    met: Met,
    deed_of: Callable[[Hashable], Deed],
    name_of: Callable[[Hashable], str] = str,
    voice: Voice = ENGLISH,
) -> Ground | str:
    """
    Return a satisfied condition as its evidence tells it: what was done, or in plain words.

    >>> from regportal.buying.schema import Condition
    >>> silent = Condition.model_validate({"quiet": {"for": "30d"}})
    >>> ground_of(Met(silent), deed_of=lambda sign: Deed("", "", ""))
    'nobody did anything for 30 days'

    >>> decides = Condition.model_validate({"role": "decision maker"})
    >>> met = Met(decides, told=(("ann", "decision_maker"),))
    >>> ground_of(met, deed_of=lambda sign: Deed("", "", ""))
    'role: ann: decision maker'
    """
    condition = met.condition
    if met.absent:
        return voice.says(N_("no %(what)s"), what=_asked(condition, voice))
    if condition.event:
        deeds = tuple(deed_of(sign) for sign in met.signs)
        return Ground(deeds, condition.count.at_least, condition.within, condition.share)
    if condition.quiet:
        long = voice.long(condition.quiet.span)
        return voice.says(N_("nobody did anything for %(span)s"), span=long)
    asked = _asked(condition, voice)
    told = (
        says
        if who == ""
        else ": ".join(filter(None, (name_of(who), voice.role(says) if condition.role else says)))
        for who, says in met.told
    )
    return ": ".join(filter(None, (asked, voice.listed(told))))


def come_as_far(names: Sequence[str], voice: Voice = ENGLISH) -> str:
    """
    Return who of the group has come as far: two by name, and how many others.

    >>> come_as_far(["Ann"]), come_as_far(["Ann", "Bob"])
    ('Ann has come as far', 'Ann and Bob have come as far')
    >>> come_as_far(["Ann", "Bob", "Cy"]), come_as_far(["Ann", "Bob", "Cy", "Di"])
    ('Ann, Bob and 1 other have come as far', 'Ann, Bob and 2 others have come as far')
    """
    rest = len(names) - NAMED
    others = [voice.counts(NN_("%(num)d other", "%(num)d others"), rest)] if rest > 0 else []
    who = voice.both([*names[:NAMED], *others])
    forms = NN_("%(who)s has come as far", "%(who)s have come as far")
    return voice.counts(forms, len(names), who=who)


def rests_on_of(
    step: Step, deed_of: Callable[[Hashable], Deed], voice: Voice = ENGLISH
) -> list[Ground | str]:
    """Return what a step rests on; what is no deed is said in the language of the voice."""
    rests_on = [ground_of(met, deed_of, voice=voice) for met in step.because]
    if step.group:
        rests_on.append(come_as_far([str(who) for who in step.group], voice))
    return rests_on


def was_said(who: str, until: datetime, because: str, voice: Voice = ENGLISH) -> str:
    """
    Return that somebody said over the rules in which phase it is.

    >>> was_said("Bo Lind", datetime(2026, 4, 4, 12, tzinfo=UTC), "met them at the fair")
    'Bo Lind said so until 4 Apr 2026: met them at the fair'
    """
    says = N_("%(who)s said so until %(day)s: %(because)s")
    return voice.says(says, who=who, day=voice.day(until), because=because)


def was_over(who: str, how: str, voice: Voice = ENGLISH) -> str:
    """
    Return that what somebody said over the rules is over.

    >>> was_over("Bo Lind", "time"), was_over("Bo Lind", "hand")
    ('what Bo Lind said held until then', 'what Bo Lind said was taken back')
    """
    return voice.says(OVER.get(how, TAKEN_BACK), who=who)


def was_denied(what: str, because: str, voice: Voice = ENGLISH) -> str:
    """
    Return that something is not whose it was taken for.

    >>> was_denied("Price list 2026", "a student of the same name")
    'Price list 2026 no longer counts: a student of the same name'
    """
    return voice.says(N_("%(what)s no longer counts: %(because)s"), what=what, because=because)


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


def _asked(condition: Condition, voice: Voice) -> str:
    """Return what a condition is about, in few words."""
    if condition.event:
        return _deed_asked(condition, condition.event, voice)
    if condition.quiet:
        return voice.says(N_("silence of %(span)s"), span=voice.long(condition.quiet.span))
    if condition.answer:
        asked = voice.label("question", condition.answer.question)
        return voice.says(N_("answer to %(question)s"), question=asked)
    if condition.score:
        score = voice.label("score", condition.score.name)
        least = condition.score.at_least
        return voice.says(N_("%(score)s of at least %(least)d"), score=score, least=least)
    if condition.field:
        return condition.field.name
    return voice.says(N_("stage in the CRM") if condition.crm else N_("role"))


def _deed_asked(condition: Condition, event: str, voice: Voice) -> str:
    """Return what must be done, in few words."""
    kind = event.replace("_", " ")
    deed = voice.says(kind)
    if condition.share is not None:
        deed = voice.says(
            N_("%(deed)s (at least %(share)s)"), deed=deed, share=voice.share(condition.share)
        )
    values = {"deed": deed, "span": voice.long(condition.within)}
    if not condition.categories:
        return voice.says(N_("%(deed)s in %(span)s"), **values)
    what = voice.listed(voice.category(name) for name in condition.categories)
    return voice.says(N_("%(deed)s of %(what)s in %(span)s"), what=what, **values)


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
        else f"{_told(ground)} ({ground.at_least} needed in {in_words(ground.within)})"
        for ground in grounds
    )


def _told(ground: Ground) -> str:
    """Say each deed once, and how often; of a film that was watched only how much of it."""
    often = Counter(ground.deeds)
    if ground.share is not None:
        share = f"{ground.share}%"
        return ", ".join(f"{film.who} watched at least {share} of {film.what}" for film in often)
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
