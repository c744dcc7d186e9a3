"""Pages of the question bank: every question, and one with all that is said of it."""

from datetime import UTC, datetime

from flask import Blueprint, Response, g, render_template

from regportal.accounts.roles import Permission
from regportal.documents import history
from regportal.documents.previewing import advice_of
from regportal.forms.schema import Gate, Question
from regportal.insight import questions
from regportal.insight.experiments import states
from regportal.insight.questions import QuestionRow, Questions
from regportal.store import current
from regportal.store.documents import said
from regportal.store.words import translated
from regportal.studio.deciding import version_shown
from regportal.studio.lists import FORM, asked, copied, filters_of
from regportal.studio.policies import page
from regportal.studio.questions import drafting
from regportal.studio.questions.drafting import questions_drafted
from regportal.studio.questions.telling import TYPES, facts, wordings
from regportal.studio.questions.writing import label_of
from regportal.studio.saying import Sayer

bp = Blueprint("questions", __name__)
bp.register_blueprint(drafting.bp)


@bp.get("/questions")
@page(Permission.GATES)
def listed() -> str:
    """Show every question, with what became of the forms that asked it."""
    filters, now, published = filters_of(Questions), datetime.now(UTC), current.published()
    with current.store().read() as session:
        found = questions.page(session, published, filters, g.locale, now=now)
        tried = states(session, published, now=now)
        drafted = questions_drafted(session)
    return render_template(
        "studio/questions.html",
        drafts=[(one, label_of(piece.body, g.locale) or piece.key) for one, piece in drafted],
        longest_label=drafting.LONGEST_LABEL,
        found=found,
        asked=asked(filters),
        filters=filters,
        gates=[(one.key, said(one.headline, g.locale)) for one in published.all(Gate)],
        types=[(one, translated(reads, g.locale)) for one, reads in TYPES.items()],
        experiments=tried,
        says=Sayer(published, g.locale),
    )


@bp.get("/questions/<key>")
@page(Permission.GATES)
def shown(key: str) -> str:
    """Show one question: its words, where it is asked, and what became of it."""
    published, now = current.published(), datetime.now(UTC)
    question = published.one(Question, key)
    says = Sayer(published, g.locale)
    with current.store().read() as session:
        asked_where = questions.asked_at(session, published, key, now=now)
        tried = states(session, published, now=now)
        versions = history.versions(session, Question.kind, key)
        drafted = [draft.id for draft, piece in questions_drafted(session) if piece.key == key]
    return render_template(
        "studio/question.html",
        versions=[version_shown(one) for one in versions],
        drafts=drafted,
        question=question,
        title=said(question.label, g.locale),
        wordings=wordings(question, g.locale),
        facts=[*facts(question, says)],
        found=asked_where,
        remarks=[
            translated(one.says, g.locale) for one in advice_of(published, {("question", key)})
        ],
        experiments=[one for one in tried if one.question == key],
        says=says,
    )


@bp.get(f"/questions.{FORM}")
@page(Permission.GATES, fresh=True)
def listed_as(form: str) -> Response:
    """Return the same as a file."""
    filters, now = filters_of(Questions), datetime.now(UTC)
    with current.store().read() as session:
        found = questions.page(session, current.published(), filters, now=now)
    return copied("questions", form, QuestionRow, found.rows)
