"""Deciding what a gate asks: one question more at every return, never two at once."""

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from regportal.consent.schema import Newsletter
from regportal.forms.schema import Gate, Question
from regportal.library.schema import Asset
from regportal.store.schema import span

OFFERS = 3
"""How often a newsletter is offered to somebody who leaves its box empty."""


@dataclass(frozen=True, slots=True)
class Known:
    """
    What may be taken into account about whoever stands before a gate.

    For a claim it is built from what this browser itself did, and from nothing else.
    """

    addressed: bool = False
    """Whether we have an address to go with this browser."""
    answers: Mapping[str, tuple[Any, datetime]] = field(default_factory=dict)
    """Question key → (value, when)."""
    declines: Mapping[str, tuple[int, datetime]] = field(default_factory=dict)
    """Question key → (how often, when last)."""
    decided: Collection[str] = ()
    """Newsletters he asked for, or stopped."""
    passed_over: Mapping[str, int] = field(default_factory=dict)
    """Newsletter key → how often its box was left empty."""
    settled: int = 0
    """Questions answered or declined in this visit, over all gates."""
    taken: Collection[str] = ()
    """Assets taken in this visit."""
    never: Collection[str] = ()
    """Questions he does not want to be asked again."""


NOBODY = Known()


class Reply(Protocol):
    """One answer, or that somebody would rather not say."""

    @property
    def question(self) -> str:
        """Return the key of what was asked."""

    @property
    def value(self) -> Any:
        """Return what was answered."""

    @property
    def declined(self) -> bool:
        """Return whether it was not."""

    @property
    def answered_at(self) -> datetime:
        """Return when."""

    @property
    def visit_id(self) -> Any:
        """Return in which visit."""


def known_from(
    replies: Sequence[Reply],
    offered: Mapping[str, tuple[int, bool]],
    *,
    decided: Collection[str] = (),
    visit: Any = None,
    taken: Collection[str] = (),
    never: Collection[str] = (),
) -> Known:
    """
    Return what is known of somebody who gave an address.

    ``replies`` are all he said, oldest first; ``offered`` is, a newsletter, how often its box was
    shown and whether he ticked it; ``visit`` is the one that goes on, if one does, and ``taken``
    what he took in it.
    """
    return Known(
        addressed=True,
        answers={one.question: (one.value, one.answered_at) for one in replies if not one.declined},
        declines=_declines(replies),
        decided={*decided, *ticked(offered)},
        passed_over=passed_over(offered),
        settled=sum(one.visit_id == visit for one in replies) if visit is not None else 0,
        taken=taken,
        never=never,
    )


def ticked(offered: Mapping[str, tuple[int, bool]]) -> set[str]:
    """Return the newsletters whose box somebody ticked."""
    return {key for key, (_, taken) in offered.items() if taken}


def passed_over(offered: Mapping[str, tuple[int, bool]]) -> dict[str, int]:
    """Return how often somebody left the boxes empty that he never ticked."""
    return {key: times for key, (times, taken) in offered.items() if not taken}


def _declines(replies: Iterable[Reply]) -> dict[str, tuple[int, datetime]]:
    """Count how often each question was declined, and when last."""
    counted: dict[str, tuple[int, datetime]] = {}
    for one in replies:
        if one.declined:
            times, _ = counted.get(one.question, (0, one.answered_at))
            counted[one.question] = (times + 1, one.answered_at)
    return counted


def may_ask(gate: Gate, asset: Asset, known: Known) -> bool:
    """Return whether the visit's budget lasts, and its asset was not taken in it."""
    return known.settled < gate.per_visit and asset.key not in known.taken


class Closed(enum.StrEnum):
    """Why a question is not asked now."""

    NEVER = "never"
    CONDITION = "condition"
    ANSWERED = "answered"
    DECLINED = "declined"
    """Not long ago."""
    DECLINED_OFTEN = "declined_often"


def is_open(question: Question, known: Known, now: datetime) -> bool:
    """Return whether a question may be asked at this moment."""
    return closed(question, known, now) is None


def closed(question: Question, known: Known, now: datetime) -> Closed | None:
    """Return why a question may not be asked at this moment; None: it may."""
    if question.key in known.never:
        return Closed.NEVER
    if question.when is not None:
        condition = question.when.answer
        value, _ = known.answers.get(condition.question, (None, now))
        values = value if isinstance(value, list | tuple) else [value]
        if not set(map(str, values)) & set(condition.values):
            return Closed.CONDITION
    answered = known.answers.get(question.key)
    if answered is not None and not _is_stale(question, answered[1], now):
        return Closed.ANSWERED
    declined = known.declines.get(question.key)
    if declined is None or (answered is not None and answered[1] > declined[1]):
        return None
    times, last = declined
    if times >= question.declined.at_most:
        return Closed.DECLINED_OFTEN
    return None if now - last >= span(question.declined.again_after) else Closed.DECLINED


class Withheld(enum.StrEnum):
    """Why a newsletter is not offered."""

    TOPICS = "topics"
    """It is about something else."""
    DECIDED = "decided"
    PASSED_OVER = "passed_over"
    """Often enough."""


def withheld(newsletter: Newsletter, asset: Asset, known: Known) -> Withheld | None:
    """Return why a newsletter is not offered with an asset; None: it may be."""
    if not set(asset.topics) & set(newsletter.topics):
        return Withheld.TOPICS
    if newsletter.key in known.decided:
        return Withheld.DECIDED
    if known.passed_over.get(newsletter.key, 0) >= OFFERS:
        return Withheld.PASSED_OVER
    return None


def next_newsletter(
    asset: Asset, newsletters: Sequence[Newsletter], known: Known
) -> Newsletter | None:
    """
    Return the first listed newsletter about the asset's topics that is not decided yet.

    >>> prices = Newsletter(key="prices", title="Prices", topics=["pricing"], wording="Send me…")
    >>> paper = Asset(key="paper", title="Paper", category="paper", topics=["pricing"], file="f")
    >>> next_newsletter(paper, [prices], NOBODY).key
    'prices'
    >>> next_newsletter(paper, [prices], Known(passed_over={"prices": 3})) is None
    True
    """
    return next((one for one in newsletters if withheld(one, asset, known) is None), None)


def related(asset: Asset, offered: Sequence[Asset], taken: Collection[str]) -> list[Asset]:
    """
    Return the two assets that share the most topics with this one and were not taken yet.

    Assets that share as much stay in the order the marketer wrote them.
    """
    topics = set(asset.topics)
    others = [
        one
        for one in offered
        if one.key != asset.key and one.key not in taken and topics & set(one.topics)
    ]
    return sorted(others, key=lambda one: -len(topics & set(one.topics)))[:2]


def _is_stale(question: Question, answered_at: datetime, now: datetime) -> bool:
    """Return whether an answer is old enough to be asked for again."""
    if question.ask_again_after is None:
        return False
    return now - answered_at >= span(question.ask_again_after)


@dataclass(frozen=True, slots=True)
class Ask:
    """What was really asked, as the ask token carries it; a POST is judged against it."""

    nonce: str
    gate: str
    email: bool
    question: str | None
    required: bool
    wording: str | None
    newsletter: str | None
    newsletter_wording: str | None
    visitor: str
    """The hash of the browser's token, or of one it was given and may not have kept."""
    locale: str
    expires: int
    """Unix seconds."""


ASK_LIFE = timedelta(hours=24)
LEEWAY = timedelta(seconds=120)
"""How much a clock may have been set back between the page and the press."""


def is_fresh(ask: Ask, now: datetime) -> bool:
    """Return whether a form may still be sent: within 24 hours of being shown."""
    return now.timestamp() <= ask.expires + LEEWAY.total_seconds()
