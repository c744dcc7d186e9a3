"""The question bank: what is asked where, what became of it, and what experiments came to."""

from datetime import UTC, datetime
from typing import get_args

from flask import Blueprint, Response, g, render_template

from regportal.accounts.roles import Permission
from regportal.forms.schema import Gate, QuestionType
from regportal.insight import questions
from regportal.insight.experiments import states
from regportal.insight.questions import QuestionRow, Questions
from regportal.store import current
from regportal.store.documents import said
from regportal.studio.lists import FORM, asked, copied, filters_of
from regportal.studio.policies import page
from regportal.studio.saying import Sayer

bp = Blueprint("questions", __name__)


@bp.get("/questions")
@page(Permission.GATES)
def listed() -> str:
    """Show every question, with what became of the forms that asked it."""
    filters, now, published = filters_of(Questions), datetime.now(UTC), current.published()
    with current.store().read() as session:
        found = questions.page(session, published, filters, g.locale, now=now)
        tried = states(session, published, now=now)
    return render_template(
        "studio/questions.html",
        found=found,
        asked=asked(filters),
        filters=filters,
        gates=[(one.key, said(one.headline, g.locale)) for one in published.all(Gate)],
        types=[(one, one) for one in get_args(QuestionType)],
        experiments=tried,
        says=Sayer(published, g.locale),
    )


@bp.get(f"/questions.{FORM}")
@page(Permission.GATES, fresh=True)
def listed_as(form: str) -> Response:
    """Return the same as a file."""
    filters, now = filters_of(Questions), datetime.now(UTC)
    with current.store().read() as session:
        found = questions.page(session, current.published(), filters, now=now)
    return copied("questions", form, QuestionRow, found.rows)
