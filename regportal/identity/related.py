"""Addresses that may be one person's: the same but for dots or a tag. A hint, and no more."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.addresses import folded
from regportal.identity.models import Claim, Contact

Related = Mapping[str, Sequence[str]]
"""By an address without dots and tag: all that are the same so, where there are several."""


def related_addresses(session: Session, match_key: str | None = None) -> Related:
    """
    Return the addresses that differ only by dots or a tag; those of one address where it is named.

    The database finds them, so that what is read is no more than they are. Nothing is decided by
    it: they stay different addresses (security.md 2.5).
    """
    everybody = sa.union(sa.select(Contact.match_key), sa.select(Claim.match_key)).subquery()
    known = everybody.c.match_key
    alike = _folded(session, known)
    if match_key is None:
        several = sa.select(alike).group_by(alike).having(sa.func.count() > 1)
        rows = session.scalars(sa.select(known).where(alike.in_(several)))
    else:
        rows = session.scalars(sa.select(known).where(alike == _plain(match_key)))
    found: dict[str, list[str]] = defaultdict(list)
    for one in rows:
        found[folded(one)].append(one)
    return {key: sorted(some) for key, some in found.items() if len(some) > 1}


def others(related: Related, match_key: str) -> list[str]:
    """Return the addresses that are like this one."""
    return [one for one in related.get(folded(match_key), ()) if one != match_key]


def _plain(match_key: str) -> str:
    """Return an address as the database folds it: of one that is all tag nothing is left."""
    local, _, domain = match_key.rpartition("@")
    return f"{local.partition('+')[0].replace('.', '')}@{domain}"


def _folded(session: Session, address: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """Say to the database how an address is folded."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    place = sa.func.instr if sqlite else sa.func.strpos
    at = place(address, "@")
    local = sa.func.substr(address, 1, at - 1)
    untagged = sa.func.substr(local, 1, place(local.concat("+"), "+") - 1)
    return sa.func.replace(untagged, ".", "").concat(sa.func.substr(address, at))
