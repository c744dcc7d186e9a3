"""Opening and closing stands, taking what they send, and handing a file to a telephone."""

import hmac
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import NotHereError, UnsignedError
from regportal.forms.actions import Around, Sender, Sent, hand_over, open_gate
from regportal.forms.claiming import OWN_STAFF
from regportal.forms.models import Submission
from regportal.identity.models import Claim, ClaimState, Visitor
from regportal.kiosk.models import Stand, StandForm
from regportal.kiosk.pages import count_carried, count_given
from regportal.kiosk.rules import LIVE, PHONE, may_carry
from regportal.store.facts import add_once
from regportal.store.ids import uuid7
from regportal.store.tokens import derived_token, hash_of
from regportal.tracking.actions import record
from regportal.tracking.judging import RULES
from regportal.tracking.models import Attributed, Interaction, Judged, Visit

PREFIX = "rps_"
KIOSK = "kiosk"
"""The category of what was filled in at a stand, and the source of its visit."""


@dataclass(frozen=True, slots=True)
class Carrying:
    """A file on its way to a telephone: the form it was asked for with, and who claimed."""

    form: StandForm
    claim: Claim
    visitor: Visitor


def open_stand(session: Session, name: str, gate: str, *, now: datetime) -> tuple[Stand, str]:
    """Make a stand before a gate and return it with its key, which is kept nowhere."""
    secret = PREFIX + secrets.token_urlsafe(32)
    stand = Stand(id=uuid7(), name=name, gate=gate, hash=hash_of(secret), made_at=now)
    session.add(stand)
    session.flush()
    return stand, secret


def stands_of(session: Session, gate: str) -> Sequence[Stand]:
    """Return the stands before a gate: the open ones first, then the newest."""
    found = sa.select(Stand).where(Stand.gate == gate)
    return session.scalars(
        found.order_by(Stand.closed_at.is_not(None), Stand.made_at.desc(), Stand.id)
    ).all()


def find_stand(session: Session, stand_id: uuid.UUID) -> Stand:
    """Return a stand; raise NotHereError where there is none."""
    stand = session.get(Stand, stand_id)
    if stand is None:
        raise NotHereError(f"there is no stand {stand_id}")
    return stand


def close_stand(session: Session, stand_id: uuid.UUID, gate: str, *, now: datetime) -> Stand:
    """Let a stand's key open nothing any more; raise NotHereError where the gate has no such."""
    stand = find_stand(session, stand_id)
    if stand.gate != gate:
        raise NotHereError(f"there is no stand {stand_id} before {gate}")
    stand.closed_at = stand.closed_at or now
    return stand


def check_key(session: Session, stand_id: uuid.UUID, secret: str) -> Stand:
    """Return the stand whose key this is; raise UnsignedError, which never says why not."""
    stand = session.get(Stand, stand_id)
    kept = stand.hash if stand is not None else hash_of("")
    if not hmac.compare_digest(kept, hash_of(secret)) or stand is None or stand.closed_at:
        raise UnsignedError("There is no key, or not a good one.")
    return stand


def hear(session: Session, stand_id: uuid.UUID, waiting: int, *, now: datetime) -> None:
    """Keep that a tablet was heard of, and how many forms it still has."""
    heard = sa.update(Stand).where(Stand.id == stand_id)
    session.execute(heard.values(heard_at=now, waiting=waiting))


def take(
    session: Session,
    stand: Stand,
    around: Around,
    sent: Sent,
    sender: Sender,
    *,
    given: datetime,
    now: datetime,
) -> str | None:
    """
    Take a form of a stand: what any gate does, and that it was there.

    Everything it says is of the moment ``given``. Returns the token that a telephone may fetch
    the file with, or None where it goes by mail only. Sent again it changes nothing and gives
    the same; raises StaleError where it comes with other content.
    """
    open_gate(session, around, sent, sender, now=given)
    nonce = uuid.UUID(sent.ask.nonce)
    claim = _claim_of(session, nonce)
    if claim is None:  # erased meanwhile
        return None
    token = derived_token(around.keys, "stand form", nonce.bytes)
    form = StandForm(
        id=nonce,
        stand_id=stand.id,
        claim_id=claim.id,
        hash=hash_of(token),
        until=now + PHONE if _may_be_carried(around, stand.gate, given, now) else None,
    )
    if add_once(session, form):
        counted = sa.update(Stand).where(Stand.id == stand.id).values(taken=Stand.taken + 1)
        session.execute(counted)
        _was_there(session, stand, claim, sender, given=given, now=now)
        if not sender.own_staff:
            count_given(session, form, given=given)
    kept = session.scalars(sa.select(StandForm).where(StandForm.id == nonce)).one()
    return token if may_carry(kept, now) else None


def find_carrying(session: Session, token: str, *, now: datetime) -> Carrying | None:
    """Return what a code stands for; None where it is used, too old, or of nothing of ours."""
    form = session.scalars(sa.select(StandForm).where(StandForm.hash == hash_of(token))).first()
    claim = session.get(Claim, form.claim_id) if form is not None else None
    if form is None or claim is None or claim.state == ClaimState.REJECTED:
        return None
    visitor = session.get_one(Visitor, claim.visitor_id)
    return Carrying(form, claim, visitor) if may_carry(form, now) else None


def carry(
    session: Session, around: Around, token: str, sender: Sender, *, now: datetime
) -> str | None:
    """
    Hand the file of a form to whoever reads its code first; return the token of its download.

    It is all he gets: he is no visitor of ours by it, and learns nothing of who asked.
    """
    found = find_carrying(session, token, now=now)
    if found is None or not _is_first(session, found.form, now):
        return None
    count_carried(session, found.form)
    visit = session.scalars(
        sa.select(Visit).where(Visit.visitor_id == found.visitor.id).order_by(Visit.started_at)
    ).first()
    if visit is None:
        return None
    return hand_over(session, around, found.visitor, found.claim, visit, sender, now=now)


def _claim_of(session: Session, nonce: uuid.UUID) -> Claim | None:
    """Return the claim that a form made."""
    visitor = sa.select(Submission.visitor_id).where(Submission.id == nonce).scalar_subquery()
    return session.scalars(sa.select(Claim).where(Claim.visitor_id == visitor)).first()


def _may_be_carried(around: Around, gate: str, given: datetime, now: datetime) -> bool:
    """Return whether the gate gives its file at once elsewhere, and he still stands there."""
    elsewhere = around.at(gate)
    return (
        elsewhere is not None
        and elsewhere.gate.hands_over(elsewhere.site, proven=False)
        and now - given <= LIVE
    )


def _was_there(
    session: Session,
    stand: Stand,
    claim: Claim,
    sender: Sender,
    *,
    given: datetime,
    now: datetime,
) -> None:
    """Record that somebody who claims this address was at the stand."""
    visit = session.scalars(sa.select(Visit).where(Visit.visitor_id == claim.visitor_id)).first()
    staff = sender.own_staff
    record(
        session,
        Interaction(
            id=uuid7(),
            type="form",
            object=stand.name,
            category=KIOSK,
            properties={"name": stand.name, "gate": stand.gate, "source": KIOSK},
            occurred_at=given,
            received_at=now,
            visitor_id=claim.visitor_id,
            visit_id=visit.id if visit else None,
            claim_id=claim.id,
            attribution=Attributed.CLAIMED,
            judged=Judged.MACHINE if staff else Judged.PERSON,
            judged_because=OWN_STAFF if staff else None,
            judged_by=RULES,
        ),
        now=now,
    )


def _is_first(session: Session, form: StandForm, now: datetime) -> bool:
    """Use a code up; return False where another telephone was first."""
    used = session.execute(
        sa.update(StandForm)
        .where(StandForm.id == form.id, StandForm.used_at.is_(None))
        .values(used_at=now)
        .returning(StandForm.id)
    )
    return used.first() is not None
