"""What a decision means, worked out by the worker: contacts, answers, attributions, news."""

import uuid
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.schema import Connector
from regportal.consent.actions import (
    evidence_beside,
    follow,
    hold_ledger,
    run_out,
    states_of,
    subject_of_claim,
    subject_of_contact,
)
from regportal.consent.models import ConsentState
from regportal.forms.deciding import BY_PAGE, asked_in_vain
from regportal.forms.history import join_histories
from regportal.forms.models import Answer
from regportal.forms.news import (
    answers_of_contact,
    claim_ended_news,
    consent_news,
    contact_news,
)
from regportal.identity.actions import contact_of_claim, decide
from regportal.identity.models import Assurance, Claim, ClaimState, Contact
from regportal.outbox.actions import owe
from regportal.store.documents import Published, Shelf, Site, span
from regportal.store.sessions import Store
from regportal.tracking.actions import attribute, seen_of_claim
from regportal.tracking.models import Attributed

AT_ONCE = 50  # claims a round; the rest comes right after
SWEEP = timedelta(minutes=10)  # how often what has run out is looked for


def settle(store: Store, shelf: Shelf, *, now: datetime) -> datetime | None:
    """
    Work out every decided claim, each in its own transaction, and expire what has run out.

    Returns when to look again.
    """
    with store.read() as session:
        published = shelf.published(session)
        if published.find(Site, "site") is None:
            return None
        waiting = session.scalars(
            sa.select(Claim.id)
            .where(Claim.settled_at.is_(None), Claim.state == ClaimState.CONFIRMED)
            .order_by(Claim.decided_at)
            .limit(AT_ONCE)
        ).all()
    for claim_id in waiting:
        store.write(partial(settle_claim, published=published, claim_id=claim_id, now=now))
    if len(waiting) == AT_ONCE:
        return now
    with store.read() as session:
        if not _has_run_out(session, published, now=now):
            return now + SWEEP
    store.write(partial(expire, published=published, now=now))
    return now


def settle_claim(
    session: Session, published: Published, claim_id: uuid.UUID, *, now: datetime
) -> None:
    """
    Give a confirmed claim to its contact, and owe the news of it.

    Its answers fill what is empty, its interactions and newsletters become the contact's.
    Nothing where another worker was first.
    """
    held = sa.select(Claim).where(Claim.id == claim_id).with_for_update()
    claim = session.scalars(held).first()
    if claim is None or claim.settled_at is not None:  # erased meanwhile, or settled
        return
    connectors = published.all(Connector)
    new = not _is_proven(session, claim.match_key)
    contact = contact_of_claim(session, claim, now=now)
    session.flush()
    _promote_answers(session, contact, claim)
    owe(session, connectors, claim_ended_news(claim, ClaimState.CONFIRMED, now=now), now=now)
    topic = "contact.identified" if new else "contact.updated"
    owe(session, connectors, contact_news(session, published, contact, topic, now=now), now=now)
    _promote_consents(session, published, contact, claim, now=now)
    done = [one.id for one in seen_of_claim(session, claim.id) if one.contact_id != contact.id]
    attribute(session, done, contact.id, Attributed.VERIFIED, "claim confirmed", now=now)
    join_histories(session, claim, now=now)
    claim.settled_at = now


def expire(session: Session, published: Published, *, now: datetime) -> None:
    """Let open claims and unconfirmed newsletter requests run out, some at a time."""
    site, connectors = Site.of(published), published.all(Connector)
    for claim in session.scalars(_old_claims(site, now)).all():
        if decide(session, claim, ClaimState.EXPIRED, now=now):
            owe(session, connectors, claim_ended_news(claim, ClaimState.EXPIRED, now=now), now=now)
            claim.settled_at = now
    for line in run_out(session, now=now, limit=AT_ONCE):
        kept = follow(session, site, line, ConsentState.EXPIRED, "time", now=now)
        contact = _contact_named(session, line.subject)
        if kept is not None and contact is not None:
            owe(session, connectors, consent_news(contact, kept, session), now=now)


def _has_run_out(session: Session, published: Published, *, now: datetime) -> bool:
    """Return whether there is anything to expire."""
    old = session.scalars(_old_claims(Site.of(published), now).limit(1)).first()
    return old is not None or bool(run_out(session, now=now, limit=1))


def _old_claims(site: Site, now: datetime) -> sa.Select[Claim]:
    """Select claims that nobody answered for too long."""
    return (
        sa.select(Claim)
        .where(Claim.state == ClaimState.OPEN, Claim.opened_at <= now - span(site.keep.claims))
        .limit(AT_ONCE)
    )


def _contact_named(session: Session, subject: str) -> Contact | None:
    """Return the contact the ledger names, or None where it names a claim."""
    kind, _, key = subject.partition(":")
    return session.get(Contact, uuid.UUID(key)) if kind == "contact" else None


def _is_proven(session: Session, match_key: str) -> bool:
    """Return whether the CRM was told of a contact with this address."""
    proven = sa.select(Contact.id).where(
        Contact.match_key == match_key, Contact.assurance == Assurance.VERIFIED
    )
    return session.scalar(proven) is not None


def _promote_answers(session: Session, contact: Contact, claim: Claim) -> None:
    """Fill what is empty; a differing proven answer stays, and the claim's is kept beside it."""
    known = answers_of_contact(session, contact)
    for answer in session.scalars(
        sa.select(Answer).where(Answer.claim_id == claim.id).order_by(Answer.answered_at)
    ):
        answer.contact_id = contact.id
        if answer.declined or answer.question not in known:
            answer.assurance = Assurance.VERIFIED
    session.flush()


def _promote_consents(
    session: Session, published: Published, contact: Contact, claim: Claim, *, now: datetime
) -> None:
    """Confirm the newsletters that waited for the address to be proven, and tell of them."""
    site, theirs = Site.of(published), subject_of_contact(contact.id)
    hold_ledger(session)  # what is read now still holds when it is written
    say_yes = partial(follow, state=ConsentState.CONFIRMED, now=now)
    decided = claim.decided_at or now
    in_vain = asked_in_vain(session, claim)
    later = {key for key, line in states_of(session, theirs).items() if line.at > decided}
    for line in states_of(session, subject_of_claim(claim.id)).values():
        if line.newsletter in in_vain | later:  # what he said of it since holds
            continue
        waited = line.state == ConsentState.PENDING and line.at <= decided
        if waited:
            say_yes(session, site, line, method=BY_PAGE)
        if waited or line.state == ConsentState.CONFIRMED:
            how = BY_PAGE if waited else line.method
            evidence = None if waited else evidence_beside(session, line)
            kept = say_yes(session, site, line, method=how, subject=theirs, evidence=evidence)
            if kept is not None:
                told = consent_news(contact, kept, session)
                owe(session, published.all(Connector), told, now=now)
