"""What a decision means, worked out by the worker: contacts, answers, attributions, news."""

import uuid
from dataclasses import replace
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.consent.actions import (
    TIME,
    end_pause,
    follow,
    pauses_over,
    run_out,
    states_of,
    subject_of_claim,
    subject_of_contact,
)
from regportal.consent.lines import evidence_beside, hold_ledger
from regportal.consent.models import ConsentState
from regportal.consent.permission import may_mail
from regportal.forms.history import join_histories
from regportal.forms.joining import part_proven
from regportal.forms.models import Answer
from regportal.forms.news import (
    answers_of_contact,
    is_own_staff,
    tell_claim_ended,
    tell_consent,
    tell_contact,
)
from regportal.forms.showing import asked_in_vain
from regportal.forms.waiting import BY_PAGE
from regportal.identity.actions import contact_of_claim, decide
from regportal.identity.models import Assurance, Claim, ClaimState, Contact
from regportal.store.documents import Published, Shelf, Site, span
from regportal.store.sessions import Store
from regportal.tracking.actions import attribute, disown, log, met, seen_of_claim
from regportal.tracking.models import Attributed, EntryKind

AT_ONCE = 50  # claims a round; the rest comes right after
UNSETTLED = sa.and_(Claim.settled_at.is_(None), Claim.state == ClaimState.CONFIRMED)
"""Claims that were confirmed, and of which nobody has worked out what it means."""


def settle(store: Store, shelf: Shelf, *, pepper: str, now: datetime) -> datetime | None:
    """
    Work out every decided claim, each in its own transaction.

    Returns when to look again: now where there are more, else None.
    """
    with store.read() as session:
        published = shelf.published(session)
        if published.find(Site, "site") is None:
            return None
        waiting = session.scalars(
            sa.select(Claim.id).where(UNSETTLED).order_by(Claim.decided_at).limit(AT_ONCE)
        ).all()
    for claim_id in waiting:
        store.write(
            partial(settle_claim, published=published, claim_id=claim_id, pepper=pepper, now=now)
        )
    return now if len(waiting) == AT_ONCE else None


def expire(store: Store, shelf: Shelf, *, now: datetime) -> None:
    """
    Let all claims, requests, permissions and pauses end whose time is over.

    It reads the whole ledger of consent, so not after every press of a button: what was allowed
    for a time is not allowed after it, whether or not that is written down yet.
    """
    with store.read() as session:
        published = shelf.published(session)
    if published.find(Site, "site") is None:
        return
    while _is_any_over(store, published, now=now):
        store.write(partial(_expire_some, published=published, now=now))


def settle_claim(
    session: Session, published: Published, claim_id: uuid.UUID, *, pepper: str, now: datetime
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
    new = not _is_known(session, claim)
    contact = met(session, contact_of_claim(session, claim, now=now), now=now)
    session.flush()
    if new:
        part_proven(session, published, contact, now=now)
    _promote_answers(session, contact, claim, now=now)
    tell_claim_ended(session, published, claim, ClaimState.CONFIRMED, now=now)
    topic = "contact.identified" if new else "contact.updated"
    tell_contact(session, published, contact, topic, now=now)
    _promote_consents(session, published, contact, claim, pepper=pepper, now=now)
    done = [one.id for one in seen_of_claim(session, claim.id) if one.contact_id != contact.id]
    attribute(session, done, contact.id, Attributed.VERIFIED, "claim confirmed", now=now)
    join_histories(session, claim, now=now)
    claim.settled_at = now


def _expire_some(session: Session, published: Published, *, now: datetime) -> None:
    """Let some claims, requests, permissions and pauses end whose time is over."""
    site = Site.of(published)
    for claim in session.scalars(_old_claims(site, now)).all():
        if decide(session, claim, ClaimState.EXPIRED, now=now):
            tell_claim_ended(session, published, claim, ClaimState.EXPIRED, now=now)
            disown(session, claim, now=now)
            claim.settled_at = now
    hold_ledger(session)  # what is read now still holds when it is written
    for line in run_out(session, now=now, limit=AT_ONCE):
        kept = follow(session, published, line, ConsentState.EXPIRED, TIME, entity=TIME, now=now)
        contact = _contact_named(session, line.subject)
        if contact is not None:
            tell_consent(session, published, contact, kept, now=now)
    for line in pauses_over(session, now=now, limit=AT_ONCE):
        kept = end_pause(session, published, line, now=now)
        contact = _contact_named(session, line.subject)
        if contact is not None and _may_go_on(session, contact, line.newsletter, now):
            tell_consent(session, published, contact, kept, now=now)


def _may_go_on(session: Session, contact: Contact, newsletter: str, now: datetime) -> bool:
    """Return whether nothing else stands in the way once a pause is over: a stop elsewhere does."""
    return may_mail(session, contact, newsletter, at=now).allowed


def _is_any_over(store: Store, published: Published, *, now: datetime) -> bool:
    """Return whether there is anything to expire."""
    with store.read() as session:
        old = session.scalars(_old_claims(Site.of(published), now).limit(1)).first()
        ended = run_out(session, now=now, limit=1) or pauses_over(session, now=now, limit=1)
    return old is not None or bool(ended)


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


def _is_known(session: Session, claim: Claim) -> bool:
    """Return whether the CRM was told of a contact with this address: not if own staff made it."""
    proven = sa.select(Contact).where(
        Contact.match_key == claim.match_key, Contact.assurance == Assurance.VERIFIED
    )
    contact = session.scalars(proven).first()
    return contact is not None and not is_own_staff(session, contact)


def _promote_answers(session: Session, contact: Contact, claim: Claim, *, now: datetime) -> None:
    """Fill what is empty; a differing proven answer stays, and the claim's is kept beside it."""
    known = answers_of_contact(session, contact)
    answers = session.scalars(
        sa.select(Answer).where(Answer.claim_id == claim.id).order_by(Answer.answered_at)
    ).all()
    for answer in answers:
        answer.contact_id = contact.id
        if answer.declined or answer.question not in known:
            answer.assurance = Assurance.VERIFIED
    if answers:
        log(session, EntryKind.ANSWER, contact.id, now=now)


def _promote_consents(
    session: Session,
    published: Published,
    contact: Contact,
    claim: Claim,
    *,
    pepper: str,
    now: datetime,
) -> None:
    """Confirm the newsletters that waited for the address to be proven, and tell of them."""
    theirs = subject_of_contact(contact.id)
    hold_ledger(session)  # what is read now still holds when it is written
    say_yes = partial(follow, state=ConsentState.CONFIRMED, now=now)
    decided = claim.decided_at or now
    in_vain = asked_in_vain(session, claim, pepper=pepper)
    later = {key for key, line in states_of(session, theirs).items() if line.at > decided}
    for line in states_of(session, subject_of_claim(claim.id)).values():
        if line.newsletter in in_vain | later:  # what he said of it since holds
            continue
        evidence, how = evidence_beside(session, line), line.method
        if line.state == ConsentState.PENDING and line.at <= decided:
            evidence = replace(evidence.of_another_deed(), confirmed_at=decided)
            how = BY_PAGE
            say_yes(session, published, line, method=how, evidence=evidence)
        elif line.state != ConsentState.CONFIRMED:
            continue
        kept = say_yes(session, published, line, method=how, subject=theirs, evidence=evidence)
        tell_consent(session, published, contact, kept, now=now)
