"""Settling a conflict: people in the CRM set a buying phase that we had left otherwise."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from regportal.accounts import audit
from regportal.accounts.audit import COMMAND, Doer
from regportal.buying.overriding import Word, override
from regportal.config import Settings
from regportal.connectors.base import Change, Link, Result
from regportal.connectors.judging import wrote_phase
from regportal.connectors.rules import TAKEN, Outcome
from regportal.connectors.schema import Connector
from regportal.errors import NotHereError, StaleError
from regportal.outbox.budget import calling
from regportal.outbox.leases import change_of
from regportal.outbox.links import keep_links, links_of
from regportal.outbox.models import Message, MessageState
from regportal.outbox.operating import replay
from regportal.store.documents import Published
from regportal.store.sessions import Store
from regportal.store.vault import Vault
from regportal.sync.deeds import MESSAGE

PHASE = "phase.changed"


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a conflict: the phase that holds, and whether it is told anew."""

    phase: str
    is_told: bool


def settle(  # noqa: PLR0913 - whoever asks a CRM and keeps what it says needs all of them
    store: Store,
    settings: Settings,
    published: Published,
    message_id: uuid.UUID,
    word: Word | None,
    *,
    doer: Doer = COMMAND,
    patience: float | None = None,
    now: datetime,
) -> Settled:
    """
    Take the phase that a CRM shows, as a colleague's word, or (without a word) write ours over it.

    The CRM is asked what it shows now; whoever changes it once more in the meantime is not
    overwritten. With ``patience`` it may take so many seconds to answer. Raises NotHereError where
    there is no such message, StaleError where it was not parked for a conflict about a phase or is
    none any more, and what :func:`override` raises.
    """
    with store.read() as session:
        change = _parked(session, message_id)
    document = published.one(Connector, change.connector)
    vault = Vault(settings, store)
    with calling(store, document, settings, vault.secret, patience=patience) as connector:
        found = connector.rehearse([change.told], now=now)
    if found is Outcome.UNSUPPORTED:
        raise StaleError("it takes messages: it has no phase that could be another one")
    theirs, ours = _conflict(found[0]), str(change.told.payload["to"])

    def work(session: Session) -> Settled:
        took = {"took": "ours" if word is None else "theirs"}
        audit.write(session, doer, "settle", MESSAGE, str(message_id), took, now=now)
        message = session.get_one(Message, message_id, with_for_update=True)
        if message.state is not MessageState.PARKED:
            raise StaleError(f"{message_id} was sent again meanwhile")
        if theirs is None:
            replay(session, [message_id], now=now)
            return Settled(ours, is_told=True)
        external_id = change.told.payload["opportunity"]["external_id"]
        link = change.told.link or Link(external_id)
        known = replace(link, ref=link.ref or external_id, wrote=wrote_phase(theirs))
        links = {message.subject: link}, {message.subject: known}
        keep_links(session, document.key, *links, now=now)
        if word is None:
            replay(session, [message_id], now=now)
            return Settled(ours, is_told=True)
        name = f"{document.key}:{external_id}"
        override(session, published, name, replace(word, phase=theirs), now=now)
        message.state, message.trouble = MessageState.SUPERSEDED, "the phase there was taken"
        return Settled(theirs, is_told=False)

    return store.write(work)


@dataclass(frozen=True, slots=True)
class _Parked:
    """A message that was parked, as its connector would be given it."""

    connector: str
    told: Change


def _parked(session: Session, message_id: uuid.UUID) -> _Parked:
    """Return a parked message about a phase."""
    message = session.get(Message, message_id)
    if message is None:
        raise NotHereError(f"there is no message {message_id}")
    if message.state is not MessageState.PARKED or message.topic != PHASE:
        raise StaleError(f"{message_id} is no parked message about a phase")
    if message.outcome != Outcome.CONFLICT:
        raise StaleError(f"{message_id} is parked for another reason: `regportal outbox replay` it")
    link = links_of(session, message.connector, [message.subject]).get(message.subject)
    return _Parked(message.connector, change_of(message, link))


def _conflict(result: Result) -> str | None:
    """Return what the CRM shows against us; None: nothing does. Raise StaleError otherwise."""
    if result.outcome is Outcome.CONFLICT:
        return result.current
    if result.outcome in TAKEN:
        return None
    raise StaleError(f"it cannot be settled: {result.says}")
