"""Planning what a form asks: in the order the marketer wrote, or what is worth most first."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from regportal.consent.schema import Newsletter
from regportal.forms.rules import Known, is_open, may_ask, next_newsletter
from regportal.forms.schema import Gate, Planner, Question
from regportal.library.schema import Asset
from regportal.store.words import N_, Sentence

EXPECTED = 70
"""How many of a hundred are taken to answer what nobody was asked yet."""
EXPECTED_SENSITIVE = 40
PRIOR = 10
"""As how many forms that weighs against those that were really shown."""
AGAIN = {
    None: N_("the first question of this gate that is open"),
    "answered": N_("asked again, because the answer was old"),
    "declined": N_("asked again, some time after it was declined"),
}
WORTH = 0.2
"""What an answer is worth that no score and no phase asks for; the most is 1."""


@dataclass(frozen=True, slots=True)
class Turnout:
    """What became of the forms that asked people one question at one gate."""

    shown: int = 0
    answered: int = 0
    declined: int = 0

    @property
    def abandoned(self) -> int:
        """Return how many were never sent."""
        return self.shown - self.answered - self.declined


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a choice by value goes by, beside what is known of whoever stands there."""

    worths: Mapping[str, float] = field(default_factory=dict)
    """Question key → what an answer is worth for routing and phase, up to 1."""
    turnouts: Mapping[str, Turnout] = field(default_factory=dict)
    """Question key → what became of it here; empty for whoever is only claimed (design.md 3)."""
    seed: str = ""
    """The browser: each draws for itself, and the same when the page is loaded again."""


NO_GROUNDS = Grounds()


@dataclass(frozen=True, slots=True)
class Because:
    """Why a question was chosen, as it is kept with the form that showed it."""

    planner: Planner
    of: int
    """Of how many open questions."""
    again: Literal["answered", "declined"] | None = None
    """What came of it before, where it is asked again."""
    worth: float | None = None
    answered: float | None = None
    """The share that this visitor's draw expects to answer."""
    abandoned: float | None = None
    """The share that it expects to go away."""
    value: float | None = None
    shown: int | None = None
    """How many forms the draw went by, beside what is expected of a question."""
    over: str | None = None
    """The question that came next."""

    def as_kept(self) -> dict[str, Any]:
        """Return it as JSON, without what it does not say."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a form asks: the address or one question, and at most one newsletter."""

    email: bool = False
    question: Question | None = None
    newsletter: Newsletter | None = None
    because: Because | None = None
    """Why this question, where one is asked."""


def plan(
    gate: Gate,
    asset: Asset,
    questions: Sequence[Question],
    newsletters: Sequence[Newsletter],
    known: Known,
    now: datetime,
    grounds: Grounds = NO_GROUNDS,
) -> Plan:
    """
    Return what this gate asks of somebody of whom this is known.

    Whoever has given no address is asked for it and nothing else. Whoever has is asked one
    open question, while the visit's budget lasts; the asset of this visit is one click.
    """
    newsletter = next_newsletter(asset, newsletters, known)
    if not known.addressed:
        return Plan(email=True, newsletter=newsletter)
    may = questions if may_ask(gate, asset, known) else ()
    question, because = choose(
        gate, [one for one in may if is_open(one, known, now)], known, grounds
    )
    return Plan(question=question, newsletter=newsletter, because=because)


def choose(
    gate: Gate, questions: Sequence[Question], known: Known, grounds: Grounds
) -> tuple[Question, Because] | tuple[None, None]:
    """
    Return one of these open questions and why: the first, or by value the one that gains most.

    >>> size = Question(key="size", type="number", label="How many seats?")
    >>> role = Question(key="role", type="job-title", label="What do you do?")
    >>> by_hand = Gate(key="guide", asset="guide", headline="The guide")
    >>> choose(by_hand, [size, role], Known(), NO_GROUNDS)[0].key
    'size'
    >>> by_value = by_hand.model_copy(update={"planner": "value"})
    >>> choose(by_value, [size, role], Known(), Grounds({"size": 0.2, "role": 1}))[0].key
    'role'
    """
    if not questions:
        return None, None
    if gate.planner == "order":
        first = questions[0]
        return first, Because("order", len(questions), _again(first, known))
    ranked = sorted(
        ((_weighed(gate, one, len(questions), known, grounds), one) for one in questions),
        key=lambda pair: -(pair[0].value or 0),
    )
    because, best = ranked[0]
    if len(ranked) > 1:
        because = Because(**{**asdict(because), "over": ranked[1][1].key})
    return best, because


def expected(question: Question) -> int:
    """Return how many of a hundred are taken to answer, as long as nobody was asked."""
    if question.expected is not None:
        return question.expected
    return EXPECTED_SENSITIVE if question.sensitive else EXPECTED


def _weighed(gate: Gate, question: Question, of: int, known: Known, grounds: Grounds) -> Because:
    """
    Return what asking a question is worth to this visitor's draw.

    Its worth times the share who answer, less the share who go away: one who goes away costs as
    much as the best answer brings. The shares are drawn from what is believed of them after all
    forms so far (a Dirichlet distribution; Thompson 1933): what was seldom asked now and then
    comes first, and is learned about.
    """
    turnout = grounds.turnouts.get(question.key, Turnout())
    mean = expected(question) / 100
    counts = (
        turnout.answered + PRIOR * mean,
        turnout.declined + PRIOR * (1 - mean) * 2 / 3,
        turnout.abandoned + PRIOR * (1 - mean) / 3,
    )
    draws = random.Random(f"{grounds.seed} {gate.key} {question.key}")  # noqa: S311 - no secret
    drawn = [draws.gammavariate(count, 1) if count else 0.0 for count in counts]
    answered, _, abandoned = (one / sum(drawn) for one in drawn)
    worth = grounds.worths.get(question.key, WORTH)
    return Because(
        planner="value",
        of=of,
        again=_again(question, known),
        worth=round(worth, 2),
        answered=round(answered, 3),
        abandoned=round(abandoned, 3),
        value=round(worth * answered - abandoned, 4),
        shown=turnout.shown,
    )


def _again(question: Question, known: Known) -> Literal["answered", "declined"] | None:
    """Return what came of a question before, the last time."""
    answered, declined = known.answers.get(question.key), known.declines.get(question.key)
    if answered is not None and (declined is None or answered[1] > declined[1]):
        return "answered"
    return "declined" if declined is not None else None


def told(because: Mapping[str, Any]) -> str:
    """
    Return the sentence why a question was asked, from what was kept of it.

    >>> told({"planner": "order", "of": 3})
    'the first question of this gate that is open'
    >>> told({"planner": "order", "of": 3, "again": "declined"})
    'asked again, some time after it was declined'
    """
    if because.get("planner") == "value":
        says = N_(
            "of %(of)d open questions it promises most: its answer is worth %(worth)s of 1, and of"
            " 100 people %(answered)d are expected to answer and %(abandoned)d to go away (forms"
            " counted so far: %(shown)d)"
        )
        shares = {name: round(100 * because[name]) for name in ("answered", "abandoned")}
        plain = {name: because[name] for name in ("of", "worth", "shown")}
        return Sentence(says, **plain, **shares)
    return AGAIN[because.get("again")]
