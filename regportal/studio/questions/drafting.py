"""Writing a question: a draft that says beside each field what is wrong, until it is published."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.orm import Session

from regportal.accounts.audit import write
from regportal.accounts.roles import Permission
from regportal.documents import drafts, history, releasing
from regportal.documents.advising import Advice
from regportal.documents.drafts import FieldFault, Look, Piece
from regportal.documents.keys import free_key
from regportal.documents.models import Draft
from regportal.documents.planning import published_now
from regportal.documents.plans import Body
from regportal.documents.previewing import advice_on
from regportal.documents.rule_offers import SMALL_UNITS, UNITS
from regportal.errors import NotHereError, StaleError
from regportal.forms.languages import languages_of, read_by_visitors
from regportal.forms.schema import Question
from regportal.store import current
from regportal.store.documents import Published, Site, said
from regportal.store.words import N_, locale_known, translated
from regportal.studio.datastore import doer_of_request
from regportal.studio.deciding import Answer, Sort, add_deeds, revision_sent
from regportal.studio.fields import REQUIRED
from regportal.studio.policies import page
from regportal.studio.questions.telling import TYPES
from regportal.studio.questions.writing import FIELDS, Sent, moved_up, shown, written

SAVED = N_("Saved in the draft. Nothing holds before it is published.")
OTHERS = N_("Somebody is writing on this question already: here is the draft.")
LONGEST_LABEL = 200
"""Characters of a question that is begun."""

bp = Blueprint("drafts", __name__)


@bp.post("/questions")
@page(Permission.GATES)
def new() -> ResponseReturnValue:
    """Begin a question."""
    label = _sent().get("label", "").strip()[:LONGEST_LABEL]
    if not label:
        flash(REQUIRED, "error")
        return redirect(url_for("questions.listed"), 303)

    def begun(session: Session) -> Piece:
        taken = {key for kind, key in drafts.versions_now(session) if kind == Question.kind}
        taken |= {piece.key for _, piece in questions_drafted(session)}
        key = free_key(label, taken, "question")
        return Piece(Question.kind, key, {"label": label, "type": "text"})

    return _begin(begun)


@bp.post("/questions/<key>/edit")
@page(Permission.GATES)
def edit(key: str) -> ResponseReturnValue:
    """Begin a draft that changes a question, or go on with the one there is."""
    current.published().one(Question, key)

    def held(session: Session) -> Piece | Draft:
        for draft, piece in questions_drafted(session):
            if piece.key == key:
                return draft
        one = published_now(session)[1][Question.kind, key]
        return Piece(Question.kind, key, one.body, one.number)

    return _begin(held)


@bp.post("/questions/<key>/versions/<int(max=1000000):number>")
@page(Permission.GATES)
def back_to(key: str, number: int) -> ResponseReturnValue:
    """Begin a draft that says what an older version did; published, it holds once more."""
    return _begin(lambda session: history.older(session, Question.kind, key, number))


@bp.route("/questions/drafts/<uuid:draft_id>", methods=["GET", "POST"])
@page(Permission.GATES)
def draft(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Show a draft of a question, and take what its form says."""
    if request.method == "GET":
        return _draft_page(draft_id, Answer())
    revision, by, now, doer = revision_sent(), current_user.email, _now(), doer_of_request()
    saying, deed = _said_by(_sent()), request.form.get("do", "save")

    def work(session: Session) -> None:
        found = releasing.seen(session, draft_id, revision)
        piece = piece_of(session, found)
        body = saying(piece)
        if deed.startswith("up:"):
            body = moved_up(body, deed.removeprefix("up:"))
        if body != piece.body:
            new = Piece(piece.kind, piece.key, body, piece.base)
            drafts.rewrite(session, found, [new], by, now=now)
            write(session, doer, "write", piece.kind, piece.key, {"draft": str(draft_id)}, now=now)

    try:
        current.store().write(work)
    except StaleError as error:
        return _draft_page(draft_id, Answer(), saying, str(error)), 409
    flash(SAVED, "success")
    return redirect(url_for("questions.drafts.draft", draft_id=draft_id), 303)


@bp.post("/questions/drafts/<uuid:draft_id>/remarks")
@page(Permission.GATES)
def remarks(draft_id: uuid.UUID) -> str:
    """Say what is wrong with what is typed, or worth a second look, by field; nothing is kept."""
    saying = _said_by(_sent())
    with current.store().read() as session:
        opened = Opened.of(session, draft_id, saying)
    return render_template("studio/gates/_remarks.html", remarks=opened.beside)


@dataclass(frozen=True, slots=True)
class Opened:
    """A draft of a question as its page reads it."""

    draft: Draft
    piece: Piece
    look: Look
    whole: list[str]
    """What is wrong that stands beside no field."""
    beside: Mapping[str, str]
    """What is wrong beside each field, or worth a second look; empty where nothing is."""
    changes: list[str]

    @classmethod
    def of(
        cls, session: Session, draft_id: uuid.UUID, saying: Callable[[Piece], Body] | None = None
    ) -> "Opened":
        """Return a draft, or what it would be saying this; raises NotHereError."""
        found = drafts.draft_called(session, draft_id)
        piece = piece_of(session, found)
        if saying:
            piece = Piece(piece.kind, piece.key, saying(piece), piece.base)
        look = drafts.look_at(session, [piece])
        whole, beside = _by_field(look.faults or advice_on(session, [piece]), piece)
        changes = drafts.changes_of(session, [piece])[piece.name]
        told = [translated(one, g.locale) for one in changes]
        return cls(found, piece, look, whole, beside, told)


def _draft_page(
    draft_id: uuid.UUID,
    answer: Answer,
    saying: Callable[[Piece], Body] | None = None,
    overwrites: str = "",
) -> str:
    """Show a draft, with what could not be decided of it, or what was typed into an older one."""
    published = current.published()
    with current.store().read() as session:
        opened = Opened.of(session, draft_id, saying)
        standing = SORT.standing(session, opened.draft, opened.look, answer)
    piece, bank = opened.piece, _bank(published, opened.piece.key)
    names = [(one, locale_known(one).get_display_name(g.locale)) for one in _languages(published)]
    return render_template(
        "studio/question_draft.html",
        draft_id=draft_id,
        standing=standing,
        question_key=piece.key,
        is_new=published.find(Question, piece.key) is None,
        form=shown(piece.body, [one for one, _ in names], bank, g.locale),
        languages=names,
        types=[(one, translated(reads, g.locale)) for one, reads in TYPES.items()],
        bank=[(one.key, said(one.label, g.locale)) for one in bank.values()],
        units=UNITS,
        small_units=SMALL_UNITS,
        whole=opened.whole,
        beside=opened.beside,
        changes=opened.changes,
        overwrites=overwrites,
    )


def piece_of(session: Session, draft: Draft) -> Piece:
    """Return the question of a draft; raise NotHereError for one of anything else, or done."""
    pieces = drafts.pieces_of(session, draft)
    if [one.kind for one in pieces] != [Question.kind] or draft.publication is not None:
        raise NotHereError(f"there is no draft {draft.id} of a question")
    return pieces[0]


def questions_drafted(session: Session) -> list[tuple[Draft, Piece]]:
    """Return the drafts of questions that are not published, last written first."""
    found = [(one, drafts.pieces_of(session, one)) for one in drafts.open_drafts(session)]
    return [
        (one, pieces[0])
        for one, pieces in found
        if [piece.kind for piece in pieces] == [Question.kind]
    ]


SORT = Sort(
    path="/questions/drafts/<uuid:draft_id>",
    at="questions.drafts",
    permission=Permission.GATES,
    kind=Question.kind,
    key_of=lambda session, draft: piece_of(session, draft).key,
    look="questions.drafts.draft",
    shown=_draft_page,
    everything="questions.listed",
    lands=lambda key: url_for("questions.shown", key=key),
    published=N_("Published: it is asked like this from now on."),
)
add_deeds(bp, SORT)


# --- their common steps ---


def _begin(begun: Callable[[Session], Piece | Draft]) -> ResponseReturnValue:
    """Begin a draft of one question, or go on with one that is there."""
    now, by, doer = _now(), current_user.email, doer_of_request()

    def begin(session: Session) -> tuple[uuid.UUID, bool]:
        found = begun(session)
        if isinstance(found, Draft):
            return found.id, True
        draft = drafts.begin(session, [found], by, now=now)
        write(session, doer, "draft", found.kind, found.key, {"draft": str(draft.id)}, now=now)
        return draft.id, False

    draft_id, is_there = current.store().write(begin)
    if is_there:
        flash(OTHERS, "info")
    return redirect(url_for("questions.drafts.draft", draft_id=draft_id), 303)


def _said_by(sent: Sent) -> Callable[[Piece], Body]:
    """Return what a question says once its form has been sent like this."""
    published, locale = current.published(), g.locale
    languages = _languages(published)

    def saying(piece: Piece) -> Body:
        return written(piece.body, sent, languages, _bank(published, piece.key), locale)

    return saying


def _by_field(
    found: Iterable[FieldFault | Advice], piece: Piece
) -> tuple[list[str], dict[str, str]]:
    """Return what is said of the whole, and beside each field."""
    whole: list[str] = []
    beside: defaultdict[str, list[str]] = defaultdict(list)
    for one in found:
        says = translated(one.says, g.locale)
        field = one.field.partition(".")[0].partition("[")[0]
        if one.name == piece.name and field in FIELDS:
            beside[field].append(says)
        elif one.name in {piece.name, None}:
            whole.append(f"{one.field}: {says}" if one.field else says)
        elif one.name:
            whole.append(f"{one.name[1]}: {says}")
    return whole, {field: " · ".join(beside[field]) for field in FIELDS}


def _bank(published: Published, key: str) -> dict[str, Question]:
    """Return the questions on which this one may depend."""
    return {one.key: one for one in published.all(Question) if one.key != key}


def _languages(published: Published) -> list[str]:
    """Return the languages in which visitors are spoken to, the site's own first."""
    return [*languages_of(read_by_visitors(published), Site.of(published).locale)]


def _sent() -> Sent:
    """Return what a form says, without what no keyboard types."""
    return {
        name: "".join(one for one in text if one.isprintable() or one == "\n")
        for name, text in request.form.items()
    }


def _now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)
