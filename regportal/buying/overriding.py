"""Saying over the rules in which phase an opportunity is, and taking it back."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from regportal.buying.models import Ended, Opportunity, PhaseOverride
from regportal.buying.naming import opportunity_called
from regportal.buying.news import tell_moves
from regportal.buying.overrides import is_further
from regportal.buying.place import own_every_place
from regportal.buying.schema import Buying
from regportal.buying.subjects import Subjects
from regportal.errors import BadRequestError, StaleError
from regportal.store.documents import Published
from regportal.store.ids import uuid7
from regportal.store.prose import check_line

USUAL, LONGEST = timedelta(days=30), timedelta(days=180)
"""How long what is said holds if nobody says otherwise, and how long it may."""


@dataclass(frozen=True, slots=True)
class Word:
    """Who says over the rules in which phase an opportunity is, why, and until when it holds."""

    phase: str
    by: str
    because: str
    until: datetime
    through: str | None = None
    """The name of the key with which a program says it."""


def override(
    session: Session, published: Published, name: str, word: Word, *, now: datetime
) -> PhaseOverride:
    """
    Let an opportunity be in a phase because a colleague says so, whatever the rules say.

    Where it is in that phase, it is held there, and nothing moves. What was said before ends.
    Raises RequestError where it cannot be: NotHereError where there is no such opportunity,
    BadRequestError for the word, StaleError where it is closed.
    """
    opportunity, subjects = _held(session, published, name, now)
    at = max(now, opportunity.phase_since)
    _check(subjects, word, at)
    if opportunity.is_closed:
        raise StaleError(f"{name} is closed: its phase stays as it is")
    before, rules_phase = subjects.said(opportunity.id), subjects.by_rules(opportunity)
    if before is not None:
        subjects.lift(opportunity, Ended.REPLACED, at, opportunity.phase)
        session.flush()
    said = PhaseOverride(
        id=uuid7(),
        opportunity_id=opportunity.id,
        phase=word.phase,
        by=word.by.strip(),
        because=word.because.strip(),
        since=at,
        until=word.until,
        rules_phase=rules_phase,
        is_further=is_further(subjects.model, word.phase, rules_phase),
        through=word.through,
    )
    session.add(said)
    subjects.say(opportunity, said)
    tell_moves(session, published, subjects.moves, now=now)
    return said


def end_override(
    session: Session, published: Published, name: str, *, now: datetime
) -> PhaseOverride:
    """
    Take back what was said over the rules; the opportunity is where they are, and return it.

    Raises NotHereError where there is no such opportunity, StaleError where nothing is said.
    """
    opportunity, subjects = _held(session, published, name, now)
    said = subjects.said(opportunity.id)
    if said is None:
        raise StaleError(f"nobody says anything over the rules of {name}")
    subjects.lift(opportunity, Ended.HAND, max(now, said.since))
    tell_moves(session, published, subjects.moves, now=now)
    return said


def _held(
    session: Session, published: Published, name: str, now: datetime
) -> tuple[Opportunity, Subjects]:
    """Return an opportunity that nobody moves until the transaction ends, and where it stands."""
    own_every_place(session)
    opportunity = opportunity_called(session, name)
    session.refresh(opportunity, with_for_update=True)
    subjects = Subjects.of(session, published)
    subjects.recall((), [opportunity.id])
    subjects.lift_what_is_over(opportunity, now)
    return opportunity, subjects


def _check(subjects: Subjects, word: Word, now: datetime) -> None:
    """Raise BadRequestError for a word that cannot hold."""
    names = subjects.model.names
    for field, text in (("by", word.by), ("because", word.because)):
        check_line(text, field)
    if word.phase not in names:
        meant = _meant(subjects.model.buying, word.phase)
        tip = f"did you mean {meant!r}?" if meant else f"there are {', '.join(names)}"
        raise BadRequestError(f"there is no phase {word.phase[:60]!r}; {tip}", "phase")
    if word.until <= now:
        raise BadRequestError("until must lie ahead", "until")
    if word.until - now > LONGEST:
        says = f"nothing holds over the rules for more than {LONGEST.days} days"
        raise BadRequestError(says, "until")


def _meant(buying: Buying, wrong: str) -> str | None:
    """Return the phase that is called so, in whichever language and case; None: there is none."""
    for phase in buying.phases:
        labels = [phase.label] if isinstance(phase.label, str) else (phase.label or {}).values()
        if wrong.casefold() in {name.casefold() for name in (phase.id, *labels)}:
            return phase.id
    return None
