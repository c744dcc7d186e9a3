"""Forgetting somebody: one transaction, after which nothing of him is left but the proof of it."""

import hashlib
import json
import uuid
from collections.abc import Collection, Mapping
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
from regportal.identity.models import Claim, Contact, Visitor
from regportal.identity.people import let_go, own_contacts
from regportal.outbox.actions import News, put
from regportal.outbox.models import MAIL, Message, Subject
from regportal.outbox.rules import ERASURE
from regportal.outbox.waiting import IS_DUE
from regportal.privacy.models import Erasure
from regportal.privacy.removing import remove
from regportal.privacy.traces import Traces, all_traces
from regportal.privacy.whom import Whom, whom_of
from regportal.store.documents import Published
from regportal.store.ids import uuid7
from regportal.store.words import N_
from regportal.tracking.actions import log as note
from regportal.tracking.models import EntryKind

PERSON, ADMINISTRATOR, TIME, CRM = "person", "administrator", "time", "crm"
"""Who wanted somebody erased."""


@dataclass(frozen=True, slots=True)
class Told:
    """Who was told something of a person, and until when somebody is still telling it."""

    subjects: Mapping[str, Collection[str]]
    """Connector → subjects."""
    busy: Mapping[tuple[str, str], datetime] = field(default_factory=dict)


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
