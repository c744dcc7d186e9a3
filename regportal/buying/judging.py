"""What was said over the rules, where it differs from them now, and who was right."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import KeptStanding, Opportunity, PhaseOverride
from regportal.buying.overrides import was_right
from regportal.connectors.rules import in_full

Row = dict[str, Any]


def list_overrides(session: Session) -> Iterator[Row]:
    """
    Yield all that was ever said over the rules, oldest first, and whether it was right.

    ``rules_now`` is where the rules are, as long as it holds. ``right`` is null as long as it may
    still be, and where nobody can tell.
    """
    rows = session.execute(
        sa.select(PhaseOverride, Opportunity, KeptStanding.phase)
        .join(Opportunity, Opportunity.id == PhaseOverride.opportunity_id)
        .outerjoin(KeptStanding, KeptStanding.subject_id == Opportunity.id)
        .order_by(PhaseOverride.since, PhaseOverride.id)
    )
    for said, opportunity, by_rules in rows:
        told = told_of(said)
        yield {
            "since": told.pop("since"),
            **opportunity.named,
            "phase": told.pop("phase"),
            "rules_phase": told.pop("rules_phase"),
            "rules_now": by_rules if said.ended is None else None,
            **told,
        }


def told_of(said: PhaseOverride) -> Row:
    """Return what was said over the rules, and what became of it."""
    return {
        "since": in_full(said.since),
        "phase": said.phase,
        "rules_phase": said.rules_phase,
        "by": said.by,
        "through": said.through,
        "because": said.because,
        "until": in_full(said.until),
        "ended_at": _in_full(said.ended_at),
        "ended": said.ended.value if said.ended else None,
        "came_at": _in_full(said.came_at),
        "right": was_right(said),
    }


def score(rows: Iterable[Row]) -> str:
    """
    Return in words how often what was said was right, and how much of it differs now.

    >>> ended = {"phase": "decision", "rules_now": None}
    >>> score([ended | {"right": True}, ended | {"right": False}, ended | {"right": True}])
    '2 of 3 were right (67%)'
    >>> score([{"phase": "decision", "rules_now": "interest", "right": None}])
    'none can be judged yet; 1 differs from the rules now'
    """
    listed = [*rows]
    judged = [row["right"] for row in listed if row["right"] is not None]
    apart = sum(row["rules_now"] not in {None, row["phase"]} for row in listed)
    now = f"; {apart} {'differs' if apart == 1 else 'differ'} from the rules now" if apart else ""
    if not judged:
        return f"none can be judged yet{now}"
    right, were = sum(judged), "was" if len(judged) == 1 else "were"
    return f"{right} of {len(judged)} {were} right ({right / len(judged):.0%}){now}"


def _in_full(at: datetime | None) -> str | None:
    """Return a moment as machines read it, where there is one."""
    return None if at is None else in_full(at)
