"""What somebody answered, with the words that asked."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.forms.models import Answer, Shown
from regportal.forms.planner import told
from regportal.store.documents import Wording


class Answered(NamedTuple):
    """One answer, and how the question read then."""

    answer: Answer
    wording: str | None
    because: str | None
    """Why it was asked, as long as the form it was asked by is kept."""


def answers_of(session: Session, theirs: sa.ColumnElement[Any]) -> Sequence[Answered]:
    """Return the answers of which this is true, newest first."""
    query = (
        sa.select(Answer, Wording.text, Shown.because)
        .outerjoin(Wording, Wording.digest == Answer.wording)
        .outerjoin(Shown, Shown.id == Answer.shown_id)
        .where(theirs)
        .order_by(Answer.answered_at.desc(), Answer.id.desc())
    )
    return [
        Answered(answer, wording, told(because) if because else None)
        for answer, wording, because in session.execute(query)
    ]


def reasons_of(session: Session, answers: Iterable[Answer]) -> dict[uuid.UUID, str]:
    """Return why answers were asked for, by their ids, as long as the forms are kept."""
    asked_by = {one.shown_id: one.id for one in answers if one.shown_id}
    query = sa.select(Shown.id, Shown.because).where(Shown.id.in_(asked_by))
    return {asked_by[key]: told(because) for key, because in session.execute(query) if because}
