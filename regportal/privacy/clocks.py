"""Keeping nothing longer than we said: the clocks of every class of data, wound every night."""

import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.buying.models import ContactRole, Opportunity
from regportal.consent.actions import subject_of_contact
from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentState
from regportal.consent.permission import permissions_of
from regportal.consent.rules import LIVE, LOCKED_FOR, PENDING_FOR
from regportal.forms.models import Answer
from regportal.identity.models import Claim, ClaimState, Contact, Visitor
from regportal.identity.people import contacts_of
from regportal.outbox.models import Message, Subject
from regportal.privacy.erasing import TIME, erase
from regportal.privacy.models import Chore
from regportal.privacy.removing import remove
from regportal.privacy.traces import MENTION, Traces, every_model, primary
from regportal.privacy.unknown import AT_ONCE, STEPS, is_older, remove_aged
from regportal.privacy.whom import whom_of
from regportal.store.ballast import may_use_ballast
from regportal.store.base import Base, Clock
from regportal.store.documents import Published, Shelf, Site, span
from regportal.store.facts import table_of
from regportal.store.ids import first_of
from regportal.store.sessions import Store
from regportal.tracking.models import Attribution, Interaction, Told

RETENTION = "retention"
"""What the nightly job is called where it says when it ran."""
AFTER_CONSENT = timedelta(days=3 * 365)
"""How long the evidence of a permission is kept after it ended: until nobody can sue any more."""
FIXED: dict[Clock, timedelta] = {
    "refusals": LOCKED_FOR + PENDING_FOR,  # whoever asks on the last day may say yes a week later
    "letters": timedelta(days=40),
    "webhooks": timedelta(days=30),
    "security": timedelta(days=1),
}
"""Clocks that no setting changes."""
SIMPLE: tuple[Clock, ...] = ("network", "refusals", "letters", "webhooks", "security")
"""Clocks that end a row by its age alone."""

Step = Callable[[Session], int]


def lengths(site: Site) -> dict[Clock, timedelta]:
    """Return how long each class of data is kept."""
    keep = site.keep
    return FIXED | {
        "claims": span(keep.claims),
        "anonymous": span(keep.anonymous),
        "network": span(keep.network),
        "contacts": span(keep.contacts),
        "ledger": AFTER_CONSENT,
    }


def tidy(store: Store, shelf: Shelf, *, pepper: str, now: datetime) -> dict[str, int]:
    """
    Delete whatever is older than we said, a little at a time, and note that it was done.

    Returns how many rows of each class went; nothing before the first publication.
    """
    with store.read() as session:
        published = shelf.published(session)
    if published.find(Site, "site") is None:
        return {}
    kept = lengths(Site.of(published))
    steps: dict[str, Step] = {
        clock: partial(_by_age, clock=clock, before=now - kept[clock]) for clock in SIMPLE
    }
    steps["claims"] = partial(_claims, before=now - kept["claims"])
    unknown = now - kept["anonymous"]
    steps |= {name: partial(step, before=unknown) for name, step in STEPS.items()}
    steps |= {
        "told": partial(_ahead, before=now - kept["network"], now=now),
        "ledger": partial(_evidence, before=now - kept["ledger"]),
        "numbers": _numbers,
    }
    did: Counter[str] = Counter()
    for name, step in steps.items():
        while gone := store.write(step):
            did[name] += gone
    did.update(remove_aged(store, before=unknown))
    before = now - kept["contacts"]
    with store.read() as session:
        silent = session.scalars(_silent(before)).all()
    for person in silent:
        did["contacts"] += store.write(
            partial(
                _contact, person=person, published=published, pepper=pepper, before=before, now=now
            )
        )
    store.write(lambda session: _note(session, did, now=now))
    store.sweep()
    return {name: gone for name, gone in did.items() if gone}


def last_run(session: Session) -> Chore | None:
    """Return when the job was last done, and what it did."""
    return session.get(Chore, RETENTION)


def _by_age(session: Session, *, clock: Clock, before: datetime) -> int:
    """Delete, or empty, some rows of one class that are too old."""
    for model in every_model().values():
        if model.clock == clock and model.aged_by is not None:
            gone = _some_of(session, model, before)
            if gone:
                return gone
    return 0


def _some_of(session: Session, model: type[Base], before: datetime) -> int:
    """Delete, or empty, some rows of one table that are too old."""
    table = table_of(model)
    old = is_older(model, before)
    held = [table.columns[name] for name, key in model.person.items() if key == MENTION]
    if model.emptied:
        old = sa.and_(old, sa.or_(*(column != _nothing(column) for column in held)))
    chosen = sa.select(*table.primary_key).where(old).limit(AT_ONCE)
    keys = [tuple(row) for row in session.execute(chosen)]
    if not keys:
        return 0
    may_use_ballast(session)
    if model.emptied:
        nothing = {column.name: _nothing(column) for column in held} | dict(model.when_emptied)
        session.execute(sa.update(table).where(primary(table, keys)).values(nothing))
    else:
        session.execute(sa.delete(table).where(primary(table, keys)))
    return len(keys)


def _nothing(column: sa.Column[Any]) -> Any:
    """Return what a column holds when it is emptied."""
    return b"" if isinstance(column.type, sa.LargeBinary) else {}


def _claims(session: Session, *, before: datetime) -> int:
    """Delete some claims that nobody confirmed, with all that was given and done under them."""
    old = session.scalars(
        sa.select(Claim.id)
        .where(Claim.state.in_([ClaimState.REJECTED, ClaimState.EXPIRED]), Claim.opened_at < before)
        .limit(AT_ONCE)
    ).all()
    if old:
        remove(session, Traces(claims=frozenset(old)))
    return len(old)


def _ahead(session: Session, *, before: datetime, now: datetime) -> int:
    """Forget some ids that were told long ago and still lie ahead: their own time ends too late."""
    old = session.scalars(
        sa.select(Told.id).where(Told.id > first_of(now), Told.at < before).limit(AT_ONCE)
    ).all()
    session.execute(sa.delete(Told).where(Told.id.in_(old)))
    return len(old)


def _evidence(session: Session, *, before: datetime) -> int:
    """Delete some evidence of permissions that ended long ago; the lines stay, and name nobody."""
    newer = aliased(ConsentEvent)
    over = aliased(ConsentEvent)
    followed = sa.exists().where(_same_record(newer, over), newer.number > over.number)
    ended = sa.exists().where(
        _same_record(over, ConsentEvent),
        over.state.not_in([*LIVE, ConsentState.PENDING]),
        over.at < before,
        ~followed,
    )
    old = session.scalars(
        sa.select(ConsentEvidence.id)
        .join(ConsentEvent, ConsentEvent.id == ConsentEvidence.id)
        .where(ended)
        .limit(AT_ONCE)
    ).all()
    session.execute(sa.delete(ConsentEvidence).where(ConsentEvidence.id.in_(old)))
    return len(old)


def _same_record(one: type[ConsentEvent], other: type[ConsentEvent]) -> sa.ColumnElement[bool]:
    """Return the condition that two lines are about one permission, as claim and as contact."""
    same = sa.and_(one.subject == other.subject, one.newsletter == other.newsletter)
    return sa.or_(same, one.record_id == other.record_id)


def _contact(
    session: Session,
    person: uuid.UUID,
    *,
    published: Published,
    pepper: str,
    before: datetime,
    now: datetime,
) -> int:
    """
    Erase a person of whom nothing was heard for too long, as if they had asked for it.

    Whoever has part in an open opportunity, or still allows a newsletter, is not silent.
    """
    theirs = contacts_of(session, person)
    if not theirs or any(_is_alive(session, one, before, now) for one in theirs):
        return 0
    erase(session, published, whom_of(theirs), pepper=pepper, by=TIME, now=now)
    return 1


def _silent(before: datetime) -> sa.Select[Any]:
    """Select people whose last answer, deed, visit and claim were before a moment."""
    ours = Claim.contact_id == Contact.id
    recent = (
        sa.exists().where(Interaction.contact_id == Contact.id, Interaction.occurred_at >= before),
        sa.exists().where(Answer.contact_id == Contact.id, Answer.answered_at >= before),
        sa.exists().where(ours, Claim.opened_at >= before),
        sa.exists().where(ours, Visitor.claim_id == Claim.id, Visitor.last_seen >= before),
        sa.exists().where(
            Attribution.contact_id == Contact.id,
            Interaction.id == Attribution.interaction_id,
            Interaction.occurred_at >= before,
        ),
        sa.exists().where(
            ContactRole.contact_id == Contact.id,
            ContactRole.until.is_(None),
            Opportunity.id == ContactRole.opportunity_id,
            Opportunity.is_closed.is_(False),
        ),
    )
    return (
        sa.select(Contact.person_id)
        .where(Contact.first_seen < before, *(~one for one in recent))
        .distinct()
    )


def _is_alive(session: Session, contact: Contact, before: datetime, now: datetime) -> bool:
    """Return whether one address of a person still is in touch, or gets something."""
    allows = any(one.state in LIVE for one in permissions_of(session, contact, at=now).values())
    spoke = session.scalar(
        sa.select(sa.func.max(ConsentEvent.at)).where(
            ConsentEvent.subject == subject_of_contact(contact.id)
        )
    )
    silent = _silent(before).where(Contact.id == contact.id)
    heard = session.execute(silent).first() is None
    return allows or heard or (spoke is not None and spoke >= before)


def _numbers(session: Session) -> int:
    """Forget the numbers of links to own pages; no connector was ever told of them."""
    used = sa.exists().where(
        Message.connector == Subject.connector, Message.subject == Subject.subject
    )
    old: Sequence[str] = session.scalars(
        sa.select(Subject.subject).where(Subject.subject.like("own:%"), ~used).limit(AT_ONCE)
    ).all()
    session.execute(
        sa.delete(Subject)
        .where(Subject.subject.in_(old))
        .execution_options(synchronize_session=False)
    )
    return len(old)


def _note(session: Session, did: Counter[str], *, now: datetime) -> None:
    """Note that it was done."""
    chore = session.get(Chore, RETENTION)
    if chore is None:
        session.add(Chore(name=RETENTION, at=now, did=dict(did)))
    else:
        chore.at, chore.did = now, dict(did)
