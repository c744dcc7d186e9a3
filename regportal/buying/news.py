"""What the CRMs are told of interactions and of moves (design.md 7)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from regportal.buying.alerts.actions import note
from regportal.buying.lists.keeping import list_parts
from regportal.buying.models import Move, Opportunity
from regportal.buying.reading import interactions_of, reasons
from regportal.connectors.rules import in_full
from regportal.connectors.schema import Connector
from regportal.identity.actions import told
from regportal.identity.models import Contact
from regportal.outbox.actions import News, owe_all
from regportal.outbox.rules import REST
from regportal.store.documents import Published
from regportal.tracking.actions import Seen
from regportal.tracking.series import own_as_told


def tell_moves(
    session: Session,
    published: Published,
    moves: Sequence[tuple[Opportunity, Move]],
    *,
    now: datetime,
) -> None:
    """Keep moves, tell each the CRM whose opportunity moved, and whom else; lists show it."""
    if not moves:
        return
    session.add_all(move for _, move in moves)
    session.flush()
    why = reasons(session, published, [move for _, move in moves])
    owed = [
        (connector, phase_news(opportunity, move, why[move.id]))
        for opportunity, move in moves
        if (connector := published.find(Connector, opportunity.connector)) is not None
    ]
    owe_all(session, owed, now=now)
    note(session, published, moves, now=now)
    list_parts(session, {opportunity.id for opportunity, _ in moves})


def interaction_news(taken: Seen, contact: Contact, opportunities: list[str], title: str) -> News:
    """
    Return what a CRM is told of an interaction that is a contact's own (design.md 7).

    ``title`` is what people call its object.
    """
    return News(
        topic="interaction.recorded",
        subject=f"contact:{contact.key}",
        payload={
            "id": str(taken.id),
            "contact": told(contact),
            "interaction": own_as_told(taken),
            "title": title,
            "opportunities": opportunities,
        },
        occurred_at=taken.occurred_at,
        lane=REST,
    )


def phase_news(opportunity: Opportunity, move: Move, reason: str) -> News:
    """Return what a CRM is told of one move (design.md 7)."""
    return News(
        topic="phase.changed",
        subject=f"opportunity:{opportunity.key}",
        payload={
            "id": str(move.id),
            "opportunity": {
                "key": opportunity.key,
                "external_id": opportunity.external_id,
                "name": opportunity.name,
            },
            "from": move.from_phase,
            "to": move.to_phase,
            "since": in_full(move.at),
            "reason": reason,
            "evidence": interactions_of(move),
            "rules_version": move.rules_version,
        },
        occurred_at=move.at,
        merges="phase",
        keeps=frozenset({"from"}),
    )
