"""The way to one's own page: a link and a code by mail; a press or a code proves the browser."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.schema import Connector
from regportal.errors import ForbiddenError, NotHereError, RegportalError
from regportal.forms.actions import MAIL, Sender
from regportal.forms.history import heed_objection
from regportal.forms.joining import join_people, part_proven
from regportal.forms.news import contact_news
from regportal.identity.actions import claim_of, confirmed_claim, contact_at
from regportal.identity.addresses import Address
from regportal.identity.codes import fits
from regportal.identity.models import (
    Assurance,
    Claim,
    ClaimState,
    Contact,
    Visitor,
    VisitorState,
)
from regportal.identity.people import is_left, keys_of_owner, own_contacts
from regportal.identity.recognising import recognise
from regportal.identity.rules import CODE, PROOF, TRIES
from regportal.identity.visitors import (
    begin_visitor,
    end_visitor,
    rotate,
    sign_out_everywhere,
    verify,
)
from regportal.mail.actions import answered
from regportal.outbox.actions import News, owe, put
from regportal.privacy.models import Leads, OwnLink
from regportal.privacy.rules import LINK_LIFE
from regportal.store.documents import Published
from regportal.store.facts import add
from regportal.store.ids import uuid7
from regportal.store.tokens import derived_code, derived_token, hash_of
from regportal.store.words import N_
from regportal.tracking.actions import met

OWN_PAGE = "me"
"""What stands for the gate in a claim that was made on one's own page."""
CODES = "own page code"
"""What the six digits of a letter to one's own page are made for, and nothing else."""
USED = N_("This link was used before.")
ELSEWHERE = N_("Please open this link in the browser in which you asked to change your address.")


class ElsewhereError(ForbiddenError):
    """A new address is to be confirmed in a browser that never asked for it."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a press led to: what the browser is to keep, and where it goes on."""

    token: str
    remembered: bool
    leads: Leads


def request_link(  # noqa: PLR0913 - who asks for what, and from where; all by name
    session: Session,
    address: Address,
    *,
    leads: Leads = Leads.PAGE,
    contact_id: uuid.UUID | None = None,
    token: str | None,
    locale: str,
    browser: str,
    now: datetime,
) -> None:
    """
    Owe a link to whoever owns this address, and a code for the browser that holds ``token``.

    Nothing is asked about the address here: the worker finds out whether a letter goes.
    """
    asked = OwnLink(
        id=uuid7(),
        leads=leads,
        email=address.email,
        match_key=address.match_key,
        locale=locale,
        browser=browser,
        contact_id=contact_id,
        made_at=now,
        expires_at=now + LINK_LIFE,
        asked_by=hash_of(token) if token else None,
        code_until=now + CODE if token else None,
    )
    add(session, asked)
    kind = "me" if leads is Leads.PAGE else "address"
    put(
        session,
        MAIL,
        News(
            topic=f"mail.{kind}",
            subject=f"own:{asked.id}",
            payload={"link": str(asked.id)},
            occurred_at=now,
        ),
        now=now,
    )


def find_link(session: Session, token: str, *, now: datetime) -> OwnLink:
    """Return what a mailed link stands for; raise NotHereError where it is (now) nothing."""
    found = session.scalars(sa.select(OwnLink).where(OwnLink.hash == hash_of(token))).first()
    if found is None or found.expires_at <= now:
        raise NotHereError(N_("This link is no longer valid."))
    return found


def press(
    session: Session,
    published: Published,
    token: str,
    sender: Sender,
    *,
    keys: tuple[bytes, ...],
    pepper: str,
    now: datetime,
) -> Pressed:
    """
    Take the press on a link: it proves the browser in which it was pressed (security.md R1).

    Pressed again in the same browser it changes nothing. Raises NotHereError where it is used up,
    and ElsewhereError where a new address is confirmed in another browser than asked for it:
    otherwise whoever types an address and waits for its owner's press had everything of his.
    """
    link = find_link(session, token, now=now)
    session.refresh(link, with_for_update=True)
    return _press(session, published, link, sender, keys=keys, pepper=pepper, now=now)


def keys_of(session: Session, link: OwnLink) -> set[str]:
    """
    Return the keys of the addresses in whose owner's browser a link signs nobody out.

    One that is to become somebody's new address is his who asked for it.
    """
    asked = session.get(Contact, link.contact_id) if link.contact_id is not None else None
    theirs = keys_of_owner(session, asked.match_key) if asked is not None else set()
    return theirs | keys_of_owner(session, link.match_key)


def asked_here(session: Session, token: str, *, now: datetime) -> OwnLink | None:
    """Return what a browser asked for last, while its code can be typed there."""
    return session.scalars(_asked_by(token, now)).first()


def code_of(link: OwnLink, keys: Sequence[bytes]) -> str | None:
    """Return the code that proves the browser which asked for a link; None where it keeps none."""
    if link.asked_by is None or link.hash is None:
        return None
    return derived_code(keys[0], CODES, *_about(link, link.asked_by))


def press_by_code(
    session: Session,
    published: Published,
    typed: str,
    sender: Sender,
    *,
    keys: tuple[bytes, ...],
    pepper: str,
    now: datetime,
) -> Pressed | None:
    """
    Take a code: it proves the browser that typed it, where that one asked (security.md R1, R4).

    Otherwise as :func:`press`. It is tried against what this browser asked for last, and nothing
    else: whoever asks for many has no more guesses. Returns None for a code that is not good here,
    whatever the reason; the try is counted all the same, so nothing may be rolled back. Nor does it
    depend on whether a letter went: otherwise the time it takes tells who is known.
    """
    asked_by = hash_of(sender.token)
    link = session.scalars(_asked_by(sender.token, now).with_for_update()).first()
    if link is None or link.tries >= TRIES:
        return None
    good = fits(typed, keys, CODES, *_about(link, asked_by))
    if link.hash is None or not good:  # without a letter there is no code, whatever fits
        link.tries += 1
        return None
    try:
        with session.begin_nested():
            return _press(session, published, link, sender, keys=keys, pepper=pepper, now=now)
    except NotHereError:
        return None


def _asked_by(token: str, now: datetime) -> sa.Select[OwnLink]:
    """Select what a browser asked for last."""
    return (
        sa.select(OwnLink)
        .where(OwnLink.asked_by == hash_of(token), OwnLink.code_until > now)
        .order_by(OwnLink.made_at.desc(), OwnLink.id.desc())
        .limit(1)
    )


def _about(link: OwnLink, asked_by: bytes) -> tuple[bytes, ...]:
    """Return what a code is made for: one letter, one request and one browser."""
    return (link.hash or b"", link.id.bytes, asked_by)


def _press(
    session: Session,
    published: Published,
    link: OwnLink,
    sender: Sender,
    *,
    keys: tuple[bytes, ...],
    pepper: str,
    now: datetime,
) -> Pressed:
    """Do what a press or a right code means; the link is held."""
    new = derived_token(keys, "visitor", sender.token.encode(), link.hash or b"")
    if link.used_at is not None:
        before = recognise(session, new, now=now).visitor
        if before is None or before.state != VisitorState.VERIFIED:
            raise NotHereError(USED)
        return Pressed(new, before.remembered, link.leads)
    if link.leads is Leads.ADDRESS and not _asked_here(session, link, sender, now=now):
        raise ElsewhereError(ELSEWHERE)
    link.used_at = now
    answered(session, link.match_key, pepper=pepper, now=now)
    contact = _proven(session, published, link, now=now)
    visitor = _pressing(session, contact, sender, new, now=now)
    claim = _claim(session, contact, visitor, link, now=now)
    heed_objection(session, visitor, sender, now=now)
    verify(visitor, claim, sender.browser, now=now)
    return Pressed(new, visitor.remembered, link.leads)


def _asked_here(session: Session, link: OwnLink, sender: Sender, *, now: datetime) -> bool:
    """Return whether this browser is proven to be of the person who asked for the change."""
    found = recognise(session, sender.token, sender.browser, now=now)
    if found.visitor is None or found.doubt is not None:
        return False
    claim = claim_of(session, found.visitor)
    mine = session.get(Contact, claim.contact_id) if claim and claim.contact_id else None
    asked = session.get(Contact, link.contact_id) if link.contact_id else None
    proven = found.visitor.state == VisitorState.VERIFIED
    if not proven or mine is None or asked is None or is_left(session, mine.id):
        return False
    return asked in own_contacts(session, mine)


def _proven(session: Session, published: Published, link: OwnLink, *, now: datetime) -> Contact:
    """
    Return the contact whose mailbox this is, proven from now on.

    Whoever was only named by somebody's claim becomes a contact that nobody is told of: he came
    to see what we keep, not to be kept.
    """
    contact = contact_at(session, link.address, Assurance.CLAIMED, link.locale, now=now)
    met(session, contact, now=now)
    if link.leads is Leads.ADDRESS and link.contact_id is not None:
        _move_in(session, published, contact, session.get(Contact, link.contact_id), now=now)
    elif contact.assurance in {Assurance.CRM, Assurance.IMPORTED}:
        _tell(session, published, contact, now=now)
    return contact


def _move_in(
    session: Session, published: Published, new: Contact, old: Contact | None, *, now: datetime
) -> None:
    """
    Let a proven address be the main one of whoever asked for it; the old one keeps its own.

    Raises NotHereError where the two may not be joined.
    """
    if old is None:
        raise NotHereError(USED)
    if new.assurance != Assurance.VERIFIED:
        _tell(session, published, new, now=now)
    own = own_contacts(session, old)
    if new in own and not is_left(session, new.id):
        return
    main = own[0]
    because = "changed on the own page"
    try:
        join_people(session, published, new, main, because=because, by=PROOF, now=now)
    except RegportalError as error:
        raise NotHereError(USED) from error
    sign_out_everywhere(session, new, now)
    put(
        session,
        MAIL,
        News(
            topic="mail.moved",
            subject=f"contact:{old.id}",
            payload={"contact": str(old.id)},
            occurred_at=now,
        ),
        now=now,
    )


def _tell(session: Session, published: Published, contact: Contact, *, now: datetime) -> None:
    """Let a contact be proven, tell it as the first proof is told, and part whom a CRM joined."""
    contact.assurance = Assurance.VERIFIED
    session.flush()
    part_proven(session, published, contact, now=now)
    news = contact_news(session, published, contact, "contact.identified", now=now)
    owe(session, published.all(Connector), news, now=now)


def _pressing(
    session: Session, contact: Contact, sender: Sender, new: str, *, now: datetime
) -> Visitor:
    """Return the visitor in whose browser the button was pressed, holding a new token (R3)."""
    known = recognise(session, sender.token, now=now)
    found = known.visitor
    if found is not None and known.doubt is None:
        other = claim_of(session, found)
        if other is None or other.match_key in keys_of_owner(session, contact.match_key):
            rotate(session, found, sender.token, new, now=now)
            return found
        end_visitor(session, found, now=now)
    return begin_visitor(session, new, now=now)


def _claim(
    session: Session, contact: Contact, visitor: Visitor, link: OwnLink, *, now: datetime
) -> Claim:
    """Return the claim this press confirms: the browser's own of this address, or one made here."""
    mine = claim_of(session, visitor)
    if mine is not None and mine.contact_id == contact.id and mine.state == ClaimState.CONFIRMED:
        return mine
    claim = confirmed_claim(
        session,
        visitor,
        link.address,
        gate=OWN_PAGE,
        browser=link.browser,
        locale=link.locale,
        now=now,
    )
    claim.contact_id = contact.id
    return claim
