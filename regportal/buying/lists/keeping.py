"""
Keeping what lists show of people: read from what holds, and written with what changed it.

The weigher writes it of everybody whom lines of the log are about, a move of everybody who has a
part. Whatever is lost is made anew, and comes out the same.
"""

import uuid
from collections.abc import Collection, Iterable
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.accounts import account_of
from regportal.buying.lists.models import ListedPerson
from regportal.buying.models import ContactRole, Opportunity
from regportal.buying.place import own_every_place
from regportal.identity.models import Contact
from regportal.store.among import among
from regportal.store.bulk import write_all
from regportal.store.facts import table_of
from regportal.store.sessions import Store
from regportal.tracking.later import JUDGED, judged_now, overruled
from regportal.tracking.models import Attribution, Interaction, Judged

AT_ONCE = 500
"""People who are written in one transaction where all are made anew."""
LISTED = table_of(ListedPerson)
COLUMNS = ("contact_id", "address", "assurance", "last_at", "account", "phase")


def _last(query: sa.Select[Any]) -> Any:
    """Return the newest of what a contact did, as far as a person did it."""
    by_person = judged_now(query).where(JUDGED.in_([Judged.PERSON]))
    newest = by_person.order_by(Interaction.occurred_at.desc()).limit(1)
    return newest.correlate(Contact).scalar_subquery()


DONE = sa.select(Interaction.occurred_at)
FIRST_HAND = _last(
    DONE.where(
        Interaction.contact_id == Contact.id,
        ~sa.exists().where(Attribution.interaction_id == Interaction.id),
    )
)
LATER = _last(
    DONE.join(Attribution, Attribution.interaction_id == Interaction.id).where(
        Attribution.contact_id == Contact.id, ~overruled(Attribution)
    )
)
PEOPLE = (
    sa.select(
        *(Contact.id, Contact.person_id, Contact.match_key, Contact.assurance, Contact.first_seen),
        FIRST_HAND.label("first_hand"),
        LATER.label("later"),
    )
    .where(Contact.person_id.in_(sa.select(Contact.person_id).where(among(Contact.id))))
    .order_by(Contact.id)
)
"""Contacts and whoever is one person with one of them, with when each did something last."""
PARTS = (
    sa.select(
        *(ContactRole.contact_id, Opportunity.phase_since, Opportunity.id, Opportunity.phase),
        Opportunity.is_closed,
    )
    .join(Opportunity, Opportunity.id == ContactRole.opportunity_id)
    .where(among(ContactRole.contact_id), ContactRole.until.is_(None))
)
"""
Who has a part in which opportunity now.

Asked for the open ones, or for an order, SQLite would read the index that has all of them so.
"""
WHO = sa.select(ContactRole.contact_id).where(among(ContactRole.opportunity_id)).distinct()
DOERS = (
    sa.select(Interaction.contact_id)
    .where(among(Interaction.id), Interaction.contact_id.is_not(None))
    .distinct()
)


def list_anew(session: Session, contacts: Collection[uuid.UUID]) -> None:
    """Write what lists show of these contacts, and of whoever is one person with one of them."""
    if not contacts:
        return
    session.flush()
    together: dict[uuid.UUID, list[Any]] = {}
    for row in session.execute(PEOPLE, {"ids": contacts}):
        together.setdefault(row.person_id, []).append(row)
    mains = {
        next((one for one in some if one.id == key), some[0]): some
        for key, some in together.items()
    }
    every = {one.id: main.id for main, some in mains.items() for one in some}
    parts = session.execute(PARTS, {"ids": every})
    still_open = sorted(
        (since, key, who, phase) for who, since, key, phase, over in parts if not over
    )
    phases = {every[who]: phase for _, _, who, phase in still_open}
    accounts = account_of(session, [main.id for main in mains])
    rows = [
        (
            *(main.id, main.match_key, main.assurance.value),
            max((at for one in some for at in one[-2:] if at), default=main.first_seen),
            accounts.get(main.id),
            phases.get(main.id),
        )
        for main, some in mains.items()
    ]
    write_all(session, LISTED, COLUMNS, rows)
    joined = every.keys() - {main.id for main in mains}
    if joined:
        session.execute(sa.delete(LISTED).where(LISTED.c.contact_id.in_(joined)))


def list_doers(session: Session, interactions: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return the contacts to whom these interactions were given as they were taken."""
    return set(session.scalars(DOERS, {"ids": interactions})) if interactions else set()


def list_parts(session: Session, opportunities: Iterable[uuid.UUID]) -> None:
    """Write what lists show of everybody who has, or had, a part in one of these opportunities."""
    list_anew(session, set(session.scalars(WHO, {"ids": {*opportunities}})))


def list_missing(store: Store) -> None:
    """
    Write what lists show of everybody of whom nothing is kept, some people a transaction.

    It can be stopped and begun again. Nobody weighs meanwhile what it writes.
    """
    after: uuid.UUID | None = uuid.UUID(int=0)
    while after is not None:
        after = _next(store, after)


def _next(store: Store, after: uuid.UUID) -> uuid.UUID | None:
    """Write some whose keys are after this one; return the last of them, None at the end."""
    there = sa.exists().where(LISTED.c.contact_id == Contact.id)
    some = (
        sa.select(Contact.id)
        .where(Contact.id > after, Contact.id == Contact.person_id, ~there)
        .order_by(Contact.id)
        .limit(AT_ONCE)
    )
    with store.read() as session:
        missing = session.scalars(some).all()
    if not missing:
        return None
    store.write(partial(_write, contacts=missing), patient=True)
    return missing[-1]


def _write(session: Session, contacts: Collection[uuid.UUID]) -> None:
    """Write some, while no line is weighed."""
    own_every_place(session)
    list_anew(session, contacts)
