"""The address of the bytes, ``/d/<token>``; a file has no other."""

import contextlib
import logging
import uuid
from datetime import UTC, datetime

from flask import Blueprint, current_app, redirect, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from regportal.errors import NotHereError
from regportal.forms.schema import Gate
from regportal.identity import limits
from regportal.identity.browser import visitor_of_request
from regportal.identity.models import Visitor, VisitorState
from regportal.library import actions, serving
from regportal.library.models import Grant
from regportal.library.ranges import Part
from regportal.library.rules import Access, Wish, may_serve, starts
from regportal.library.schema import Asset, Content
from regportal.library.storage import Storage, open_storage
from regportal.store import current
from regportal.store.documents import Site
from regportal.store.problem import problem

bp = Blueprint("downloads", __name__)
log = logging.getLogger(__name__)

SENDS = {200, 206}  # the statuses that come with bytes


@bp.record_once
def _lanes_of(state: BlueprintSetupState) -> None:
    """Count what is on its way in this process."""
    state.app.extensions["regportal.lanes"] = serving.Lanes()


@bp.route("/d/<token>", methods=["GET", "HEAD"])
def download(token: str) -> ResponseReturnValue:
    """Send the bytes to the browser they were granted to; anybody else is led to the gate."""
    now = datetime.now(UTC)
    if not actions.is_token(token):
        return problem(404, "This is not a download link.")
    with current.store().read() as session:
        grant = actions.find(session, token)
        visitor = visitor_of_request(session, now=now)
        given = session.get(Visitor, grant.visitor_id) if grant and grant.single else visitor
    if grant is None or _is_a_guess():
        return _to_the_gate(grant)

    asset = current.published().find(Asset, grant.asset)
    content = asset.content if asset else None
    wanted = serving.asked_part(request, content) if content else Part(404)
    wish = Wish(
        visitor_id=visitor.id if visitor else None,
        looks=request.method == "HEAD",
        continues=wanted.continues,
    )
    if may_serve(grant, wish, now) is not Access.SERVE or not _may_have(grant, given):
        return _to_the_gate(grant)
    try:
        return _send(grant, content, wanted, now)
    except NotHereError as error:
        log.error("asset %s: %s", grant.asset, error)  # noqa: TRY400 - the sentence is enough
        return problem(404, "This file is not here any more.")
    except OSError:
        log.exception("asset %s: the storage cannot be read", grant.asset)
        return problem(503, "The file cannot be read just now. Please try again.", after=30)


def _may_have(grant: Grant, visitor: Visitor | None) -> bool:
    """
    Return whether the gate still hands its file to whoever asks.

    A browser that is no longer proven, or never was, gets nothing of a gate that goes by mail,
    whatever it was granted when it was. What is fetched once belongs to whoever it was given to,
    since he is not known again.
    """
    published = current.published()
    gate = published.find(Gate, grant.gate)
    proven = visitor is not None and visitor.state == VisitorState.VERIFIED
    return gate is None or gate.hands_over(Site.of(published), proven=proven)


def _send(
    grant: Grant, content: Content | None, wanted: Part, now: datetime
) -> ResponseReturnValue:
    """Answer with the part, or with why there is none; only bytes start a grant."""
    if content is None:
        raise NotHereError(f"the asset {grant.asset} has no file")
    if wanted.status not in SENDS or request.method == "HEAD":
        if not _storage().has(content.sha256):
            raise NotHereError(f"the storage has no bytes of {content.sha256!r}")
        return serving.response(request, content, wanted, None)

    if wanted.first == 0:
        limits.look("downloads", now=now)
    lanes: serving.Lanes = current_app.extensions["regportal.lanes"]
    if not lanes.enter(grant.id):
        return problem(429, "This download already runs several times at once.", after=5)
    with contextlib.ExitStack() as undoing:
        undoing.callback(lanes.leave, grant.id)
        window = serving.open_part(_storage(), content, wanted)
        undoing.callback(window.close)
        if grant.single and starts(grant, wanted.first) and not _start_alone(grant.id, now):
            return _to_the_gate(grant)
        answer = serving.response(request, content, wanted, window)
        undoing.pop_all()  # from here on it is the server that closes the file
        window.when_closed(lambda: lanes.leave(grant.id))
    _note(grant, wanted, now)
    return answer


def _start_alone(grant_id: uuid.UUID, now: datetime) -> bool:
    """Use up the one try of a browser without cookies; return False where another was first."""
    return current.store().write(lambda session: actions.start(session, grant_id, now=now))


def _note(grant: Grant, sent: Part, now: datetime) -> None:
    """Measure what is sent, and when a grant was started; nobody waits for it."""
    grant_id, begins = grant.id, starts(grant, sent.first)
    if sent.first == 0:
        limits.note("downloads", now=now)

    def work(session: Session) -> None:
        if begins:
            actions.start(session, grant_id, now=now)
        actions.measure(
            session,
            grant_id,
            status=sent.status,
            first_byte=sent.first,
            length=sent.length,
            now=now,
        )

    current.store().note(work)


def _to_the_gate(grant: Grant | None) -> ResponseReturnValue:
    """
    Lead a person to the gate, where a new link is one press away; refuse anything else.

    A link nobody knows is answered like somebody else's. What goes on with a file (Range) is
    refused even where a browser does it: a page must never end up in the middle of a file.
    """
    if _is_navigation() and "Range" not in request.headers and not _is_a_guess():
        gates = current.published().all(Gate)
        gate = grant.gate if grant else next((gate.key for gate in gates), None)
        if gate is not None:
            framed = request.headers.get("Sec-Fetch-Dest") == "iframe"
            values = {"key": gate} | ({"in": "frame"} if framed else {})
            return redirect(url_for("forms.gate", _external=False, **values), 303)
    return problem(403, "This link is not for this browser, or it is over.")


def _is_navigation() -> bool:
    """Return whether a person opens this address, as far as the browser says."""
    mode = request.headers.get("Sec-Fetch-Mode")
    return mode == "navigate" if mode else "text/html" in request.headers.get("Accept", "")


def _is_a_guess() -> bool:
    """
    Return whether a browser only guesses that somebody may want this (security.md R18).

    It gets an error, which it forgets; a page it would show to the person who comes later.
    """
    return "prefetch" in request.headers.get("Sec-Purpose", "")


def _storage() -> Storage:
    """Return the place where this installation keeps its files."""
    place: Storage | None = current_app.extensions.get("regportal.storage")
    if place is None:
        place = open_storage(current.settings().storage_url)
        current_app.extensions["regportal.storage"] = place
    return place
