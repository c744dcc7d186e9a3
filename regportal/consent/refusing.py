"""Refused: whoever said "that was not me" is left alone with that newsletter for 90 days."""

from collections.abc import Collection
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.consent.models import ConsentEvent, ConsentState, Refusal
from regportal.consent.rules import PROOF
from regportal.mail.actions import address_hash
from regportal.store.facts import insert_in

NEVER = datetime.min.replace(tzinfo=UTC)


def keep_refusal(
    session: Session, match_key: str, newsletter: str, pepper: str, *, now: datetime
) -> None:
    """Keep that the owner of an address refused a newsletter; his address is not kept with it."""
    insert = insert_in(session.get_bind().dialect.name)
    key = {"address_hash": address_hash(match_key, pepper), "newsletter": newsletter}
    row = insert(Refusal).values(**key, at=now)
    session.execute(row.on_conflict_do_update(index_elements=[*key], set_={"at": now}))


def refusals(
    session: Session, match_key: str, subjects: Collection[str], *, pepper: str
) -> dict[str, datetime]:
    """
    Return the newsletters the owner of an address refused and did not want later, each with when.

    ``subjects`` are the names under which the ledger still knows him; what was said under
    others, of claims deleted since, is known by the address's hash.
    """
    kept = sa.select(Refusal).where(Refusal.address_hash == address_hash(match_key, pepper))
    lines = sa.select(ConsentEvent).where(ConsentEvent.subject.in_(subjects))
    found = {one.newsletter: one.at for one in session.scalars(kept)}
    wanted: dict[str, datetime] = {}
    for line in session.scalars(lines.order_by(ConsentEvent.number)):
        if line.state == ConsentState.REFUSED:
            found[line.newsletter] = max(line.at, found.get(line.newsletter, NEVER))
        elif line.state == ConsentState.CONFIRMED and line.method in PROOF:
            wanted[line.newsletter] = line.at
    return {key: at for key, at in found.items() if at > wanted.get(key, NEVER)}
