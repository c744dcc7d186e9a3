"""
What became known of interactions later, laid over what was known when they were taken.

Whose an interaction is and who did it are facts of their own beside the append-only row; of each
the newest holds. A verdict by hand holds over whatever rules say, before it or after it.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from regportal.tracking.models import BY_HAND, Attribution, Interaction, Verdict

Whose = aliased(Attribution, name="whose")
"""The newest word on whose it is."""
Holds = aliased(Verdict, name="holds")
"""The verdict that holds."""

_said, _judged = Whose.id.is_not(None), Holds.id.is_not(None)
ATTRIBUTION = sa.case((_said, Whose.attribution), else_=Interaction.attribution)
CONTACT = sa.case((_said, Whose.contact_id), else_=Interaction.contact_id)
JUDGED = sa.case((_judged, Holds.judged), else_=Interaction.judged)
JUDGED_BECAUSE = sa.case((_judged, Holds.judged_because), else_=Interaction.judged_because)
JUDGED_BY = sa.case((_judged, Holds.judged_by), else_=Interaction.judged_by)
VERDICT = (JUDGED, JUDGED_BECAUSE, JUDGED_BY)
"""Who did it: columns of a query that went through :func:`judged_now`."""
TAKEN = (Interaction.judged, Interaction.judged_because, Interaction.judged_by)
"""Who did it, as far as was known when it was taken."""


def known_now(query: sa.Select[Any]) -> sa.Select[Any]:
    """Let a query of interactions know whose each is now, and who did it."""
    theirs = sa.and_(Whose.interaction_id == Interaction.id, ~overruled(Whose))
    return judged_now(query.outerjoin_from(Interaction, Whose, theirs))


def overruled(word: Any) -> sa.ColumnElement[bool]:
    """Return whether of a word on whose an interaction is there is a newer one."""
    return sa.exists().where(
        _Newer.interaction_id == word.interaction_id,
        sa.tuple_(_Newer.at, _Newer.id) > sa.tuple_(word.at, word.id),
    )


def judged_now(query: sa.Select[Any]) -> sa.Select[Any]:
    """Let a query of interactions know who did each, as it is understood now."""
    return query.outerjoin_from(Interaction, Holds, _ITS)


def _weight(verdict: Any) -> sa.Tuple:
    """Return by what of two verdicts one holds over the other."""
    by_hand = sa.case((verdict.judged_by == BY_HAND, 1), else_=0)
    return sa.tuple_(by_hand, verdict.at, verdict.id)


# Made once: the columns of a new alias are worked out anew.
_Newer, _Heavier = aliased(Attribution), aliased(Verdict)
_ITS = sa.and_(
    Holds.interaction_id == Interaction.id,
    ~sa.exists().where(
        _Heavier.interaction_id == Holds.interaction_id, _weight(_Heavier) > _weight(Holds)
    ),
)
