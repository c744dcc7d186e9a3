"""What the ledger says of somebody, with what proves it as far as that is still kept."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentNetwork
from regportal.store.documents import Wording


class Proven(NamedTuple):
    """One line of the ledger, and what lies beside it."""

    line: ConsentEvent
    wording: str
    """The words that were agreed to."""
    evidence: ConsentEvidence | None
    network: ConsentNetwork | None


def proven_lines(session: Session, subjects: Collection[str]) -> Sequence[Proven]:
    """Return every line of the ledger about these subjects, newest first."""
    query = (
        sa.select(ConsentEvent, Wording.text, ConsentEvidence, ConsentNetwork)
        .join(Wording, Wording.digest == ConsentEvent.wording)
        .outerjoin(ConsentEvidence, ConsentEvidence.id == ConsentEvent.id)
        .outerjoin(ConsentNetwork, ConsentNetwork.id == ConsentEvent.id)
        .where(ConsentEvent.subject.in_(subjects))
        .order_by(ConsentEvent.number.desc())
    )
    return [Proven(*row) for row in session.execute(query)]
