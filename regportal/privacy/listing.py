"""Who may be sent a newsletter now, with what proves it and the way out of it."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.config import Settings
from regportal.connectors.rules import in_full
from regportal.consent.models import ConsentEvent
from regportal.consent.permission import permissions
from regportal.consent.schema import Newsletter
from regportal.consent.suppression import bounced_of
from regportal.errors import NotHereError
from regportal.identity.contact_tokens import UNSUBSCRIBE, contact_token, derived_contact_token
from regportal.identity.models import Contact, ContactToken
from regportal.store.documents import Published, Wording
from regportal.store.sessions import Store
from regportal.store.tokens import hash_of

PAGE = 500
"""Contacts that are looked at together."""


def subscribers(
    store: Store, settings: Settings, published: Published, newsletter: str, *, now: datetime
) -> Iterator[dict[str, Any]]:
    """
    Yield who may be sent a newsletter now, one row an address.

    Raises NotHereError where neither the documents nor the ledger know the newsletter.
    """
    with store.read() as session:
        known = sa.select(ConsentEvent.number).where(ConsentEvent.newsletter == newsletter)
        if published.find(Newsletter, newsletter) is None and not session.scalar(known.limit(1)):
            raise NotHereError(f"there is no newsletter {newsletter!r}")
    after: uuid.UUID | None = None
    while True:
        with store.read() as session:
            contacts = _page(session, after)
            rows = _allowed(session, settings, contacts, newsletter, now=now)
        urls = unsubscribe_urls(store, settings, [one for one, _ in rows], newsletter, now=now)
        yield from (row | {"unsubscribe": urls[contact.id]} for contact, row in rows)
        if len(contacts) < PAGE:
            return
        after = contacts[-1].id


def unsubscribe_urls(
    store: Store,
    settings: Settings,
    contacts: Sequence[Contact],
    newsletter: str,
    *,
    now: datetime,
) -> Mapping[uuid.UUID, str]:
    """Return the link out of a newsletter for each contact; new ones are kept before that."""
    keys = settings.keys
    tokens = {
        one.id: derived_contact_token(keys, one.id, UNSUBSCRIBE, newsletter) for one in contacts
    }
    with store.read() as session:
        hashes = [hash_of(token) for token in tokens.values()]
        kept = sa.select(ContactToken.hash).where(ContactToken.hash.in_(hashes))
        known = set(session.scalars(kept))
    missing = [one for one, token in tokens.items() if hash_of(token) not in known]

    def keep(session: Session) -> None:
        for one in missing:
            contact_token(session, keys, one, UNSUBSCRIBE, newsletter, now=now)

    if missing:
        store.write(keep)
    return {one: f"{settings.base_url}/u/{token}" for one, token in tokens.items()}


def _page(session: Session, after: uuid.UUID | None) -> Sequence[Contact]:
    """Return some contacts, in the order of their keys."""
    wanted = sa.select(Contact).order_by(Contact.id).limit(PAGE)
    if after is not None:
        wanted = wanted.where(Contact.id > after)
    return session.scalars(wanted).all()


def _allowed(
    session: Session,
    settings: Settings,
    contacts: Sequence[Contact],
    newsletter: str,
    *,
    now: datetime,
) -> list[tuple[Contact, dict[str, Any]]]:
    """Return those of these contacts who may be written to, with what proves it."""
    found = permissions(session, contacts, newsletter, at=now)
    bounced = bounced_of(session, [one.match_key for one in contacts], settings.pepper_text)
    theirs = [
        (one, found[one.id])
        for one in contacts
        if found[one.id].allowed and one.match_key not in bounced
    ]
    wordings = _wordings(session, [allows.evidence_id for _, allows in theirs])
    return [
        (
            one,
            {
                "email": one.address.shown,
                "state": allows.state,
                "since": in_full(allows.since) if allows.since else None,
                "frequency": allows.rhythm,
                "wording": wordings.get(allows.evidence_id),
                "evidence_id": allows.evidence_id,
                "reads": one.address.reads,
                "flags": one.address.flags,
            },
        )
        for one, allows in theirs
    ]


def _wordings(session: Session, evidence_ids: Sequence[str | None]) -> dict[str | None, str]:
    """Return what was agreed to, by the id of the line that says so."""
    ids = [uuid.UUID(one) for one in evidence_ids if one is not None]
    rows = session.execute(
        sa.select(ConsentEvent.id, Wording.text)
        .join(Wording, Wording.digest == ConsentEvent.wording)
        .where(ConsentEvent.id.in_(ids))
    )
    return {str(line): text for line, text in rows}
