"""Letting what was drafted hold: now, later, or after somebody else has looked at it."""

import uuid
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.accounts.actions import is_owner
from regportal.documents.actions import Signed, check_kept, publish, take_turn
from regportal.documents.drafts import (
    draft_called,
    hold,
    look_at,
    pieces_of,
)
from regportal.documents.models import Draft, DraftState
from regportal.documents.plans import Plan
from regportal.errors import BadRequestError, DocumentError, ForbiddenError, StaleError
from regportal.library.storage import Storage
from regportal.store.documents import read_published
from regportal.store.schema import Site
from regportal.store.sessions import Store
from regportal.store.words import N_

NEEDS_ANOTHER = N_(
    "This site lets somebody else approve what is published: propose it, and let a colleague look."
)
NEEDS_AN_OWNER = N_(
    "This site lets an owner approve what is published: propose it, and let an owner look who did"
    " not write it."
)
NOTHING_NEW = N_("Nothing in this draft is different from what is published.")
CHANGED = N_("This draft was changed since you looked at it. Look at it again.")
FURTHEST = timedelta(days=3653)
"""What lies near the end of all clocks could be shown by no page."""
TOO_FAR = N_("Please choose a time within the next ten years.")
IN_THE_PAST = N_("The moment to publish it has passed: choose one to come.")
LONGEST_NOTE = 2000
NO_TEXT = N_("Please use letters, digits and punctuation only.")
LONG_NOTE = N_("The note is too long: use at most 2,000 characters.")


def seen(session: Session, key: uuid.UUID, revision: int | None) -> Draft:
    """Return a draft, held, as it was looked at; raise StaleError where it is another by now."""
    draft = draft_called(session, key)
    hold(session, draft)
    if revision is not None and draft.revision != revision:
        raise StaleError(CHANGED)
    return draft


def propose(
    session: Session,
    key: uuid.UUID,
    by: str,
    note: str = "",
    revision: int | None = None,
    *,
    now: datetime,
) -> Draft:
    """
    Ask somebody else to look at a draft.

    Raises DocumentError where it could not be published, StaleError where it is not the
    ``revision`` that was looked at.
    """
    draft = seen(session, key, revision)
    _fitting(session, draft)
    draft.state, draft.proposed_by, draft.note = DraftState.PROPOSED, by, _checked(note)
    draft.scheduled_by = draft.due = draft.trouble = None
    draft.changed_at = now
    return draft


def release(
    session: Session,
    storage: Storage,
    key: uuid.UUID,
    signed: Signed,
    revision: int | None = None,
    *,
    now: datetime,
) -> int:
    """
    Publish a draft now; return the number of the publication.

    Raises ForbiddenError where somebody else has to approve it, StaleError where it is not the
    ``revision`` that was looked at, and DocumentError with everything that is wrong with it.
    """
    _checked(signed.note or "")
    take_turn(session)
    draft = seen(session, key, revision)
    _may_decide(session, draft, signed.by or "")
    return _publish(session, storage, draft, signed, now=now)


def schedule(
    session: Session,
    key: uuid.UUID,
    at: datetime,
    signed: Signed,
    revision: int | None = None,
    *,
    now: datetime,
) -> Draft:
    """Let a draft be published later by itself; raise as :func:`release` does."""
    if at <= now:
        raise BadRequestError(IN_THE_PAST, "at")
    if at - now > FURTHEST:
        raise BadRequestError(TOO_FAR, "at")
    draft = seen(session, key, revision)
    _may_decide(session, draft, signed.by or "")
    _fitting(session, draft)
    draft.state, draft.due, draft.scheduled_by = DraftState.SCHEDULED, at, signed.by
    draft.note, draft.trouble = _checked(signed.note or draft.note or ""), None
    return draft


def unschedule(session: Session, key: uuid.UUID) -> Draft:
    """Take a draft back that was proposed, or is to be published later: it is open again."""
    draft = seen(session, key, None)
    draft.state = DraftState.OPEN
    draft.proposed_by = draft.scheduled_by = draft.due = None
    return draft


def publish_due(store: Store, storage: Storage, *, now: datetime) -> datetime | None:
    """
    Publish every draft whose time has come, once, however many workers do this at a time.

    One that no longer fits stays a draft, with the sentence that says why. Returns when the next
    one is due.
    """
    due = sa.select(Draft.id).where(Draft.state == DraftState.SCHEDULED).order_by(Draft.due)
    with store.read() as session:
        keys = session.scalars(due.where(Draft.due <= now)).all()
    for key in keys:
        store.write(partial(_publish_later, storage=storage, key=key, now=now))
    with store.read() as session:
        return session.scalar(
            sa.select(sa.func.min(Draft.due)).where(
                Draft.state == DraftState.SCHEDULED, Draft.due > now
            )
        )


def _publish_later(session: Session, storage: Storage, key: uuid.UUID, *, now: datetime) -> None:
    """Publish one draft whose time has come, unless somebody did, or thought better of it."""
    take_turn(session)
    draft = session.get(Draft, key, with_for_update=True)
    if draft is None or draft.state is not DraftState.SCHEDULED or (draft.due or now) > now:
        return
    signed = Signed(draft.scheduled_by, draft.note, draft.proposed_by)
    try:
        _may_decide(session, draft, draft.scheduled_by or "")
        _publish(session, storage, draft, signed, now=now)
    except (DocumentError, ForbiddenError, StaleError) as error:
        draft.state, draft.trouble = DraftState.OPEN, _trouble(error)
        draft.due = draft.scheduled_by = draft.proposed_by = None


def _publish(
    session: Session, storage: Storage, draft: Draft, signed: Signed, *, now: datetime
) -> int:
    """Publish a draft that may be; nothing is written before all of it fits."""
    plan = _fitting(session, draft)
    if plan.is_empty():
        raise StaleError(NOTHING_NEW)
    check_kept(storage, plan)
    signed = Signed(signed.by, signed.note or draft.note, draft.proposed_by)
    number = publish(session, plan, plan.kept, signed, now=now)
    draft.state, draft.publication = DraftState.PUBLISHED, number
    draft.due = draft.trouble = None
    return number


def may_decide(session: Session, draft: Draft, by: str) -> bool:
    """Return whether somebody may let a draft hold: by the setting that holds now."""
    return _refusal(session, draft, by) is None


def _refusal(session: Session, draft: Draft, by: str) -> str | None:
    """Return why somebody may not let a draft hold; None: he may."""
    site = read_published(session, 0).find(Site, "site")
    if site is None or site.publish.approval == "off":
        return None
    theirs = {one.strip().casefold() for one in ("", draft.proposed_by or "", draft.changed_by)}
    is_another = draft.proposed_by is not None and by.strip().casefold() not in theirs
    if site.publish.approval == "by-owner":
        return None if is_another and is_owner(session, by) else NEEDS_AN_OWNER
    return None if is_another else NEEDS_ANOTHER


def _may_decide(session: Session, draft: Draft, by: str) -> None:
    """Refuse one's own work where somebody else approves."""
    refusal = _refusal(session, draft, by)
    if refusal is not None:
        raise ForbiddenError(refusal)


def _fitting(session: Session, draft: Draft) -> Plan:
    """Return what publishing a draft would change; raise DocumentError where it cannot be."""
    look = look_at(session, pieces_of(session, draft))
    if look.plan is None:
        raise look.refused()
    return look.plan


def _trouble(error: DocumentError | ForbiddenError | StaleError) -> str:
    """Return why it could not be, without places of a file that there is not."""
    if isinstance(error, DocumentError):
        return "; ".join(f"{fault.place.key}: {fault.says}" for fault in error.faults)
    return str(error)


def _checked(note: str) -> str | None:
    """Return what somebody says about it; raise BadRequestError where it is none, or long."""
    if len(note) > LONGEST_NOTE:
        raise BadRequestError(LONG_NOTE, "note")
    if not all(line.isprintable() for line in note.splitlines()):
        raise BadRequestError(NO_TEXT, "note")
    return note.strip() or None
