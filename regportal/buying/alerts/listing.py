"""Which moves somebody was told of, of which nobody was, and why: for operators."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.alerts.actions import reader_of
from regportal.buying.alerts.models import Alert, AlertReader
from regportal.buying.models import Move, Opportunity
from regportal.connectors.rules import in_full
from regportal.store.documents import Published


def alerts(session: Session, published: Published) -> Iterator[dict[str, Any]]:
    """Yield every alert that is kept, oldest first: ``told``, ``waits`` or ``dropped``."""
    rows = session.execute(
        sa.select(Alert, Move, Opportunity, AlertReader.choice)
        .join(Move, Move.id == Alert.move_id)
        .join(Opportunity, Opportunity.id == Move.opportunity_id)
        .outerjoin(AlertReader, AlertReader.id == Alert.reader_id)
        .order_by(Alert.at, Alert.move_id)
    )
    for alert, move, opportunity, choice in rows:
        whose = reader_of(published, opportunity)
        yield {
            "at": in_full(alert.at),
            **opportunity.named,
            "from": move.from_phase,
            "to": move.to_phase,
            "reader": whose.shown if whose else None,
            "chosen": choice,
            "state": "waits" if alert.due else "told" if alert.letter_id else "dropped",
            "due": in_full(alert.due) if alert.due else None,
            "settled_at": in_full(alert.told_at) if alert.told_at else None,
            "because": alert.because,
        }
