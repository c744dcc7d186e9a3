"""Where browsers and the company's other systems tell of interactions, and read them."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from flask import Blueprint, Response, jsonify, make_response, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from regportal.errors import BadRequestError, NotHereError
from regportal.identity import browser, limits, wire
from regportal.identity.actions import claim_of
from regportal.identity.addresses import read_address
from regportal.identity.keys import caller_of
from regportal.identity.models import ApiKey, Assurance, Contact, VisitorState
from regportal.identity.visitors import recognise
from regportal.store import current
from regportal.store.documents import Site
from regportal.store.strict_json import KIB, AnyMoment, read_json
from regportal.tracking.collecting import Teller, take, whose
from regportal.tracking.events import MOST, Event, NotAnEventError, by_our_clock, understand
from regportal.tracking.models import Source
from regportal.tracking.series import Mark, Wanted, as_told, page_of, read_mark, written

bp = Blueprint("tracking", __name__)

M = TypeVar("M", bound=BaseModel)

LARGEST = 64 * KIB
MEDIA = ("application/json", "text/plain")
"""A page on another origin may send text without asking first, also while it is being closed."""
KNOWN = (Assurance.VERIFIED, Assurance.CRM)
"""Contacts of whom a server's word counts as theirs."""
Refused = list[dict[str, Any]]


class Touch(BaseModel):
    """Where a visit came from, as its first page saw it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    referrer: Annotated[str, Field(max_length=1000)] | None = None
    parameters: dict[str, str] = Field(default_factory=dict, max_length=20)


class Call(BaseModel):
    """What is told at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    events: Annotated[list[Any], Field(min_length=1, max_length=MOST)]
    sent_at: AnyMoment | None = None
    touch: Touch | None = None
    visitor: Annotated[str, Field(pattern=f"^{browser.TOKEN.pattern}$")] | None = None
    """The token that a page's script holds: a beacon can send no header."""


class Asked(BaseModel):
    """Which interactions of a contact a program wants to read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    type: tuple[Annotated[str, Field(pattern=r"^[a-z0-9_:-]{1,80}$")], ...] = ()
    since: AnyMoment | None = None
    until: AnyMoment | None = None
    after: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50

    @property
    def mark(self) -> Mark | None:
        """Return where the page begins; raise BadRequestError for a mark that is not ours."""
        try:
            return read_mark(self.after) if self.after else None
        except ValueError as error:
            raise BadRequestError("after: is not the next of a page of ours.") from error


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a call."""

    accepted: int
    duplicate: int
    refused: Refused

    @property
    def as_json(self) -> dict[str, Any]:
        """Return it as it is answered."""
        return {
            "accepted": self.accepted,
            "duplicate": self.duplicate,
            "refused": sorted(self.refused, key=lambda one: int(one["index"])),
        }


@bp.post("/api/v1/interactions")
def interactions() -> Response:
    """Keep what a browser, or with a key a server, tells; the worker works out what it means."""
    request.max_content_length = LARGEST
    now = datetime.now(UTC)
    if "Authorization" in request.headers:
        key = caller_of(request, "interactions")
        taken = _from_server(_call(), key, now)
    else:
        site = current.site()
        wire.check_origin(request, site)
        taken = _from_browser(_call(), site, now)
    if taken.accepted:
        current.wake("unpack")
    return make_response(jsonify(taken.as_json), 202)


@bp.get("/api/v1/contacts/<uuid:key>/interactions")
def timeline(key: uuid.UUID) -> Response:
    """Return a page of what a contact did, newest first, and where the next one begins."""
    caller_of(request, "timeline")
    asked = _asked()
    with current.store().read() as session:
        if session.get(Contact, key) is None:
            raise NotHereError("There is no such contact.")
        wanted = Wanted(key, frozenset(asked.type), asked.since, asked.until)
        seen, after = page_of(session, wanted, asked.mark, asked.limit)
    told = {
        "interactions": [as_told(one) for one in seen],
        "next": written(after) if after else None,
    }
    return make_response(jsonify(told))


def _asked() -> Asked:
    """Return which interactions are asked for; raise BadRequestError for what nobody can ask."""
    given: dict[str, Any] = {
        name: values if name == "type" else values[-1] for name, values in request.args.lists()
    }
    return _read(Asked, given)


def _call() -> Call:
    """Return what was sent; raise BadRequestError where it is no call at all."""
    if request.mimetype not in MEDIA:
        raise BadRequestError("Please send application/json, or the same as text/plain.")
    return _read(Call, read_json(request.get_data(cache=False), most=LARGEST))


def _read(kind: type[M], said: object) -> M:
    """Return what was said as a model; raise BadRequestError with the first thing wrong."""
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the body"
        raise BadRequestError(f"{place}: {first['msg']}.") from error


def _understood(
    told: Iterable[object], *, by_browser: bool
) -> tuple[list[tuple[int, Event]], Refused]:
    """Return the events of a call with their places, and why the others are none."""
    events: list[tuple[int, Event]] = []
    refused: Refused = []
    for index, one in enumerate(told):
        try:
            events.append((index, understand(one, by_browser=by_browser)))
        except NotAnEventError as error:
            refused.append({"index": index, "reason": str(error)})
    return events, refused


# --- browsers ---


def _from_browser(call: Call, site: Site, now: datetime) -> Taken:
    """Keep what a visitor's browser tells."""
    limits.check("events")
    understood, refused = _understood(call.events, by_browser=True)
    events = []
    for index, event in understood:
        try:
            at = by_our_clock(event.occurred_at, call.sent_at, now)
        except NotAnEventError as error:
            refused.append({"index": index, "reason": str(error)})
        else:
            events.append(replace(event, occurred_at=at))
    with current.store().read() as session:
        teller = _browser_of(session, call, site, now)
    return _keep(teller, events, refused, now)


def _browser_of(session: Session, call: Call, site: Site, now: datetime) -> Teller:
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


def _from_server(call: Call, key: ApiKey, now: datetime) -> Taken:
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
            refused.append({"index": index, "reason": reason})
    accepted = told = 0
    for some in of_contact.values():
        taken = _of_contact(some, key, now)
        accepted += taken.accepted
        told += len(some) - len(taken.refused)
        refused += taken.refused
    return Taken(accepted, told - accepted, refused)


def _untimely(event: Event, now: datetime) -> str | None:
    """Return what is wrong with an event's time; a server's clock may be a little ahead of ours."""
    return "occurred_at: is in the future" if event.occurred_at > now + limits.MINUTE else None


def _of_contact(some: Sequence[tuple[int, Event]], key: ApiKey, now: datetime) -> Taken:
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
            {"index": index, "reason": "contact: was erased, and is not brought back"}
            for index, _ in some
        ]
        return Taken(0, 0, erased)
    return Taken(accepted, len(events) - accepted, [])


def _server_of(contact: Contact, key: ApiKey) -> Teller:
    """Return whose server tells, and of whom."""
    return Teller(
        Source.SERVER,
        contact_id=contact.id,
        api_key_id=key.id,
        proven=contact.assurance in KNOWN,
    )


# --- both ---


def _keep(teller: Teller, events: Sequence[Event], refused: Refused, now: datetime) -> Taken:
    """Keep the events of one teller."""
    accepted = (
        current.store().write(lambda session: take(session, teller, events, now=now))
        if events
        else 0
    )
    return Taken(accepted, len(events) - accepted, refused)
