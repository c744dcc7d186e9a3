"""Taking what a CRM tells us, and understanding it: in order, once, one by one."""

import hashlib
import logging
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.base import MOST_INBOUND
from regportal.connectors.base import Notice as News
from regportal.connectors.rules import in_full
from regportal.errors import RegportalError, StaleError
from regportal.inbox.applying import Applying, Erase, ErasedError, WaitingError
from regportal.inbox.models import Notice, NoticeState
from regportal.inbox.rules import NotUnderstoodError, understood
from regportal.inbox.telling import GoneTold
from regportal.store.compact import write_json
from regportal.store.documents import Published, Shelf
from regportal.store.facts import insert_in
from regportal.store.sessions import Store
from regportal.store.strict_json import read_json

HINT = "says that something happened: the CRM is asked what"
UNSURE = "the CRM is asked whether it is so"
FORGOTTEN = "names somebody who was erased: only they themselves can come back"
TURN = 7_469_000_001
"""The number under which workers on PostgreSQL take turns to understand."""

logger = logging.getLogger(__name__)


def take_hint(
    session: Session, connector: str, message_id: str, body: bytes, *, now: datetime
) -> bool:
    """Keep a call that only says that something happened: the CRM is asked what."""
    state = NoticeState.DONE
    return take(session, connector, message_id, body, state=state, because=HINT, now=now)


def take_news(
    session: Session, connector: str, news: News, *, is_sure: bool = True, now: datetime
) -> bool:
    """
    Keep what a connector says that the CRM says; return False where we had it already.

    What is not sure is understood only when the CRM was asked whether it is so.
    """
    body = write_json(news.body).encode()
    digest = hashlib.sha256(body).hexdigest()[:16]  # of one id, another state is other news
    id = f"{news.id}:{digest}"
    if is_sure:
        return take(session, connector, id, body, now=now)
    state = NoticeState.WAITING
    return take(session, connector, id, body, state=state, because=UNSURE, now=now)


def take(
    session: Session,
    connector: str,
    message_id: str,
    body: bytes,
    *,
    state: NoticeState = NoticeState.TAKEN,
    because: str | None = None,
    now: datetime,
) -> bool:
    """
    Keep a verified call as it came; return False where we had it already.

    ``because``: why nothing is to be understood of it, or not yet. Raises StaleError where the
    same id came with another body.
    """
    digest = hashlib.sha256(body).hexdigest()
    insert = insert_in(session.get_bind().dialect.name)
    taken = session.execute(
        insert(Notice)
        .values(
            connector=connector,
            message_id=message_id,
            digest=digest,
            body=body,
            received_at=now,
            state=state,
            because=because,
            settled_at=now if state is NoticeState.DONE else None,
        )
        .on_conflict_do_nothing(index_elements=["connector", "message_id"])
        .returning(Notice.number)
    ).first()
    if taken is not None:
        return True
    before = session.scalars(
        sa.select(Notice.digest).where(
            Notice.connector == connector, Notice.message_id == message_id
        )
    ).one()
    if before != digest:
        raise StaleError("this id was used before, with another body")
    return False


def understand(
    store: Store, shelf: Shelf, *, pepper: str, erase: Erase, now: datetime
) -> datetime | None:
    """
    Understand every notice taken so far, oldest first, each in a transaction of its own.

    ``erase`` leaves nothing of whoever was erased over there. Returns None: there is nothing to
    come back for but the next notice.
    """
    forgotten = False
    while _is_waiting(store):
        forgotten |= store.write(
            lambda session: _understand_one(
                session, shelf.published(session), pepper, erase, now=now
            )
        )
    if forgotten:
        store.sweep()
    return None


def list_notices(session: Session, *, everything: bool = False) -> list[dict[str, Any]]:
    """Return the notices that are not done, newest first; with ``everything`` all of them."""
    rows = sa.select(Notice).order_by(Notice.number.desc())
    if not everything:
        rows = rows.where(Notice.state != NoticeState.DONE)
    columns = sa.orm.defer(Notice.body)
    return [
        {
            "number": notice.number,
            "connector": notice.connector,
            "id": notice.message_id,
            "state": notice.state.value,
            "reason": notice.because,
            "waits_for": notice.waits_for,
            "received_at": in_full(notice.received_at),
            "settled_at": in_full(notice.settled_at) if notice.settled_at else None,
        }
        for notice in session.scalars(rows.options(columns))
    ]


def _is_waiting(store: Store) -> bool:
    """Return whether any notice has been taken and not looked at; costs no writer anything."""
    with store.read() as session:
        taken = sa.select(Notice.number).where(Notice.state == NoticeState.TAKEN).limit(1)
        return session.scalars(taken).first() is not None


def _understand_one(
    session: Session, published: Published, pepper: str, erase: Erase, *, now: datetime
) -> bool:
    """
    Understand the oldest notice not looked at yet, and say what became of it.

    Return whether it named somebody erased, so that nothing of it may stay.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(TURN)))
    notice = session.scalars(
        sa.select(Notice).where(Notice.state == NoticeState.TAKEN).order_by(Notice.number).limit(1)
    ).first()
    if notice is None:
        return False
    state, because, waits_for, forgets = NoticeState.DONE, None, None, False
    applying = Applying(session, published, notice.connector, pepper, erase, now)
    try:
        told = understood(read_json(notice.body, most=MOST_INBOUND), notice.received_at)
        forgets = isinstance(told, GoneTold) and told.is_erased
        with session.begin_nested():
            because = applying.do(told)
    except ErasedError:
        because, forgets = FORGOTTEN, True
    except WaitingError as waiting:
        state, waits_for = NoticeState.WAITING, str(waiting)
        because = "the opportunity has not been told yet"
    except (NotUnderstoodError, RegportalError) as error:
        state, because = NoticeState.UNKNOWN, str(error)
    except (sa.exc.OperationalError, sa.exc.InterfaceError):
        raise  # the database's trouble, not the notice's: it is looked at again
    except Exception as error:
        logger.exception("notice %s could not be understood", notice.number)
        state, because = NoticeState.UNKNOWN, f"a fault of ours: {type(error).__name__}"
    notice.state, notice.because, notice.waits_for = state, because, waits_for
    notice.settled_at = None if state is NoticeState.WAITING else now
    if forgets and state is NoticeState.DONE:
        notice.body = b""
    return forgets
