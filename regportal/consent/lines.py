"""Adding one line to the ledger: what was said, on which terms, and what shows it."""

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.consent.hashing import content_of, evidence_hash, network_hash
from regportal.consent.models import ConsentEvent, ConsentEvidence, ConsentNetwork, ConsentState
from regportal.consent.rules import (
    FIRST,
    LIVE,
    PROOF,
    STOPS,
    USUAL,
    can_be_undone,
    chained,
    event_type,
    may_follow,
    may_say,
)
from regportal.consent.schema import Newsletter
from regportal.store.ballast import may_use_ballast
from regportal.store.documents import keep_wording
from regportal.store.facts import add
from regportal.store.ids import uuid7
from regportal.store.schema import Documents, Site, span

SCHEMA = 3
PURPOSE = "direct-marketing"
"""What every newsletter is for, as the ledger names it (W3C DPV: DirectMarketing)."""
CONSENT = "consent"
"""The basis of a newsletter that says no other."""
PERSON = "data subject"
NEWLY = PROOF - {"preference page"}
"""Ways in which a yes is a new one, with a period of its own, and not a change of one."""
FOLLOWS = "follows"
"""The signal that names the line this one is about, too."""
LEDGER_LOCK = 0x72702D6C  # any number, the same in every process: one line at a time


@dataclass(frozen=True, slots=True)
class Evidence:
    """What shows how a line came about; kept beside the ledger, and erasable."""

    address: str
    network: str | None = None
    agent_hash: str | None = None
    signals: Mapping[str, Any] = field(default_factory=dict)
    claim_id: uuid.UUID | None = None
    message_id: str | None = None
    """Of the mail by which the owner of the address was asked, or proved himself."""
    confirmed_at: datetime | None = None
    """When his yes or no was sent to us, where he was asked."""
    seen_at: datetime | None = None
    """When the network was seen, where that was not just now: its clock goes on."""

    def of_another_deed(self) -> "Evidence":
        """Return the same for what somebody else does, or time: whose it is, not who did it."""
        follows = {name: self.signals[name] for name in (FOLLOWS,) if name in self.signals}
        return Evidence(self.address, signals=follows, claim_id=self.claim_id)


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


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a line allows something."""

    until: datetime | None
    rhythm: str | None
    valid_for: str | None
    valid_until: datetime | None


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
        _newest.entity,
        _newest.until,
        _newest.rhythm,
        _newest.valid_for,
        _newest.valid_until,
        _newest.lawful_basis,
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


def append(
    session: Session, published: Documents, said: Said, *, now: datetime
) -> ConsentEvent | None:
    """
    Add a line to the ledger; return None where the state may not follow the present one.

    The line holds keys, states, times and hashes; what names the person lies beside it. It has
    the basis the newsletter has now; older lines keep theirs. Raises ValueError where somebody
    says yes for somebody else (R12).
    """
    return _append(session, published, said, now=now)


def restore(
    session: Session,
    published: Documents,
    said: Said,
    terms: Terms,
    *,
    undo: bool = False,
    now: datetime,
) -> ConsentEvent | None:
    """
    Add a line that lets hold again, on these terms, what was allowed before.

    It says no new yes, so anybody may say it; all else is as for :func:`append`. ``undo``: he
    takes back what he has just pressed.
    """
    return _append(session, published, said, restores=terms, undo=undo, now=now)


def hold_ledger(session: Session) -> None:
    """Let one transaction at a time add a line (on SQLite there is only one anyway)."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(LEDGER_LOCK)))


def last_two(session: Session, subject: str, newsletter: str) -> Sequence[ConsentEvent]:
    """Return the newest line about one newsletter of somebody, and the one before it."""
    return session.scalars(
        sa.select(ConsentEvent)
        .where(ConsentEvent.subject == subject, ConsentEvent.newsletter == newsletter)
        .order_by(ConsentEvent.number.desc())
        .limit(2)
    ).all()


def is_same_voice(
    session: Session, before: Any, method: str, evidence: Evidence, *, entity: str = PERSON
) -> bool:
    """Return whether something is said by the same one, the same way, from the same browser."""
    origin = session.get(ConsentNetwork, before.id)
    came_from = (origin.network, origin.agent_hash) if origin else (None, None)
    said = (method, entity, evidence.network, evidence.agent_hash)
    return (before.method, before.entity, *came_from) == said


def evidence_beside(session: Session, line: ConsentEvent) -> Evidence:
    """Return what shows how a line came about, for another line about the same deed."""
    kept, origin = session.get(ConsentEvidence, line.id), session.get(ConsentNetwork, line.id)
    follows = {FOLLOWS: str(line.id)}
    if kept is None:
        return Evidence("", signals=follows)
    return Evidence(
        address=kept.address,
        network=origin.network if origin else None,
        agent_hash=origin.agent_hash if origin else None,
        signals={**kept.signals, **follows},
        claim_id=kept.claim_id,
        message_id=kept.message_id,
        confirmed_at=kept.confirmed_at,
        seen_at=origin.at if origin else None,
    )


def terms_of(line: ConsentEvent) -> Terms:
    """Return the terms of a line that is there."""
    return Terms(line.until, line.rhythm, line.valid_for, line.valid_until)


def _append(
    session: Session,
    published: Documents,
    said: Said,
    *,
    restores: Terms | None = None,
    undo: bool = False,
    now: datetime,
) -> ConsentEvent | None:
    """Add a line; it may restore what was allowed before, on the terms of then."""
    if said.state in STOPS:
        may_use_ballast(session)
    site = Site.of(published)
    hold_ledger(session)
    asked = {"subject": said.subject, "newsletter": said.newsletter}
    before = session.connection().execute(BEFORE, asked).one()
    state = before.state.value if before.state else None
    terms = restores or _terms(before, site, said, now)
    changed = state == said.state and _says_more(session, before, said, terms, now=now)
    restored = restores is not None
    if not may_follow(state, said.state.value, changed=changed, undo=restored):
        return None
    if not restored and state != said.state.value and not may_say(said.method, said.state.value):
        raise ValueError(f"{said.method!r} cannot make a consent {said.state.value}")
    line_id = uuid7()
    evidence = ConsentEvidence(
        id=line_id,
        salt=secrets.token_bytes(16),
        address=said.evidence.address,
        network=None,
        agent_hash=None,
        signals=dict(said.evidence.signals),
        claim_id=said.evidence.claim_id,
        message_id=said.evidence.message_id,
        confirmed_at=said.evidence.confirmed_at,
    )
    network = ConsentNetwork(
        id=line_id,
        salt=secrets.token_bytes(16),
        network=said.evidence.network,
        agent_hash=said.evidence.agent_hash,
        at=said.evidence.seen_at or now,
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
        lawful_basis=_basis(published, said.newsletter, before.lawful_basis),
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
        event_type=event_type(state, said.state.value, undo=undo),
    )
    line.row_hash = chained(content_of(line), line.previous_hash)
    add(session, line, evidence, *([network] if known else []))
    return line


def _terms(before: Any, site: Site, said: Said, now: datetime) -> Terms:
    """Return the terms of a line: a permission that lives on keeps what was not said anew."""
    until = said.until if said.state == ConsentState.PAUSED else None
    lives_on = before.state is not None and {before.state.value, said.state.value} <= LIVE
    if lives_on and said.method not in NEWLY:
        rhythm = before.rhythm if said.rhythm is None else said.rhythm
        usual = None if rhythm == USUAL else rhythm
        return Terms(until, usual, before.valid_for, before.valid_until)
    rhythm = None if said.rhythm == USUAL else said.rhythm
    valid_for = said.valid_for or site.valid_for
    ends = now + span(valid_for) if valid_for and said.state.value in LIVE else None
    return Terms(until, rhythm, valid_for, ends)


def _says_more(session: Session, before: Any, said: Said, terms: Terms, *, now: datetime) -> bool:
    """
    Return whether a line in the state of the one before says anything new.

    Other terms do. So does a "stop" by somebody else, or another way, while the first can still be
    taken back: whoever takes back his own must not take back this one with it. The same press
    again (a double click) does not: then the first can be taken back as if it were the only one.
    """
    lines = last_two(session, said.subject, said.newsletter)
    awake = lines[1].state if len(lines) > 1 else None
    undoable = can_be_undone(before.state, awake, now - before.at)
    again = undoable and is_same_voice(
        session, before, said.method, said.evidence, entity=said.entity
    )
    if said.state == ConsentState.WITHDRAWN:
        return undoable and not again
    if again and terms.rhythm == before.rhythm and terms.until and before.until:
        return bool(terms.until - now != before.until - before.at)
    return bool((terms.until, terms.rhythm) != (before.until, before.rhythm))


def _basis(published: Documents, newsletter: str, before: str | None) -> str:
    """Return the basis a newsletter has now; of one that is archived, the one it had last."""
    document = published.find(Newsletter, newsletter)
    return document.basis if document else before or CONSENT
