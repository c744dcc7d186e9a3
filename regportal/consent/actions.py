"""Writing the ledger, and reading what somebody allows."""

import secrets
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentState
from regportal.consent.rules import FIRST, PENDING_FOR, chained, may_follow
from regportal.store.documents import Site, Wording, keep_wording
from regportal.store.facts import add
from regportal.store.ids import uuid7

SCHEMA = 1
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


BEFORE = sa.select(
    sa.select(ConsentEvent.state)
    .where(
        ConsentEvent.subject == sa.bindparam("subject"),
        ConsentEvent.newsletter == sa.bindparam("newsletter"),
    )
    .order_by(ConsentEvent.number.desc())
    .limit(1)
    .scalar_subquery(),
    sa.select(ConsentEvent.row_hash)
    .order_by(ConsentEvent.number.desc())
    .limit(1)
    .scalar_subquery(),
)
"""The state that holds for one subject and newsletter, and the hash of the ledger's last line."""


def append(session: Session, site: Site, said: Said, *, now: datetime) -> ConsentEvent | None:
    """
    Add a line to the ledger; return None where the state may not follow the present one.

    The line holds keys, states, times and hashes; what names the person lies beside it.
    """
    _lock(session)
    asked = {"subject": said.subject, "newsletter": said.newsletter}
    before, last = session.connection().execute(BEFORE, asked).one()
    if not may_follow(before.value if before else None, said.state.value):
        return None
    salt = secrets.token_bytes(16)
    evidence = ConsentEvidence(
        id=uuid7(),
        salt=salt,
        address=said.evidence.address,
        network=said.evidence.network,
        agent_hash=said.evidence.agent_hash,
        signals=dict(said.evidence.signals),
    )
    line = ConsentEvent(
        id=evidence.id,
        schema_version=SCHEMA,
        subject=said.subject,
        newsletter=said.newsletter,
        state=said.state,
        at=now,
        method=said.method,
        entity="data subject",
        lawful_basis="consent",
        controller=site.controller,
        privacy_notice=site.privacy_notice,
        wording=keep_wording(session, said.wording, said.locale, now=now),
        locale=said.locale,
        form_version=said.form_version,
        box_default="unticked",
        evidence_hash=_evidence_hash(evidence),
        previous_hash=last or FIRST,
        row_hash="",
    )
    line.row_hash = chained(_content(line), line.previous_hash)
    add(session, line, evidence)
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
    wording = session.get_one(Wording, line.wording)
    kept = session.get(ConsentEvidence, line.id)
    address = kept.address if kept else ""
    follows = Evidence(address=address, signals={"follows": str(line.id)})
    said = Said(
        subject=subject or line.subject,
        newsletter=line.newsletter,
        state=state,
        method=method,
        wording=wording.text,
        locale=wording.locale,
        evidence=evidence or follows,
    )
    return append(session, site, said, now=now)


def run_out(session: Session, *, now: datetime, limit: int) -> list[ConsentEvent]:
    """Return newsletter requests that nobody confirmed for too long, oldest first."""
    newer = aliased(ConsentEvent)
    followed = sa.exists().where(
        newer.subject == ConsentEvent.subject,
        newer.newsletter == ConsentEvent.newsletter,
        newer.number > ConsentEvent.number,
    )
    old = (
        sa.select(ConsentEvent)
        .where(
            ConsentEvent.state == ConsentState.PENDING,
            ConsentEvent.at <= now - PENDING_FOR,
            ~followed,
        )
        .order_by(ConsentEvent.number)
        .limit(limit)
    )
    return list(session.scalars(old))


def broken_lines(session: Session) -> Iterator[int]:
    """Yield the number of every line of the ledger that is not as it was written."""
    previous = FIRST
    lines: sa.Select[Any, Any] = (
        sa.select(ConsentEvent, ConsentEvidence)
        .outerjoin(ConsentEvidence, ConsentEvidence.id == ConsentEvent.id)
        .order_by(ConsentEvent.number)
    )
    for line, evidence in session.execute(lines):
        whole = line.previous_hash == previous and line.row_hash == chained(
            _content(line), line.previous_hash
        )
        kept = evidence is None or _evidence_hash(evidence) == line.evidence_hash
        if not (whole and kept):
            yield line.number
        previous = line.row_hash


def _content(line: ConsentEvent) -> dict[str, Any]:
    """Return what of a line is hashed: everything but its place and its own hash."""
    return {
        "id": str(line.id),
        "schema_version": line.schema_version,
        "subject": line.subject,
        "newsletter": line.newsletter,
        "state": line.state.value,
        "at": line.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "method": line.method,
        "entity": line.entity,
        "lawful_basis": line.lawful_basis,
        "controller": line.controller,
        "privacy_notice": line.privacy_notice,
        "wording": line.wording,
        "locale": line.locale,
        "form_version": line.form_version,
        "box_default": line.box_default,
        "evidence_hash": line.evidence_hash,
    }


def _evidence_hash(evidence: ConsentEvidence) -> str:
    """Return the salted hash that ties the evidence to its line."""
    content = {
        "address": evidence.address,
        "network": evidence.network,
        "agent_hash": evidence.agent_hash,
        "signals": evidence.signals,
    }
    return chained(content, evidence.salt.hex())


def _lock(session: Session) -> None:
    """Let one transaction at a time add a line (on SQLite there is only one anyway)."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(LEDGER_LOCK)))
