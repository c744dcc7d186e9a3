"""What browsers tell us of pages that broke their own policy: one line in the log, no more."""

import logging
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, request

from regportal.app.logs import redacted
from regportal.errors import JsonError
from regportal.identity import limits
from regportal.store.headers import REPORTS
from regportal.store.strict_json import read_json

bp = Blueprint("reports", __name__)
log = logging.getLogger("regportal.reports")

LONGEST = 80


@bp.post(REPORTS)
def csp() -> Response:
    """Note which directive a page broke, and where; whoever sends it is told nothing."""
    limits.check("reports")
    try:
        told = read_json(request.get_data(cache=False))
    except JsonError:
        return make_response("", 400)
    reports = told if isinstance(told, list) else [told]
    bodies = [one.get("body") for one in reports[:1] if isinstance(one, dict)]
    for body in bodies:
        if isinstance(body, dict):
            log.warning("a page broke its policy: %s", _line(body))
    return make_response("", 204)


def _line(body: dict[str, Any]) -> str:
    """Return directive, page and blocked host, without query or tokens."""
    directive = str(body.get("effectiveDirective", ""))[:LONGEST]
    page = _parts(body.get("documentURL"))[1]
    host = _parts(body.get("blockedURL"))[0]
    return f"{directive!a} on {redacted(page)[:LONGEST]!a}, blocked {host[:LONGEST]!a}"


def _parts(address: object) -> tuple[str, str]:
    """Return host and path of an address; empty where it is none."""
    try:
        parts = urlsplit(str(address))
    except ValueError:
        return "", ""
    return parts.netloc, parts.path
