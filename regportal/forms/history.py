"""What a browser did before its owner was known: it becomes his where he allowed us to link it."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.forms.claiming import Sender
from regportal.identity.models import Claim, Visitor, VisitorState
from regportal.identity.visitors import choose
from regportal.tracking.actions import attribute
from regportal.tracking.models import Attributed, Attribution, Interaction

BECAUSE = "done in the same browser before the proof, with consent to tracking"


def join_history(session: Session, claim: Claim, visitor: Visitor, *, now: datetime) -> None:
    """
    Give a contact what its browser did before the proof; links, the log stays as it was written.

    Nothing without consent to tracking, and nothing while the claim is not settled: the worker
    comes back to it then (:func:`join_histories`).
    """
    proven = visitor.state == VisitorState.VERIFIED and visitor.claim_id == claim.id
    if not (visitor.tracks and proven) or claim.contact_id is None or claim.own_staff:
        return
    later = sa.exists().where(Attribution.interaction_id == Interaction.id)
    done = session.scalars(
        sa.select(Interaction.id)
        .where(
            Interaction.visitor_id == visitor.id,
            Interaction.claim_id.is_(None),
            Interaction.attribution == Attributed.ANONYMOUS,
            Interaction.received_at <= (visitor.verified_at or now),
            ~later,
        )
        .order_by(Interaction.received_at, Interaction.id)
    ).all()
    attribute(session, done, claim.contact_id, Attributed.VERIFIED, BECAUSE, now=now)


def heed_objection(session: Session, visitor: Visitor, sender: Sender, *, now: datetime) -> None:
    """Link nothing from now on where the browser objects, whatever was chosen in it before."""
    if sender.objects and visitor.tracks:
        choose(
            session, visitor, recognise_later=False, track=False, signals=sender.signals, now=now
        )


def join_histories(session: Session, claim: Claim, *, now: datetime) -> None:
    """Do so for every browser in which a claim was proven."""
    for visitor in session.scalars(sa.select(Visitor).where(Visitor.claim_id == claim.id)):
        join_history(session, claim, visitor, now=now)
