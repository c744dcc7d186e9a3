"""The audit log: who did what, newest first."""

import csv
import io
import json
import uuid

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from regportal.accounts import audit
from regportal.accounts.actions import everybody
from regportal.accounts.roles import Permission
from regportal.connectors.rules import in_full
from regportal.errors import BadRequestError
from regportal.store import current
from regportal.store.tables import safe_cell
from regportal.store.words import N_
from regportal.studio.policies import page

DEEDS = {
    "accept": N_("came in by a link"),
    "disable": N_("disabled somebody"),
    "enable": N_("let somebody in again"),
    "export": N_("took a copy"),
    "invite": N_("invited somebody"),
    "link": N_("made a new link for somebody"),
    "passkey-add": N_("added a passkey"),
    "passkey-delete": N_("deleted a passkey"),
    "password": N_("changed the password"),
    "recovery-codes": N_("made or used recovery codes"),
    "roles": N_("changed somebody's roles"),
    "second-factor": N_("changed the second factor"),
    "session-end": N_("ended a session"),
}
"""How people call each deed."""
HEADINGS = ("at", "by", "action", "kind", "key", "change", "request")
ALL = 100_000
"""Lines of a copy; the filters divide more."""

bp = Blueprint("audit", __name__)


@bp.get("/audit")
@page(Permission.AUDIT)
def log() -> ResponseReturnValue:
    """Show a page of the log."""
    filters, before = _filters(), _key("before")
    with current.store().read() as reading:
        lines = audit.page(reading, filters, before, most=audit.MOST + 1)
        people = everybody(reading)
        deeds = audit.actions(reading)
    shown = lines[: audit.MOST]
    asked = {name: request.args[name] for name in ("by", "action", "key") if request.args.get(name)}
    older = {**asked, "before": shown[-1].id} if len(lines) > len(shown) else None
    return render_template(
        "studio/audit.html",
        lines=shown,
        people=people,
        emails={str(one.id): one.email for one in people},
        deeds=deeds,
        said=DEEDS,
        asked=asked,
        older=older,
        is_first=before is None,
    )


@bp.get("/audit.csv")
@page(Permission.AUDIT, fresh=True)
def as_csv() -> Response:
    """Return the log as a table for spreadsheets (RFC 4180, UTF-8)."""
    with current.store().read() as reading:
        lines = audit.page(reading, _filters(), _key("before"), most=ALL)
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(HEADINGS)
    for one in lines:
        change = json.dumps(one.change, ensure_ascii=False) if one.change else ""
        cells = (in_full(one.at), one.by or "", one.action, one.kind, one.key, change)
        table.writerow([safe_cell(cell) for cell in (*cells, one.request_id or "")])
    answer = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = "attachment; filename=audit.csv"
    return answer


def _filters() -> audit.Filters:
    """Return what the address asks for; raises BadRequestError."""
    return audit.Filters(
        by=_key("by"),
        action=request.args.get("action") or None,
        key=request.args.get("key") or None,
    )


def _key(name: str) -> uuid.UUID | None:
    """Return a key that the address names; raises BadRequestError where it is none."""
    text = request.args.get(name)
    try:
        return uuid.UUID(text) if text else None
    except ValueError as error:
        raise BadRequestError(N_("There is no such line."), name) from error
