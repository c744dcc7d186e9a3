"""What the company's mailer asks and tells: whom it may write to, and what came back."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, SkipValidation, ValidationError
from pydantic.config import JsonDict
from sqlalchemy.orm import Session

from regportal.consent.permission import permissions
from regportal.consent.rules import NOTHING, Permission
from regportal.consent.suppression import BOUNCE, COMPLAINT, WITHDRAWN, bounced_of, suppress
from regportal.errors import BadRequestError
from regportal.forms.stopping import Voice, stop, stop_all, suppress_consents
from regportal.identity.actions import find_contact
from regportal.identity.addresses import read_address
from regportal.identity.api import Api, Counted, Moment, Refused
from regportal.identity.contact_tokens import UNSUBSCRIBE, of_contact_token
from regportal.identity.models import ApiKey, Contact
from regportal.mail.actions import address_hash
from regportal.privacy.listing import unsubscribe_urls
from regportal.privacy.models import MailEvent
from regportal.privacy.returned import NotAReportError, Returned, read_report
from regportal.store import current
from regportal.store.asked import Asked
from regportal.store.documents import Published
from regportal.store.facts import add_once
from regportal.store.ids import uuid7
from regportal.store.schema import Key
from regportal.store.strict_json import KIB, AnyMoment, Strict, first_fault

bp = Api("mailer", __name__, "mail", "Whom the company's mailer may write to, and what came back.")

MOST = 1000
"""Addresses, or events, of one call."""
LARGEST = 512 * KIB
REPORT = "message/rfc822"
CAME_BACK = "mail to the address came back"
ANN = "ann@initech.example"
EVENT: JsonDict = {"id": "evt-1", "type": "bounce", "email": ANN, "permanent": True}

Address = Annotated[str, Field(min_length=1, max_length=400)]
Newsletter = Annotated[Key, Field(description="Its key.")]


class One(Asked):
    """One address, about one newsletter."""

    email: Annotated[Address, Field(examples=[ANN])]
    newsletter: Annotated[Newsletter, Field(examples=["widget-prices"])]


class Many(Strict):
    """Many addresses, about one newsletter."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"newsletter": "widget-prices", "emails": [ANN]}}
    )
    newsletter: Newsletter
    emails: Annotated[list[Address], Field(min_length=1, max_length=MOST)]


class MayMail(BaseModel):
    """Whether a newsletter may be sent; all but ``may_mail`` says why."""

    may_mail: bool
    newsletter: str
    state: str | None
    since: Moment | None
    frequency: Annotated[str | None, Field(description="Where less was chosen.")]
    evidence_id: str | None
    unsubscribe: Annotated[str | None, Field(description="The link for the letter (RFC 8058).")]
    because: str


class MayMailTo(MayMail):
    """The same, of one address among many."""

    email: str


class MayMailAll(BaseModel):
    """Answers in the order of the addresses."""

    results: list[MayMailTo]


class Event(Strict):
    """What became of one mail."""

    id: Annotated[str, Field(min_length=1, max_length=255)]
    type: Literal["bounce", "complaint", "unsubscribe"]
    email: Address
    newsletter: Key | None = None
    permanent: bool = False
    at: AnyMoment | None = None


class MailEvents(Strict):
    """What a mailer learned; an event that is none is refused alone."""

    model_config = ConfigDict(json_schema_extra={"example": {"events": [EVENT]}})
    events: Annotated[list[SkipValidation[Event]], Field(min_length=1, max_length=MOST)]


@bp.call("GET /may-mail", scope="may-mail", answers=MayMail)
def may_mail_one(query: One) -> MayMail:
    """Say whether one newsletter may be sent to one address."""
    asked = Many(newsletter=query.newsletter, emails=[query.email])
    [found] = _answers(asked, now=datetime.now(UTC))
    return MayMail.model_validate(found.model_dump(exclude={"email"}))


@bp.call("POST /may-mail", scope="may-mail", answers=MayMailAll, most=LARGEST)
def may_mail_many(body: Many) -> MayMailAll:
    """Say the same of up to a thousand addresses, in their order."""
    return MayMailAll(results=_answers(body, now=datetime.now(UTC)))


@bp.call(
    "POST /bounces",
    scope="bounces",
    answers=Counted,
    status=202,
    most=LARGEST,
    also={REPORT: lambda raw: MailEvents(events=_events_of_report(raw))},
)
def bounces(caller: ApiKey, body: MailEvents) -> Counted:
    """
    Take what came back or was reported as unwanted; the same again has no second effect.

    Reports of mail servers (RFC 3464, RFC 5965) are taken as they are, as ``message/rfc822``.
    """
    events, refused = _events(body.events)
    now = datetime.now(UTC)
    pepper = current.settings().pepper_text
    published = current.published()
    take = partial(receive, published=published, key=caller, pepper=pepper, now=now)
    accepted = sum(current.store().write(partial(take, event=event)) for event in events)
    if accepted:
        current.wake("deliver")
    return Counted(accepted=accepted, duplicate=len(events) - accepted, refused=refused)


def receive(
    session: Session, published: Published, key: ApiKey, event: Event, *, pepper: str, now: datetime
) -> bool:
    """
    Do what one event means; return False where it was taken before.

    A mail that came back for good suppresses the address, a complaint every newsletter of it, and
    "unsubscribe" one newsletter or all. One that came back for now is only counted.
    """
    match_key = read_address(event.email).match_key
    kept = MailEvent(
        id=uuid7(),
        api_key_id=key.id,
        event_id=event.id,
        type=event.type,
        permanent=event.permanent,
        newsletter=event.newsletter,
        address_hash=address_hash(match_key, pepper),
        at=min(event.at or now, now),
        received_at=now,
    )
    if not add_once(session, kept):
        return False
    contact = find_contact(session, event.email)
    because, newsletter = _suppresses(event, known=contact is not None)
    if because is not None:
        suppress(session, match_key, pepper, because, newsletter, now=now)
    if contact is not None:
        _tell_ledger(session, published, contact, event, f"mailer {key.name}", now=now)
    return True


def _suppresses(event: Event, *, known: bool) -> tuple[str | None, str | None]:
    """Return why an event keeps an address from coming back, and for which newsletter."""
    if event.type == "unsubscribe":  # of somebody we know the ledger says it
        return (None if known else WITHDRAWN), event.newsletter
    if event.type == "complaint":
        return COMPLAINT, None
    return (BOUNCE if event.permanent else None), None


def _tell_ledger(
    session: Session,
    published: Published,
    contact: Contact,
    event: Event,
    by: str,
    *,
    now: datetime,
) -> None:
    """Write down what an event means for what a contact allows."""
    if event.type == "unsubscribe":
        voice = Voice("mailer", by)
        if event.newsletter is None:
            stop_all(session, published, contact, voice, now=now)
        else:
            stop(session, published, contact, event.newsletter, voice, now=now)
    elif event.type == "complaint" or event.permanent:
        suppress_consents(session, published, contact, Voice(event.type, by), now=now)


def _answers(asked: Many, *, now: datetime) -> list[MayMailTo]:
    """Return, an address, whether it may be written to: the same shape for known and unknown."""
    pepper = current.settings().pepper_text
    match_keys = {typed: _match_key(typed) for typed in asked.emails}
    with current.store().read() as session:
        wanted = [one for one in match_keys.values() if one]
        contacts = {
            one.match_key: one
            for one in session.scalars(sa.select(Contact).where(Contact.match_key.in_(wanted)))
        }
        found = permissions(session, [*contacts.values()], asked.newsletter, at=now)
        bounced = bounced_of(session, [*contacts], pepper)
    known = [one for one in contacts.values() if found[one.id].state is not None]
    urls = unsubscribe_urls(current.store(), current.settings(), known, asked.newsletter, now=now)
    answers = []
    for typed, match_key in match_keys.items():
        contact = contacts.get(match_key or "")
        allows = found[contact.id] if contact else NOTHING
        if allows.allowed and match_key in bounced:
            allows = replace(allows, allowed=False, because=CAME_BACK)
        url = urls.get(contact.id) if contact else None
        answers.append(_answer(typed, asked.newsletter, allows, url))
    return answers


def _answer(email: str, newsletter: str, allows: Permission, url: str | None) -> MayMailTo:
    """Return one answer."""
    return MayMailTo(
        email=email,
        may_mail=allows.allowed,
        newsletter=newsletter,
        state=allows.state,
        since=allows.since,
        frequency=allows.rhythm,
        evidence_id=allows.evidence_id,
        unsubscribe=url,
        because=allows.because,
    )


def _match_key(typed: str) -> str | None:
    """Return how an address is compared; None where it is none."""
    try:
        return read_address(typed).match_key
    except ValueError:
        return None


def _events(told: Iterable[object]) -> tuple[list[Event], list[Refused]]:
    """Return the events of a call, and those we cannot take, each with its place and why."""
    events, refused = [], []
    for index, one in enumerate(told):
        try:
            event = Event.model_validate(one)
            read_address(event.email)
            events.append(event)
        except ValidationError as error:
            reason = ": ".join(filter(None, first_fault(error)))
            refused.append(Refused(index=index, reason=reason))
        except ValueError as error:
            refused.append(Refused(index=index, reason=str(error)))
    return events, refused


def _events_of_report(raw: bytes) -> list[Event]:
    """Return what a mail about mails says; raise BadRequestError where it says nothing."""
    try:
        found = read_report(raw)
    except NotAReportError as error:
        raise BadRequestError(f"{str(error).capitalize()}.") from error
    events = [event for event in map(_event_of, found) if event is not None]
    if not events:
        raise BadRequestError("The report names no address.")
    return events


def _event_of(told: Returned) -> Event | None:
    """
    Return what a report says; None where it names no address.

    Our own link in the mail knows best whom it was sent to.
    """
    email, newsletter = told.email, None
    with current.store().read() as session:
        link = of_contact_token(session, told.token, UNSUBSCRIBE) if told.token else None
        contact = session.get(Contact, link.contact_id) if link else None
        if link is not None and contact is not None:
            email, newsletter = contact.email, link.newsletter
    if _match_key(email) is None:
        return None
    return Event(
        id=told.id,
        type=told.type,  # type: ignore[arg-type] # pydantic looks at it
        email=email,
        newsletter=newsletter,
        permanent=told.permanent,
        at=told.at,
    )
