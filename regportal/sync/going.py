"""Letting a connection go on, after a person looked at it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.schema import Connector
from regportal.outbox.actions import put_all
from regportal.outbox.models import Connection, Subject
from regportal.outbox.operating import resume
from regportal.store.facts import insert_in, table_of
from regportal.store.sessions import Store
from regportal.sync.present import Present, Telling

TABLE = table_of(Connection)


def go(session: Session, connector: Connector, *, now: datetime) -> None:
    """
    Let a connector go on: its first run is over, and no pause holds it.

    For the rest of the day over there as many contacts may be new as there are.
    """
    begun = insert_in(session.get_bind().dialect.name)(TABLE)
    keys, over = ["connector"], {"go_at": begun.excluded.go_at}
    row = {"connector": connector.key, "go_at": now, "amiss": {}}
    session.execute(begun.on_conflict_do_update(index_elements=keys, set_=over), row)
    resume(session, connector.key, now=now)


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
    """Owe those of a page that a connector was never told of; return how many."""
    subjects = [one.subject for one in page]
    known = sa.select(Subject.subject).where(
        Subject.connector == connector, Subject.subject.in_(subjects)
    )
    before = {*session.scalars(known)}
    new = [one for one in page if one.subject not in before]
    put_all(session, [(connector, news) for one in new for news in one.news], now=now)
    return len(new)
