"""What the company's mailer asks and tells: whom it may write to, and what came back."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from regportal.connectors.rules import in_full
from regportal.consent.permission import permissions
from regportal.consent.rules import NOTHING, Permission
from regportal.errors import BadRequestError
from regportal.forms.stopping import Voice, stop, stop_all, suppress_consents
from regportal.identity.actions import find_contact
from regportal.identity.addresses import read_address
from regportal.identity.contact_tokens import UNSUBSCRIBE, of_contact_token
from regportal.identity.keys import caller_of
from regportal.identity.models import ApiKey, Contact, MailEvent
from regportal.identity.suppression import BOUNCE, COMPLAINT, WITHDRAWN, bounced_of, suppress
from regportal.mail.actions import address_hash
from regportal.privacy.listing import unsubscribe_urls
from regportal.privacy.returned import NotAReportError, Returned, read_report
from regportal.store import current
from regportal.store.documents import Published
from regportal.store.facts import add_once
from regportal.store.ids import uuid7
from regportal.store.schema import Key
from regportal.store.strict_json import KIB, AnyMoment, read_json

bp = Blueprint("mailer", __name__)

MOST = 1000
"""Addresses, or events, of one call."""
LARGEST = 512 * KIB
REPORT = "message/rfc822"
CAME_BACK = "mail to the address came back"

Address = Annotated[str, Field(min_length=1, max_length=400)]


class _Strict(BaseModel):
    """What a program sends: nothing but what we know."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Asked(_Strict):
    """Many addresses, about one newsletter."""

    newsletter: Key
    emails: Annotated[list[Address], Field(min_length=1, max_length=MOST)]


class Event(_Strict):
    """What became of one mail."""

    id: Annotated[str, Field(min_length=1, max_length=255)]
    type: Literal["bounce", "complaint", "unsubscribe"]
    email: Address
    newsletter: Key | None = None
    permanent: bool = False
    at: AnyMoment | None = None


@bp.get("/api/v1/may-mail")
def may_mail_one() -> Response:
    """Say whether one newsletter may be sent to one address."""
    caller_of(request, "may-mail")
    email, newsletter = request.args.get("email"), request.args.get("newsletter")
    if not email or not newsletter or len(request.args) != 2:  # noqa: PLR2004 - the two
        raise BadRequestError("Please give email and newsletter, each once, and nothing else.")
    asked = _read(Asked, {"newsletter": newsletter, "emails": [email]})
    (answer,) = _answers(asked, now=datetime.now(UTC))
    return _json({name: value for name, value in answer.items() if name != "email"})


@bp.post("/api/v1/may-mail")
def may_mail_many() -> Response:
    """Say the same of up to a thousand addresses, in their order."""
    caller_of(request, "may-mail")
    asked = _read(Asked, _body())
    return _json({"results": _answers(asked, now=datetime.now(UTC))})


@bp.post("/api/v1/bounces")
def bounces() -> Response:
    """Take what came back or was reported as unwanted; the same again has no second effect."""
    key = caller_of(request, "bounces")
    now = datetime.now(UTC)
    request.max_content_length = LARGEST
    refused: list[dict[str, Any]] = []
    if request.mimetype == REPORT:
        events = _events_of_report(request.get_data(cache=False))
    else:
        events, refused = _events(_body())
    pepper = current.settings().pepper_text
    published = current.published()
    take = partial(receive, published=published, key=key, pepper=pepper, now=now)
    accepted = sum(current.store().write(partial(take, event=event)) for event in events)
    if accepted:
        current.wake("deliver")
    counted = {"accepted": accepted, "duplicate": len(events) - accepted, "refused": refused}
    return _json(counted, status=202)


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


def _answers(asked: Asked, *, now: datetime) -> list[dict[str, Any]]:
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


def _answer(email: str, newsletter: str, allows: Permission, url: str | None) -> dict[str, Any]:
    """Return one answer."""
    return {
        "email": email,
        "may_mail": allows.allowed,
        "newsletter": newsletter,
        "state": allows.state,
        "since": in_full(allows.since) if allows.since else None,
        "frequency": allows.rhythm,
        "evidence_id": allows.evidence_id,
        "unsubscribe": url,
        "because": allows.because,
    }


def _match_key(typed: str) -> str | None:
    """Return how an address is compared; None where it is none."""
    try:
        return read_address(typed).match_key
    except ValueError:
        return None


def _body() -> Any:
    """Return the JSON of a call; raise BadRequestError for anything else."""
    request.max_content_length = LARGEST
    if request.mimetype != "application/json":
        raise BadRequestError("Please send application/json.")
    return read_json(request.get_data(cache=False), most=LARGEST)


def _read(kind: type[Any], said: Any) -> Any:
    """Return what a program sent; raise BadRequestError with the first thing that is wrong."""
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        raise BadRequestError(_first(error)) from None


def _events(said: Any) -> tuple[list[Event], list[dict[str, Any]]]:
    """Return the events of a call, and those we cannot take, each with its place and why."""
    listed = said.get("events") if isinstance(said, dict) and len(said) == 1 else None
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST:
        raise BadRequestError(f'Please send {{"events": […]}} with 1 to {MOST} events.')
    events, refused = [], []
    for index, one in enumerate(listed):
        try:
            event = Event.model_validate(one)
            read_address(event.email)
            events.append(event)
        except ValidationError as error:
            refused.append({"index": index, "reason": _first(error)})
        except ValueError as error:
            refused.append({"index": index, "reason": str(error)})
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


def _first(error: ValidationError) -> str:
    """Return the first thing that is wrong with what was sent, without repeating it."""
    fault = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    """Return an answer for a program."""
    return Response(json.dumps(body), status, content_type="application/json")
