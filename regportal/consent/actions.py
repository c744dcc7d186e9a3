"""Writing the ledger, and reading what somebody allows."""

import secrets
import uuid
from collections.abc import Mapping, Sequence
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
    USUAL,
    can_be_undone,
    chained,
    event_type,
    is_less_often,
    may_follow,
    may_say,
)
from regportal.consent.schema import Newsletter
from regportal.identity.models import Contact
from regportal.store.documents import Wording, keep_wording
from regportal.store.facts import add
from regportal.store.ids import uuid7
from regportal.store.schema import Documents, Site, span

SCHEMA = 3
PURPOSE = "direct-marketing"
"""What every newsletter is for, as the ledger names it (W3C DPV: DirectMarketing)."""
CONSENT = "consent"
"""The basis of a newsletter that says no other."""
PERSON = "data subject"
TIME = "time"
"""Nobody says it: a request or a permission ran out, or a pause is over."""
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


def _append(
    session: Session,
    published: Documents,
    said: Said,
    *,
    restores: "_Terms | None" = None,
    undo: bool = False,
    now: datetime,
) -> ConsentEvent | None:
    """Add a line; it may restore what was allowed before, on the terms of then."""
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
    lines = _last_two(session, line.subject, line.newsletter)
    if len(lines) < 2 or lines[0].id != line.id:  # noqa: PLR2004 - the line and the one before
        return None
    before = lines[1]
    if not can_be_undone(line.state, before.state, now - line.at):
        return None
    said = _following(session, before, before.state, UNDO, evidence)
    return _append(session, published, said, restores=_terms_of(before), undo=True, now=now)


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
    ends = replace(_terms_of(line), until=None)
    return _append(session, published, said, restores=ends, now=now)


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
    waited = sa.and_(
        ConsentEvent.state == ConsentState.PENDING, ConsentEvent.at <= now - PENDING_FOR
    )
    ended = sa.and_(ConsentEvent.state.in_(LIVE), ConsentEvent.valid_until <= now)
    return _newest_where(session, sa.or_(waited, ended), limit)


def pauses_over(session: Session, *, now: datetime, limit: int) -> list[ConsentEvent]:
    """Return pauses that ended by time and were not written down as ended."""
    lasts = sa.or_(ConsentEvent.valid_until.is_(None), ConsentEvent.valid_until > now)
    over = sa.and_(ConsentEvent.state == ConsentState.PAUSED, ConsentEvent.until <= now, lasts)
    return _newest_where(session, over, limit)


def _newest_where(
    session: Session, condition: sa.ColumnElement[bool], limit: int
) -> list[ConsentEvent]:
    """Return lines of a kind that nothing came after, oldest first."""
    newer = aliased(ConsentEvent)
    followed = sa.exists().where(
        newer.subject == ConsentEvent.subject,
        newer.newsletter == ConsentEvent.newsletter,
        newer.number > ConsentEvent.number,
    )
    old = sa.select(ConsentEvent).where(condition, ~followed)
    return list(session.scalars(old.order_by(ConsentEvent.number).limit(limit)))


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


def _says_more(
    session: Session, before: Any, said: Said, terms: "_Terms", *, now: datetime
) -> bool:
    """
    Return whether a line in the state of the one before says anything new.

    Other terms do. So does a "stop" by somebody else, or another way, while the first can still be
    taken back: whoever takes back his own must not take back this one with it. The same press
    again (a double click) does not: then the first can be taken back as if it were the only one.
    """
    lines = _last_two(session, said.subject, said.newsletter)
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


def is_same_voice(
    session: Session, before: Any, method: str, evidence: Evidence, *, entity: str = PERSON
) -> bool:
    """Return whether something is said by the same one, the same way, from the same browser."""
    origin = session.get(ConsentNetwork, before.id)
    came_from = (origin.network, origin.agent_hash) if origin else (None, None)
    said = (method, entity, evidence.network, evidence.agent_hash)
    return (before.method, before.entity, *came_from) == said


def _last_two(session: Session, subject: str, newsletter: str) -> Sequence[ConsentEvent]:
    """Return the newest line about one newsletter of somebody, and the one before it."""
    return session.scalars(
        sa.select(ConsentEvent)
        .where(ConsentEvent.subject == subject, ConsentEvent.newsletter == newsletter)
        .order_by(ConsentEvent.number.desc())
        .limit(2)
    ).all()


def _basis(published: Documents, newsletter: str, before: str | None) -> str:
    """Return the basis a newsletter has now; of one that is archived, the one it had last."""
    document = published.find(Newsletter, newsletter)
    return document.basis if document else before or CONSENT


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
