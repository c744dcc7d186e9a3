"""Taking back that something is somebody's: a deed, an address, a browser. Asked once more."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from regportal.accounts import audit
from regportal.accounts.roles import Permission
from regportal.errors import NotHereError, RegportalError, RequestError
from regportal.forms.joining import split_people
from regportal.identity.models import Contact, Visitor
from regportal.identity.rules import ADMINISTRATOR
from regportal.identity.visitors import end_visitor
from regportal.insight import person
from regportal.insight.person import Known
from regportal.store import current
from regportal.store.words import N_
from regportal.studio.contact import KIND
from regportal.studio.contacts import bp
from regportal.studio.datastore import doer_of_request
from regportal.studio.fields import Because
from regportal.studio.policies import page
from regportal.studio.seeing import owners
from regportal.tracking.actions import owners as whose
from regportal.tracking.reverting import revert


@dataclass(frozen=True, slots=True)
class Correction:
    """One thing that may be taken back: of whom it is asked, what it does, and how it is told."""

    deed: str
    """In the audit log."""
    title: str
    says: str
    """What it does."""
    is_theirs: Callable[[Known, uuid.UUID], bool]
    undo: Callable[[Session, Known, uuid.UUID, str, datetime], None]
    done: str


def _did(whom: Known, key: uuid.UUID) -> bool:
    """Return whether somebody did this, as far as is known."""
    return not whose(whom.session, [key]).isdisjoint(whom.ids)


def _is_joined(whom: Known, key: uuid.UUID) -> bool:
    """Return whether this is one of several addresses of somebody."""
    return any(one.key == key and one.joined_by for one in whom.addresses())


def _is_known_in(whom: Known, key: uuid.UUID) -> bool:
    """Return whether somebody is recognised in this browser."""
    return any(one.key == key for one in whom.browsers())


def _revert(session: Session, _: Known, key: uuid.UUID, because: str, now: datetime) -> None:
    """Let a deed be nobody's."""
    revert(session, key, because, now=now)


def _split(session: Session, whom: Known, key: uuid.UUID, because: str, now: datetime) -> None:
    """Let an address be a person of its own."""
    joined = session.get_one(Contact, key)
    split_people(session, whom.published, joined, because=because, by=ADMINISTRATOR, now=now)


def _end(session: Session, _whom: Known, key: uuid.UUID, _because: str, now: datetime) -> None:
    """Recognise nobody in a browser."""
    end_visitor(session, session.get_one(Visitor, key), now=now)


CORRECTIONS: Mapping[str, Correction] = {
    "deed": Correction(
        "revert",
        N_("This was somebody else"),
        N_("It becomes nobody's. Phases and scores that rest on it are worked out anew."),
        _did,
        _revert,
        N_("It is nobody's now. What rests on it is being worked out anew."),
    ),
    "address": Correction(
        "split",
        N_("This is another person's address"),
        N_(
            "It becomes a person of its own, with what was done and answered under it."
            " The CRM is told, and phases and scores are worked out anew."
        ),
        _is_joined,
        _split,
        N_("The two are two people now. What rests on it is being worked out anew."),
    ),
    "browser": Correction(
        "unlink",
        N_("Somebody else sits at this browser"),
        N_("Nobody is recognised in it any more, until an address is proven there again."),
        _is_known_in,
        _end,
        N_("Nobody is recognised in that browser any more."),
    ),
}
"""What may be taken back, by the name that its address has."""
WHAT = f"<any({', '.join(CORRECTIONS)}):what>"


@bp.route(f"/contacts/<uuid:contact_id>/not-theirs/{WHAT}/<uuid:what_id>", methods=["GET", "POST"])
@page(Permission.CORRECT)
def correct(contact_id: uuid.UUID, what: str, what_id: uuid.UUID) -> ResponseReturnValue:
    """Ask why something is not this person's, and take it back."""
    correction, form = CORRECTIONS[what], Because()
    if form.validate_on_submit():
        try:
            _write(correction, contact_id, what_id, form.because.data or "")
        except (RequestError, RegportalError) as error:
            if isinstance(error, NotHereError):
                raise
            form.because.errors = [str(error)]
        else:
            current.wake("weigh", "deliver")
            flash(correction.done, "success")
            return redirect(url_for("contacts.shown", contact_id=contact_id), 303)
    else:
        with current.store().read() as session:
            _finder(correction, contact_id, what_id)(session)
    shown = render_template(
        "studio/correction.html", correction=correction, form=form, contact_id=contact_id
    )
    return shown, 422 if form.errors else 200


def _write(correction: Correction, contact_id: uuid.UUID, key: uuid.UUID, because: str) -> None:
    """Take something back, and write down who did it; both in one transaction."""
    now, doer, find = datetime.now(UTC), doer_of_request(), _finder(correction, contact_id, key)

    def work(session: Session) -> None:
        correction.undo(session, find(session), key, because, now)
        change = {"what": str(key)}
        audit.write(session, doer, correction.deed, KIND, str(contact_id), change, now=now)

    current.store().write(work)


def _finder(
    correction: Correction, contact_id: uuid.UUID, key: uuid.UUID
) -> Callable[[Session], Known]:
    """Return what finds whose something is; raises NotHereError where it is not his (any more)."""
    published, seen_by = current.published(), owners()

    def find(session: Session) -> Known:
        whom = person.known(session, published, contact_id, owners=seen_by)
        if not correction.is_theirs(whom, key):
            raise NotHereError(str(key))
        return whom

    return find
