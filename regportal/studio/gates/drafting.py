"""The way to a gate: a file, its title, questions, a newsletter; each step is kept as a draft."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from flask import Blueprint, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than its types

from regportal.accounts.audit import write
from regportal.accounts.roles import Permission
from regportal.consent.schema import Newsletter
from regportal.documents import drafts
from regportal.documents.drafts import Piece
from regportal.documents.models import Draft
from regportal.errors import NotHereError
from regportal.forms.pages import asset_shown, frequency_shown
from regportal.forms.schema import Gate, Question
from regportal.library.naming import KNOWN, UNKNOWN
from regportal.library.schema import Asset, Content
from regportal.library.storage import Storage
from regportal.store import current
from regportal.store.documents import Published, Site, said
from regportal.store.words import N_, translated
from regportal.studio.datastore import doer_of_request
from regportal.studio.fields import REQUIRED
from regportal.studio.gates import steps
from regportal.studio.gates.fields import AboutForm, Chosen, Source
from regportal.studio.gates.remarks import remarks_beside
from regportal.studio.gates.steps import Written, earlier
from regportal.studio.gates.uploads import arrival_of
from regportal.studio.policies import page

STEPS = (
    ("gates.drafts.file", N_("File")),
    ("gates.drafts.about", N_("Title")),
    ("gates.drafts.questions", N_("Questions")),
    ("gates.drafts.newsletters", N_("Newsletter")),
    ("gates.deciding.look", N_("Look and publish")),
)
"""The way, in this order."""
WORDED = ("title", "headline", "text")
"""What is looked at while somebody types."""
NOTHING = N_("Please choose a file, or write where it lies.")
EMPTY = N_("This file is empty.")
ELSEWHERE = N_("Please write it as https://…")
NOT_WHAT_IT_SAYS = N_("This file is not what its name says: open it once, and save it anew.")
NO_SITE = N_("Nothing is published yet: begin with the site itself, as the overview says.")

bp = Blueprint("drafts", __name__)


@bp.route("/gates/new", methods=["GET", "POST"])
@page(Permission.GATES)
def new() -> ResponseReturnValue:
    """Begin the way to a gate with what it gives."""
    _require_site()
    form = Source()
    source = _source(form) if form.validate_on_submit() else None
    if source is None:
        return _file_page(form, None, None)
    begin = beginning()
    draft_id = current.store().write(
        lambda writing: begin(writing, steps.begun(source, drafts.versions_now(writing)).pieces)
    )
    return redirect(url_for("gates.drafts.about", draft_id=draft_id), 303)


@bp.route("/drafts/<uuid:draft_id>/file", methods=["GET", "POST"])
@page(Permission.GATES)
def file(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Give another file."""
    _, written = draft_of(draft_id)
    form = Source()
    source = _source(form) if form.validate_on_submit() else None
    if source is None:
        return _file_page(form, draft_id, written)
    return _keep(draft_id, lambda now, _: steps.with_source(now, source), "gates.drafts.about")


@bp.route("/drafts/<uuid:draft_id>/about", methods=["GET", "POST"])
@page(Permission.GATES)
def about(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Say what it is."""
    _, written = draft_of(draft_id)
    locale = current.site().locale
    form = _about_form(written, locale)
    if form.validate_on_submit():
        said_now = form.about
        return _keep(
            draft_id,
            lambda now, taken: steps.with_about(now, said_now, locale, taken),
            "gates.drafts.questions",
        )
    with current.store().read() as reading:
        worth = remarks_beside(reading, written, WORDED)
    return step_page("about", draft_id, form=form, source=source_shown(written), remarks=worth)


@bp.post("/drafts/<uuid:draft_id>/remarks")
@page(Permission.GATES)
def remarks(draft_id: uuid.UUID) -> str:
    """Say what is worth a second look in what is typed just now; nothing is kept."""
    _, written = draft_of(draft_id)
    locale = current.site().locale
    said_now = _about_form(written, locale).about
    with current.store().read() as reading:
        after = steps.with_about(written, said_now, locale, drafts.versions_now(reading))
        worth = remarks_beside(reading, after, WORDED)
    if not said_now.title:
        worth["title"] = translated(REQUIRED, g.locale)
    return render_template("studio/gates/_remarks.html", remarks=worth)


@bp.route("/drafts/<uuid:draft_id>/questions", methods=["GET", "POST"])
@page(Permission.GATES)
def questions(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Choose what to ask, and in which order."""
    _, written = draft_of(draft_id)
    bank = current.published().all(Question)
    before = written.listed("questions")
    ordered = _as_listed({one.key: one for one in bank}, before)
    form = _choosing(ordered, before)
    if form.validate_on_submit():
        wanted = {*(form.chosen.data or ())}
        chosen = [key for key in ordered if key in wanted]
        up = request.form.get("up")
        if up is not None:
            chosen = earlier(chosen, up)
        after = "gates.drafts.newsletters" if up is None else "gates.drafts.questions"
        return _keep(draft_id, lambda now, _: steps.with_questions(now, chosen), after)
    shown = {
        key: {
            "says": said(one.label, g.locale),
            "why": said(one.why, g.locale) if one.why else "",
            "when": one.when is not None,
        }
        for key, one in ordered.items()
    }
    return step_page("questions", draft_id, form=form, shown=shown, movable=before[1:])


@bp.route("/drafts/<uuid:draft_id>/newsletters", methods=["GET", "POST"])
@page(Permission.GATES)
def newsletters(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Choose which newsletters to offer."""
    _, written = draft_of(draft_id)
    letters = {one.key: one for one in current.published().all(Newsletter)}
    before = written.listed("newsletters")
    ordered = _as_listed(letters, before)
    form = _choosing(ordered, before)
    if form.validate_on_submit():
        chosen = [letters[key] for key in form.chosen.data or []]
        return _keep(
            draft_id, lambda now, _: steps.with_newsletters(now, chosen), "gates.deciding.look"
        )
    shown = {
        key: {
            "says": said(one.title, g.locale),
            "wording": said(one.wording, g.locale),
            "often": frequency_shown(one, g.locale),
        }
        for key, one in ordered.items()
    }
    return step_page("newsletters", draft_id, form=form, shown=shown)


def _about_form(written: Written, locale: str) -> AboutForm:
    """Return the form of what is said of a gate, with what is said now."""
    told = written.about(locale)
    form = AboutForm(obj=told)
    form.offer([told.category, *(one.category for one in current.published().all(Asset))])
    return form


def draft_of(draft_id: uuid.UUID) -> tuple[Draft, Written]:
    """Return a draft of a gate that is not published; raise NotHereError where there is none."""
    with current.store().read() as reading:
        draft = drafts.draft_called(reading, draft_id)
        return draft, written_in(reading, draft)


def written_in(session: Session, draft: Draft) -> Written:
    """Return what a draft says of a gate; raise NotHereError for one of anything else, or done."""
    written = steps.written_of(drafts.pieces_of(session, draft))
    if written is None or draft.publication is not None:
        raise NotHereError(f"there is no draft {draft.id} of a gate")
    return written


def step_page(step: str, draft_id: uuid.UUID | None, **told: Any) -> ResponseReturnValue:
    """Render one step of the way, or say what is wrong with what was sent."""
    form = told.get("form")
    shown = render_template(f"studio/gates/{step}.html", draft_id=draft_id, steps=STEPS, **told)
    return shown, 422 if form is not None and form.errors else 200


def source_shown(written: Written) -> dict[str, str]:
    """Return what a draft gives, as people read it: its name, its type and its size."""
    body = written.asset.body
    content = Content.model_validate(body["content"]) if "content" in body else None
    asset = Asset.model_construct(
        key="new", title="", category="", content=content, file=None, url=body.get("url")
    )
    return {
        "name": content.name if content else str(body.get("url", "")),
        "type": asset_shown(asset, g.locale)["type"],
    }


def _file_page(
    form: Source, draft_id: uuid.UUID | None, written: Written | None
) -> ResponseReturnValue:
    """Ask for a file."""
    source = source_shown(written) if written else None
    return step_page("file", draft_id, form=form, source=source, arrival=uuid.uuid4())


def _source(form: Source) -> Content | str | None:
    """Return what was given, kept; None where the form says beside it what is wrong."""
    storage: Storage = current_app.extensions["regportal.storage"]
    sent: FileStorage | None = form.file.data or None
    arrival = arrival_of(form.arrival.data)
    if arrival is not None:
        content = storage.take_parts(arrival, form.name.data or "file")
    elif sent is not None and sent.filename:
        content = storage.take(cast("BinaryIO", sent.stream), sent.filename)
    elif form.url.data:
        if form.url.data.startswith("https://") and " " not in form.url.data:
            address: str = form.url.data
            return address
        form.url.errors = [ELSEWHERE]
        return None
    else:
        form.file.errors = [NOTHING]
        return None
    fault = _fault(content)
    if fault:
        form.file.errors = [fault]
    return None if fault else content


def _fault(content: Content) -> str | None:
    """Return why a file is not taken."""
    if not content.size:
        return EMPTY
    is_known = content.name.lower().rpartition(".")[2] in KNOWN
    return NOT_WHAT_IT_SAYS if is_known and content.type == UNKNOWN else None


def _keep(
    draft_id: uuid.UUID,
    change: Callable[[Written, Mapping[tuple[str, str], int]], Written],
    then: str,
) -> ResponseReturnValue:
    """Write a step into the draft as it is now, and go on to the next one."""
    now, by = datetime.now(UTC), current_user.email

    def rewrite(writing: Session) -> None:
        draft = drafts.draft_called(writing, draft_id)
        before = written_in(writing, draft)
        after = change(before, drafts.versions_now(writing))
        if after != before:
            drafts.rewrite(writing, draft, after.pieces, by, now=now)

    current.store().write(rewrite)
    return redirect(url_for(then, draft_id=draft_id), 303)


def _as_listed(known: Mapping[str, Any], listed: list[str]) -> dict[str, Any]:
    """Return documents by key: those that are listed first, in their order."""
    return {key: known[key] for key in dict.fromkeys([*listed, *known]) if key in known}


def _choosing(known: Mapping[str, Any], before: list[str]) -> Chosen:
    """Return the form that lets one choose among documents."""
    form = Chosen(data={"chosen": before})
    form.chosen.choices = [SelectChoice(key, key) for key in known]
    return form


def _require_site() -> None:
    """Raise NotHereError before anything is published."""
    published: Published = current.published()
    if published.find(Site, "site") is None:
        raise NotHereError(NO_SITE)


def gates_drafted(session: Session) -> list[tuple[Draft, Written]]:
    """Return the drafts of gates that are not published, last written first."""
    found = [
        (draft, steps.written_of(drafts.pieces_of(session, draft)))
        for draft in drafts.open_drafts(session)
    ]
    return [(draft, written) for draft, written in found if written is not None]


def beginning() -> Callable[[Session, list[Piece]], uuid.UUID]:
    """Return what begins a draft of a gate for whoever asks for it now; it returns its key."""
    now, by, doer = datetime.now(UTC), current_user.email, doer_of_request()

    def begin(writing: Session, pieces: list[Piece]) -> uuid.UUID:
        draft = drafts.begin(writing, pieces, by, now=now)
        gate = next(piece.key for piece in pieces if piece.kind == Gate.kind)
        write(writing, doer, "draft", "gate", gate, {"draft": str(draft.id)}, now=now)
        return draft.id

    return begin
