"""What those ask who run us: does it answer, may visitors be sent here, how is it doing."""

import ipaddress
from datetime import UTC, datetime

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, make_response, request

from regportal.app.metrics import Requests, exposition
from regportal.app.vitals import vitals
from regportal.errors import NotHereError
from regportal.identity.keys import caller_of
from regportal.store import current
from regportal.store.shape import is_current

TEXT = "text/plain; charset=utf-8"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthy() -> Response:
    """Say that this process answers: whoever starts it again where it hangs asks here."""
    return _said("ok")


@bp.get("/readyz")
def ready() -> Response:
    """
    Say whether visitors may be sent to this process: whoever spreads them asks here.

    It can take facts, and where it works, too, its worker runs. That other processes work is no
    matter of this one: what it takes meanwhile is kept for them (``regportal_workers``). Where the
    disk is full it may still be read, and withdrawn.
    """
    lacks = _lacks()
    if lacks:
        return _said(f"not ready: {lacks}", 503)
    return _said("ready: the ballast is spent" if current.store().ballast_missing else "ready")


@bp.get("/metrics")
def metrics() -> Response:
    """Tell Prometheus how the installation is doing; programs of this machine, or with a key."""
    if not (_is_from_here() or "Authorization" in request.headers):
        raise NotHereError("metrics are for this machine, or for a key with the scope metrics")
    if not _is_from_here():
        caller_of(request, "metrics")
    now = datetime.now(UTC)
    requests: Requests = current_app.extensions["regportal.requests"]
    with current.store().read() as session:
        found = vitals(session, current.published(session), now=now)
    missing = current.store().ballast_missing
    told = exposition(requests, found, works=_works(), missing=missing, now=now)
    response = make_response(told)
    response.content_type = PROMETHEUS
    return response


def _lacks() -> str | None:
    """Return what keeps us from taking visitors, in one word."""
    try:
        if not is_current(current.store().engine):
            return "migrations"
    except sa.exc.SQLAlchemyError:
        return "database"
    return "worker" if _works() is False else None


def _works() -> bool | None:
    """Return whether this process works; None where it only answers."""
    works = current_app.extensions.get("regportal.works")
    return None if works is None else bool(works())


def _is_from_here() -> bool:
    """
    Return whether a program of this machine asks.

    Where people come by https and no proxy is named (``PROXY_HOPS``), somebody takes their TLS off
    before us and all of them seem to come from here: then nobody is believed to.
    """
    settings = current.settings()
    if not settings.development and not settings.proxy_hops:
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _said(word: str, status: int = 200) -> Response:
    """Return one line of text."""
    response = make_response(f"{word}\n", status)
    response.content_type = TEXT
    return response
