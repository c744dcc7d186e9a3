"""Letting drafts of every sort hold: now, later, or once a colleague has looked, too."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, update_wrapper
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.orm import Session

from regportal.accounts.audit import write
from regportal.accounts.roles import Permission
from regportal.buying.reading import model_of
from regportal.documents import drafts, releasing
from regportal.documents.actions import Signed
from regportal.documents.drafts import Look
from regportal.documents.history import Version
from regportal.documents.models import Draft, DraftState
from regportal.errors import BadRequestError, DocumentError, ForbiddenError, StaleError
from regportal.library.storage import Storage
from regportal.store import current
from regportal.store.words import N_, moment_shown, translated
from regportal.studio.datastore import doer_of_request
from regportal.studio.fields import BROKEN, Decided, Later
from regportal.studio.policies import may, page

SCHEDULED = N_("It is published by itself when its time comes.")
PROPOSED = N_("Your colleagues can look at it and publish it.")
OPEN_AGAIN = N_("It is a draft again.")
DISCARDED = N_("The draft is gone.")
WRITTEN_ANEW = N_("The draft goes on from what is published now. Look at the differences.")
WRONG = N_("It cannot be yet: see below what is wrong with it.")
STATES: Mapping[DraftState, str] = {
    DraftState.OPEN: N_("being written"),
    DraftState.PROPOSED: N_("a colleague is to look at it"),
    DraftState.SCHEDULED: N_("will be published later"),
    DraftState.PUBLISHED: N_("published"),
}
"""What people call the state of a draft."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody wanted to decide of a draft, and why that could not be."""

    form: Decided | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a draft is, as `studio/_decide.html` shows it, and what may be done with it."""

    draft: Draft
    at: str
    """Of its deeds: `gates.deciding`, followed by `.publish`, `.propose`, …"""
    state: str
    is_sound: bool
    is_empty: bool
    """Whether it changes nothing."""
    is_overtaken: bool
    """Whether somebody published since."""
    may_publish: bool
    due: str
    """When it is published by itself; empty: never."""
    now_form: Decided
    later_form: Later
    trouble: str


@dataclass(frozen=True, slots=True)
class Sort:
    """Drafts of one sort: of gates, of questions, or of rules."""

    path: str
    """Of one draft, with its `<uuid:draft_id>`; its deeds lie below it."""
    at: str
    """Of the blueprint that has its deeds, as addresses are made."""
    permission: Permission
    """What somebody must be allowed who writes one; publishing is another permission."""
    kind: str
    """What the audit log says it is about."""
    key_of: Callable[[Session, Draft], str]
    """Says which; raises NotHereError for a draft of another sort."""
    look: str
    """The page of a draft."""
    shown: Callable[[uuid.UUID, Answer], str]
    """Returns that page, with what could not be decided."""
    everything: str
    """The page that lists them."""
    lands: Callable[[str], str]
    """Returns the address of what was published, by its key."""
    published: str
    wakes: tuple[str, ...] = ()
    """Tasks of the worker that have something to do once it is published."""

    def standing(
        self, session: Session, draft: Draft, look: Look, answer: Answer | None = None
    ) -> Standing:
        """Return how far a draft is, with what somebody just wanted to decide of it."""
        answer = answer or Answer()
        may_decide = releasing.may_decide(session, draft, current_user.email)
        told = {"revision": draft.revision, "note": draft.note or ""}
        form, fresh = answer.form, Later(data=told, formdata=None)
        return Standing(
            draft=draft,
            at=self.at,
            state=STATES[draft.state],
            is_sound=look.plan is not None,
            is_empty=look.plan is not None and look.plan.is_empty(),
            is_overtaken=any(not one.field and one.name for one in look.faults),
            may_publish=may(Permission.PUBLISH) and may_decide,
            due=due_shown(draft.due) if draft.due else "",
            now_form=form if type(form) is Decided else Decided(data=told, formdata=None),
            later_form=form if isinstance(form, Later) else fresh.by(_zone()),
            trouble=answer.trouble,
        )


def add_deeds(bp: Blueprint, sort: Sort) -> None:
    """Let drafts of a sort be published, scheduled, proposed, opened, begun anew and discarded."""
    for name, deed, permission in (
        ("publish", _publish, Permission.PUBLISH),
        ("schedule", _schedule, Permission.PUBLISH),
        ("propose", _propose, sort.permission),
        ("open", _open, sort.permission),
        ("anew", _begin_anew, sort.permission),
        ("discard", _discard, sort.permission),
    ):
        view = page(permission)(update_wrapper(partial(deed, sort), deed))
        bp.add_url_rule(f"{sort.path}/{name}", name, view, methods=["POST"])


def due_shown(at: datetime) -> str:
    """Return when a draft is published by itself, as people read it, by the clock of the site."""
    return moment_shown(at, g.locale, _zone())


def version_shown(version: Version) -> Mapping[str, object]:
    """Return a version as people read it."""
    return {
        "number": version.number,
        "at": version.at,
        "by": version.by,
        "proposed_by": version.proposed_by,
        "note": version.note,
        "holds": version.holds,
        "changes": [translated(one, g.locale) for one in version.changes],
    }


def revision_sent() -> int:
    """Return which revision of a draft was looked at; raise BadRequestError where none is named."""
    text = request.form.get("revision", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - of an integer
        raise BadRequestError(BROKEN, "revision")
    return int(text)


# --- each deed ---

Work = Callable[[Session, datetime], Any]


def _publish(sort: Sort, draft_id: uuid.UUID) -> ResponseReturnValue:
    """Let a draft hold now."""
    form, by = Decided(), current_user.email
    storage: Storage = current_app.extensions["regportal.storage"]

    def release(session: Session, now: datetime) -> int:
        signed, seen = Signed(by, form.note.data), form.revision.data
        return releasing.release(session, storage, draft_id, signed, seen, now=now)

    return _decide(sort, draft_id, "publish", form, release, sort.published)


def _schedule(sort: Sort, draft_id: uuid.UUID) -> ResponseReturnValue:
    """Let a draft hold later, by itself."""
    form, by = Later().by(_zone()), current_user.email

    def later(session: Session, now: datetime) -> Draft:
        signed, seen = Signed(by, form.note.data), form.revision.data
        return releasing.schedule(session, draft_id, form.moment, signed, seen, now=now)

    return _decide(sort, draft_id, "schedule", form, later, SCHEDULED)


def _propose(sort: Sort, draft_id: uuid.UUID) -> ResponseReturnValue:
    """Ask colleagues to look at a draft, and to publish it."""
    form, by = Decided(), current_user.email

    def ask(session: Session, now: datetime) -> Draft:
        note, seen = form.note.data or "", form.revision.data
        return releasing.propose(session, draft_id, by, note, seen, now=now)

    return _decide(sort, draft_id, "propose", form, ask, PROPOSED)


def _open(sort: Sort, draft_id: uuid.UUID) -> ResponseReturnValue:
    """Take back that a draft was proposed, or is to hold later."""

    def take_back(session: Session, _: datetime) -> None:
        releasing.unschedule(session, draft_id)

    _done(sort, draft_id, "reopen", take_back, OPEN_AGAIN)
    return redirect(url_for(sort.look, draft_id=draft_id), 303)


def _begin_anew(sort: Sort, draft_id: uuid.UUID) -> ResponseReturnValue:
    """Let a draft hold against what somebody published since."""
    by = current_user.email

    def begin_anew(session: Session, now: datetime) -> None:
        drafts.begin_anew(session, drafts.draft_called(session, draft_id), by, now=now)

    _done(sort, draft_id, "rebase", begin_anew, WRITTEN_ANEW)
    return redirect(url_for(sort.look, draft_id=draft_id), 303)


def _discard(sort: Sort, draft_id: uuid.UUID) -> ResponseReturnValue:
    """Throw a draft away."""

    def throw_away(session: Session, _: datetime) -> None:
        drafts.discard(session, drafts.draft_called(session, draft_id))

    _done(sort, draft_id, "discard", throw_away, DISCARDED)
    return redirect(url_for(sort.everything), 303)


# --- their common steps ---


def _decide(
    sort: Sort, draft_id: uuid.UUID, deed: str, form: Decided, work: Work, says: str
) -> ResponseReturnValue:
    """Decide of a draft; where that cannot be, show why on its page."""
    if not form.validate_on_submit():
        if form.revision.errors:
            raise BadRequestError(BROKEN, "revision")
        return sort.shown(draft_id, Answer(form)), 422
    try:
        key = _done(sort, draft_id, deed, work, says)
    except DocumentError:
        return sort.shown(draft_id, Answer(form, WRONG)), 422
    except (BadRequestError, ForbiddenError, StaleError) as error:
        return sort.shown(draft_id, Answer(form, str(error))), error.status
    if deed != "publish":
        return redirect(url_for(sort.look, draft_id=draft_id), 303)
    current.wake(*sort.wakes)
    return redirect(sort.lands(key), 303)


def _done(sort: Sort, draft_id: uuid.UUID, deed: str, work: Work, says: str) -> str:
    """Do something with a draft, and write into the audit log who did it; return its key."""
    now, doer = datetime.now(UTC), doer_of_request()

    def both(session: Session) -> str:
        key = sort.key_of(session, drafts.draft_called(session, draft_id))
        work(session, now)
        write(session, doer, deed, sort.kind, key, {"draft": str(draft_id)}, now=now)
        return key

    key = current.store().write(both)
    flash(says, "success")
    return key


def _zone() -> ZoneInfo:
    """Return the zone by whose clock the site counts days: the one its rules name."""
    model, _ = model_of(current.published())
    return model.zone
