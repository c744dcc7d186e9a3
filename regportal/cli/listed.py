"""What is known of many people at once, as lists print it (design.md 8)."""

import uuid
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.rules import in_full
from regportal.forms.models import Answer
from regportal.identity.actions import emails_of
from regportal.identity.addresses import Address
from regportal.identity.models import Assurance, Claim, Contact
from regportal.identity.related import Related, others, related_addresses
from regportal.tracking.models import Interaction, Judged

PAGE = 500
"""How many rows of a long list are read at a time."""

Row = dict[str, Any]


def contacts(session: Session) -> Iterator[Row]:
    """Yield every contact with what it answered, oldest first."""
    questions = session.scalars(
        sa.select(Answer.question)
        .where(Answer.contact_id.is_not(None), Answer.assurance != Assurance.CLAIMED)
        .distinct()
        .order_by(Answer.question)
    ).all()
    related = related_addresses(session)
    for page in _pages(session, sa.select(Contact).order_by(Contact.first_seen, Contact.id)):
        answers = newest(session, [contact.id for contact in page])
        for contact in page:
            known = {answer.question: answer.value for answer in answers.get(contact.id, ())}
            yield {
                "key": contact.key,
                "email": contact.address.shown,
                "assurance": contact.assurance.value,
                "first_seen": in_full(contact.first_seen),
                "locale": contact.locale,
                **hints_of(contact.address, related),
                "answers": {question: known.get(question) for question in questions},
            }


def claims(session: Session) -> Iterator[Row]:
    """Yield every claim, one line each, oldest first; an open one is nobody's yet."""
    done = (
        sa.select(sa.func.count())
        .where(Interaction.claim_id == Claim.id)
        .correlate(Claim)
        .scalar_subquery()
    )
    query = sa.select(Claim, done).order_by(Claim.opened_at, Claim.id)
    related = related_addresses(session)
    for claim, interactions in session.execute(query).yield_per(PAGE):
        yield {
            "id": str(claim.id),
            "email": claim.address.shown,
            "state": claim.state.value,
            "gate": claim.gate,
            "opened_at": in_full(claim.opened_at),
            "decided_at": in_full(claim.decided_at) if claim.decided_at else None,
            "interactions": interactions,
            **hints_of(claim.address, related),
        }


def interactions(session: Session, judged: Judged | None = None) -> Iterator[Row]:
    """
    Yield every interaction as it is understood now, in the order it became known.

    As the API tells of it, but for the contact, who stands there with his address; and with what
    led to its visit.

    ``judged`` narrows it to what people did, or machines.
    """
    from regportal.tracking.actions import NOW, Seen
    from regportal.tracking.later import JUDGED, known_now
    from regportal.tracking.series import as_read
    from regportal.tracking.visiting import read_touches

    query = known_now(sa.select(*NOW)).order_by(Interaction.received_at, Interaction.id)
    if judged is not None:
        query = query.where(JUDGED.in_([judged]))
    for page in session.execute(query.execution_options(yield_per=PAGE)).partitions():
        every = [Seen(*row) for row in page]
        emails = emails_of(session, (one.contact_id for one in every))
        touches = read_touches(session, {one.visit_id for one in every if one.visit_id})
        for one in every:
            touch = touches.get(one.visit_id) if one.visit_id else None
            yield {
                **as_read(one).model_dump(mode="json"),
                "touch": touch.model_dump(mode="json") if touch else None,
                "contact": emails.get(one.contact_id),
                "claim": str(one.claim_id) if one.claim_id else None,
            }


def hints_of(address: Address, related: Related) -> Row:
    """Return what is worth a second look about an address."""
    return {
        "reads": address.reads,
        "flags": address.flags,
        "related": others(related, address.match_key),
    }


def newest(session: Session, contacts: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Answer]]:
    """Return the newest answer to each question that is more than claimed, by contact."""
    rows = session.scalars(
        sa.select(Answer)
        .where(
            Answer.contact_id.in_(contacts),
            Answer.assurance != Assurance.CLAIMED,
            sa.not_(Answer.declined),
        )
        .order_by(Answer.contact_id, Answer.answered_at, Answer.id)
    )
    return {
        owner: list({answer.question: answer for answer in answers}.values())
        for owner, answers in groupby(rows, key=lambda answer: answer.contact_id)
        if owner is not None
    }


def _pages(session: Session, query: sa.Select[Any]) -> Iterator[Sequence[Any]]:
    """Yield the rows of a long list, so many at a time."""
    yield from session.scalars(query.execution_options(yield_per=PAGE)).partitions()
