"""What somebody answered, with the words that asked."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.forms.models import Answer
from regportal.store.documents import Wording


class Answered(NamedTuple):
    """One answer, and how the question read then."""

    answer: Answer
    wording: str | None


def answers_of(session: Session, theirs: sa.ColumnElement[Any]) -> Sequence[Answered]:
    """Return the answers of which this is true, newest first."""
    query = (
        sa.select(Answer, Wording.text)
        .outerjoin(Wording, Wording.digest == Answer.wording)
        .where(theirs)
        .order_by(Answer.answered_at.desc(), Answer.id.desc())
    )
    return [Answered(*row) for row in session.execute(query)]
