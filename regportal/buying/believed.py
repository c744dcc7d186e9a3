"""What was believed of an opportunity at a moment, whatever became known after it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.english import moment_in_words
from regportal.buying.models import Move, Opportunity, Snapshot
from regportal.buying.naming import opportunity_called
from regportal.buying.reading import (
    interactions_of,
    model_of,
    moves_of,
    override_shown,
    parts_of,
    reasons,
)
from regportal.connectors.rules import in_full
from regportal.errors import NotHereError
from regportal.store.documents import Shelf

Row = dict[str, Any]


def opportunity_on(session: Session, name: str, on: datetime) -> Row:
    """
    Return an opportunity as ``show opportunity`` would have printed it at a moment.

    Phase, reason and evidence are those of the moves of then, names and parts those that were known
    then. Raises NotHereError for another opportunity, and before anything was known of it.
    """
    opportunity = opportunity_called(session, name)
    published = Shelf().published(session)
    model, _ = model_of(published)
    told = _told(session, opportunity, on)
    if not told:
        until = moment_in_words(on, model.zone)
        raise NotHereError(f"nothing was known of {name} on {until}")
    said = _described(told)
    phase, since, move = _phase(session, opportunity, on, told[0].received_at)
    return {
        "key": opportunity.key,
        "external_id": opportunity.external_id,
        "name": said["name"],
        "phase": phase,
        "since": in_full(since),
        "reason": reasons(session, published, [move], at=on)[move.id] if move else None,
        "evidence": interactions_of(move) if move else [],
        "contacts": [
            {"email": contact.address.shown, "role": role}
            for contact, role in parts_of(session, opportunity, on=on)
        ],
        "open": not said["is_closed"],
        "won": said["is_won"],
        "stage": said["stage"],
        "override": override_shown(session, published, opportunity.id, since, on=on),
    }


def _told(session: Session, opportunity: Opportunity, on: datetime) -> Sequence[Snapshot]:
    """Return what the CRM had told by then, in the order in which it did."""
    return session.scalars(
        sa.select(Snapshot)
        .where(Snapshot.opportunity_id == opportunity.id, Snapshot.received_at <= on)
        .order_by(Snapshot.received_at, Snapshot.id)
    ).all()


def _described(told: Sequence[Snapshot]) -> Row:
    """Return how the CRM described it last; an older description never overwrites a newer one."""
    said: Row = {"name": None, "stage": None, "is_closed": False, "is_won": False}
    newest = told[0].told_at
    for one in told:
        if one.told_at < newest:
            continue
        newest = one.told_at
        said |= {key: one.body[key] for key in said if key in one.body}
        if one.body.get("is_won"):
            said["is_closed"] = True
        elif one.body.get("is_closed") is False:
            said["is_won"] = False
    return said | {key: bool(said[key]) for key in ("is_closed", "is_won")}


def _phase(
    session: Session, opportunity: Opportunity, on: datetime, known: datetime
) -> tuple[str, datetime, Move | None]:
    """Return the phase, since when it was, and the move that led there, if one did."""
    moves = moves_of(session, opportunity)
    before = [move for move in moves if move.at <= on]
    if before:
        return before[-1].to_phase, before[-1].at, before[-1]
    return (moves[0].from_phase if moves else opportunity.phase), known, None
