"""Opportunities, phases and moves, as people and programs read them."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.default import DEFAULT
from regportal.buying.evidence import grounds, people_in
from regportal.buying.models import ContactRole, Move, Opportunity
from regportal.buying.schema import Buying
from regportal.buying.words import Deed, called, sentence
from regportal.connectors.rules import in_full
from regportal.errors import NotHereError
from regportal.identity.models import Contact
from regportal.library.schema import Asset
from regportal.store.documents import Published, Shelf, Site, said
from regportal.tracking.models import Attribution, Interaction

UNNAMED = "somebody"
"""Who did it, where the contact is no longer ours to name."""
WITHOUT = {
    "correction": ("what led further no longer counts",),
    "crm": ("what led further no longer counts",),
    "rules": ("the rules are others now",),
}
"""By cause why a phase moved, where nothing that anybody did moved it."""
PAGE = 500
"""How many moves are explained at a time."""


def model_of(published: Published) -> tuple[Buying, int]:
    """Return the buying model that holds, and its version; the house's own is version 0."""
    models = published.all(Buying)
    return (models[0], published.version(Buying, models[0].key)) if models else (DEFAULT, 0)


def moves_of(session: Session, opportunity: Opportunity) -> Sequence[Move]:
    """Return every move of an opportunity, oldest first."""
    return session.scalars(
        sa.select(Move).where(Move.opportunity_id == opportunity.id).order_by(Move.at, Move.id)
    ).all()


def last_move(session: Session, opportunity: Opportunity) -> Move | None:
    """Return the move that led to the phase an opportunity is in; None where it began there."""
    moves = moves_of(session, opportunity)
    return next((each for each in reversed(moves) if each.to_phase == opportunity.phase), None)


def reasons(session: Session, published: Published, moves: Sequence[Move]) -> dict[uuid.UUID, str]:
    """Return the one plain sentence of each move, by the move's id."""
    model, _ = model_of(published)
    named = [uuid.UUID(each) for move in moves for each in interactions_of(move)]
    deeds = deeds_of(session, published, named)
    people = [each for move in moves for each in people_in(move.evidence)]
    names = {str(who): email for who, email in _emails(session, people).items()}
    return {
        move.id: sentence(
            label(published, model, move.to_phase),
            move.at,
            grounds(move.evidence, deeds, lambda who: names.get(str(who), UNNAMED))
            or [*WITHOUT.get(move.cause, ())],
            model.zone,
        )
        for move in moves
    }


def label(published: Published, model: Buying, name: str) -> str:
    """Return what people call a phase."""
    return called(model, name, _locale(published))


def interactions_of(move: Move) -> list[str]:
    """Return the ids of the interactions behind a move, each once."""
    return list(dict.fromkeys(each for part in move.evidence for each in part["interactions"]))


def opportunity_shown(session: Session, name: str) -> dict[str, Any]:
    """
    Return an opportunity as ``show opportunity`` prints it.

    ``name`` is our key or ``<connector>:<external id>``. Raises NotHereError for another one.
    """
    opportunity = opportunity_called(session, name)
    last = last_move(session, opportunity)
    published = Shelf().published(session)
    return {
        "key": opportunity.key,
        "external_id": opportunity.external_id,
        "name": opportunity.name,
        "phase": opportunity.phase,
        "since": in_full(opportunity.phase_since),
        "reason": reasons(session, published, [last])[last.id] if last else None,
        "evidence": interactions_of(last) if last else [],
        "contacts": [
            {"email": contact.address.shown, "role": role}
            for contact, role in session.execute(
                sa.select(Contact, ContactRole.role)
                .join(ContactRole, ContactRole.contact_id == Contact.id)
                .where(ContactRole.opportunity_id == opportunity.id, ContactRole.until.is_(None))
                .order_by(ContactRole.is_primary.desc(), ContactRole.since, Contact.email)
            )
        ],
        "open": not opportunity.is_closed,
        "won": opportunity.is_won,
    }


def opportunities_of_contact(session: Session, contact_id: uuid.UUID) -> list[dict[str, Any]]:
    """Return the opportunities a contact has a part in, as ``show contact`` prints them."""
    rows = session.execute(
        sa.select(Opportunity, ContactRole.role)
        .join(ContactRole, ContactRole.opportunity_id == Opportunity.id)
        .where(ContactRole.contact_id == contact_id, ContactRole.until.is_(None))
        .order_by(Opportunity.connector, Opportunity.external_id)
    )
    return [
        {
            "key": opportunity.key,
            "connector": opportunity.connector,
            "external_id": opportunity.external_id,
            "phase": opportunity.phase,
            "role": role,
        }
        for opportunity, role in rows
    ]


def list_moves(session: Session) -> list[dict[str, Any]]:
    """Return every move with its reason, oldest first, one flat row each."""
    published = Shelf().published(session)
    rows = session.execute(
        sa.select(Move, Opportunity)
        .join(Opportunity, Opportunity.id == Move.opportunity_id)
        .order_by(Move.at, Move.id)
    ).all()
    listed: list[dict[str, Any]] = []
    for start in range(0, len(rows), PAGE):
        page = rows[start : start + PAGE]
        why = reasons(session, published, [move for move, _ in page])
        listed += [
            {
                "at": in_full(move.at),
                "opportunity": opportunity.key,
                "connector": opportunity.connector,
                "external_id": opportunity.external_id,
                "name": opportunity.name,
                "from": move.from_phase,
                "to": move.to_phase,
                "cause": move.cause,
                "reason": why[move.id],
                "rules_version": move.rules_version,
            }
            for move, opportunity in page
        ]
    return listed


def opportunity_called(session: Session, name: str) -> Opportunity:
    """
    Return an opportunity by our key, or by ``<connector>:<external id>``.

    Raises NotHereError for another one.
    """
    if not name.isprintable():  # no database takes it
        raise NotHereError(f"there is no opportunity {name!r}")
    connector, colon, external_id = name.partition(":")
    which = sa.and_(Opportunity.connector == connector, Opportunity.external_id == external_id)
    if not colon:
        try:
            which = Opportunity.id == uuid.UUID(name)
        except ValueError:
            which = sa.false()
    found = session.scalars(sa.select(Opportunity).where(which)).first()
    if found is None:
        raise NotHereError(f"there is no opportunity {name!r}")
    return found


def deeds_of(session: Session, published: Published, ids: Collection[uuid.UUID]) -> dict[str, Deed]:
    """Return what was done, in words, by the interaction's id."""
    rows = session.execute(
        sa.select(Attribution.interaction_id, Attribution.contact_id)
        .where(Attribution.interaction_id.in_(ids))
        .order_by(Attribution.at, Attribution.id)
    )
    whose: dict[uuid.UUID, uuid.UUID | None] = dict(rows.all())
    interactions = session.scalars(sa.select(Interaction).where(Interaction.id.in_(ids))).all()
    doers = {each.id: whose.get(each.id, each.contact_id) for each in interactions}
    emails = _emails(session, doers.values())
    return {
        str(each.id): Deed(
            emails.get(doers[each.id], UNNAMED), each.type, title(published, each.object)
        )
        for each in interactions
    }


def _emails(session: Session, contacts: Iterable[uuid.UUID | None]) -> dict[uuid.UUID | None, str]:
    """Return the addresses of these contacts."""
    wanted = {contact for contact in contacts if contact is not None}
    rows = session.scalars(sa.select(Contact).where(Contact.id.in_(wanted)))
    return {None: UNNAMED} | {contact.id: contact.address.shown for contact in rows}


def title(published: Published, name: str) -> str:
    """Return what people call an object: an asset's title, or the address of a page."""
    asset = published.find(Asset, name)
    return said(asset.title, _locale(published)) if asset else name


def _locale(published: Published) -> str:
    """Return the language of the people who read reasons: the site's."""
    site = published.find(Site, "site")
    return site.locale if site else "en"
