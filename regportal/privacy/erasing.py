"""Forgetting somebody: one transaction, after which nothing of him is left but the proof of it."""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import ContactRole, KeptStanding, ShadowStanding
from regportal.buying.place import own_every_place
from regportal.consent.actions import follow, states_of
from regportal.consent.lines import Evidence
from regportal.consent.models import ConsentState
from regportal.consent.suppression import ERASED, suppress
from regportal.errors import NotHereError
from regportal.identity.actions import find_contact
from regportal.identity.addresses import read_address
from regportal.identity.models import Claim, Contact, Visitor, VisitorState
from regportal.identity.people import let_go, own_contacts
from regportal.outbox.actions import News, put
from regportal.outbox.models import Message, Subject
from regportal.outbox.rules import ERASURE
from regportal.outbox.waiting import IS_DUE
from regportal.privacy.models import Erasure
from regportal.privacy.traces import (
    MENTION,
    Keys,
    Traces,
    all_traces,
    every_model,
    keys_of,
    mentions_of,
    primary,
    some,
    without,
)
from regportal.store.ballast import may_use_ballast
from regportal.store.base import Base
from regportal.store.documents import Published
from regportal.store.facts import table_of
from regportal.store.ids import uuid7
from regportal.store.words import N_
from regportal.tracking.actions import log as note
from regportal.tracking.models import EntryKind

MAIL = "mail"
PERSON, ADMINISTRATOR, TIME, CRM = "person", "administrator", "time", "crm"
"""Who wanted somebody erased."""


@dataclass(frozen=True, slots=True)
class Whom:
    """Whom to erase: the contacts of one person, and the addresses he is known by."""

    key: str
    """Our key for the person; of somebody who only claimed an address, one made for the report."""
    contacts: Sequence[Contact]
    match_keys: Collection[str]


@dataclass(frozen=True, slots=True)
class Told:
    """Who was told something of a person, and until when somebody is still telling it."""

    subjects: Mapping[str, Collection[str]]
    """Connector → subjects."""
    busy: Mapping[tuple[str, str], datetime] = field(default_factory=dict)


def find_whom(session: Session, email: str) -> Whom:
    """
    Return whom an address belongs to: the person with all addresses, or whoever only claimed it.

    His are the addresses he proved or an administrator joined. One that only a CRM takes for his
    stays: it may be a colleague's, who never asked to be forgotten (it is erased by its own name).

    Raises NotHereError for an address under which nothing is kept.
    """
    contact = find_contact(session, email) if email.isprintable() else None
    if contact is not None:
        return whom_of(own_contacts(session, contact))
    try:
        match_key = read_address(email).match_key
    except ValueError:
        match_key = ""
    if session.scalar(sa.select(Claim.id).where(Claim.match_key == match_key).limit(1)) is None:
        raise NotHereError(f"nobody is known by the address {email!r}")
    return Whom(str(uuid7()), [], [match_key])


def left_out(session: Session, whom: Whom) -> list[str]:
    """Return the addresses that only a CRM takes for this person's, too: they are not his here."""
    together = sa.select(Contact.email).where(
        Contact.person_id.in_([one.person_id for one in whom.contacts]),
        Contact.id.not_in([one.id for one in whom.contacts]),
    )
    return list(session.scalars(together.order_by(Contact.email)))


def whom_of(contacts: Sequence[Contact]) -> Whom:
    """Return whom to erase, of all addresses of one person."""
    return Whom(str(contacts[0].person_id), contacts, [one.match_key for one in contacts])


def erase_as_told(
    session: Session, published: Published, contact: Contact, *, pepper: str, now: datetime
) -> Erasure:
    """Leave nothing of a person whom a CRM has erased, with all addresses that are his."""
    whom = whom_of(own_contacts(session, contact))
    return erase(session, published, whom, pepper=pepper, by=CRM, now=now)


def erase(
    session: Session, published: Published, whom: Whom, *, pepper: str, by: str, now: datetime
) -> Erasure:
    """
    Leave nothing of a person, and owe it to everybody who was told of him to do the same.

    What stays: the ledger's lines (keys, states and hashes), one line ``erased`` a newsletter,
    keyed hashes of his addresses against their coming back by an import, and the report.
    Opportunities he had part in are weighed anew as of now; past moves stay. Whoever else a CRM
    took for him stays, too, as a person of his own.

    What came to him since ``whom`` was read goes with him: a claim that was just settled, an
    address that was just joined. Raises NotHereError where somebody else was first.
    """
    whom = _held(session, whom)
    let_go(session, whom.contacts, now=now)
    traces = all_traces(session, whom.contacts, whom.match_keys, pepper=pepper)
    _hold_browsers(session, traces)
    told = _told(session, traces, now=now)
    opportunities = _opportunities(session, traces)
    newsletters = _end_consents(session, published, traces, now=now)
    counts = remove(session, traces)
    for connector, subjects in told.subjects.items():
        for subject in sorted(subjects):
            _owe(session, connector, subject, told.busy.get((connector, subject), now), now=now)
    for kept in (KeptStanding, ShadowStanding):  # what he did is in them: made anew, never to a
        theirs = sa.update(kept).where(kept.subject_id.in_(opportunities))  # moment before
        session.execute(theirs.values(rules="", state="", wake_at=None))
    for opportunity in opportunities:
        note(session, EntryKind.OPPORTUNITY, opportunity, now=now)
    for match_key in whom.match_keys:
        if by != TIME:
            suppress(session, match_key, pepper, ERASED, now=now)
    report = _report(whom, counts, told, newsletters, by, now)
    session.add(report)
    return report


def remove(session: Session, traces: Traces) -> dict[str, int]:
    """Delete or empty a person's rows in every table, and return how many in each."""
    may_use_ballast(session)
    tables = [table for table in Base.metadata.sorted_tables if table.name in every_model()]
    models = [every_model()[table.name] for table in tables]
    his = [one for one in models if one.person and not one.outlives]
    found = {one: keys_of(session, one, traces) for one in his}
    named = {one: mentions_of(session, one, traces) for one in his}
    counts: Counter[str] = Counter()
    for model in reversed(his):  # whoever points at a row goes before it
        delete(session, model, found[model])
        empty(session, model, named[model], traces)
        counts[model.__tablename__] = len(found[model]) + len(named[model])
    session.execute(
        sa.update(Visitor)
        .where(Visitor.claim_id.in_(traces.claims))
        .values(claim_id=None, state=VisitorState.ANONYMOUS, verified_at=None)
    )
    session.expire_all()
    return {table: count for table, count in sorted(counts.items()) if count}


def delete(session: Session, model: type[Base], keys: Keys) -> None:
    """Delete rows; what stays and points at them lets go."""
    table = table_of(model)
    for portion in some(keys):
        _let_go(session, table, portion)
        session.execute(sa.delete(table).where(primary(table, list(portion))))


def empty(session: Session, model: type[Base], keys: Keys, traces: Traces) -> None:
    """Take out of rows that stay whatever names the person."""
    table = table_of(model)
    mentions = [table.columns[name] for name, key in model.person.items() if key == MENTION]
    for portion in some(keys):
        rows = session.execute(
            sa.select(*table.primary_key, *mentions).where(primary(table, list(portion)))
        ).all()
        for row in rows:
            key, held = row[: len(table.primary_key)], row[len(table.primary_key) :]
            values = {
                column.name: _emptied(column, value, traces)
                for column, value in zip(mentions, held, strict=True)
            }
            changed = values | dict(model.when_emptied)
            session.execute(sa.update(table).where(primary(table, [tuple(key)])).values(changed))


def _emptied(column: sa.Column[Any], value: Any, traces: Traces) -> Any:
    """Return what a column holds once it names the person no more."""
    left = b"" if isinstance(value, bytes) else without(value, traces)
    return {} if left is None and not column.nullable else left


def _let_go(session: Session, table: sa.Table, keys: Sequence[Any]) -> None:
    """Let rows that stay no longer point at rows that go."""
    gone = [key[0] for key in keys]
    for other in Base.metadata.tables.values():
        for column in other.columns:
            points = any(key.column.table is table for key in column.foreign_keys)
            if points and column.nullable:
                session.execute(sa.update(other).where(column.in_(gone)).values({column: None}))


def _held(session: Session, whom: Whom) -> Whom:
    """
    Return whom to erase as he stands once nobody can add to him any more.

    Neither the weigher nor another request: what it adds is waited for, and read again. Claims
    are held before contacts, as the worker that settles them does.
    """
    own_every_place(session)
    known: set[uuid.UUID] = set()
    keys = set(whom.match_keys)
    while True:
        theirs = sa.select(Claim.id).where(Claim.match_key.in_(keys))
        claims = session.scalars(theirs.order_by(Claim.id).with_for_update()).all()
        named = session.scalars(
            sa.select(Contact)
            .where(Contact.match_key.in_(keys))
            .order_by(Contact.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()
        found = {one.id: one for each in named for one in own_contacts(session, each)}
        keys |= {one.match_key for one in found.values()}
        if {*found, *claims} <= known:
            break
        known |= {*found, *claims}
    if not known:
        raise NotHereError(N_("Everything is deleted already."))
    return Whom(whom.key, list(found.values()), keys)


def _hold_browsers(session: Session, traces: Traces) -> None:
    """Let no browser of the person add anything meanwhile."""
    theirs = Visitor.id.in_(traces.visitors)
    session.execute(sa.select(Visitor.id).where(theirs).order_by(Visitor.id).with_for_update())


def _told(session: Session, traces: Traces, *, now: datetime) -> Told:
    """Return who was ever told of a person: what was numbered for them was theirs to hear."""
    rows = session.execute(
        sa.select(Subject.connector, Subject.subject).where(
            Subject.subject.in_(traces.subjects), Subject.connector != MAIL
        )
    ).all()
    subjects: dict[str, list[str]] = {}
    for connector, subject in rows:
        subjects.setdefault(connector, []).append(subject)
    waiting = session.execute(  # held, so that no worker takes one of them from now on
        sa.select(Message.connector, Message.subject, Message.leased_until)
        .where(Message.connector.in_(subjects), Message.subject.in_(traces.subjects), IS_DUE)
        .order_by(Message.id)
        .with_for_update()
    )
    busy: dict[tuple[str, str], datetime] = {}
    for connector, subject, until in waiting:
        if until is not None:
            busy[connector, subject] = max(until, busy.get((connector, subject), now))
    return Told(subjects, busy)


def _owe(session: Session, connector: str, subject: str, free: datetime, *, now: datetime) -> None:
    """
    Owe a connector the word that a key is to be erased, ahead of everything else.

    Where a worker is just telling it something of the person, it is told after that.
    """
    news = News(
        topic=ERASURE,
        subject=subject,
        payload={"id": str(uuid7()), "contact": {"key": subject.partition(":")[2]}},
        occurred_at=now,
        lane=0,
    )
    message = put(session, connector, news, now=now)
    if free > now:
        session.execute(sa.update(Message).where(Message.id == message).values(due=free))


def _opportunities(session: Session, traces: Traces) -> list[uuid.UUID]:
    """Return the opportunities a person ever had part in."""
    theirs = ContactRole.contact_id.in_(traces.contacts)
    return sorted(set(session.scalars(sa.select(ContactRole.opportunity_id).where(theirs))))


def _end_consents(
    session: Session, published: Published, traces: Traces, *, now: datetime
) -> list[str]:
    """Write ``erased`` into the ledger, once a name and newsletter; return the newsletters."""
    nobody = Evidence(address="")
    ended: set[str] = set()
    for subject in sorted(traces.subjects):
        for line in states_of(session, subject).values():
            kept = follow(
                session, published, line, ConsentState.ERASED, "erasure", evidence=nobody, now=now
            )
            if kept is not None:
                ended.add(line.newsletter)
    return sorted(ended)


def _report(
    whom: Whom,
    counts: Mapping[str, int],
    told: Told,
    newsletters: Collection[str],
    by: str,
    now: datetime,
) -> Erasure:
    """Write down what was done, so that it can be shown to whoever asks."""
    report = Erasure(
        id=uuid7(),
        key=whom.key,
        at=now,
        by=by,
        counts=dict(counts),
        told={connector: len(subjects) for connector, subjects in sorted(told.subjects.items())},
        newsletters=list(newsletters),
    )
    report.digest = hashlib.sha256(_canonical(report)).hexdigest()
    return report


def _canonical(report: Erasure) -> bytes:
    """Return a report as the bytes that are hashed."""
    return json.dumps(shown(report), sort_keys=True, separators=(",", ":")).encode()


def shown(report: Erasure) -> dict[str, Any]:
    """Return a report as it is printed: without its hash it is what was hashed."""
    return {
        "id": str(report.id),
        "key": report.key,
        "at": report.at.isoformat(),
        "by": report.by,
        "rows": dict(sorted(report.counts.items())),
        "told": dict(sorted(report.told.items())),
        "newsletters": list(report.newsletters),
    }


def is_whole(report: Erasure) -> bool:
    """Return whether a report is as it was written."""
    return hashlib.sha256(_canonical(report)).hexdigest() == report.digest
