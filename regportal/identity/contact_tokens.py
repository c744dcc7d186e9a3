"""Links we hand out about one contact: to his own page, and out of one newsletter."""

import uuid
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.models import ContactToken
from regportal.store.facts import add_once
from regportal.store.tokens import derived_token, hash_of

PREFERENCES = "preferences"
UNSUBSCRIBE = "unsubscribe"


def contact_token(
    session: Session,
    keys: Sequence[bytes],
    contact_id: uuid.UUID,
    purpose: str,
    newsletter: str | None = None,
    *,
    now: datetime,
) -> str:
    """
    Return the token of a link about a contact; its hash is kept, so it must be committed.

    It is the same every time until the newest key changes. It has no end of its own: mails are
    opened years later (the law asks for 60 days at least, security.md R14 for 400).
    """
    token = derived_contact_token(keys, contact_id, purpose, newsletter)
    kept = ContactToken(
        hash=hash_of(token),
        contact_id=contact_id,
        purpose=purpose,
        newsletter=newsletter,
        made_at=now,
    )
    add_once(session, kept)
    return token


def derived_contact_token(
    keys: Sequence[bytes], contact_id: uuid.UUID, purpose: str, newsletter: str | None = None
) -> str:
    """Return what the token is, without keeping its hash."""
    parts = (contact_id.bytes, (newsletter or "").encode())
    return derived_token(keys, f"contact {purpose}", *parts)


def unsubscribe_headers(url: str) -> dict[str, str]:
    """
    Return the headers by which a mail program stops one newsletter with one press (RFC 8058).

    >>> unsubscribe_headers("https://acme.example/u/x")["List-Unsubscribe"]
    '<https://acme.example/u/x>'
    """
    return {
        "List-Unsubscribe": f"<{url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def of_contact_token(session: Session, token: str, purpose: str) -> ContactToken | None:
    """Return what a token of this purpose stands for; None where it is nothing (any more)."""
    kept = session.get(ContactToken, hash_of(token))
    if kept is None or kept.purpose != purpose or kept.revoked_at is not None:
        return None
    return kept


def revoke_contact_tokens(session: Session, contact_id: uuid.UUID, *, now: datetime) -> None:
    """Let every link about a contact lead nowhere."""
    session.execute(
        sa.update(ContactToken)
        .where(ContactToken.contact_id == contact_id, ContactToken.revoked_at.is_(None))
        .values(revoked_at=now)
    )
