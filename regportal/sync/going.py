"""Letting a connection go on, after a person looked at it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.schema import Connector
from regportal.consent.actions import contact_of_subject, subject_of_contact
from regportal.identity.models import Contact
from regportal.outbox.actions import put_all
from regportal.outbox.budget import let_go_at
from regportal.outbox.models import Connection, Subject
from regportal.outbox.operating import pauses, resume, why
from regportal.store.facts import insert_in, table_of
from regportal.store.sessions import Store
from regportal.sync.present import Present, Telling

TABLE = table_of(Connection)


def go(session: Session, connector: Connector, *, now: datetime) -> list[str]:
    """
    Let a connector go on: its first run is over, and no pause holds it; return what was lifted.

    For the rest of the day over there as many contacts may be new as there are.
    """
    is_first = connector.first_run is not None and let_go_at(session, connector.key) is None
    lifted = ["its first run is over"] if is_first else []
    lifted += [
        f"it was paused ({why(one)})"
        for one in pauses(session, now=now)
        if one.connector == connector.key
    ]
    begun = insert_in(session.get_bind().dialect.name)(TABLE)
    keys, over = ["connector"], {"go_at": begun.excluded.go_at}
    row = {"connector": connector.key, "go_at": now, "amiss": {}}
    session.execute(begun.on_conflict_do_update(index_elements=keys, set_=over), row)
    resume(session, connector.key, now=now)
    return lifted


def tell_everybody(store: Store, telling: Telling, *, now: datetime) -> Iterator[tuple[int, int]]:
    """
    Owe a connector whoever it was never told of; yield how many were looked at, and are owed.

    They are told as they are now, with what they allow. What they did before is not told.
    """
    with store.read() as session:
        for page in telling.contacts(session, now=now):
            session.rollback()  # others are not kept waiting while we write
            yield (
                len(page),
                store.write(partial(_owe, connector=telling.connector.key, page=page, now=now)),
            )


def _owe(session: Session, connector: str, page: Sequence[Present], *, now: datetime) -> int:
    """
    Owe those of a page that a connector was never told of; return how many.

    Who was erased since the page was read is left out: nothing would ever be owed to end it.
    """
    there = _still_there(session, page)
    known = sa.select(Subject.subject).where(
        Subject.connector == connector, Subject.subject.in_(there)
    )
    before = {*session.scalars(known)}
    new = [one for one in page if one.subject in there and one.subject not in before]
    put_all(session, [(connector, news) for one in new for news in one.news], now=now)
    return len(new)


def _still_there(session: Session, page: Sequence[Present]) -> set[str]:
    """Return the subjects of contacts that are there, and are not erased before the commit."""
    keys = [key for one in page if (key := contact_of_subject(one.subject))]
    chosen = sa.select(Contact.id).where(Contact.id.in_(keys)).order_by(Contact.id)
    there = session.scalars(chosen.with_for_update(read=True, key_share=True))
    return {subject_of_contact(one) for one in there}
