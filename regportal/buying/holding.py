"""
Weighing beside others: whoever lines are about is held, so that nobody else weighs him meanwhile.

Shards of the log are weighed at once, and somebody may be in two of them: with a colleague of
another company in one opportunity, or with another address of his.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.batch import ONE, Batch, everybody_in, look_up
from regportal.identity.models import Contact
from regportal.store.among import among
from regportal.tracking.actions import LogLine
from regportal.tracking.models import OF_CONTACTS, Attributed, EntryKind, Interaction
from regportal.tracking.shards import shards_in

DID = sa.select(Interaction.contact_id).where(among(Interaction.id, "interactions"))
NAMED = among(Contact.id, "contacts")
HELD = (
    sa.select(Contact.id)
    .where(
        Contact.person_id.in_(
            sa.select(Contact.person_id).where(sa.or_(NAMED, Contact.id.in_(DID)))
        )
    )
    .order_by(Contact.id)
    .with_for_update(key_share=True)
)
"""Contacts, whoever did something, and all other addresses of each."""


def look_up_held(
    session: Session, lines: Sequence[LogLine], leasts: Iterable[Attributed]
) -> Mapping[Attributed, Batch]:
    """
    Return what lines are about, for rules that must be so sure; held until the transaction ends.

    Whoever the lines name is held before anything of him is read. Where reading finds that they are
    about others, too, these are held, and all is read again.
    """
    if shards_in(session) == 1:
        return {least: look_up(session, lines, least) for least in leasts}
    did, named, roused = (
        {line.ref for line in lines if line.kind in kinds}
        for kinds in (ONE, OF_CONTACTS, {EntryKind.OPPORTUNITY})
    )
    held = _hold(session, named | everybody_in(session, roused), did)
    while True:
        found = {least: look_up(session, lines, least) for least in leasts}
        people = {contact for batch in found.values() for contact in batch.people}
        if people <= held:
            return found
        held |= _hold(session, people)
        session.expunge_all()


def _hold(
    session: Session, contacts: Iterable[uuid.UUID], did: Iterable[uuid.UUID] = ()
) -> set[uuid.UUID]:
    """Hold these contacts and who did these interactions; return who is held, by every address."""
    return set(session.scalars(HELD, {"contacts": contacts, "interactions": did}))
