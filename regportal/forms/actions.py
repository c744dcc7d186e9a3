"""Opening a gate: everything one form does, in one transaction."""

import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import StaleError
from regportal.forms.claiming import (
    MAIL,
    OWN_STAFF,
    Around,
    Sender,
    Sent,
    answer_with,
    claim_with,
    content_of,
    evidence_of,
    owe_mail,
    subject_of,
    subscribe_with,
)
from regportal.forms.models import Submission
from regportal.forms.news import claimed_news, tell_contact
from regportal.identity.models import Choice, Claim, Contact, Visitor, VisitorState
from regportal.identity.recognising import holds
from regportal.identity.visitors import end_visitor, present
from regportal.library.actions import grant, live_grant, token_of
from regportal.library.schema import Asset
from regportal.outbox.actions import owe
from regportal.store.documents import span
from regportal.store.facts import add, add_once, table_of, watch
from regportal.store.ids import uuid7
from regportal.store.tokens import derived_token, hash_of
from regportal.store.words import N_
from regportal.tracking.actions import record, visit_of
from regportal.tracking.judging import RULES
from regportal.tracking.models import Attributed, Interaction, Judged, Visit

__all__ = [
    "MAIL",
    "Around",
    "Opened",
    "Sender",
    "Sent",
    "content_of",
    "evidence_of",
    "hand_over",
    "open_gate",
    "owe_mail",
    "subject_of",
]

SENT_BY = (
    sa.update(table_of(Submission))
    .where(Submission.id == sa.bindparam("nonce"))
    .values(visitor_id=sa.bindparam("visitor"))
)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a form led to: the same for the same form, however often it is sent."""

    token: str
    """What the browser is to keep from now on."""
    remembered: bool
    download: str | None
    """The token of the download, or None where the way leads through the mail."""
    machine: str | None = None
    """Why it was taken for a machine's now; that changes nothing of what it gets."""


def open_gate(
    session: Session, around: Around, sent: Sent, sender: Sender, *, now: datetime
) -> Opened:
    """
    Take a form: claim, answer, consent, grant, interaction, and what is owed because of them.

    Sent again it changes nothing and gives the same. Raises StaleError where the same token
    comes with other content, or the form speaks of a visitor who is no more.
    """
    token = _next_token(around, sent, sender)
    found = present(session, sender.token, sender.browser, now=now)
    if not _take(session, around, sent, now=now):
        return _again(session, around, sent, (token, sender.token), found, now=now)
    visitor, claim, opened = claim_with(session, found, around, sent, sender, token, now=now)
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
    answer = answer_with(session, around, sent, visitor, claim, visit, now=now)
    waits = sent.wants_newsletter and subscribe_with(
        session, around, sent, sender, visitor, claim, now=now
    )
    if opened and sent.remember:
        add(session, _remembering(visitor, sender, now))
    download = None
    if around.gate.hands_over(around.site, proven=proven):
        first = visitor is not found
        download = hand_over(session, around, visitor, claim, visit, sender, first=first, now=now)
    staff = sender.own_staff or claim.own_staff
    if not sender.machine and not staff and (opened or answer is not None):
        _tell(session, around, claim, proven=proven, now=now)
    if not sender.machine:
        if opened or (not proven and around.gate.delivery == "mail"):
            owe_mail(session, claim, around.gate.key, kiosk=around.kiosk, now=now)
        if waits and proven:
            key, newsletter = around.gate.key, sent.ask.newsletter
            owe_mail(session, claim, key, newsletter, visitor_id=visitor.id, now=now)
    if around.kiosk:  # whoever stands there next has nothing to do with it
        watch(session, visitor)
        end_visitor(session, visitor, now=now)
    kept = token if opened or not proven else sender.token
    return Opened(kept, visitor.remembered, download, sender.machine)


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
        plays=around.asset.plays,
        first=first,
        now=now,
    )
    proven = visitor.state == VisitorState.VERIFIED
    machine = sender.machine or (OWN_STAFF if sender.own_staff or claim.own_staff else None)
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
                judged=Judged.MACHINE if machine else Judged.PERSON,
                judged_because=machine,
                judged_by=RULES,
            ),
            now=now,
        )
    return token_of(granted, around.keys)


def _remembering(visitor: Visitor, sender: Sender, now: datetime) -> Choice:
    """Return the choice that is made with the button "remember me on this browser"."""
    return Choice(
        id=uuid7(),
        visitor_id=visitor.id,
        recognise=True,
        track=visitor.tracks,
        at=now,
        signals=dict(sender.signals),
    )


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
    tokens: tuple[str, str],
    visitor: Visitor | None,
    *,
    now: datetime,
) -> Opened:
    """
    Answer a form that was taken before as it was answered then.

    ``tokens`` are the one it may have led to, and the one the browser sent.
    """
    token, held = tokens
    before = session.get_one(Submission, uuid.UUID(sent.ask.nonce))
    if before.content != sent.content:
        raise StaleError(N_("This form was sent before with other answers. Here it is anew."))
    kept = session.get(Visitor, before.visitor_id) if before.visitor_id else visitor
    if kept is None:
        raise StaleError(N_("This form is too old. Here it is anew."))
    granted = live_grant(session, visitor_id=kept.id, asset=around.asset.key, now=now)
    if not holds(session, kept, hash_of(token)):  # it opened nothing then: his token stayed
        token = held
    return Opened(token, kept.remembered, token_of(granted, around.keys) if granted else None)


def _next_token(around: Around, sent: Sent, sender: Sender) -> str:
    """Return what the browser holds afterwards: a new token with a new claim (R3)."""
    if sent.address is None:
        return sender.token
    return derived_token(
        around.keys, "visitor", sender.token.encode(), sent.ask.nonce.encode(), sent.content
    )


def _tell(
    session: Session,
    around: Around,
    claim: Claim,
    *,
    proven: bool,
    now: datetime,
) -> None:
    """Owe the connectors what this form means for them."""
    if not proven:
        told = claimed_news(session, around.published, claim, now=now)
        owe(session, around.connectors(), told, now=now)
    elif claim.contact_id is not None:
        contact = session.get_one(Contact, claim.contact_id)
        tell_contact(session, around.published, contact, "contact.updated", now=now)


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
