"""Looking at a draft, and letting it hold: now, later, or once a colleague has looked, too."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session

from regportal.accounts.audit import write
from regportal.accounts.roles import Permission
from regportal.buying.reading import model_of
from regportal.documents import drafts, releasing
from regportal.documents.actions import Signed
from regportal.documents.models import Draft
from regportal.documents.preview import address_of
from regportal.documents.previewing import advice_on, as_if, scene_before
from regportal.documents.scenarios import SOMEBODY
from regportal.errors import BadRequestError, DocumentError, ForbiddenError, StaleError
from regportal.library.storage import Storage
from regportal.store import current
from regportal.store.words import N_, moment_shown, translated
from regportal.studio.datastore import doer_of_request
from regportal.studio.fields import Pressed
from regportal.studio.gates.drafting import STEPS, draft_of, source_shown
from regportal.studio.gates.fields import Decided, Later
from regportal.studio.gates.remarks import shown_remark
from regportal.studio.gates.steps import Written
from regportal.studio.policies import may, page

PUBLISHED = N_("Published: your gate holds from now on.")
SCHEDULED = N_("It is published by itself when its time comes.")
PROPOSED = N_("Your colleagues can look at it and publish it.")
OPEN_AGAIN = N_("It is a draft again.")
DISCARDED = N_("The draft is gone.")
WRITTEN_ANEW = N_("The draft goes on from what is published now. Look at the differences.")
BEFORE: Mapping[str, str | None] = {N_("A stranger"): None, N_("Whoever comes again"): SOMEBODY}
"""Who stands before a gate in its previews, and as whom he is known."""

bp = Blueprint("deciding", __name__)


@bp.get("/drafts/<uuid:draft_id>")
@page(Permission.GATES)
def look(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Show a draft as visitors would see it, what it changes, and what is wrong with it."""
    return _look_page(draft_id)


@bp.post("/drafts/<uuid:draft_id>/publish")
@page(Permission.PUBLISH)
def publish(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Let a draft hold now."""
    _, written = draft_of(draft_id)
    form, key, by = Decided(), written.gate.key, current_user.email
    storage: Storage = current_app.extensions["regportal.storage"]

    def release(session: Session, now: datetime) -> int:
        signed = Signed(by, form.note.data)
        return releasing.release(session, storage, draft_id, signed, form.revision.data, now=now)

    answer = _decide(draft_id, form, "publish", key, release, PUBLISHED)
    return answer or redirect(url_for("gates.gate", key=key), 303)


@bp.post("/drafts/<uuid:draft_id>/schedule")
@page(Permission.PUBLISH)
def schedule(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Let a draft hold later, by itself."""
    _, written = draft_of(draft_id)
    form, by = Later().by(_zone()), current_user.email

    def later(session: Session, now: datetime) -> Draft:
        signed = Signed(by, form.note.data)
        return releasing.schedule(
            session, draft_id, form.moment, signed, form.revision.data, now=now
        )

    answer = _decide(draft_id, form, "schedule", written.gate.key, later, SCHEDULED)
    return answer or redirect(url_for("gates.deciding.look", draft_id=draft_id), 303)


@bp.post("/drafts/<uuid:draft_id>/propose")
@page(Permission.GATES)
def propose(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Ask colleagues to look at a draft, and to publish it."""
    _, written = draft_of(draft_id)
    form, by = Decided(), current_user.email

    def ask(session: Session, now: datetime) -> Draft:
        note = form.note.data or ""
        return releasing.propose(session, draft_id, by, note, now=now)

    answer = _decide(draft_id, form, "propose", written.gate.key, ask, PROPOSED)
    return answer or redirect(url_for("gates.deciding.look", draft_id=draft_id), 303)


@bp.post("/drafts/<uuid:draft_id>/open")
@page(Permission.GATES)
def reopen(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Take back that a draft was proposed, or is to hold later."""

    def work(writing: Session, _: Draft, __: datetime) -> None:
        releasing.unschedule(writing, draft_id)

    return _press(draft_id, "reopen", work, OPEN_AGAIN)


@bp.post("/drafts/<uuid:draft_id>/anew")
@page(Permission.GATES)
def anew(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Let a draft hold against what somebody published since."""
    by = current_user.email
    return _press(
        draft_id,
        "rebase",
        lambda writing, draft, now: drafts.begin_anew(writing, draft, by, now=now),
        WRITTEN_ANEW,
    )


@bp.post("/drafts/<uuid:draft_id>/discard")
@page(Permission.GATES)
def discard(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Throw a draft away."""
    _press(draft_id, "discard", lambda writing, draft, _: drafts.discard(writing, draft), DISCARDED)
    return redirect(url_for("gates.everything"), 303)


def _decide(
    draft_id: uuid.UUID,
    form: Decided,
    deed: str,
    key: str,
    work: Callable[[Session, datetime], object],
    says: str,
) -> ResponseReturnValue | None:
    """Decide of a draft; return the page that says why not, or None where it is decided."""
    if not form.validate_on_submit():
        return _look_page(draft_id, form)
    now, doer = datetime.now(UTC), doer_of_request()

    def decide(writing: Session) -> None:
        work(writing, now)
        write(writing, doer, deed, "gate", key, {"draft": str(draft_id)}, now=now)

    try:
        current.store().write(decide)
    except DocumentError:
        return _look_page(draft_id, form, trouble="")
    except (BadRequestError, ForbiddenError, StaleError) as error:
        return _look_page(draft_id, form, trouble=str(error), status=error.status)
    flash(says, "success")
    return None


def _press(
    draft_id: uuid.UUID,
    deed: str,
    work: Callable[[Session, Draft, datetime], object],
    says: str,
) -> ResponseReturnValue:
    """Do to a draft what one button does."""
    _, written = draft_of(draft_id)
    now, doer, key = datetime.now(UTC), doer_of_request(), written.gate.key

    def press(writing: Session) -> None:
        work(writing, drafts.draft_called(writing, draft_id), now)
        write(writing, doer, deed, "gate", key, {"draft": str(draft_id)}, now=now)

    current.store().write(press)
    flash(says, "success")
    return redirect(url_for("gates.deciding.look", draft_id=draft_id), 303)


def _look_page(
    draft_id: uuid.UUID,
    form: FlaskForm | None = None,
    *,
    trouble: str | None = None,
    status: int = 422,
) -> ResponseReturnValue:
    """Show a draft; ``trouble`` is why it could not be decided."""
    draft, written = draft_of(draft_id)
    with current.store().read() as reading:
        found = drafts.look_at(reading, written.pieces)
        changes = drafts.changes_of(reading, written.pieces)
        is_new = ("gate", written.gate.key) not in drafts.versions_now(reading)
        advice = advice_on(reading, written.pieces) if found.plan else []
        previews = _previews(reading, draft_id, written) if found.plan else ()
        may_publish = may(Permission.PUBLISH) and releasing.may_decide(
            reading, draft, current_user.email
        )
    revision = {"revision": draft.revision, "note": draft.note or ""}
    shown = render_template(
        "studio/gates/look.html",
        draft=draft,
        draft_id=draft_id,
        steps=STEPS,
        written=written,
        source=source_shown(written),
        is_new=is_new,
        is_empty=found.plan is not None and found.plan.is_empty(),
        is_overtaken=any(not one.field and one.name for one in found.faults),
        faults=[shown_remark(one) for one in found.faults],
        advice=[shown_remark(one) for one in advice],
        changes=_changes(written, changes),
        may_publish=may_publish,
        trouble=trouble,
        now_form=form if type(form) is Decided else Decided(data=revision, formdata=None),
        later_form=form
        if isinstance(form, Later)
        else Later(data=revision, formdata=None).by(_zone()),
        due=due_shown(draft.due) if draft.due else "",
        pressed=Pressed(formdata=None),
        previews=previews,
    )
    return shown, status if form is not None else 200


def due_shown(at: datetime) -> str:
    """Return when a draft is published by itself, as people read it, by the clock of the site."""
    return moment_shown(at, g.locale, _zone())


def _zone() -> ZoneInfo:
    """Return the zone by whose clock the site counts days: the one its rules name."""
    model, _ = model_of(current.published())
    return model.zone


def _previews(session: Session, draft_id: uuid.UUID, written: Written) -> list[tuple[str, str]]:
    """Return who would find the gate how, and where the portal shows it."""
    published, now = as_if(session, written.pieces), datetime.now(UTC)
    return [
        (says, address_of(scene, draft_id, now=now))
        for says, known_as in BEFORE.items()
        for scene in [scene_before(published, written.gate.key, known_as, now=now)]
    ]


def _changes(written: Written, changes: dict[tuple[str, str], list[str]]) -> list[str]:
    """Return what is different from what holds, in sentences of this language."""
    names = (written.gate.name, written.asset.name)
    return [translated(one, g.locale) for name in names for one in changes[name]]
