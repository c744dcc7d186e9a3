"""What the draft in shadow says, beside what the published rules say."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.compiled import compiled
from regportal.buying.models import KeptStanding, Move, Opportunity, ShadowMove, ShadowStanding
from regportal.buying.reading import label, model_of
from regportal.buying.schema import Buying
from regportal.buying.shadow import rules_in_shadow
from regportal.connectors.rules import in_full
from regportal.errors import NotHereError
from regportal.store.documents import Published


def shadow_of(
    session: Session, opportunity: uuid.UUID
) -> tuple[Buying, str, datetime | None] | None:
    """Return the draft in shadow, and the phase in which it has an opportunity, and since when."""
    rules = rules_in_shadow(session)
    if rules is None:
        return None
    draft = Buying.model_validate(rules.rules)
    row = session.execute(
        sa.select(ShadowStanding.phase, ShadowStanding.since).where(
            ShadowStanding.subject_id == opportunity,
            ShadowStanding.rules == compiled(draft).digest,
        )
    ).first()
    return None if row is None else (draft, row.phase, row.since)


def shadow_shown(session: Session, published: Published) -> dict[str, Any]:
    """
    Return what the draft in shadow says otherwise of the open opportunities, as JSON.

    It is compared with what the published rules say, whatever a colleague says over them. Raises
    NotHereError where there is no draft in shadow.
    """
    rules = rules_in_shadow(session)
    if rules is None:
        raise NotHereError("no draft is in shadow: `regportal shadow begin FILE` begins one")
    draft, (model, _) = Buying.model_validate(rules.rules), model_of(published)
    is_open, digest = Opportunity.is_closed.is_(False), compiled(draft).digest
    there = sa.and_(
        ShadowStanding.subject_id == Opportunity.id,
        ShadowStanding.rules == digest,
        KeptStanding.subject_id == Opportunity.id,
        KeptStanding.rules == compiled(model).digest,
        is_open,
    )
    many = session.scalar(sa.select(sa.func.count()).where(is_open)) or 0
    done = session.scalar(
        sa.select(sa.func.count())
        .select_from(Opportunity, ShadowStanding, KeptStanding)
        .where(there)
    )
    rows = session.execute(
        sa.select(
            Opportunity,
            KeptStanding.phase,
            KeptStanding.since,
            ShadowStanding.phase,
            ShadowStanding.since,
        )
        .where(there, KeptStanding.phase != ShadowStanding.phase)
        .order_by(ShadowStanding.since.desc(), Opportunity.id)
    ).all()

    def stay(buying: Buying, phase: str, since: datetime | None) -> dict[str, Any]:
        return {
            "phase": phase,
            "label": label(published, buying, phase),
            "since": None if since is None else in_full(since),
        }

    return {
        "since": in_full(rules.begun_at),
        "model": draft.model,
        "phases": [phase.id for phase in draft.phases],
        "open": many,
        "waiting": many - (done or 0),
        "moves": {
            "published": session.scalar(
                sa.select(sa.func.count()).where(
                    Move.at >= rules.begun_at, Move.cause != "override"
                )
            ),
            "draft": session.scalar(sa.select(sa.func.count()).select_from(ShadowMove)),
        },
        "opportunities": [
            {
                "key": one.key,
                "connector": one.connector,
                "external_id": one.external_id,
                "name": one.name,
                "published": stay(model, phase, since),
                "draft": stay(draft, other, other_since),
            }
            for one, phase, since, other, other_since in rows
        ],
    }
