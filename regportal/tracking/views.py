"""Where browsers and the company's other systems tell of interactions."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from flask import Request, g, request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from regportal.identity import limits
from regportal.identity.addresses import read_address
from regportal.identity.api import Api, Counted, Refused
from regportal.identity.models import ApiKey, Assurance, Contact
from regportal.store import current
from regportal.store.asked import Asked
from regportal.store.prose import LONGEST
from regportal.store.strict_json import Strict
from regportal.tracking.collecting import Teller, take, whose
from regportal.tracking.events import Event, NotAnEventError, understand
from regportal.tracking.hearing import BEYOND, hear, keep, sender_of
from regportal.tracking.models import Source
from regportal.tracking.reverting import revert
from regportal.tracking.telling import LARGEST, Events, counted

bp = Api("tracking", __name__, "interactions", "What people do, told by pages and servers.")

KNOWN = (Assurance.VERIFIED, Assurance.CRM)
"""Contacts of whom a server's word counts as theirs."""


@bp.call(
    "POST /interactions",
    scope="interactions",
    pages="",  # counted together with what is told: hearing.py
    answers=Counted,
    status=202,
    most=LARGEST,
    also={"text/plain": None},
)
def interactions(caller: ApiKey | None, body: Events) -> Counted:
    """
    Keep what a browser, or with a key a server, tells; the worker works out what it means.

    Browsers send it as ``text/plain``, so that a page need not ask first. Without the visitor's
    consent it is linked to nobody. Servers name the ``contact`` of each event.
    """
    now = datetime.now(UTC)
    if caller is not None:
        taken = _from_server(body, caller, now)
    else:
        taken = from_browser(body, request, now)
    if taken.accepted:
        current.wake("unpack")
    return taken


class OfInteraction(Asked):
    """Which interaction."""

    id: Annotated[uuid.UUID, Field(description="The interaction's id.")]


class Revert(Strict):
    """Why an interaction is not whose it was taken for."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"because": "a student of the same name"}}
    )

    because: Annotated[str, Field(min_length=1, max_length=LONGEST, description="On one line.")]


class Reverted(BaseModel):
    """An interaction that is nobody's now."""

    id: uuid.UUID
    was: Annotated[uuid.UUID, Field(description="The key of the contact whose it was.")]


@bp.call("POST /interactions/<id>/revert", scope="revert", answers=Reverted, refuses=(404, 409))
def revert_interaction(path: OfInteraction, body: Revert) -> Reverted:
    """
    Let an interaction be nobody's, because it was not the contact whose it was taken for.

    Phases and scores that rest on it are worked out anew.
    """
    now = datetime.now(UTC)
    was = current.store().write(lambda session: revert(session, path.id, body.because, now=now))
    current.wake("weigh")
    return Reverted(id=path.id, was=was)


# --- browsers ---


def from_browser(call: Events, sent: Request, now: datetime) -> Counted:
    """Keep what a visitor's browser tells; raise TooManyError where too much came from there."""
    if BEYOND in sent.environ:
        raise sent.environ[BEYOND]
    heard, refused = hear(call, sender_of(sent), now=now)
    events = len(heard.telling.events)
    if not events and heard.sender.spot is None:
        return counted(0, 0, refused)
    accepted = keep(heard)
    if accepted is None:  # something was published just now: it is understood anew
        g.pop("published", None)
        return from_browser(call, sent, now)
    return counted(accepted, events - accepted, refused)


# --- servers ---


def _from_server(call: Events, key: ApiKey, now: datetime) -> Counted:
    """Keep what one of the company's systems tells of contacts."""
    refused: list[Refused] = []
    of_contact: defaultdict[str, list[tuple[int, Event]]] = defaultdict(list)
    for index, one in enumerate(call.events):
        try:
            event = understand(one, by_browser=False)
            of_contact[_whose(event, now)].append((index, event))
        except NotAnEventError as error:
            refused.append(Refused(index=index, reason=str(error)))
    accepted = told = 0
    for some in of_contact.values():
        taken = _of_contact(some, key, now)
        accepted += taken.accepted
        told += len(some) - len(taken.refused)
        refused += taken.refused
    return counted(accepted, told - accepted, refused)


def _whose(event: Event, now: datetime) -> str:
    """
    Return whose an event is, by match key; raise NotAnEventError where it cannot be.

    A server's clock may be a little ahead of ours.
    """
    if event.occurred_at > now + limits.MINUTE:
        raise NotAnEventError("occurred_at: is in the future")
    if event.contact is None:
        raise NotAnEventError("contact: is missing: name the contact's e-mail address")
    try:
        return read_address(event.contact).match_key
    except ValueError:
        raise NotAnEventError("contact: is not an e-mail address") from None


def _of_contact(some: Sequence[tuple[int, Event]], key: ApiKey, now: datetime) -> Counted:
    """Keep what a server tells of one contact; whoever was erased is not brought back."""
    address = read_address(some[0][1].contact or "")
    pepper = current.settings().pepper_text
    locale = current.site().locale
    events = [event._replace(occurred_at=min(event.occurred_at, now)) for _, event in some]

    def work(session: Session) -> int | None:
        contact = whose(session, address, pepper, locale, now=now)
        if contact is None:
            return None
        return take(session, _server_of(contact, key), events, now=now)

    accepted = current.store().write(work)
    if accepted is None:
        erased = [
            Refused(index=index, reason="contact: was erased, and is not brought back")
            for index, _ in some
        ]
        return counted(0, 0, erased)
    return counted(accepted, len(events) - accepted, [])


def _server_of(contact: Contact, key: ApiKey) -> Teller:
    """Return whose server tells, and of whom."""
    return Teller(
        Source.SERVER,
        contact_id=contact.id,
        api_key_id=key.id,
        proven=contact.assurance in KNOWN,
    )
