"""The stands before a gate: opening one for an event, and closing it when that is over."""

import uuid
from datetime import UTC, datetime

from flask import Blueprint, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from regportal.accounts import audit
from regportal.accounts.roles import Permission
from regportal.forms.schema import Gate
from regportal.kiosk import actions
from regportal.kiosk.codes import code_of
from regportal.kiosk.models import Stand
from regportal.store import current
from regportal.store.documents import Site, said
from regportal.store.words import N_
from regportal.studio.datastore import doer_of_request
from regportal.studio.gates.fields import NewStand
from regportal.studio.policies import page

CLOSED = N_("The stand is closed. Its device deletes what it keeps as soon as it hears.")

bp = Blueprint("stands", __name__)


@bp.get("/gates/<key>/stands")
@page(Permission.STANDS)
def listed(key: str) -> str:
    """List the stands before a gate."""
    return _page(key, NewStand(formdata=None))


@bp.post("/gates/<key>/stands")
@page(Permission.STANDS)
def begin(key: str) -> ResponseReturnValue:
    """Open a stand, and show its address: this once, for its key is kept nowhere."""
    current.published().one(Gate, key)
    form = NewStand()
    if not form.validate_on_submit():
        return _page(key, form), 422
    now, doer, name = datetime.now(UTC), doer_of_request(), form.name.data or ""

    def work(writing: Session) -> tuple[Stand, str]:
        stand, secret = actions.open_stand(writing, name, key, now=now)
        audit.write(writing, doer, "stand-open", "stand", str(stand.id), {"gate": key}, now=now)
        return stand, secret

    stand, secret = current.store().write(work)
    address = f"{current.settings().base_url}/kiosk/{stand.id}#{secret}"
    return render_template(
        "studio/gates/stand.html",
        name=name,
        gate=_gate(key),
        address=address,
        code=code_of(address),
    )


@bp.post("/gates/<key>/stands/<uuid:stand_id>/close")
@page(Permission.STANDS)
def close(key: str, stand_id: uuid.UUID) -> ResponseReturnValue:
    """Close a stand: its key opens nothing any more."""
    now, doer = datetime.now(UTC), doer_of_request()

    def work(writing: Session) -> None:
        actions.close_stand(writing, stand_id, key, now=now)
        audit.write(writing, doer, "stand-close", "stand", str(stand_id), {"gate": key}, now=now)

    current.store().write(work)
    flash(
        N_("The stand is closed. Its device deletes what it keeps as soon as it hears."), "success"
    )
    return redirect(url_for("gates.stands.listed", key=key), 303)


def _gate(key: str) -> dict[str, object]:
    """Return what the pages say of a gate."""
    published = current.published()
    gate = published.one(Gate, key)
    by_mail = not gate.hands_over(Site.of(published), proven=False)
    return {"key": key, "headline": said(gate.headline, g.locale), "by_mail": by_mail}


def _page(key: str, form: NewStand) -> str:
    """Render the stands before a gate."""
    with current.store().read() as reading:
        stands = actions.stands_of(reading, key)
    return render_template(
        "studio/gates/stands.html",
        gate=_gate(key),
        stands=stands,
        form=form,
    )
