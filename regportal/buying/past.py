"""
What is kept of people and opportunities, read as the facts the rules hear.

Each fact has the moment at which it became known, and until when it was: whose something is, who
did it and who has which part may all be said later than it happened (design.md 4).
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.facts import (
    Answered,
    Closed,
    Fact,
    Noted,
    Reopened,
    Scored,
    Sign,
    Staged,
    moment,
)
from regportal.buying.folding import Deal, Known, Role
from regportal.buying.models import ContactRole, Snapshot
from regportal.buying.people import Person, people_of
from regportal.buying.schema import Buying, named
from regportal.buying.scores.models import ScoreCrossing
from regportal.buying.scores.profile import address_kind, fields_of
from regportal.buying.scores.schema import Score
from regportal.buying.signs import all_done_by, least_of
from regportal.forms.models import Answer
from regportal.forms.schema import Question
from regportal.identity.kin import kin_of
from regportal.identity.models import Assurance, Claim
from regportal.store.documents import Published
from regportal.tracking.models import Attributed

Lives = Mapping[uuid.UUID, Sequence[Known]]
"""By person all that holds of him, or held."""
EVER = 0
"""Since when an address is known: whatever else is known of somebody, it is of who has it."""
ASKED = frozenset({"answer", "field", "quiet", "score"})


def lives_of(
    session: Session, published: Published, buying: Buying, people: Collection[Person]
) -> Lives:
    """Return all that is known of these people and can matter to a model, by their keys."""
    lives: dict[uuid.UUID, list[Known]] = {person.id: [] for person in people}
    kinds = asks(buying)
    for whose, known in _signs(session, people, least_of(buying)):
        lives[whose].append(known)
    if kinds & {"answer", "field", "quiet"}:  # who answers is not silent
        for whose, known in _answers(session, published, people):
            lives[whose].append(known)
    if "score" in kinds:
        for whose, known in _scores(session, published, people):
            lives[whose].append(known)
    return lives


def asks(buying: Buying) -> frozenset[str]:
    """Return the kinds of conditions of a model for which more is read than what people did."""
    return ASKED & {condition.kind for condition in buying.conditions()}


def _signs(
    session: Session, people: Collection[Person], least: Attributed
) -> Iterator[tuple[uuid.UUID, Known]]:
    """Yield what people did themselves, under any of their addresses since it is theirs."""
    everybody = {contact for person in people for contact in person.contacts}
    kin = kin_of(session, everybody)
    owners = {
        contact: (person.id, moment(at) if (at := kin.joined_since(person.id, contact)) else 0)
        for person in people
        for contact in person.contacts
    }
    for one in all_done_by(session, everybody, least):
        for spell in one.counts:
            whose, joined = owners.get(spell.sign.contact, (None, 0))
            if whose is not None:
                since = max(moment(spell.since), joined)
                until = None if spell.until is None else moment(spell.until)
                yield whose, Known(sign_of(spell.sign, whose), since, until)


def sign_of(sign: Sign, whose: uuid.UUID) -> Sign:
    """Return an interaction as done by a person, whichever of his addresses it was."""
    return sign if sign.contact == whose else replace(sign, contact=whose)


def _answers(
    session: Session, published: Published, people: Collection[Person]
) -> Iterator[tuple[uuid.UUID, Known]]:
    """
    Yield what people answered, since when we know that it was them, and what follows of it.

    What somebody would rather not say is no answer.
    """
    owners = {contact: person.id for person in people for contact in person.contacts}
    types = {question.key: question.type for question in published.all(Question)}
    for person in people:
        kind = address_kind(person.contact.email)
        yield person.id, Known(Noted(person.id, "address", kind), EVER)
    rows = session.execute(
        sa.select(
            Answer.contact_id,
            Answer.question,
            Answer.value,
            Answer.answered_at,
            Claim.decided_at,
        )
        .outerjoin(Claim, Claim.id == Answer.claim_id)
        .where(
            Answer.contact_id.in_(owners),
            Answer.assurance != Assurance.CLAIMED,
            Answer.declined.is_(False),
        )
        .order_by(Answer.answered_at, Answer.id)
    )
    for contact, question, value, answered_at, decided_at in rows:
        whose = owners[contact]
        since = moment(answered_at if decided_at is None else max(answered_at, decided_at))
        values = tuple(str(each) for each in (value if isinstance(value, list) else [value]))
        yield whose, Known(Answered(whose, question, values, answered_at), since)
        for name, says in fields_of(types.get(question, ""), ", ".join(values)):
            yield whose, Known(Noted(whose, name, says), since)


def _scores(
    session: Session, published: Published, people: Collection[Person]
) -> Iterator[tuple[uuid.UUID, Known]]:
    """Yield each threshold that people's scores passed, as what the score was worth then."""
    levels: dict[tuple[str, str | None], float] = {
        (score.key, name): at for score in published.all(Score) for name, at in score.levels
    }
    rows = session.execute(
        sa.select(
            ScoreCrossing.contact_id,
            ScoreCrossing.score,
            ScoreCrossing.at,
            ScoreCrossing.value,
            ScoreCrossing.to_level,
        )
        .where(ScoreCrossing.contact_id.in_([person.id for person in people]))
        .order_by(ScoreCrossing.at, ScoreCrossing.id)
    )
    for whose, name, at, value, level in rows:
        least = levels.get((name, level), 0.0)
        yield whose, Known(Scored(whose, name, max(value, least)), moment(at))


# --- opportunities ---


def deals_of(
    session: Session, ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, tuple[Deal, dict[Hashable, Person]]]:
    """Return what is known of these opportunities and who ever had a part, by their keys."""
    told = _told(session, ids)
    rows = _parts(session, ids)
    people = people_of(session, {contact for _, contact, _ in rows})
    found: dict[uuid.UUID, tuple[dict[Hashable, list[Role]], dict[Hashable, Person]]]
    found = {one: ({}, {}) for one in ids}
    for one, contact, role in rows:
        person, (parts, theirs) = people[contact], found[one]
        parts.setdefault(person.id, []).append(role)
        theirs[person.id] = person
    return {one: (Deal(told.get(one, ()), parts), them) for one, (parts, them) in found.items()}


def _told(session: Session, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Known]]:
    """Return what the seller did with opportunities, as the CRM told it; late news is no news."""
    rows = session.execute(
        sa.select(Snapshot.opportunity_id, Snapshot.received_at, Snapshot.told_at, Snapshot.body)
        .where(Snapshot.opportunity_id.in_(ids))
        .order_by(Snapshot.opportunity_id, Snapshot.received_at, Snapshot.id)
    )
    found: defaultdict[uuid.UUID, list[Known]] = defaultdict(list)
    newest: dict[uuid.UUID, datetime] = {}
    closed: dict[uuid.UUID, bool] = {}
    for one, received_at, told_at, body in rows:
        if told_at < newest.get(one, told_at):
            continue
        newest[one] = told_at
        since = moment(received_at)
        facts = [*_facts(body, was_closed=closed.get(one, False))]
        closed[one] = _is_closed(body, closed.get(one, False))
        found[one] += [Known(fact, since) for fact in facts]
    return found


def _facts(body: Mapping[str, Any], *, was_closed: bool) -> Iterator[Fact]:
    """Yield what a description of an opportunity says that the rules hear."""
    is_closed = _is_closed(body, was_closed)
    if was_closed and not is_closed:
        yield Reopened()
    if "stage" in body:
        yield Staged(body["stage"])
    for name, value in (body.get("account") or {}).items():
        yield Noted("", f"account.{name}", None if value is None else str(value))
    if is_closed and not was_closed:
        yield Closed()


def _is_closed(body: Mapping[str, Any], before: bool) -> bool:  # noqa: FBT001 - what it was
    """Return whether an opportunity is closed after it was described so."""
    if body.get("is_won"):
        return True
    told = body.get("is_closed")
    return before if told is None else bool(told)


def _parts(session: Session, ids: Collection[uuid.UUID]) -> list[tuple[uuid.UUID, uuid.UUID, Role]]:
    """Return each part in these opportunities, by whom, oldest first."""
    rows = session.execute(
        sa.select(
            ContactRole.opportunity_id,
            ContactRole.contact_id,
            ContactRole.role,
            ContactRole.since,
            ContactRole.until,
        )
        .where(ContactRole.opportunity_id.in_(ids))
        .order_by(ContactRole.since, ContactRole.id)
    )
    return [
        (
            one,
            contact,
            Role(
                named(role) if role else None,
                moment(since),
                None if until is None else moment(until),
            ),
        )
        for one, contact, role, since, until in rows
    ]
