"""Reading what may be known of whoever stands before a gate (security.md R5)."""

import uuid
from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.consent.actions import states_of, subject_of_claim, subject_of_contact
from regportal.consent.models import ConsentState
from regportal.forms.models import Answer, NeverAsk, Submission
from regportal.forms.rules import NOBODY, Known, known_from, passed_over, ticked
from regportal.identity.actions import claim_of
from regportal.identity.models import Assurance, Claim, Visitor, VisitorState
from regportal.identity.people import ids_opened_by
from regportal.store.documents import Site, span
from regportal.tracking.actions import visit_going_on
from regportal.tracking.models import Interaction

OPEN_AGAIN = {ConsentState.EXPIRED}


def known_of(session: Session, visitor: Visitor | None, site: Site, *, now: datetime) -> Known:
    """
    Return what may be taken into account about this visitor.

    For a claim only what this very browser did; for a proven visitor what we know of the person,
    under whichever address. An address that was left for another tells no more than a claim.
    """
    if visitor is None:
        return NOBODY
    offered = _offered(session, visitor)
    claim = claim_of(session, visitor)
    if claim is None:
        return Known(passed_over=passed_over(offered), decided=ticked(offered))
    proven = claim if visitor.state == VisitorState.VERIFIED else None
    visit = visit_going_on(session, visitor.id, span(site.visit), now=now)
    return known_from(
        list(_answers(session, visitor, proven)),
        offered,
        decided=_decided(session, proven) if proven else (),
        visit=visit.id if visit else None,
        taken=_taken(session, visit.id) if visit else (),
        never=never_asked(session, proven.contact_id) if proven and proven.contact_id else (),
    )


def never_asked(session: Session, contact_id: uuid.UUID) -> frozenset[str]:
    """Return what a proven person does not want to be asked again, said under any address."""
    theirs = NeverAsk.contact_id.in_(ids_opened_by(session, contact_id))
    return frozenset(session.scalars(sa.select(NeverAsk.question).where(theirs)))


def _answers(session: Session, visitor: Visitor, proven: Claim | None) -> Iterable[Answer]:
    """Return the answers that count, oldest first."""
    theirs = Answer.visitor_id == visitor.id
    if proven is not None and proven.contact_id is not None:
        known = sa.and_(
            Answer.contact_id.in_(ids_opened_by(session, proven.contact_id)),
            Answer.assurance != Assurance.CLAIMED,
        )
        theirs = sa.or_(known, sa.and_(theirs, Answer.claim_id == proven.id))
    return session.scalars(sa.select(Answer).where(theirs).order_by(Answer.answered_at))


OFFERED = (
    sa.select(
        Submission.newsletter,
        sa.func.count(),
        sa.func.max(sa.cast(Submission.newsletter_taken, sa.Integer)),
    )
    .where(Submission.visitor_id == sa.bindparam("visitor"), Submission.newsletter.is_not(None))
    .group_by(Submission.newsletter)
)


def _offered(session: Session, visitor: Visitor) -> dict[str, tuple[int, bool]]:
    """Return, a newsletter, how often its box was offered here, and whether it was ticked."""
    rows = session.execute(OFFERED, {"visitor": visitor.id})
    return {key: (times, bool(taken)) for key, times, taken in rows if key is not None}


def _decided(session: Session, claim: Claim) -> set[str]:
    """Return the newsletters a proven person has decided on."""
    subjects = [subject_of_claim(claim.id)]
    if claim.contact_id is not None:
        subjects += map(subject_of_contact, ids_opened_by(session, claim.contact_id))
    states = states_of(session, *subjects)
    return {key for key, line in states.items() if line.state not in OPEN_AGAIN}


TAKEN = sa.select(Interaction.object).where(
    Interaction.visit_id == sa.bindparam("visit"), Interaction.type == "download"
)


def _taken(session: Session, visit_id: uuid.UUID) -> frozenset[str]:
    """Return the assets taken in a visit."""
    return frozenset(session.scalars(TAKEN, {"visit": visit_id}))
