"""Writing the ledger, and reading what somebody allows."""

import secrets
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.consent.ledger import content_of, evidence_hash, network_hash
from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentNetwork, ConsentState
from regportal.consent.rules import (
    FIRST,
    LIVE,
    PENDING_FOR,
    PROOF,
    RHYTHMS,
    UNDO,
    UNDO_FOR,
    USUAL,
    chained,
    is_less_often,
    may_follow,
    may_say,
)
from regportal.consent.schema import Newsletter
from regportal.identity.models import Contact
from regportal.store.documents import Site, Wording, keep_wording, span
from regportal.store.facts import add
from regportal.store.ids import uuid7

SCHEMA = 2
PURPOSE = "direct-marketing"
"""What every newsletter is for, as the ledger names it (W3C DPV: DirectMarketing)."""
PERSON = "data subject"
NEWLY = PROOF - {"preference page"}
"""Ways in which a yes is a new one, with a period of its own, and not a change of one."""
LEDGER_LOCK = 0x72702D6C  # any number, the same in every process: one line at a time


@dataclass(frozen=True, slots=True)
class Evidence:
    """What shows how a line came about; kept beside the ledger, and erasable."""

    address: str
    network: str | None = None
    agent_hash: str | None = None
    signals: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody decided about one newsletter, and what they saw when they did."""

    subject: str
    newsletter: str
    state: ConsentState
    method: str
    wording: str
    locale: str
    evidence: Evidence
    form_version: str = "1"
    entity: str = PERSON
    """Who said it: the person, or an administrator, a connector, a mailer by name."""
    until: datetime | None = None
    """When a pause ends by itself."""
    rhythm: str | None = None
    """How often, where it was chosen: ``usual`` or one of the newsletter's; None: as before."""
    valid_for: str | None = None
    """How long a yes holds, as it was said; None: as the site says."""
    record_id: uuid.UUID | None = None
    evidence_file: str | None = None


def subject_of_claim(claim_id: uuid.UUID) -> str:
    """Return how the ledger names whoever made a claim."""
    return f"claim:{claim_id}"


def subject_of_contact(contact_id: uuid.UUID) -> str:
    """Return how the ledger names a contact."""
    return f"contact:{contact_id}"


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


_newest = aliased(ConsentEvent)
_last = aliased(ConsentEvent)
_asked = sa.select(sa.literal(1).label("one")).subquery()
BEFORE = (
    sa.select(
        _last.row_hash.label("last"),
        _newest.number,
        _newest.id,
        _newest.record_id,
        _newest.state,
        _newest.at,
        _newest.method,
        _newest.until,
        _newest.rhythm,
        _newest.valid_for,
        _newest.valid_until,
    )
    .select_from(_asked)
    .outerjoin(
        _newest,
        _newest.number
        == sa.select(ConsentEvent.number)
        .where(
            ConsentEvent.subject == sa.bindparam("subject"),
            ConsentEvent.newsletter == sa.bindparam("newsletter"),
        )
        .order_by(ConsentEvent.number.desc())
        .limit(1)
        .scalar_subquery(),
    )
    .outerjoin(
        _last,
        _last.number
        == sa.select(ConsentEvent.number)
        .order_by(ConsentEvent.number.desc())
        .limit(1)
        .scalar_subquery(),
    )
)
"""The line that holds for one subject and newsletter, and the hash of the ledger's last line."""


def append(session: Session, site: Site, said: Said, *, now: datetime) -> ConsentEvent | None:
    """
    Add a line to the ledger; return None where the state may not follow the present one.

    The line holds keys, states, times and hashes; what names the person lies beside it. Raises
    ValueError where somebody says yes for somebody else (R12).
    """
    return _append(session, site, said, now=now)


def _append(
    session: Session,
    site: Site,
    said: Said,
    *,
    restores: ConsentEvent | None = None,
    now: datetime,
) -> ConsentEvent | None:
    """Add a line; it may restore an earlier one as it was."""
    hold_ledger(session)
    asked = {"subject": said.subject, "newsletter": said.newsletter}
    before = session.connection().execute(BEFORE, asked).one()
    state = before.state.value if before.state else None
    terms = _terms(before, site, said, now) if restores is None else _terms_of(restores)
    changed = (terms.until, terms.rhythm) != (before.until, before.rhythm)
    undoes = restores is not None
    if not may_follow(state, said.state.value, changed=changed, undo=undoes):
        return None
    if not undoes and state != said.state.value and not may_say(said.method, said.state.value):
        raise ValueError(f"{said.method!r} cannot make a consent {said.state.value}")
    line_id = uuid7()
    evidence = ConsentEvidence(
        id=line_id,
        salt=secrets.token_bytes(16),
        address=said.evidence.address,
        network=None,
        agent_hash=None,
        signals=dict(said.evidence.signals),
    )
    network = ConsentNetwork(
        id=line_id,
        salt=secrets.token_bytes(16),
        network=said.evidence.network,
        agent_hash=said.evidence.agent_hash,
        at=now,
    )
    known = (network.network, network.agent_hash) != (None, None)
    line = ConsentEvent(
        id=line_id,
        schema_version=SCHEMA,
        subject=said.subject,
        newsletter=said.newsletter,
        state=said.state,
        at=now,
        method=said.method,
        entity=said.entity,
        lawful_basis="consent",
        controller=site.controller,
        privacy_notice=site.notice(said.locale),
        wording=keep_wording(session, said.wording, said.locale, now=now),
        locale=said.locale,
        form_version=said.form_version,
        box_default="unticked",
        evidence_hash=evidence_hash(evidence, SCHEMA),
        previous_hash=before.last or FIRST,
        row_hash="",
        record_id=before.record_id or before.id or said.record_id or line_id,
        purpose=PURPOSE,
        privacy_notice_version=site.privacy_notice_version,
        privacy_notice_hash=site.privacy_notice_sha256,
        valid_for=terms.valid_for,
        valid_until=terms.valid_until,
        until=terms.until,
        rhythm=terms.rhythm,
        evidence_file=said.evidence_file,
        network_hash=network_hash(network) if known else None,
    )
    line.row_hash = chained(content_of(line), line.previous_hash)
    add(session, line, evidence, *([network] if known else []))
    return line


def follow(  # noqa: PLR0913 - what a line says; all by name
    session: Session,
    site: Site,
    line: ConsentEvent,
    state: ConsentState,
    method: str,
    *,
    subject: str | None = None,
    evidence: Evidence | None = None,
    now: datetime,
) -> ConsentEvent | None:
    """
    Add a line about the same newsletter and wording in another state, and return it.

    ``subject`` is another name of the same person, where he has one by now. Without evidence
    of its own it keeps the evidence of the line it follows. None where it may not follow.
    """
    said = _following(session, line, state, method, evidence)
    if subject is not None:
        said = replace(said, subject=subject)
    return append(session, site, said, now=now)


def evidence_beside(session: Session, line: ConsentEvent) -> Evidence:
    """Return what shows how a line came about, for another line about the same deed."""
    kept, origin = session.get(ConsentEvidence, line.id), session.get(ConsentNetwork, line.id)
    return Evidence(
        address=kept.address if kept else "",
        network=origin.network if origin else None,
        agent_hash=origin.agent_hash if origin else None,
        signals={**(kept.signals if kept else {}), "follows": str(line.id)},
    )


def change_consent(  # noqa: PLR0913 - what a line says; all by name
    session: Session,
    site: Site,
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
    the wording the person just saw. None where nothing changes, or it may not: withdrawn twice,
    paused without a permission. Raises ValueError where it is not theirs to say (R12).
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
    return append(session, site, said, now=now)


def undo(
    session: Session, site: Site, line: ConsentEvent, *, evidence: Evidence, now: datetime
) -> ConsentEvent | None:
    """
    Take back a "stop" or a pause that was just pressed: what held before it holds again.

    None where it is too late, where something came after it, or where nothing was allowed before.
    """
    lines = session.scalars(
        sa.select(ConsentEvent)
        .where(ConsentEvent.subject == line.subject, ConsentEvent.newsletter == line.newsletter)
        .order_by(ConsentEvent.number.desc())
        .limit(2)
    ).all()
    if len(lines) < 2 or lines[0].id != line.id or line.at <= now - UNDO_FOR:  # noqa: PLR2004 - the line and the one before
        return None
    before = lines[1]
    said = _following(session, before, before.state, UNDO, evidence)
    return _append(session, site, said, restores=before, now=now)


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


def run_out(session: Session, *, now: datetime, limit: int) -> list[ConsentEvent]:
    """Return requests nobody confirmed for too long, and permissions that ended by time."""
    newer = aliased(ConsentEvent)
    followed = sa.exists().where(
        newer.subject == ConsentEvent.subject,
        newer.newsletter == ConsentEvent.newsletter,
        newer.number > ConsentEvent.number,
    )
    waited = sa.and_(
        ConsentEvent.state == ConsentState.PENDING, ConsentEvent.at <= now - PENDING_FOR
    )
    ended = sa.and_(ConsentEvent.state.in_(LIVE), ConsentEvent.valid_until <= now)
    old = (
        sa.select(ConsentEvent)
        .where(sa.or_(waited, ended), ~followed)
        .order_by(ConsentEvent.number)
        .limit(limit)
    )
    return list(session.scalars(old))


def refused(
    session: Session, subjects: Collection[str], *, since: datetime | None = None
) -> frozenset[str]:
    """Return the newsletters refused under these names of one address, and not wanted since."""
    asked = sa.select(ConsentEvent).where(ConsentEvent.subject.in_(subjects))
    if since is not None:
        asked = asked.where(ConsentEvent.at > since)
    found: set[str] = set()
    for line in session.scalars(asked.order_by(ConsentEvent.number)):
        if line.state == ConsentState.REFUSED:
            found.add(line.newsletter)
        elif line.state == ConsentState.CONFIRMED and line.method in PROOF:
            found.discard(line.newsletter)
    return frozenset(found)


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
        kept = session.get(ConsentEvidence, line.id)
        evidence = Evidence(kept.address if kept else "", signals={"follows": str(line.id)})
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


@dataclass(frozen=True, slots=True)
class _Terms:
    """On which terms a line allows something."""

    until: datetime | None
    rhythm: str | None
    valid_for: str | None
    valid_until: datetime | None


def _terms(before: Any, site: Site, said: Said, now: datetime) -> _Terms:
    """Return the terms of a line: a permission that lives on keeps what was not said anew."""
    until = said.until if said.state == ConsentState.PAUSED else None
    lives_on = before.state is not None and {before.state.value, said.state.value} <= LIVE
    if lives_on and said.method not in NEWLY:
        rhythm = before.rhythm if said.rhythm is None else said.rhythm
        usual = None if rhythm == USUAL else rhythm
        return _Terms(until, usual, before.valid_for, before.valid_until)
    rhythm = None if said.rhythm == USUAL else said.rhythm
    valid_for = said.valid_for or site.valid_for
    ends = now + span(valid_for) if valid_for and said.state.value in LIVE else None
    return _Terms(until, rhythm, valid_for, ends)


def _terms_of(line: ConsentEvent) -> _Terms:
    """Return the terms of a line that is there."""
    return _Terms(line.until, line.rhythm, line.valid_for, line.valid_until)


def hold_ledger(session: Session) -> None:
    """Let one transaction at a time add a line (on SQLite there is only one anyway)."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(LEDGER_LOCK)))
