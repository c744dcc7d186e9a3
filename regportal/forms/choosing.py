"""What somebody chooses for one browser: may we know it again, may we link what it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from flask import Response, jsonify, make_response, request
from pydantic import ConfigDict, Field
from sqlalchemy.orm import Session

from regportal.identity import browser, wire
from regportal.identity.api import Api, answer
from regportal.identity.models import Visitor, VisitorToken
from regportal.identity.recognising import recognise
from regportal.identity.visitors import begin_visitor, choose, rotate
from regportal.store import current
from regportal.store.strict_json import KIB, Strict
from regportal.store.tokens import fresh_token, hash_of

bp = Api("choosing", __name__, "choice", "What visitors allow for one browser.")

SIGNALS = ("Sec-GPC", "DNT")
SINCE = "2026-11-21"
"""Since when we do what Global Privacy Control asks."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Who chooses, read from the request."""

    token: str | None
    family: str
    signals: Mapping[str, str]


class Allowed(Strict):
    """What somebody chooses for one browser, or what holds for it."""

    model_config = ConfigDict(json_schema_extra={"example": {"recognise": True, "track": False}})

    recognise: Annotated[bool, Field(description="May this browser be recognised later?")]
    track: Annotated[bool, Field(description="May what it does be linked across visits?")]


@bp.call(
    "POST /choice",
    pages="choices",
    answers=Allowed,
    most=KIB,
)
def choice(body: Allowed) -> Response:
    """
    Keep a choice, and say what holds: the browser's own objection goes before it.

    With ``Sec-GPC: 1``, or where the site remembers nobody, less holds than was chosen. A script on
    a page that gets no cookie of ours sends any 43 letters as ``X-RP-Visitor``, and keeps what
    comes back in it.
    """
    site = current.site()
    may = not site.kiosk and not browser.objects(site)
    holds = Allowed(
        recognise=body.recognise and may and site.remember == "ask", track=body.track and may
    )
    sent = Sent(
        token=browser.held_by_script().token,
        family=browser.browser_name(request),
        signals=wire.signals_of(request, SIGNALS),
    )
    now = datetime.now(UTC)
    token = current.store().write(lambda session: _keep(session, sent, holds, now=now))
    response = answer(holds)
    if token is not None:
        browser.hand(response, token, remembered=holds.recognise)
    return response


@bp.get("/.well-known/gpc.json", doc_ui=False)
def gpc() -> Response:
    """Say that Global Privacy Control is honoured here."""
    return make_response(jsonify({"gpc": True, "lastUpdate": SINCE}))


def _keep(session: Session, sent: Sent, holds: Allowed, *, now: datetime) -> str | None:
    """
    Write the choice down; return the token the browser is to keep.

    None where nothing is kept: whoever is unknown and refuses everything stays unknown.
    """
    token = sent.token
    found = recognise(session, token, sent.family, now=now)
    visitor = found.visitor if found.doubt is None else None
    if visitor is None:
        if not (holds.recognise or holds.track):
            return None
        visitor, token = _begin(session, token, now=now)
    choose(
        session,
        visitor,
        recognise_later=holds.recognise,
        track=holds.track,
        signals=sent.signals,
        now=now,
    )
    return token


def _begin(session: Session, sent: str | None, *, now: datetime) -> tuple[Visitor, str]:
    """Begin a visitor, always with a token of ours; what he sent stays his for open pages."""
    token = fresh_token()
    if sent is None or _is_taken(session, sent):
        return begin_visitor(session, token, now=now), token
    visitor = begin_visitor(session, sent, now=now)
    rotate(session, visitor, sent, token, now=now)
    return visitor, token


def _is_taken(session: Session, token: str) -> bool:
    """Return whether a token was somebody's before."""
    return session.get(VisitorToken, hash_of(token)) is not None
