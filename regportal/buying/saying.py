"""What people said of phases, and of what phases rest on: its evidence, and it in words."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import Move, PhaseOverride
from regportal.buying.voice import Voice
from regportal.buying.words import was_denied, was_over, was_said
from regportal.store.words import N_
from regportal.tracking.models import Attribution, Interaction

Part = Mapping[str, Any]
"""One piece of the evidence of a move."""
NO_LONGER = N_("what led further no longer counts")


def evidence_of(session: Session, opportunity: uuid.UUID) -> list[Any]:
    """Return what the last move of an opportunity that is kept rests on."""
    last = session.scalars(
        sa.select(Move.evidence)
        .where(Move.opportunity_id == opportunity)
        .order_by(Move.at.desc(), Move.id.desc())
        .limit(1)
    ).first()
    return last or []


def denied(session: Session, evidence: Iterable[Part], at: datetime) -> list[uuid.UUID]:
    """Return the words by which, until a moment, what a move rests on became nobody's."""
    named = {uuid.UUID(each) for part in evidence for each in part["interactions"]}
    rows = session.execute(
        sa.select(Attribution.interaction_id, Attribution.id, Attribution.contact_id)
        .where(Attribution.interaction_id.in_(named), Attribution.at <= at)
        .order_by(Attribution.at, Attribution.id)
    )
    newest = {interaction: (word, contact) for interaction, word, contact in rows}
    return [word for word, contact in newest.values() if contact is None]


def words_of(
    session: Session, evidence: Collection[Part], voice: Voice, title: Callable[[str], str]
) -> Callable[[Part], str]:
    """
    Return what says in words what people said, of all parts of this evidence.

    ``title`` says what people call an object.
    """
    overrides, denials = (_named(evidence, what) for what in ("override", "denial"))
    which = sa.select(PhaseOverride).where(PhaseOverride.id.in_(overrides))
    said_over = {str(said.id): said for said in session.scalars(which)} if overrides else {}
    why = (
        sa.select(Attribution.id, Interaction.object, Attribution.because)
        .join(Interaction, Interaction.id == Attribution.interaction_id)
        .where(Attribution.id.in_(denials))
    )
    became_nobodys = (
        {str(word): (name, because) for word, name, because in session.execute(why)}
        if denials
        else {}
    )

    def word_of(part: Part) -> str:
        if "denial" in part:
            name, because = became_nobodys.get(part["denial"], (None, None))
            if name and because:
                return was_denied(title(name), because, voice)
            return voice.says(NO_LONGER)
        said = said_over[part["override"]]
        if part["ends"]:
            return was_over(said.by, part["ends"], voice)
        return was_said(said.by, said.until, said.because, voice)

    return word_of


def _named(evidence: Iterable[Part], what: str) -> set[uuid.UUID]:
    """Return the keys of all that people said in one way."""
    return {uuid.UUID(part[what]) for part in evidence if what in part}
