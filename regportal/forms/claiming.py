"""What one form says: who it is, what they answer, and which newsletter they ask for."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from regportal.connectors.schema import Connector
from regportal.consent.actions import subject_of_claim, subject_of_contact
from regportal.consent.lines import Evidence, Said, append
from regportal.consent.models import ConsentState
from regportal.consent.schema import Newsletter
from regportal.errors import StaleError
from regportal.forms.models import Answer
from regportal.forms.news import tell_consent
from regportal.forms.rules import Ask
from regportal.forms.schema import Gate, Question
from regportal.identity.actions import (
    begin_claimant,
    claim_of,
    open_claim,
    open_claim_of,
    proving_mail,
)
from regportal.identity.addresses import Address
from regportal.identity.models import Assurance, Claim, ClaimState, Contact, Visitor, VisitorState
from regportal.identity.visitors import end_visitor, rotate
from regportal.library.schema import Asset
from regportal.outbox.actions import News, put
from regportal.store.documents import Published, Site, keep_wording
from regportal.store.facts import add
from regportal.store.ids import uuid7
from regportal.store.words import N_
from regportal.tracking.actions import log
from regportal.tracking.models import EntryKind, Visit

MAIL = "mail"
"""What the outbox calls the postman."""
OWN_STAFF = "own staff"
"""Why a form does not count though a person sent it (``site.ignore``)."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The browser a form came from."""

    token: str
    """Its token, or a fresh one where it keeps no cookie."""
    keeps_cookies: bool
    browser: str
    locale: str
    machine: str | None = None
    """Why we take it for a machine, or None; also of whoever says that he is our own staff."""
    own_staff: bool = False
    """Whether ``site.ignore`` names whoever sits there: he may do everything, uncounted."""
    referrer: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    network: str | None = None
    agent_hash: str | None = None
    signals: Mapping[str, Any] = field(default_factory=dict)
    objects: bool = False
    """Whether it says that its person is not to be followed (Sec-GPC, DNT)."""


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
class House:
    """The documents that hold, and the keys."""

    published: Published
    site: Site
    keys: tuple[bytes, ...]

    def at(self, key: str) -> "Around | None":
        """Return the same around a gate, or None where there is none (any more)."""
        gate = self.published.find(Gate, key)
        asset = self.published.find(Asset, gate.asset) if gate else None
        return Around(self.published, self.site, self.keys, gate, asset) if gate and asset else None

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
class Around(House):
    """The documents around one gate, and the keys."""

    gate: Gate
    asset: Asset

    @property
    def kiosk(self) -> bool:
        """Whether this gate stands open to passers-by: no cookies, and the file goes by mail."""
        return self.gate.stands_at_kiosk(self.site)


def owe_mail(
    session: Session,
    claim: Claim,
    gate: str,
    newsletter: str | None = None,
    *,
    visitor_id: uuid.UUID | None = None,
    kiosk: bool = False,
    now: datetime,
) -> None:
    """
    Owe the owner of a claimed address the mail that asks "was this you?".

    Its code proves the browser that made the claim, or the one of ``visitor_id``; nobody's where
    it was made at a ``kiosk``.
    """
    kind = "consent" if newsletter else "claim"
    put(
        session,
        MAIL,
        News(
            topic=f"mail.{kind}",
            subject=f"claim:{claim.id}",
            payload={
                "claim": str(claim.id),
                "gate": gate,
                "newsletter": newsletter,
                "visitor": str(visitor_id or claim.visitor_id),
                **({"kiosk": True} if kiosk else {}),
            },
            occurred_at=now,
        ),
        now=now,
    )


def subject_of(claim: Claim) -> str:
    """Return how the ledger names whoever stands behind a claim."""
    if claim.state == ClaimState.CONFIRMED and claim.contact_id is not None:
        return subject_of_contact(claim.contact_id)
    return subject_of_claim(claim.id)


def evidence_of(
    claim: Claim,
    sender: Sender,
    message_id: str | None = None,
    *,
    confirmed_at: datetime | None = None,
) -> Evidence:
    """
    Return what shows that this browser said so.

    ``message_id`` is the mail that proved the mailbox, where one did; ``confirmed_at`` when its
    owner said yes or no, where that is what he did.
    """
    return Evidence(
        address=claim.email,
        network=sender.network,
        agent_hash=sender.agent_hash,
        signals=dict(sender.signals),
        claim_id=claim.id,
        message_id=message_id,
        confirmed_at=confirmed_at,
    )


def claim_with(
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
            end_visitor(session, visitor, now=now)
            visitor, claim, first_token = None, None, token
    proven = visitor is not None and visitor.state == VisitorState.VERIFIED
    if visitor is not None and claim is not None and (claim.state == ClaimState.OPEN or proven):
        if not proven:  # whether its owner said yes meanwhile does not show: a new token either way
            rotate(session, visitor, sender.token, token, now=now)
        return visitor, claim, False
    if address is None:
        if claim is None:
            raise StaleError(N_("We no longer know who sent this. Here is the form anew."))
        address = claim.address
    said: dict[str, Any] = {
        "gate": around.gate.key,
        "browser": sender.browser,
        "locale": sender.locale,
        "own_staff": sender.own_staff and sender.machine is None,
    }
    left = open_claim_of(session, visitor) if visitor is not None else None
    if visitor is not None and left is not None:  # he proved himself elsewhere meanwhile
        if left.match_key == address.match_key:
            visitor.claim_id = left.id
            rotate(session, visitor, sender.token, token, now=now)
            return visitor, left, False
        end_visitor(session, visitor, now=now)
        visitor, first_token = None, token
    if visitor is None:
        tokens = (first_token, token)
        begun = begin_claimant(session, tokens, address, remembered=sent.remember, now=now, **said)
        return *begun, True
    visitor.remembered = visitor.remembered or sent.remember
    rotate(session, visitor, sender.token, token, now=now)
    return visitor, open_claim(session, visitor, address, now=now, **said), True


def answer_with(
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
        shown_id=uuid.UUID(sent.ask.nonce),
        visitor_id=visitor.id,
        visit_id=visit.id,
        claim_id=claim.id,
        contact_id=claim.contact_id if proven else None,
        assurance=Assurance.VERIFIED if proven else Assurance.CLAIMED,
        answered_at=now,
    )
    add(session, answer)
    if answer.contact_id is not None:
        log(session, EntryKind.ANSWER, answer.contact_id, now=now)
    return answer


def subscribe_with(
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
    evidence = evidence_of(claim, sender)
    if at_once:
        mail = proving_mail(session, claim)
        evidence = evidence_of(claim, sender, mail, confirmed_at=now)
    line = append(
        session,
        around.published,
        Said(
            subject=subject_of(claim) if proven else subject_of_claim(claim.id),
            newsletter=newsletter.key,
            state=ConsentState.CONFIRMED if at_once else ConsentState.PENDING,
            method="gate",
            wording=sent.ask.newsletter_wording or "",
            locale=sent.ask.locale,
            evidence=evidence,
            valid_for=newsletter.valid_for,
        ),
        now=now,
    )
    if line is not None and proven and claim.contact_id is not None:
        contact = session.get_one(Contact, claim.contact_id)
        tell_consent(session, around.published, contact, line, now=now)
    return line is not None and not at_once


def content_of(fields: Mapping[str, list[str]]) -> bytes:
    """Return the hash of everything a form sent, but for its tokens."""
    text = repr(sorted((key, values) for key, values in fields.items() if key != "csrf_token"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
