"""
The shards of the log: lines of one company are in one, so that shards can be weighed at once.

It is for speed alone which line is in which shard: who weighs holds whomever it is about.
"""

import uuid
from collections.abc import Collection, Mapping
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.addresses import Address
from regportal.identity.models import Contact
from regportal.store.among import among

SHARDS: Mapping[str, int] = {"sqlite": 1, "postgresql": 4}
"""Into how many shards the log of a database is divided: so many workers can weigh at once."""
ADDRESSES = sa.select(Contact.id, Contact.match_key).where(among(Contact.id))


def shards_in(session: Session) -> int:
    """Return into how many shards the log of this database is divided."""
    return SHARDS[session.get_bind().dialect.name]


def shard_of(session: Session, contact: uuid.UUID | None) -> int:
    """Return the shard of a line that concerns a contact; None: nobody we know, the first."""
    shards = shards_in(session)
    whose = session.get(Contact, contact) if contact is not None and shards > 1 else None
    return shard(whose.match_key, shards) if whose else 0


def shards_of(session: Session, contacts: Collection[uuid.UUID]) -> dict[uuid.UUID | None, int]:
    """Return the shard of lines that concern contacts, by contact; None is in it, too."""
    shards = shards_in(session)
    rows = session.execute(ADDRESSES, {"ids": contacts}) if contacts and shards > 1 else ()
    return {None: 0} | dict.fromkeys(contacts, 0) | {one: shard(key, shards) for one, key in rows}


def shard(whose: str, shards: int) -> int:
    """
    Return the shard of what is an address's: of one company it is always the same one.

    >>> [shard(f"{who}@acme.example", 4) for who in ("ann", "bob", "eve")]
    [3, 3, 3]

    Where anybody gets an address, everybody is alone:

    >>> [shard(f"{who}@gmail.com", 4) for who in ("ann", "bob", "eve")]
    [0, 2, 0]
    """
    company = Address(whose, whose, whose).company
    return crc32((company or whose).encode()) % shards
