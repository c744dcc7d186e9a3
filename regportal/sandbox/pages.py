"""What a sandbox shows, and by which its people, and tests, tell it what to do."""

import inspect
import threading
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, abort, current_app, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, HTTPException, NotFound, UnprocessableEntity
from werkzeug.wrappers import Response

from regportal.errors import ConfigError
from regportal.sandbox.base import Deed, Fake
from regportal.sandbox.faults import FAULTS, KINDS, TRAP, as_json
from regportal.sandbox.luck import Luck, Odds

PREFIX = "/sandbox"
SHOWN = 30
"""Records of a table, and calls, that the page shows: the newest."""
LONGEST = 64 * 1024
"""Bytes of what the page or a test sends."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)

around = Blueprint("sandbox", __name__, url_prefix=PREFIX)


@dataclass(frozen=True, slots=True)
class Seen:
    """One call of a connector, and what became of it."""

    at: datetime
    method: str
    path: str
    status: int
    """What the CRM answered; 0: it was not asked."""
    fault: str
    """What went wrong on the way; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Board:
    """What the page looks at and acts on."""

    fake: Fake
    luck: Luck
    seen: deque[Seen]
    lock: threading.Lock
    """Whoever asks the fake has it."""


def create_pages(board: Board, web: Path) -> Flask:
    """Return the application of the page and of the JSON calls beside it."""
    app = Flask(
        "regportal-sandbox",
        template_folder=str(web / "templates"),
        static_folder=str(web / "static"),
        static_url_path=f"{PREFIX}/static",
    )
    app.config["TRUSTED_HOSTS"] = ["localhost", "127.0.0.1"]
    app.config["MAX_CONTENT_LENGTH"] = LONGEST
    app.extensions["sandbox.board"] = board
    app.before_request(_only_from_here)
    app.after_request(_strictly)
    app.register_error_handler(HTTPException, _sentence)
    app.add_url_rule("/", "home", lambda: redirect(f"{PREFIX}/"))
    app.register_blueprint(around)
    return app


def the_board() -> Board:
    """Return the board of this sandbox."""
    found: Board = current_app.extensions["sandbox.board"]
    return found


@around.get("/")
def page(trouble: str | None = None) -> str:
    """Show the records, what its people can do, and what goes wrong."""
    board = the_board()
    with board.lock:
        tables = {name: [*rows][-SHOWN:][::-1] for name, rows in board.fake.tables().items()}
        seen = [*board.seen][-SHOWN:][::-1]
    deeds = {name: _asked_for(one) for name, one in _deeds().items()}
    return render_template(
        "sandbox/page.html",
        trouble=trouble,
        name=board.fake.name,
        url=request.host_url.rstrip("/"),
        tables=tables,
        columns={name: _columns(rows) for name, rows in tables.items()},
        deeds=deeds,
        seen=seen,
        odds=board.luck.odds,
        coming=board.luck.coming,
        faults=FAULTS,
    )


@around.get("/records")
def records() -> ResponseReturnValue:
    """Return every table with its rows."""
    board = the_board()
    with board.lock:
        return jsonify(board.fake.tables())


@around.get("/calls")
def calls() -> ResponseReturnValue:
    """Return the calls of connectors, oldest first."""
    board = the_board()
    with board.lock:
        return jsonify([{**_row(one), "at": one.at.isoformat()} for one in board.seen])


@around.get("/faults")
def faults() -> ResponseReturnValue:
    """Return the menu, and what is chosen of it."""
    luck = the_board().luck
    odds = luck.odds
    return jsonify(
        fail=odds.fail,
        faults=odds.faults,
        seed=odds.seed,
        next=luck.coming,
        menu=[as_json(one) for one in FAULTS],
        kinds=KINDS,
    )


@around.post("/faults")
def choose() -> ResponseReturnValue:
    """Choose how often calls fail, and in which ways; or how the next ones do (``next``)."""
    luck, given = the_board().luck, _given()
    try:
        if "fail" in given or "faults" in given:
            luck.turn(_odds(given))
        luck.befall(_texts(given, "next"))
    except ConfigError as error:
        raise UnprocessableEntity(str(error)) from error
    return faults() if request.is_json else redirect(f"{PREFIX}/", 303)


@around.post("/do/<name>")
def do(name: str) -> ResponseReturnValue:
    """Do something as a person of the CRM would."""
    board, deed = the_board(), _deeds().get(name)
    if deed is None:
        raise NotFound(f"nobody here can {name}; there is {', '.join(_deeds())}")
    given = {one: text for one, text in _given().items() if text != ""}
    try:
        inspect.signature(deed).bind(**given)
    except TypeError as error:
        raise UnprocessableEntity(f"{name}: {error}") from error
    try:
        with board.lock:
            result = deed(**given)
    except ValueError as error:
        raise UnprocessableEntity(str(error)) from error
    return jsonify(result=result) if request.is_json else redirect(f"{PREFIX}/", 303)


@around.route(TRAP.removeprefix(PREFIX), methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def trap() -> ResponseReturnValue:
    """Catch whoever follows a redirect: nobody is to."""
    board = the_board()
    with board.lock:
        board.seen.append(Seen(datetime.now(UTC), request.method, TRAP, 0, "followed a redirect"))
    return "", 204


def _deeds() -> Mapping[str, Deed]:
    """Return what people can do here."""
    return the_board().fake.deeds()


def _asked_for(deed: Deed) -> list[str]:
    """Return the names of what a deed takes."""
    parameters = inspect.signature(deed).parameters.values()
    return [one.name for one in parameters if one.kind is not one.VAR_KEYWORD]


def _given() -> Mapping[str, Any]:
    """Return what was sent: JSON, or a form."""
    if not request.is_json:
        return {
            name: request.form.getlist(name) for name in ("faults",) if name in request.form
        } | {name: text for name, text in request.form.items() if name != "faults"}
    given = request.get_json()
    if not isinstance(given, dict):
        raise BadRequest("an object is expected")
    return given


def _odds(given: Mapping[str, Any]) -> Odds:
    """Read odds; raise ConfigError in one sentence."""
    try:
        share, seed = float(given.get("fail", 1)), given.get("seed")
        return Odds(share, _texts(given, "faults"), int(seed) if seed not in {None, ""} else None)
    except (TypeError, ValueError):
        raise ConfigError("fail and seed are numbers") from None


def _texts(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Read a list of names; raise ConfigError in one sentence."""
    many = given.get(name) or []
    if isinstance(many, str):
        many = [many]
    if not (isinstance(many, list) and all(isinstance(one, str) for one in many)):
        raise ConfigError(f"{name} is a list of names")
    return tuple(one for one in many if one)


def _columns(rows: Collection[Mapping[str, Any]]) -> list[str]:
    """Return every column of some rows, in the order one meets them."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _row(seen: Seen) -> dict[str, Any]:
    """Return a call as JSON has it."""
    return {
        "method": seen.method,
        "path": seen.path,
        "status": seen.status or None,
        "fault": seen.fault or None,
    }


# --- what holds of all of it ---


def _only_from_here() -> None:
    """Refuse what another site's page sends; a test has no origin."""
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin not in {None, request.host_url.rstrip("/")}:
        abort(403)


def _sentence(error: HTTPException) -> ResponseReturnValue:
    """Refuse in one sentence: to a program as JSON, to whoever filled in a form on the page."""
    status, says = error.code or 500, error.description or error.name
    if request.form and status == UnprocessableEntity.code:
        return page(says), status
    return {"says": says}, status


def _strictly(response: Response) -> Response:
    """Let the page do what it needs, and no more."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response
