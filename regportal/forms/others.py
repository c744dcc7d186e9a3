"""What somebody who was just proven says about the other claims to his addresses."""

import enum
import uuid
from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import NotHereError
from regportal.forms.claiming import House, Sender, evidence_of
from regportal.forms.deciding import Decision, reject
from regportal.forms.showing import check_seen
from regportal.forms.waiting import BY_PAGE, confirm_waiting, let_expire
from regportal.identity.actions import claim_of, decide, open_claims_of, proving_mail
from regportal.identity.models import Assurance, Claim, ClaimState, Contact, Visitor, VisitorState
from regportal.identity.people import is_left, own_contacts
from regportal.identity.rules import is_fresh
from regportal.store.documents import Published
from regportal.store.words import N_

NOTHING = N_("There is nothing to decide here.")


class Reach(enum.StrEnum):
    """What somebody may say of a claim of his other address, on his own page."""

    ALL = "all"
    """Yes or no, as by the letter that was sent there: he proved that mailbox as well."""
    CLAIM = "claim"
    """The same, but no newsletter begins: he left that mailbox, others may read it by now."""
    NO = "no"
    """Only no: that mailbox was never proven, somebody else named it."""


def decide_other(  # noqa: PLR0913 - who decides what, and what he saw; all by name
    session: Session,
    house: House,
    claim_id: uuid.UUID,
    visitor_id: uuid.UUID | None,
    choice: Decision,
    sender: Sender,
    *,
    seen: str | None = None,
    pepper: str,
    now: datetime,
) -> None:
    """
    Decide another open claim of a visitor's addresses; his browser was proven a moment ago.

    Raises NotHereError for any claim that his proof does not reach (:func:`reach_of`), or where
    the proof is older than a quarter of an hour (the browser may have been left open), and
    StaleError where something was added to it after ``seen`` was shown.
    """
    mine = _freshly_proven(session, visitor_id, now=now)
    claim = session.get(Claim, claim_id)
    reach = reach_of(session, mine.match_key, claim.match_key) if claim is not None else None
    if claim is None or reach is None or (reach is Reach.NO and choice is Decision.CONFIRM):
        raise NotHereError(NOTHING)
    evidence = evidence_of(claim, sender, proving_mail(session, mine), confirmed_at=now)
    if choice is Decision.DENY:
        reject(session, house.published, claim, evidence, pepper=pepper, now=now)
        return
    session.refresh(claim, with_for_update=True)
    check_seen(session, claim, seen)
    if not decide(session, claim, ClaimState.CONFIRMED, now=now):
        return
    if reach is Reach.ALL:
        confirm_waiting(session, house, claim, evidence, BY_PAGE, pepper=pepper, now=now)
    else:
        let_expire(session, house, claim, evidence, now=now)


def deny_others(  # noqa: PLR0913 - whose claims, until when, and how many; all by name
    session: Session,
    published: Published,
    match_keys: Collection[str],
    visitor_id: uuid.UUID,
    sender: Sender,
    *,
    until: datetime,
    most: int,
    pepper: str,
    now: datetime,
) -> int:
    """
    Reject the open claims of a person's addresses, those that were made ``until`` he was shown.

    At most so many at a time, the newest first; returns how many. Raises NotHereError where the
    proof is older than a quarter of an hour.
    """
    mine = _freshly_proven(session, visitor_id, now=now)
    mail = proving_mail(session, mine)
    claims = open_claims_of(session, match_keys, until=until, most=most)
    for claim in claims:
        evidence = evidence_of(claim, sender, mail, confirmed_at=now)
        reject(session, published, claim, evidence, pepper=pepper, now=now)
    return len(claims)


def reach_of(session: Session, proven: str, claimed: str) -> Reach | None:
    """Return what the owner of one address, by its key, may say of a claim of another; or None."""
    if proven == claimed:
        return Reach.ALL
    mine = session.scalars(sa.select(Contact).where(Contact.match_key == proven)).first()
    own = own_contacts(session, mine) if mine is not None else []
    other = next((one for one in own if one.match_key == claimed), None)
    if mine is None or other is None or is_left(session, mine.id):
        return None
    if other.assurance != Assurance.VERIFIED:
        return Reach.NO
    return Reach.CLAIM if is_left(session, other.id) else Reach.ALL


def _freshly_proven(session: Session, visitor_id: uuid.UUID | None, *, now: datetime) -> Claim:
    """Return the claim that was proven in a browser a moment ago; raise NotHereError for none."""
    visitor = session.get(Visitor, visitor_id) if visitor_id else None
    mine = claim_of(session, visitor) if visitor else None
    proven = visitor is not None and visitor.state == VisitorState.VERIFIED
    if visitor is None or mine is None or not (proven and is_fresh(visitor.verified_at, now)):
        raise NotHereError(NOTHING)
    return mine
