"""Where browsers and the company's other systems tell of interactions."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from flask import request
from pydantic import BaseModel, ConfigDict, Field, SkipValidation
from pydantic.config import JsonDict
from sqlalchemy.orm import Session

from regportal.identity import browser, limits, wire
from regportal.identity.actions import claim_of
from regportal.identity.addresses import read_address
from regportal.identity.api import Api, Counted, Refused
from regportal.identity.models import ApiKey, Assurance, Contact, VisitorState
from regportal.identity.visitors import recognise
from regportal.store import current
from regportal.store.documents import Site
from regportal.store.strict_json import KIB, AnyMoment
from regportal.tracking.collecting import Teller, take, whose
from regportal.tracking.events import (
    MOST,
    Event,
    EventTold,
    NotAnEventError,
    by_our_clock,
    understand,
)
from regportal.tracking.models import Source

bp = Api("tracking", __name__, "What visitors and contacts do.")

LARGEST = 64 * KIB
KNOWN = (Assurance.VERIFIED, Assurance.CRM)
"""Contacts of whom a server's word counts as theirs."""
EXAMPLE: JsonDict = {
    "events": [
        {
            "id": "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b",
            "type": "price_lookup",
            "object": "widget-9",
            "properties": {"quantity": 300, "currency": "GBP"},
            "occurred_at": "2026-03-04T12:00:00Z",
        }
    ]
}


class Touch(BaseModel):
    """Where a visit came from, as its first page saw it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    referrer: Annotated[str, Field(max_length=1000)] | None = None
    parameters: dict[str, str] = Field(default_factory=dict, max_length=20)


class Events(BaseModel):
    """What is told at once; an event that is none is refused alone."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": EXAMPLE})
    events: Annotated[list[SkipValidation[EventTold]], Field(min_length=1, max_length=MOST)]
    sent_at: Annotated[
        AnyMoment | None, Field(description="The browser's own time; sets a wrong clock right.")
    ] = None
    touch: Touch | None = None
    visitor: Annotated[
        str | None,
        Field(
            pattern=f"^{browser.TOKEN.pattern}$",
            description="The token of a page's script, as in X-RP-Visitor: beacons send no header.",
        ),
    ] = None


@bp.call(
    "POST /interactions",
    scope="interactions",
    pages="events",
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
        counted = _from_server(body, caller, now)
    else:
        counted = _from_browser(body, current.site(), now)
    if counted.accepted:
        current.wake("unpack")
    return counted


def _understood(
    told: Iterable[object], *, by_browser: bool
) -> tuple[list[tuple[int, Event]], list[Refused]]:
    """Return the events of a call with their places, and why the others are none."""
    events: list[tuple[int, Event]] = []
    refused: list[Refused] = []
    for index, one in enumerate(told):
        try:
            events.append((index, understand(one, by_browser=by_browser)))
        except NotAnEventError as error:
            refused.append(Refused(index=index, reason=str(error)))
    return events, refused


# --- browsers ---


def _from_browser(call: Events, site: Site, now: datetime) -> Counted:
    """Keep what a visitor's browser tells."""
    understood, refused = _understood(call.events, by_browser=True)
    events = []
    for index, event in understood:
        try:
            at = by_our_clock(event.occurred_at, call.sent_at, now)
        except NotAnEventError as error:
            refused.append(Refused(index=index, reason=str(error)))
        else:
            events.append(replace(event, occurred_at=at))
    with current.store().read() as session:
        teller = _browser_of(session, call, site, now)
    return _keep(teller, events, refused, now)


def _browser_of(session: Session, call: Events, site: Site, now: datetime) -> Teller:
    """
    Return whose browser tells.

    Without his consent to be followed, or where his browser objects, nobody's: nothing is linked.
    A token that the site's own scripts can read is never worth a proof (security.md 3.2, M4).
    """
    teller = Teller(
        Source.BROWSER,
        own_staff=wire.is_own_staff(request, site, None),
        agent=wire.clean(str(request.user_agent), 300),
        network=wire.network_of(request),
        purpose=_purpose(),
        touch=_touch(call.touch),
    )
    by_script = call.visitor or request.headers.get(browser.SCRIPT_HEADER)
    token = by_script or browser.jar().token
    found = recognise(session, token, browser.browser_name(request), now=now)
    visitor = found.visitor
    if visitor is None or not visitor.tracks or browser.objects(site):
        return teller
    proven = visitor.state == VisitorState.VERIFIED and found.doubt is None and not by_script
    claim = claim_of(session, visitor)
    return replace(
        teller,
        visitor_id=visitor.id,
        claim_id=claim.id if claim else None,
        proven=proven,
    )


def _purpose() -> str | None:
    """Return for what a page was fetched, where the browser says that nobody asked for it yet."""
    headers = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
    said = next((request.headers[name] for name in headers if name in request.headers), None)
    return wire.clean(said, 60) if said else None


def _touch(touch: Touch | None) -> dict[str, Any]:
    """Return where a visit came from, cleaned as the gate does it."""
    if touch is None:
        return {}
    return {
        "referrer": wire.place_of(touch.referrer or ""),
        "parameters": wire.campaign_of(touch.parameters),
    }


# --- servers ---


def _from_server(call: Events, key: ApiKey, now: datetime) -> Counted:
    """Keep what one of the company's systems tells of contacts."""
    understood, refused = _understood(call.events, by_browser=False)
    of_contact: defaultdict[str, list[tuple[int, Event]]] = defaultdict(list)
    for index, event in understood:
        reason = _untimely(event, now)
        if reason is None:
            try:
                of_contact[read_address(event.contact or "").match_key].append((index, event))
            except ValueError:
                reason = "contact: is not an e-mail address"
        if reason is not None:
            refused.append(Refused(index=index, reason=reason))
    accepted = told = 0
    for some in of_contact.values():
        taken = _of_contact(some, key, now)
        accepted += taken.accepted
        told += len(some) - len(taken.refused)
        refused += taken.refused
    return _counted(accepted, told - accepted, refused)


def _untimely(event: Event, now: datetime) -> str | None:
    """Return what is wrong with an event's time; a server's clock may be a little ahead of ours."""
    return "occurred_at: is in the future" if event.occurred_at > now + limits.MINUTE else None


def _of_contact(some: Sequence[tuple[int, Event]], key: ApiKey, now: datetime) -> Counted:
    """Keep what a server tells of one contact; whoever was erased is not brought back."""
    address = read_address(some[0][1].contact or "")
    pepper = current.settings().pepper_text
    locale = current.site().locale
    events = [replace(event, occurred_at=min(event.occurred_at, now)) for _, event in some]

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
        return _counted(0, 0, erased)
    return _counted(accepted, len(events) - accepted, [])


def _server_of(contact: Contact, key: ApiKey) -> Teller:
    """Return whose server tells, and of whom."""
    return Teller(
        Source.SERVER,
        contact_id=contact.id,
        api_key_id=key.id,
        proven=contact.assurance in KNOWN,
    )


# --- both ---


def _keep(
    teller: Teller, events: Sequence[Event], refused: Sequence[Refused], now: datetime
) -> Counted:
    """Keep the events of one teller."""
    accepted = (
        current.store().write(lambda session: take(session, teller, events, now=now))
        if events
        else 0
    )
    return _counted(accepted, len(events) - accepted, refused)


def _counted(accepted: int, duplicate: int, refused: Iterable[Refused]) -> Counted:
    """Return what became of a call, refusals in the order in which they were sent."""
    in_order = sorted(refused, key=lambda one: one.index)
    return Counted(accepted=accepted, duplicate=duplicate, refused=in_order)
