"""What somebody allows: read from the ledger, changed, taken back, and ended by time."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.consent.lines import (
    PERSON,
    Evidence,
    Said,
    append,
    evidence_beside,
    hold_ledger,
    last_two,
    restore,
    terms_of,
)
from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentNetwork, ConsentState
from regportal.consent.rules import LIVE, PENDING_FOR, RHYTHMS, UNDO, can_be_undone, is_less_often
from regportal.consent.schema import Newsletter
from regportal.identity.models import Contact
from regportal.store.documents import Wording
from regportal.store.schema import Documents

TIME = "time"
"""Nobody says it: a request or a permission ran out, or a pause is over."""

# Made once: the worker asks these every time it looks, and building them takes longer than that.
_newer = aliased(ConsentEvent)
_now: sa.BindParameter[datetime] = sa.bindparam("now")
_newest = (
    sa.select(ConsentEvent)
    .where(
        ~sa.exists().where(
            _newer.subject == ConsentEvent.subject,
            _newer.newsletter == ConsentEvent.newsletter,
            _newer.number > ConsentEvent.number,
        )
    )
    .order_by(ConsentEvent.number)
    .limit(sa.bindparam("limit", type_=sa.Integer()))
)
RUN_OUT = _newest.where(
    sa.or_(
        sa.and_(
            ConsentEvent.state == ConsentState.PENDING, ConsentEvent.at <= sa.bindparam("asked")
        ),
        sa.and_(ConsentEvent.state.in_(LIVE), ConsentEvent.valid_until <= _now),
    )
)
PAUSES_OVER = _newest.where(
    ConsentEvent.state == ConsentState.PAUSED,
    ConsentEvent.until <= _now,
    sa.or_(ConsentEvent.valid_until.is_(None), ConsentEvent.valid_until > _now),
)


def subject_of_claim(claim_id: uuid.UUID) -> str:
    """Return how the ledger names whoever made a claim."""
    return f"claim:{claim_id}"


def subject_of_contact(contact_id: uuid.UUID) -> str:
    """Return how the ledger names a contact."""
    return f"contact:{contact_id}"


def contact_of_subject(subject: str) -> uuid.UUID | None:
    """
    Return the key of the contact whom the ledger names so; None: it names no contact.

    >>> key = uuid.UUID(int=1)
    >>> contact_of_subject(subject_of_contact(key)) == key, contact_of_subject("claim:1")
    (True, None)
    """
    kind, _, key = subject.partition(":")
    return uuid.UUID(key) if kind == "contact" else None


def states_of(session: Session, *subjects: str) -> dict[str, ConsentEvent]:
    """Return the newest line a newsletter, over all these names of one person."""
    lines = session.scalars(
        sa.select(ConsentEvent)
        .where(ConsentEvent.subject.in_(subjects))
        .order_by(ConsentEvent.number)
    )
    return {line.newsletter: line for line in lines}


def newest_line(session: Session, contact_id: uuid.UUID, newsletter: str) -> ConsentEvent | None:
    """Return the line that holds for one address and newsletter."""
    return states_of(session, subject_of_contact(contact_id)).get(newsletter)


def less_often(newsletter: Newsletter | None, line: ConsentEvent | None) -> Sequence[str]:
    """Return the rhythms that are less often than what is sent now."""
    if newsletter is None or line is None or line.state not in LIVE:
        return ()
    return [one for one in RHYTHMS if one in newsletter.rhythms and is_less_often(one, line.rhythm)]


def follow(  # noqa: PLR0913 - what a line says; all by name
    session: Session,
    published: Documents,
    line: ConsentEvent,
    state: ConsentState,
    method: str,
    *,
    subject: str | None = None,
    evidence: Evidence | None = None,
    entity: str = PERSON,
    now: datetime,
) -> ConsentEvent | None:
    """
    Add a line about the same newsletter and wording in another state, and return it.

    ``subject`` is another name of the same person, where he has one by now. Without evidence
    of its own it says which line it follows, and whose that was. None where it may not follow.
    """
    said = replace(_following(session, line, state, method, evidence), entity=entity)
    if subject is not None:
        said = replace(said, subject=subject)
    return append(session, published, said, now=now)


def change_consent(  # noqa: PLR0913 - what a line says; all by name
    session: Session,
    published: Documents,
    contact: Contact,
    newsletter_key: str,
    state: ConsentState,
    method: str,
    *,
    evidence: Evidence | None = None,
    until: datetime | None = None,
    rhythm: str | None = None,
    wording: str | None = None,
    locale: str | None = None,
    valid_for: str | None = None,
    entity: str = PERSON,
    evidence_file: str | None = None,
    now: datetime,
) -> ConsentEvent | None:
    """
    Write what is decided about one newsletter of a contact after the gate, and return the line.

    ``until`` ends a pause by itself; ``rhythm`` is how often it is wanted. Without a wording the
    one of the line before holds, which is right for a "stop" and wrong for a new yes: that has
    the wording the person just saw. None where nothing changes, or it may not: withdrawn twice by
    the same press, paused without a permission. Raises ValueError where it is not theirs to say
    (R12).
    """
    subject = subject_of_contact(contact.id)
    before = states_of(session, subject).get(newsletter_key)
    if before is None:
        said = Said(
            subject=subject,
            newsletter=newsletter_key,
            state=state,
            method=method,
            wording="",
            locale=contact.locale,
            evidence=evidence or Evidence(contact.email),
        )
    else:
        said = _following(session, before, state, method, evidence or Evidence(contact.email))
    said = replace(
        said,
        until=until,
        rhythm=rhythm,
        entity=entity,
        evidence_file=evidence_file,
        wording=said.wording if wording is None else wording,
        locale=locale or said.locale,
        valid_for=valid_for or said.valid_for,
    )
    return append(session, published, said, now=now)


def undo(
    session: Session, published: Documents, line: ConsentEvent, *, evidence: Evidence, now: datetime
) -> ConsentEvent | None:
    """
    Take back a "stop" or a pause that was just pressed: what held before it holds again.

    None where it is too late, where something came after it, or where nothing was allowed before.
    """
    hold_ledger(session)
    lines = last_two(session, line.subject, line.newsletter)
    if len(lines) < 2 or lines[0].id != line.id:  # noqa: PLR2004 - the line and the one before
        return None
    before = lines[1]
    if not can_be_undone(line.state, before.state, now - line.at):
        return None
    said = _following(session, before, before.state, UNDO, evidence)
    return restore(session, published, said, terms_of(before), undo=True, now=now)


def end_pause(
    session: Session, published: Documents, line: ConsentEvent, *, now: datetime
) -> ConsentEvent | None:
    """
    Write down that a pause is over; None where something came after it.

    It allows nothing that did not hold again by itself: the state is the one before the pause,
    on the terms the pause had, and it counts as nobody's yes (consent/rules.py: permission).
    """
    hold_ledger(session)
    about = (ConsentEvent.subject == line.subject, ConsentEvent.newsletter == line.newsletter)
    newest = session.scalars(
        sa.select(ConsentEvent).where(*about).order_by(ConsentEvent.number.desc()).limit(1)
    ).one()
    if newest.id != line.id or line.until is None or line.until > now:
        return None
    awake = session.scalar(
        sa.select(ConsentEvent.state)
        .where(*about, ConsentEvent.state != ConsentState.PAUSED)
        .order_by(ConsentEvent.number.desc())
        .limit(1)
    )
    if awake not in LIVE:
        return follow(session, published, line, ConsentState.EXPIRED, TIME, entity=TIME, now=now)
    said = replace(_following(session, line, ConsentState(awake), TIME, None), entity=TIME)
    ends = replace(terms_of(line), until=None)
    return restore(session, published, said, ends, now=now)


def run_out(session: Session, *, now: datetime, limit: int) -> list[ConsentEvent]:
    """Return requests nobody confirmed for too long, and permissions that ended by time."""
    times = {"now": now, "asked": now - PENDING_FOR, "limit": limit}
    return list(session.scalars(RUN_OUT, times))


def pauses_over(session: Session, *, now: datetime, limit: int) -> list[ConsentEvent]:
    """Return pauses that ended by time and were not written down as ended."""
    return list(session.scalars(PAUSES_OVER, {"now": now, "limit": limit}))


def forget_network(session: Session, *, before: datetime) -> int:
    """
    Forget where older lines came from, and return how many: the chain stays whole.

    Lines of the first schema have one hash over all of their evidence, which cannot be checked
    any more then; their salt goes, so that nobody guesses from the hash what was forgotten.
    """
    gone = session.scalars(
        sa.delete(ConsentNetwork).where(ConsentNetwork.at <= before).returning(ConsentNetwork.id)
    ).all()
    known = sa.or_(ConsentEvidence.network.is_not(None), ConsentEvidence.agent_hash.is_not(None))
    old = sa.select(ConsentEvent.id).where(ConsentEvent.at <= before)
    emptied = session.scalars(
        sa.update(ConsentEvidence)
        .where(known, ConsentEvidence.id.in_(old))
        .values(network=None, agent_hash=None, salt=b"")
        .returning(ConsentEvidence.id)
    ).all()
    return len(gone) + len(emptied)


def _following(
    session: Session,
    line: ConsentEvent,
    state: ConsentState,
    method: str,
    evidence: Evidence | None,
) -> Said:
    """Return what is said in another state about the newsletter and wording of a line."""
    wording = session.get_one(Wording, line.wording)
    if evidence is None:
        evidence = evidence_beside(session, line).of_another_deed()
    return Said(
        subject=line.subject,
        newsletter=line.newsletter,
        state=state,
        method=method,
        wording=wording.text,
        locale=wording.locale,
        evidence=evidence,
        valid_for=line.valid_for,
        record_id=line.record_id or line.id,
    )
