"""Where pages ask for the token that hands a visit over, and where the next page gives it back."""

from datetime import UTC, datetime
from typing import Annotated

from flask import request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from regportal.errors import BadRequestError
from regportal.identity import browser, wire
from regportal.identity.api import Api
from regportal.identity.models import Visitor
from regportal.identity.recognising import recognise
from regportal.store import current
from regportal.store.documents import span
from regportal.store.strict_json import KIB, Strict
from regportal.tracking.handover import Way, go_on, seal, unseal

bp = Api(
    "crossing",
    __name__,
    "handover",
    "A visit that goes on at another of the company's own domains.",
)

Origin = Annotated[str, Field(max_length=300)]
Token = Annotated[
    str | None,
    Field(
        pattern=f"^{browser.TOKEN.pattern}$",
        description="The token of a page's script, where the portal's cookies do not go along.",
    ),
]

Sealed = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{20,200}$")]


class Leaving(Strict):
    """Where somebody is about to go."""

    model_config = ConfigDict(json_schema_extra={"example": {"to": "https://shop.acme.example"}})

    to: Annotated[
        Origin,
        Field(
            description="The other site: one of `site.origins`; or the portal, for its frame here."
        ),
    ]
    visitor: Token = None


class Handover(BaseModel):
    """What the link takes along."""

    handover: Annotated[
        str | None,
        Field(description="For one use within 60 seconds; null: there is nothing to hand over."),
    ]


class Arriving(Strict):
    """What a link brought along."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"handover": "A" * 70, "came_from": "https://www.acme.example"}
        }
    )

    handover: Sealed
    came_from: Annotated[Origin, Field(description="The origin of `document.referrer`.")]
    visitor: Token = None


class Arrived(BaseModel):
    """What became of it."""

    continued: Annotated[bool, Field(description="Whether the visit goes on here.")]


@bp.call("POST /handover", pages="events", answers=Handover, most=KIB, also={"text/plain": None})
def hand_over(body: Leaving) -> Handover:
    """
    Return a token by which a visit goes on at another site of the company.

    Or at our own frame in the page, which then vouches for whoever tells what is done there. There
    is none without the visitor's consent to be followed.
    """
    site, origin = current.site(), origin_asking()
    if body.to not in {*site.origins, current.settings().origin} or body.to == origin:
        raise BadRequestError("to: is not another of the site's origins.", "to")
    if browser.objects(site):
        return Handover(handover=None)
    now = datetime.now(UTC)
    way = way_between(origin, body.to)
    with current.store().read() as session:
        visitor = _followed(session, _token(body.visitor), way, now)
    token = seal(visitor.id, way, current.settings().keys, now=now) if visitor else None
    return Handover(handover=token)


@bp.call(
    "POST /handover/redeem", pages="events", answers=Arrived, most=KIB, also={"text/plain": None}
)
def redeem(body: Arriving) -> Arrived:
    """
    Let a visit go on here; what it hands over is where the visit came from, never who somebody is.

    Nothing happens, and no reason is given, for a token that is forged, old, used, another
    browser's or another page's, or where the visitor has not allowed to be followed here.
    """
    now, site, token = datetime.now(UTC), current.site(), _token(body.visitor)
    way = way_between(body.came_from, origin_asking())
    handed = unseal(body.handover, way, current.settings().keys, now=now)
    if handed is None or browser.objects(site):
        return Arrived(continued=False)

    def work(session: Session) -> bool:
        visitor = _followed(session, token, way, now)
        idle = span(site.visit)
        return visitor is not None and go_on(session, handed, visitor, way, idle, now=now)

    return Arrived(continued=current.store().write(work))


def _followed(session: Session, token: str | None, way: Way, now: datetime) -> Visitor | None:
    """Return whose token this is, where he allowed to be followed."""
    visitor = recognise(session, token, way.family, now=now).visitor
    return visitor if visitor is not None and visitor.tracks else None


def _token(by_script: str | None) -> str | None:
    """Return the token of a page's script, else that of our cookie."""
    return by_script or browser.jar().token


def origin_asking() -> str:
    """Return the site whose page asks."""
    return request.headers.get("Origin", current.settings().origin)


def way_between(came_from: str, to: str) -> Way:
    """Return the way between two sites in the browser that asks."""
    return Way(came_from, to, browser.browser_name(request), wire.network_of(request))
