"""Whoever is told of a move says that it was somebody else: what he was told of is taken back."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.alerts.actions import reader_of
from regportal.buying.alerts.links import NOWHERE, DoubtLink, read_doubt
from regportal.buying.alerts.models import Alert, AlertReader
from regportal.buying.models import Move, Opportunity
from regportal.buying.people import people_of
from regportal.errors import NotHereError
from regportal.identity.models import Contact
from regportal.mail.actions import address_hash
from regportal.store.documents import Published
from regportal.tracking.actions import owners
from regportal.tracking.models import Attribution, Interaction
from regportal.tracking.reverting import revert

DOUBTED = "whoever looks after the opportunity says that it was somebody else"
"""Why an interaction is nobody's any more, where the reader of a mail took it back."""


class State(enum.StrEnum):
    """What the link leads to."""

    OPEN = "open"
    UNDONE = "undone"
    """It no longer counts for whom the mail named."""
    CLOSED = "closed"
    """Too old, used before, or somebody else looks after the opportunity now."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A move that somebody was told of, and whether he may take back what made it."""

    state: State
    opportunity: Opportunity
    contact: Contact
    interaction: Interaction


def doubted(
    session: Session,
    published: Published,
    token: str,
    *,
    keys: Sequence[bytes],
    pepper: str,
    now: datetime,
    hold: bool = False,
) -> Doubt:
    """
    Return what a link is about; ``hold`` it until the transaction ends.

    Raises NotHereError where it is none of ours, or what it was about is gone.
    """
    link = read_doubt(token, keys)
    row = session.execute(
        sa.select(Alert, AlertReader, Opportunity, Contact)
        .join(AlertReader, AlertReader.id == Alert.reader_id)
        .join(Move, Move.id == Alert.move_id)
        .join(Opportunity, Opportunity.id == Move.opportunity_id)
        .join(Contact, Contact.id == Alert.contact_id)
        .where(Alert.move_id == link.move_id, Alert.reader_id == link.reader_id)
    ).first()
    if row is None:
        raise NotHereError(NOWHERE)
    alert, reader, opportunity, contact = row
    taken = sa.select(Interaction).where(Interaction.id == alert.interaction_id)
    interaction = session.scalar(taken.with_for_update() if hold else taken)
    if interaction is None:
        raise NotHereError(NOWHERE)
    address = reader_of(published, opportunity)
    is_his = address is not None and address_hash(address.match_key, pepper) == reader.address_hash
    state = _state(session, link, contact, interaction, now=now) if is_his else State.CLOSED
    return Doubt(state, opportunity, contact, interaction)


def undo(
    session: Session,
    published: Published,
    token: str,
    *,
    keys: Sequence[bytes],
    pepper: str,
    now: datetime,
) -> None:
    """
    Let what the reader was told of be nobody's, once; the second time changes nothing.

    Nor does a link that is closed. Raises NotHereError as :func:`doubted` does.
    """
    doubt = doubted(session, published, token, keys=keys, pepper=pepper, now=now, hold=True)
    if doubt.state is State.OPEN:
        revert(session, doubt.interaction.id, DOUBTED, now=now)


def _state(
    session: Session, link: DoubtLink, contact: Contact, interaction: Interaction, *, now: datetime
) -> State:
    """Return what a link leads to whose reader still looks after the opportunity."""
    if now > link.until:
        return State.CLOSED
    theirs = people_of(session, [contact.id])[contact.id].contacts
    if owners(session, [interaction.id]).isdisjoint(theirs):
        return State.UNDONE
    used = sa.select(Attribution.id).where(
        Attribution.interaction_id == interaction.id, Attribution.because == DOUBTED
    )
    return State.OPEN if session.scalar(used.limit(1)) is None else State.CLOSED
