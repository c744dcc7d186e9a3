"""
Weighing beside others: whoever lines are about is held, so that nobody else weighs him meanwhile.

Shards of the log are weighed at once, and somebody may be in two of them: with a colleague of
another company in one opportunity, or with another address of his.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.batch import Batch, look_up
from regportal.buying.place import places
from regportal.identity.models import Contact
from regportal.store.facts import among
from regportal.tracking.models import Attributed, LogEntry
from regportal.tracking.shards import shards_in

HELD = (
    sa.select(Contact.id)
    .where(among(Contact.id))
    .order_by(Contact.id)
    .with_for_update(key_share=True)
)


def look_up_held(
    session: Session, lines: Sequence[LogEntry], leasts: Iterable[Attributed]
) -> Mapping[Attributed, Batch]:
    """
    Return what lines are about, for rules that must be so sure; held until the transaction ends.

    What was read before it was held is read again where another worker kept something meanwhile:
    he may have kept it of the same people.
    """
    if shards_in(session) == 1:
        return {least: look_up(session, lines, least) for least in leasts}
    held: set[uuid.UUID] = set()
    while True:
        before = places(session)
        found = {least: look_up(session, lines, least) for least in leasts}
        people = {contact for batch in found.values() for contact in batch.people}
        if people <= held:
            return found
        session.execute(HELD, {"ids": [*people]})
        held |= people
        if places(session) == before:
            return found
        session.expunge_all()
