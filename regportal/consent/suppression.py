"""Addresses that must not come back by an import, a CRM or a letter; kept as keyed hashes only."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.consent.models import Suppression
from regportal.mail.actions import address_hash
from regportal.store.ballast import may_use_ballast
from regportal.store.ids import uuid7

BOUNCE = "bounce"
COMPLAINT = "complaint"
WITHDRAWN = "withdrawn"
ERASED = "erased"


def suppress(
    session: Session,
    match_key: str,
    pepper: str,
    because: str,
    newsletter: str | None = None,
    *,
    now: datetime,
) -> None:
    """Suppress an address for one newsletter, or for all of them; twice is the same as once."""
    may_use_ballast(session)
    if because not in reasons(session, match_key, pepper, newsletter):
        session.add(
            Suppression(
                id=uuid7(),
                address_hash=address_hash(match_key, pepper),
                newsletter=newsletter,
                because=because,
                at=now,
            )
        )
        session.flush()


def is_suppressed(
    session: Session, match_key: str, pepper: str, newsletter: str | None = None
) -> bool:
    """
    Return whether an address may not be brought back: for all newsletters, or for this one.

    It never stands in the way of what the owner of the mailbox does himself.
    """
    return bool(reasons(session, match_key, pepper, newsletter))


def has_bounced(session: Session, match_key: str, pepper: str) -> bool:
    """Return whether no mail reaches this address: no letter is worth sending."""
    return BOUNCE in reasons(session, match_key, pepper)


def is_left_alone(session: Session, match_key: str, pepper: str) -> bool:
    """
    Return whether nobody may be asked anything at this address: mail came back, or annoyed.

    A letter that a stranger can cause, about a gate or a newsletter, does not go there. The link
    to one's own page still goes to whoever complained: it asks nothing, and serves his rights.
    """
    return bool(reasons(session, match_key, pepper) & {BOUNCE, COMPLAINT})


def bounced_of(session: Session, match_keys: Sequence[str], pepper: str) -> frozenset[str]:
    """Return those of these addresses that no mail reaches."""
    hashes = {address_hash(one, pepper): one for one in match_keys}
    found = session.scalars(
        sa.select(Suppression.address_hash).where(
            Suppression.address_hash.in_([*hashes]), Suppression.because == BOUNCE
        )
    )
    return frozenset(hashes[one] for one in found)


def reasons(
    session: Session, match_key: str, pepper: str, newsletter: str | None = None
) -> frozenset[str]:
    """Return why an address is suppressed: for all newsletters, and for this one."""
    applies: sa.ColumnElement[bool] = Suppression.newsletter.is_(None)
    if newsletter is not None:
        applies = sa.or_(applies, Suppression.newsletter == newsletter)
    found = sa.select(Suppression.because).where(
        Suppression.address_hash == address_hash(match_key, pepper), applies
    )
    return frozenset(session.scalars(found))
