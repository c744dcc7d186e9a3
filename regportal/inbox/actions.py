"""Taking what a CRM tells us, and understanding it: in order, once, one by one."""

import hashlib
import logging
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.actions import (
    add_role,
    find_opportunity,
    model_of,
    remove_role,
    upsert_opportunity,
)
from regportal.buying.telling import Told
from regportal.connectors.rules import in_full
from regportal.consent.suppression import ERASED, reasons
from regportal.errors import RegportalError, StaleError
from regportal.forms.joining import join_people
from regportal.forms.stopping import Voice, stop, stop_all
from regportal.identity.actions import contact_from_crm, find_contact
from regportal.identity.addresses import read_address
from regportal.identity.models import Contact
from regportal.inbox.models import Notice, NoticeState
from regportal.inbox.rules import (
    MergedTold,
    Named,
    NotUnderstoodError,
    RoleTold,
    WithdrawnTold,
    understood,
)
from regportal.store.documents import Published, Shelf
from regportal.store.facts import insert_in
from regportal.store.sessions import Store
from regportal.store.strict_json import KIB, read_json
from regportal.tracking.actions import met

LARGEST = 256 * KIB
OLDER = "older than what we were told before"
HINT = "says that something happened: the CRM is asked what"
FORGOTTEN = "names somebody who was erased: only they themselves can come back"
TURN = 7_469_000_001
"""The number under which workers on PostgreSQL take turns to understand."""

logger = logging.getLogger(__name__)


class ErasedError(Exception):
    """A notice names somebody who was erased: nobody but himself can bring him back."""


class WaitingError(Exception):
    """A notice speaks of an opportunity we have not heard of yet."""


def take_hint(
    session: Session, connector: str, message_id: str, body: bytes, *, now: datetime
) -> bool:
    """Keep a call that only says that something happened: the CRM is asked what."""
    return take(session, connector, message_id, body, because=HINT, now=now)


def take(
    session: Session,
    connector: str,
    message_id: str,
    body: bytes,
    *,
    because: str | None = None,
    now: datetime,
) -> bool:
    """
    Keep a verified call as it came; return False where we had it already.

    ``because``: why nothing is to be understood of it. Raises StaleError where the same id came
    with another body.
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
            state=NoticeState.TAKEN if because is None else NoticeState.DONE,
            because=because,
            settled_at=None if because is None else now,
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


def understand(store: Store, shelf: Shelf, *, pepper: str, now: datetime) -> datetime | None:
    """
    Understand every notice taken so far, oldest first, each in a transaction of its own.

    Returns None: there is nothing to come back for but the next notice.
    """
    forgotten = False
    while _is_waiting(store):
        forgotten |= store.write(
            lambda session: _understand_one(session, shelf.published(session), pepper, now=now)
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


def _understand_one(session: Session, published: Published, pepper: str, *, now: datetime) -> bool:
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
    state, because, waits_for = NoticeState.DONE, None, None
    try:
        with session.begin_nested():
            because = _apply(session, published, notice, pepper, now=now)
    except ErasedError:
        because, notice.body = FORGOTTEN, b""
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
    return because == FORGOTTEN


def _apply(
    session: Session, published: Published, notice: Notice, pepper: str, *, now: datetime
) -> str | None:
    """Do what a notice says; return why nothing came of it, if so."""
    told = understood(read_json(notice.body, most=LARGEST), notice.received_at)
    _refuse_erased(session, _named(told), pepper)
    if isinstance(told, Told):
        return _apply_opportunity(session, published, notice.connector, told, now=now)
    if isinstance(told, MergedTold):
        return _apply_merge(session, published, notice.connector, told, now=now)
    if isinstance(told, WithdrawnTold):
        return _apply_withdrawal(session, published, notice.connector, told, now=now)
    return _apply_role(session, notice.connector, told, now=now)


def _apply_opportunity(
    session: Session,
    published: Published,
    connector: str,
    told: Told,
    *,
    now: datetime,
) -> str | None:
    """Keep the description, and look again at what waited for it."""
    model, _ = model_of(published)
    opportunity = upsert_opportunity(session, connector, told, start=model.start, now=now)
    session.execute(
        sa.update(Notice)
        .where(
            Notice.state == NoticeState.WAITING,
            Notice.connector == connector,
            Notice.waits_for == told.external_id,
        )
        .values(state=NoticeState.TAKEN)
        .execution_options(synchronize_session=False)
    )
    return None if opportunity.told_at == told.told_at else OLDER


def _apply_role(session: Session, connector: str, told: RoleTold, *, now: datetime) -> str | None:
    """Begin or end a contact's part."""
    opportunity = find_opportunity(session, connector, told.opportunity)
    if opportunity is None:
        raise WaitingError(told.opportunity)
    contact = _contact(session, Named(told.email, told.contact), now=now)
    change = add_role if told.added else remove_role
    return None if change(session, opportunity, contact, told.part, now=now) else OLDER


def _apply_merge(
    session: Session, published: Published, connector: str, told: MergedTold, *, now: datetime
) -> str | None:
    """
    Join who the CRM says is one person: by a link that can be undone, and widening no permission.

    Two who have both proven their addresses are left to a person to decide.
    """
    kept, joined = (_contact(session, one, now=now) for one in (told.kept, told.joined))
    if joined.person_id == kept.person_id:
        return None
    because, by = "merged in the CRM", f"crm:{connector}"
    join_people(session, published, kept, joined, because=because, by=by, now=now)
    return None


def _apply_withdrawal(
    session: Session, published: Published, connector: str, told: WithdrawnTold, *, now: datetime
) -> str | None:
    """
    Stop a newsletter, or all of them; a CRM can take permissions away and never give one.

    An unknown address becomes a contact: its "no" stands in the way of a later import.
    """
    contact = _contact(session, told.whose, now=now)
    session.flush()
    voice = Voice("crm", f"connector {connector}")
    if told.newsletter is None:
        done = bool(stop_all(session, published, contact, voice, now=now))
    else:
        done = stop(session, published, contact, told.newsletter, voice, now=now) is not None
    return None if done else "stopped before"


def _named(told: Told | RoleTold | MergedTold | WithdrawnTold) -> Sequence[Named]:
    """Return whom a notice names."""
    if isinstance(told, MergedTold):
        return (told.kept, told.joined)
    if isinstance(told, WithdrawnTold):
        return (told.whose,)
    return (Named(told.email, told.contact),) if isinstance(told, RoleTold) else ()


def _refuse_erased(session: Session, named: Sequence[Named], pepper: str) -> None:
    """Refuse to bring back whoever was erased; raise ErasedError."""
    for one in named:
        try:
            match_key = read_address(one.email or "").match_key
        except ValueError:
            continue
        erased = ERASED in reasons(session, match_key, pepper)
        if erased and find_contact(session, match_key) is None:
            raise ErasedError


def _contact(session: Session, told: Named, *, now: datetime) -> Contact:
    """Return who is meant; an unknown address becomes a contact."""
    if told.email is not None:
        try:
            return met(session, contact_from_crm(session, told.email, now=now), now=now)
        except ValueError:
            raise NotUnderstoodError("email is not an e-mail address") from None
    try:
        key = uuid.UUID(told.contact)
    except ValueError:
        raise NotUnderstoodError("contact is not a key of ours") from None
    contact = session.get(Contact, key)
    if contact is None:
        raise NotUnderstoodError("contact is the key of nobody we know")
    return contact
