"""What a person did, and what was concluded from it, as his own page shows it."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.labels import title
from regportal.buying.models import ContactRole, Move
from regportal.buying.reading import interactions_of, label, model_of
from regportal.identity.models import Contact
from regportal.privacy.reader import Reader, Row
from regportal.privacy.saying import DEEDS, DID, SURE
from regportal.store.words import translated
from regportal.tracking.actions import Seen, seen_of_contacts

PAGE = 25
"""How many interactions are shown at a time."""


def timeline(reader: Reader, seen: Sequence[Seen], before: datetime | None) -> Row:
    """Return what the person did, newest first, a page of it."""
    ordered = sorted(seen, key=lambda one: (one.occurred_at, one.id), reverse=True)
    later = [one for one in ordered if before is None or one.occurred_at < before]
    page = later[:PAGE]
    more = len(later) > PAGE
    return {
        "rows": [
            {
                "id": str(one.id),
                **_deed(reader, one),
                "when": reader.when(one.occurred_at),
                "sure": reader.says(SURE[one.attribution.value]),
                "machine": one.judged.value == "machine",
            }
            for one in page
        ],
        "total": len(seen),
        "older": page[-1].occurred_at.isoformat() if more else None,
        "newest": before is None,
    }


def _deed(reader: Reader, one: Seen) -> Row:
    """Say what somebody did; beside it what he did it with, which may be in another script."""
    about = {"object": title(reader.published, one.object), "type": one.type}
    sentence = translated(DEEDS.get(one.type, DID), reader.locale)
    before, _, after = sentence.partition("%(object)s")
    return {
        "says": sentence % about,
        "before": before % about,
        "object": about["object"],
        "after": after % about,
    }


def moves(reader: Reader, mine: Mapping[str, Seen]) -> list[Row]:
    """
    Return what was concluded from what the person did: the moves of phases that rest on it.

    Neither the purchase is named nor anybody else who has part in it: that is not his to see.
    """
    theirs = sa.select(ContactRole.opportunity_id).where(
        ContactRole.contact_id.in_([one.id for one in reader.contacts])
    )
    found = reader.session.scalars(
        sa.select(Move).where(Move.opportunity_id.in_(theirs)).order_by(Move.at.desc(), Move.id)
    )
    model, _ = model_of(reader.published)
    return [
        {
            "when": reader.when(move.at),
            "phase": label(reader.published, model, move.to_phase),
            "because": [
                _deed(reader, mine[each]) for each in interactions_of(move) if each in mine
            ],
        }
        for move in found
        if any(each in mine for each in interactions_of(move))
    ]


def has_done(session: Session, contacts: Sequence[Contact], interaction: uuid.UUID) -> bool:
    """Return whether an interaction counts as this person's now."""
    seen = seen_of_contacts(session, [one.id for one in contacts])
    return any(one.id == interaction for one in seen)
