"""What nobody has proven yet, and what it would mean: for whoever looks after the opportunity."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.buying.facts import Sign
from regportal.buying.films import watched_in
from regportal.buying.glance import ahead, suggested
from regportal.buying.models import ContactRole, Opportunity
from regportal.buying.reading import deeds_of, label, model_of
from regportal.buying.rules import Step
from regportal.buying.signs import done_by, least_of
from regportal.buying.words import Ground, suggestion
from regportal.connectors.rules import in_full
from regportal.identity.models import Claim, ClaimState, Contact
from regportal.store.documents import Published, Site, span
from regportal.tracking.actions import Seen, seen_of_claim
from regportal.tracking.models import Attributed, Judged

PAGE = 500
"""How many pairs of a claim and an opportunity are looked for at a time."""
Partner = aliased(Contact)
"""Another address of the same person: whichever of them has the part."""
Row = dict[str, Any]


def suggestions(session: Session, published: Published, *, now: datetime) -> Iterator[Row]:
    """
    Yield what open claims would move if their addresses' owners made them, oldest first.

    Nothing moves by it and nobody is told (R6): anybody can type an address. It is gone once the
    claim is decided or has run out, whether or not the worker has written that down yet.
    """
    site = published.find(Site, "site")
    if site is None:
        return
    for claim_id, contact_id, opportunity_id in _pairs(session, now - span(site.keep.claims)):
        claim = session.get_one(Claim, claim_id)
        opportunity = session.get_one(Opportunity, opportunity_id)
        held = [one for one in seen_of_claim(session, claim_id) if _is_held(one)]
        step = _step(session, published, opportunity, [_sign(one, contact_id) for one in held], now)
        if step is not None:
            yield _told(session, published, claim, opportunity, step)


def _pairs(session: Session, since: datetime) -> Iterator[Sequence[uuid.UUID]]:
    """Yield each open claim with the contact of its address and the opportunity it may be about."""
    rows = session.execute(
        sa.select(Claim.id, Contact.id, Opportunity.id)
        .join(Contact, Contact.match_key == Claim.match_key)
        .join(Partner, Partner.person_id == Contact.person_id)
        .join(ContactRole, ContactRole.contact_id == Partner.id)
        .join(Opportunity, Opportunity.id == ContactRole.opportunity_id)
        .where(
            Claim.state == ClaimState.OPEN,
            Claim.opened_at > since,
            Claim.own_staff.is_(False),
            ContactRole.until.is_(None),
            Opportunity.is_closed.is_(False),
        )
        .group_by(Claim.id, Contact.id, Opportunity.id)
        .order_by(Claim.opened_at, Claim.id, Opportunity.connector, Opportunity.external_id)
        .execution_options(yield_per=PAGE)
    )
    yield from rows


def _is_held(one: Seen) -> bool:
    """Return whether an interaction waits for its claim to be confirmed, and a person did it."""
    return one.attribution is Attributed.CLAIMED and one.judged is Judged.PERSON


def _sign(one: Seen, contact: uuid.UUID) -> Sign:
    """Return an interaction as the rules would see it, were it this contact's."""
    about = (one.type, one.category, one.occurred_at, one.received_at, one.object)
    return Sign(one.id, contact, *about, watched_in(one.type, one.properties))


def _step(
    session: Session,
    published: Published,
    opportunity: Opportunity,
    held: Sequence[Sign],
    now: datetime,
) -> Step | None:
    """Return the step an opportunity would take with these signs; None where they add nothing."""
    if not held:
        return None
    model, _ = model_of(published)
    people = (
        sa.select(Contact.person_id)
        .join(ContactRole, ContactRole.contact_id == Contact.id)
        .where(ContactRole.opportunity_id == opportunity.id, ContactRole.until.is_(None))
    )
    contacts = session.scalars(sa.select(Contact.id).where(Contact.person_id.in_(people))).all()
    conditions = ahead(model, opportunity.phase)
    done = done_by(session, contacts, conditions, least=least_of(model), first=now, last=now)
    known = [spell.sign for one in done for spell in one.counts if spell.holds(now)]
    theirs = [sign for sign in known if sign.contact in contacts]
    return suggested(model, opportunity.phase, theirs, held, now)


def _told(
    session: Session,
    published: Published,
    claim: Claim,
    opportunity: Opportunity,
    step: Step,
) -> Row:
    """Return a suggestion as it is listed."""
    model, _ = model_of(published)
    who = claim.address.shown
    return {
        "claim": str(claim.id),
        "email": who,
        "claimed_at": in_full(claim.opened_at),
        **opportunity.named,
        "owner": _owner(opportunity),
        "from": opportunity.phase,
        "to": step.to,
        "reason": suggestion(
            label(published, model, step.to), who, _grounds(session, published, step)
        ),
    }


def _grounds(session: Session, published: Published, step: Step) -> list[Ground]:
    """Return what a step rests on, in words; of what is proven as of what is not."""
    counted = [met for met in step.because if met.signs]
    ids = [sign for met in counted for sign in met.signs if isinstance(sign, uuid.UUID)]
    deeds = deeds_of(session, published, ids)
    return [
        Ground(
            tuple(deeds[str(sign)] for sign in met.signs),
            met.condition.count.at_least,
            met.condition.within,
            met.condition.share,
        )
        for met in counted
    ]


def _owner(opportunity: Opportunity) -> str | None:
    """
    Return who looks after an opportunity, as the CRM said it.

    >>> _owner(Opportunity(owner={"name": "Bo Lind", "email": "bo@acme.example"}))
    'Bo Lind <bo@acme.example>'
    >>> _owner(Opportunity(owner={"email": "bo@acme.example"})), _owner(Opportunity(owner=None))
    ('bo@acme.example', None)
    """
    owner = opportunity.owner or {}
    name, email = owner.get("name"), owner.get("email")
    return f"{name} <{email}>" if name and email else name or email
