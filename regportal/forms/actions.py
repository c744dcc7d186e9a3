"""Opening a gate: everything one form does, in one transaction."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.schema import Connector
from regportal.consent.actions import (
    Evidence,
    Said,
    append,
    subject_of_claim,
    subject_of_contact,
)
from regportal.consent.models import ConsentState
from regportal.consent.schema import Newsletter
from regportal.errors import StaleError
from regportal.forms.models import Answer, Submission
from regportal.forms.news import claimed_news, consent_news, contact_news
from regportal.forms.rules import Ask
from regportal.forms.schema import Gate, Question
from regportal.identity.actions import (
    begin_claimant,
    claim_of,
    end_visitor,
    open_claim,
    recognise,
    rotate,
)
from regportal.identity.addresses import Address
from regportal.identity.models import Assurance, Claim, ClaimState, Contact, Visitor, VisitorState
from regportal.identity.tokens import derived_token
from regportal.library.actions import grant, live_grant, token_of
from regportal.library.schema import Asset
from regportal.outbox.actions import News, owe, put
from regportal.store.documents import Published, Site, keep_wording, span
from regportal.store.facts import add, add_once, table_of
from regportal.store.ids import uuid7
from regportal.tracking.actions import record, visit_of
from regportal.tracking.models import Attributed, Interaction, Judged, Visit

SENT_BY = (
    sa.update(table_of(Submission))
    .where(Submission.id == sa.bindparam("nonce"))
    .values(visitor_id=sa.bindparam("visitor"))
)
MAIL = "mail"
"""What the outbox calls the postman."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The browser a form came from."""

    token: str
    """Its token, or a fresh one where it keeps no cookie."""
    keeps_cookies: bool
    browser: str
    locale: str
    machine: str | None = None
    """Why we take it for a machine, or None."""
    referrer: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    network: str | None = None
    agent_hash: str | None = None
    signals: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as it was sent, read and found good."""

    ask: Ask
    content: bytes
    """SHA-256 of everything that was sent."""
    address: Address | None = None
    value: Any = None
    original: str | None = None
    declined: bool = False
    wants_newsletter: bool = False
    remember: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """The documents around one gate, and the keys."""

    published: Published
    site: Site
    gate: Gate
    asset: Asset
    keys: tuple[bytes, ...]

    def question(self, key: str | None) -> Question | None:
        """Return a question by its key."""
        return self.published.find(Question, key) if key else None

    def newsletter(self, key: str | None) -> Newsletter | None:
        """Return a newsletter by its key."""
        return self.published.find(Newsletter, key) if key else None

    def connectors(self) -> tuple[Connector, ...]:
        """Return every connector."""
        return self.published.all(Connector)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a form led to: the same for the same form, however often it is sent."""

    token: str
    """What the browser is to keep from now on."""
    remembered: bool
    download: str | None
    """The token of the download, or None where the way leads through the mail."""


def open_gate(
    session: Session, around: Around, sent: Sent, sender: Sender, *, now: datetime
) -> Opened:
    """
    Take a form: claim, answer, consent, grant, interaction, and what is owed because of them.

    Sent again it changes nothing and gives the same. Raises StaleError where the same token
    comes with other content, or the form speaks of a visitor who is no more.
    """
    token = _next_token(around, sent, sender)
    found = recognise(session, sender.token, now=now).visitor
    if not _take(session, around, sent, now=now):
        return _again(session, around, sent, token, found, now=now)
    visitor, claim, opened = _claim(session, found, around, sent, sender, token, now=now)
    proven = visitor.state == VisitorState.VERIFIED
    visit = visit_of(
        session,
        visitor.id,
        span(around.site.visit) if visitor is found else None,
        referrer=sender.referrer,
        parameters=sender.parameters,
        now=now,
    )
    whose = {"nonce": uuid.UUID(sent.ask.nonce), "visitor": visitor.id}
    session.connection().execute(SENT_BY, whose)
    answer = _answer(session, around, sent, visitor, claim, visit, now=now)
    waits = sent.wants_newsletter and _subscribe(
        session, around, sent, sender, visitor, claim, now=now
    )
    download = None
    if around.gate.delivery == "instant" or proven:
        first = visitor is not found
        download = hand_over(session, around, visitor, claim, visit, sender, first=first, now=now)
    if not sender.machine:
        _tell(session, around, claim, proven=proven, news=opened or answer is not None, now=now)
        if opened or (not proven and around.gate.delivery == "mail"):
            owe_mail(session, claim, around.gate.key, now=now)
        if waits and proven:
            owe_mail(session, claim, around.gate.key, sent.ask.newsletter, now=now)
    return Opened(token, visitor.remembered, download)


def hand_over(  # noqa: PLR0913 - what is handed to whom; each is another room's
    session: Session,
    around: Around,
    visitor: Visitor,
    claim: Claim,
    visit: Visit,
    sender: Sender,
    *,
    first: bool = False,
    now: datetime,
) -> str:
    """
    Grant the asset to this browser and record the download; return the link's token.

    ``first`` says that this visitor and this claim have only just begun.
    """
    granted = grant(
        session,
        gate=around.gate.key,
        asset=around.asset.key,
        visitor_id=visitor.id,
        claim_id=claim.id,
        single=not sender.keeps_cookies,
        keys=around.keys,
        first=first,
        now=now,
    )
    proven = visitor.state == VisitorState.VERIFIED
    if first or not _has_download(session, around.asset, visitor, claim, visit):
        record(
            session,
            Interaction(
                id=uuid7(),
                type="download",
                object=around.asset.key,
                category=around.asset.category,
                properties={
                    "gate": around.gate.key,
                    "version": around.published.version(Asset, around.asset.key),
                },
                occurred_at=now,
                received_at=now,
                visitor_id=visitor.id,
                visit_id=visit.id,
                claim_id=claim.id,
                contact_id=claim.contact_id if proven else None,
                attribution=Attributed.VERIFIED if proven else Attributed.CLAIMED,
                judged=Judged.MACHINE if sender.machine else Judged.PERSON,
                judged_because=sender.machine,
            ),
            now=now,
        )
    return token_of(granted, around.keys)


def owe_mail(
    session: Session,
    claim: Claim,
    gate: str,
    newsletter: str | None = None,
    *,
    now: datetime,
) -> None:
    """Owe the owner of a claimed address the mail that asks "was this you?"."""
    kind = "consent" if newsletter else "claim"
    put(
        session,
        MAIL,
        News(
            topic=f"mail.{kind}",
            subject=f"claim:{claim.id}",
            payload={"claim": str(claim.id), "gate": gate, "newsletter": newsletter},
            occurred_at=now,
        ),
        now=now,
    )


def subject_of(claim: Claim) -> str:
    """Return how the ledger names whoever stands behind a claim."""
    if claim.state == ClaimState.CONFIRMED and claim.contact_id is not None:
        return subject_of_contact(claim.contact_id)
    return subject_of_claim(claim.id)


def _take(session: Session, around: Around, sent: Sent, *, now: datetime) -> bool:
    """Take a form's token; return False where it has been taken."""
    taken = Submission(
        id=uuid.UUID(sent.ask.nonce),
        gate=around.gate.key,
        content=sent.content,
        newsletter=sent.ask.newsletter,
        newsletter_taken=sent.wants_newsletter,
        at=now,
    )
    return add_once(session, taken)


def _again(
    session: Session,
    around: Around,
    sent: Sent,
    token: str,
    visitor: Visitor | None,
    *,
    now: datetime,
) -> Opened:
    """Answer a form that was taken before as it was answered then."""
    before = session.get_one(Submission, uuid.UUID(sent.ask.nonce))
    if before.content != sent.content:
        raise StaleError("This form was sent before with other answers. Here it is anew.")
    kept = session.get(Visitor, before.visitor_id) if before.visitor_id else visitor
    if kept is None:
        raise StaleError("This form is too old. Here it is anew.")
    granted = live_grant(session, visitor_id=kept.id, asset=around.asset.key, now=now)
    return Opened(token, kept.remembered, token_of(granted, around.keys) if granted else None)


def _next_token(around: Around, sent: Sent, sender: Sender) -> str:
    """Return what the browser holds afterwards: a new token with a new claim (R3)."""
    if sent.address is None:
        return sender.token
    return derived_token(
        around.keys, "visitor", sender.token.encode(), sent.ask.nonce.encode(), sent.content
    )


def _claim(
    session: Session,
    visitor: Visitor | None,
    around: Around,
    sent: Sent,
    sender: Sender,
    token: str,
    *,
    now: datetime,
) -> tuple[Visitor, Claim, bool]:
    """Return the visitor, the claim this form belongs to, and whether it was opened by it."""
    claim, address, first_token = None, sent.address, sender.token
    if visitor is not None:
        claim = claim_of(session, visitor, for_update=True)
        if claim is not None and address is not None and claim.match_key != address.match_key:
            end_visitor(visitor, now=now)
            visitor, claim, first_token = None, None, token
    proven = visitor is not None and visitor.state == VisitorState.VERIFIED
    if visitor is not None and claim is not None and (claim.state == ClaimState.OPEN or proven):
        return visitor, claim, False
    if address is None:
        if claim is None:
            raise StaleError("We no longer know who sent this. Here is the form anew.")
        address = Address(claim.typed, claim.email, claim.match_key)
    said = {"gate": around.gate.key, "browser": sender.browser, "locale": sender.locale}
    if visitor is None:
        tokens = (first_token, token)
        begun = begin_claimant(session, tokens, address, remembered=sent.remember, now=now, **said)
        return *begun, True
    visitor.remembered = visitor.remembered or sent.remember
    rotate(session, visitor, sender.token, token, now=now)
    return visitor, open_claim(session, visitor, address, now=now, **said), True


def _answer(
    session: Session,
    around: Around,
    sent: Sent,
    visitor: Visitor,
    claim: Claim,
    visit: Visit,
    *,
    now: datetime,
) -> Answer | None:
    """Keep the answer, with the wording it answered and where it came from."""
    question = around.question(sent.ask.question)
    if question is None or (sent.value is None and not sent.declined):
        return None
    proven = visitor.state == VisitorState.VERIFIED
    answer = Answer(
        id=uuid7(),
        question=question.key,
        value=sent.value,
        original=sent.original,
        declined=sent.declined,
        wording=keep_wording(session, sent.ask.wording or "", sent.ask.locale, now=now),
        gate=around.gate.key,
        visitor_id=visitor.id,
        visit_id=visit.id,
        claim_id=claim.id,
        contact_id=claim.contact_id if proven else None,
        assurance=Assurance.VERIFIED if proven else Assurance.CLAIMED,
        answered_at=now,
    )
    add(session, answer)
    return answer


def _subscribe(
    session: Session,
    around: Around,
    sent: Sent,
    sender: Sender,
    visitor: Visitor,
    claim: Claim,
    *,
    now: datetime,
) -> bool:
    """Write what was asked for into the ledger; return whether it waits for a confirmation."""
    newsletter = around.newsletter(sent.ask.newsletter)
    if newsletter is None:
        return False
    proven = visitor.state == VisitorState.VERIFIED
    at_once = proven and newsletter.confirm == "unless_verified"
    line = append(
        session,
        around.site,
        Said(
            subject=subject_of(claim) if proven else subject_of_claim(claim.id),
            newsletter=newsletter.key,
            state=ConsentState.CONFIRMED if at_once else ConsentState.PENDING,
            method="gate",
            wording=sent.ask.newsletter_wording or "",
            locale=sent.ask.locale,
            evidence=evidence_of(claim, sender),
        ),
        now=now,
    )
    if line is not None and proven and claim.contact_id is not None:
        contact = session.get_one(Contact, claim.contact_id)
        owe(session, around.connectors(), consent_news(contact, line, session), now=now)
    return line is not None and not at_once


def evidence_of(claim: Claim, sender: Sender) -> Evidence:
    """Return what shows that this browser said so."""
    return Evidence(
        address=claim.email,
        network=sender.network,
        agent_hash=sender.agent_hash,
        signals={**sender.signals, "claim": str(claim.id)},
    )


def _tell(
    session: Session,
    around: Around,
    claim: Claim,
    *,
    proven: bool,
    news: bool,
    now: datetime,
) -> None:
    """Owe the connectors what this form means for them."""
    if not news:
        return
    if not proven:
        told = claimed_news(session, around.published, claim, now=now)
        owe(session, around.connectors(), told, now=now)
    elif claim.contact_id is not None:
        contact = session.get_one(Contact, claim.contact_id)
        told = contact_news(session, around.published, contact, "contact.updated", now=now)
        owe(session, around.connectors(), told, now=now)


ELSEWHERE = sa.and_(
    Interaction.claim_id == sa.bindparam("claim"),
    Interaction.visitor_id != sa.bindparam("visitor"),
)
DOWNLOADED = (
    sa.select(Interaction.id)
    .where(
        Interaction.type == "download",
        Interaction.object == sa.bindparam("asset"),
        sa.or_(Interaction.visit_id == sa.bindparam("visit"), ELSEWHERE),
    )
    .limit(1)
)


def _has_download(
    session: Session, asset: Asset, visitor: Visitor, claim: Claim, visit: Visit
) -> bool:
    """
    Return whether this asset was taken in this visit.

    Whoever took it and now proves his claim, perhaps in another browser, took it once.
    """
    whose = {"asset": asset.key, "visitor": visitor.id, "claim": claim.id, "visit": visit.id}
    return session.connection().scalar(DOWNLOADED, whose) is not None


def content_of(fields: Mapping[str, list[str]]) -> bytes:
    """Return the hash of everything a form sent, but for its tokens."""
    text = repr(sorted((key, values) for key, values in fields.items() if key != "csrf_token"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
