"""What was done in a browser beside its gates: its owner's, where he allowed us to link it."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.forms.claiming import Sender
from regportal.identity.models import Claim, Visitor, VisitorState
from regportal.identity.speaking import speakers_of
from regportal.identity.visitors import choose
from regportal.tracking.actions import attribute
from regportal.tracking.models import Attributed, Attribution, Interaction

BECAUSE = "done in the same browser before the proof, with consent to tracking"
VOUCHED = "told by the page around a gate in which the address was proven, with consent to tracking"

OF_NOBODY = sa.and_(Interaction.claim_id.is_(None), Interaction.attribution == Attributed.ANONYMOUS)
"""Done while nobody had given an address in the browser."""


def join_history(session: Session, claim: Claim, visitor: Visitor, *, now: datetime) -> None:
    """
    Give a contact what its browser did before the proof; links, the log stays as it was written.

    And what the recorder of a page around our frame told, up to now: its own word is never worth a
    proof, so it takes a frame in which the address is proven to vouch for it (vouching.py). Nothing
    without consent to tracking, and nothing while the claim is not settled: the worker comes back
    to it then (:func:`join_histories`).
    """
    proven = visitor.state == VisitorState.VERIFIED and visitor.claim_id == claim.id
    if not proven or claim.contact_id is None or claim.own_staff:
        return
    before = Interaction.received_at <= (visitor.verified_at or now)
    waits = sa.and_(Interaction.claim_id == claim.id, Interaction.attribution == Attributed.CLAIMED)
    kinds = [(visitor, sa.and_(OF_NOBODY, before), BECAUSE)]
    kinds += [(one, sa.or_(OF_NOBODY, waits), VOUCHED) for one in speakers_of(session, visitor)]
    later = sa.exists().where(Attribution.interaction_id == Interaction.id)
    for whose, which, because in kinds:
        if whose.tracks:
            done = session.scalars(
                sa.select(Interaction.id)
                .where(Interaction.visitor_id == whose.id, which, ~later)
                .order_by(Interaction.received_at, Interaction.id)
            ).all()
            attribute(session, done, claim.contact_id, Attributed.VERIFIED, because, now=now)


def heed_objection(session: Session, visitor: Visitor, sender: Sender, *, now: datetime) -> None:
    """Link nothing from now on where the browser objects, whatever was chosen in it before."""
    if not sender.objects:
        return
    for one in (visitor, *speakers_of(session, visitor)):
        if one.tracks:
            choose(
                session, one, recognise_later=False, track=False, signals=sender.signals, now=now
            )


def join_histories(session: Session, claim: Claim, *, now: datetime) -> None:
    """Do so for every browser in which a claim was proven."""
    for visitor in session.scalars(sa.select(Visitor).where(Visitor.claim_id == claim.id)):
        join_history(session, claim, visitor, now=now)
