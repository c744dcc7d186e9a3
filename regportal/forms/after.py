"""After the gate: the file, or word of a mail; and the way back for whoever it was not."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse
from wtforms import EmailField

from regportal.errors import BadRequestError, ForbiddenError
from regportal.forms import wire
from regportal.forms.actions import Opened, Sender, Sent, content_of, open_gate, owe_mail
from regportal.forms.asking import csrf_token, hash_named, read_csrf_token
from regportal.forms.deciding import Decision, decide_other, shown_claim
from regportal.forms.fields import GateForm
from regportal.forms.forming import address_from, ask_of, complain
from regportal.forms.pages import around_page, asset_shown
from regportal.forms.rules import related
from regportal.forms.schema import Gate
from regportal.forms.visiting import Visiting, is_proven, sender_of, visiting_of
from regportal.identity import browser
from regportal.identity.actions import end_visitor, holds, open_claims_of
from regportal.identity.models import Claim, ClaimState, Visitor, VisitorState
from regportal.identity.rules import masked, typo_hint
from regportal.library.actions import live_grant, token_of
from regportal.library.schema import Asset
from regportal.store import current
from regportal.store.documents import said

bp = Blueprint("after", __name__)

REFRESH = 1  # seconds until the file starts by itself


@dataclass(frozen=True, slots=True)
class Handed:
    """What the page after the gate hands over: a download, or word of a mail."""

    download: str | None


class SmallForm(GateForm):
    """The buttons after the gate, and another address."""

    email = EmailField("Another address")


@bp.get("/g/<key>/done")
def done(key: str) -> BaseResponse:
    """Hand the file over, or say that a mail is on its way."""
    with current.store().read() as session:
        visiting = visiting_of(session, key)
        handed = _handed_over(session, visiting)
        return _page(session, visiting, handed) if handed else _to_gate(visiting)


@bp.post("/g/<key>/not-you")
def not_you(key: str) -> BaseResponse:
    """Begin anew: whoever sits here now has nothing to do with who was here."""
    visiting, _ = _small_form(key)
    if visiting.visitor is not None:
        ended = visiting.visitor.id
        current.store().write(
            lambda session: end_visitor(session.get_one(Visitor, ended), now=visiting.now)
        )
    response = _to_gate(visiting)
    browser.forget(response)
    return response


@bp.post("/g/<key>/resend")
def resend(key: str) -> BaseResponse:
    """Send the mail again; the caps of the address decide whether it really goes."""
    visiting, _ = _small_form(key)
    if visiting.claim is not None and visiting.claim.state == ClaimState.OPEN:
        claim = visiting.claim.id
        current.store().write(
            lambda session: owe_mail(session, session.get_one(Claim, claim), key, now=visiting.now)
        )
        current.wake("deliver")
    return _to_done(visiting)


@bp.post("/g/<key>/change")
def change(key: str) -> BaseResponse:
    """Take another address instead: a new visitor with a new claim."""
    visiting, fields = _small_form(key)
    if visiting.claim is None or visiting.claim.state != ClaimState.OPEN:
        return _to_gate(visiting)
    typed = wire.only(fields, "email")
    try:
        address = address_from(visiting.around.gate, typed)
    except ValueError as fault:
        form = _small(visiting)
        form.email.data = typed
        complain(form.email, str(fault))
        with current.store().read() as session:
            return _page(session, visiting, Handed(None), form, status=422)
    ask = ask_of(visiting, email=True)
    sent = Sent(ask, content_of(fields), address)
    sender = sender_of(visiting, ask, sent, "")
    opened = current.store().write(
        lambda session: open_gate(session, visiting.around, sent, sender, now=visiting.now)
    )
    current.wake("deliver")
    return go_on(visiting, opened, sender)


@bp.post("/g/<key>/others/<uuid:claim>")
def other(key: str, claim: uuid.UUID) -> BaseResponse:
    """Let a proven owner decide another open claim of the same address."""
    visiting, fields = _small_form(key)
    choice = decision_in(fields)
    mine = visiting.visitor.id if visiting.visitor else None
    pepper = current.settings().pepper.get_secret_value()
    published = visiting.around.published
    current.store().write(
        lambda session: decide_other(
            session, published, claim, mine, choice, pepper=pepper, now=visiting.now
        )
    )
    current.wake("settle")
    return _to_done(visiting)


def decision_in(fields: Mapping[str, list[str]]) -> Decision:
    """Return which of the two buttons was pressed; raise BadRequestError for neither."""
    try:
        return Decision(wire.only(fields, "choice"))
    except ValueError as error:
        raise BadRequestError("Please press one of the two buttons.") from error


def go_on(visiting: Visiting, opened: Opened, sender: Sender) -> BaseResponse:
    """Go on to the page with the file; a browser without cookies is handed it right here."""
    response: BaseResponse
    if sender.keeps_cookies:
        response = _to_done(visiting)
    else:
        with current.store().read() as session:
            response = _page(session, visiting, Handed(opened.download))
    browser.keep(response, opened.token, remembered=opened.remembered)
    return response


def _small_form(key: str) -> tuple[Visiting, dict[str, list[str]]]:
    """Read a form that has only buttons; raise ForbiddenError where it is not this browser's."""
    with current.store().read() as session:
        wire.check_origin(request, current.site(session))
        fields = wire.read_form(request)
        named = read_csrf_token(wire.only(fields, "csrf_token"), current.settings().keys)
        visiting = visiting_of(session, key)
        if named != visiting.browser and not holds(session, visiting.visitor, hash_named(named)):
            raise ForbiddenError("This form was not made for this browser. Please open it again.")
    return visiting, fields


def _handed_over(session: Session, visiting: Visiting) -> Handed | None:
    """Return what this visitor was given at this gate, or None where nothing (any more)."""
    visitor = visiting.visitor
    if visitor is None or visiting.claim is None:
        return None
    asset = visiting.around.asset.key
    granted = live_grant(session, visitor_id=visitor.id, asset=asset, now=visiting.now)
    if granted is not None:
        return Handed(token_of(granted, visiting.around.keys))
    waits = visitor.state == VisitorState.CLAIMED and visiting.around.gate.delivery == "mail"
    return Handed(None) if waits else None


def _to_gate(visiting: Visiting) -> BaseResponse:
    """Go to the gate."""
    key = visiting.around.gate.key
    return redirect(url_for("forms.gate", key=key, **visiting.frame.query), 303)


def _to_done(visiting: Visiting) -> BaseResponse:
    """Go to the page after the gate."""
    key = visiting.around.gate.key
    return redirect(url_for("forms.after.done", key=key, **visiting.frame.query), 303)


def _page(
    session: Session,
    visiting: Visiting,
    handed: Handed,
    form: SmallForm | None = None,
    status: int = 200,
) -> Response:
    """Render the page after the gate."""
    asset, claim, locale = visiting.around.asset, visiting.claim, visiting.locale
    download = None
    if handed.download and asset.content:
        url = url_for("downloads.download", token=handed.download)
        download = {"url": url, "name": asset.content.name, "size": asset.content.size}
    page = render_template(
        "forms/done.html",
        title=said(asset.title, locale),
        asset=asset_shown(asset, locale),
        download=download,
        external_url=asset.url if handed.download else None,
        mailed=None if handed.download else _mailed(visiting),
        form=form or _small(visiting),
        recognised=claim is not None,
        masked=masked(claim.email) if claim else None,
        not_you_url=_url("not_you", visiting),
        others=_others(session, visiting),
        related=_related(visiting),
        **around_page(visiting.around.site),
    )
    response = make_response(page, status)
    if download:
        response.headers["Refresh"] = f"{REFRESH}; url={download['url']}"
    return response


def _small(visiting: Visiting) -> SmallForm:
    """Make the small forms of the page after the gate."""
    form = SmallForm(formdata=None)
    form.csrf_token.data = csrf_token(visiting.browser, current.settings().keys)
    return form


def _mailed(visiting: Visiting) -> dict[str, str | None]:
    """Return what the page says of the mail that is on its way."""
    email = visiting.claim.email if visiting.claim else ""
    return {
        "masked": masked(email) if email else "your address",
        "hint": typo_hint(email) if email else None,
        "resend_url": _url("resend", visiting),
        "change_url": _url("change", visiting),
    }


def _others(session: Session, visiting: Visiting) -> list[dict[str, object]]:
    """Return the other open claims of a proven address, each with where it is decided."""
    if visiting.claim is None or not is_proven(visiting):
        return []
    return [
        {
            "claim": shown_claim(session, visiting.around.published, claim),
            "action": _url("other", visiting, claim=claim.id),
        }
        for claim in open_claims_of(session, visiting.claim.match_key)
    ]


def _related(visiting: Visiting) -> list[dict[str, str]]:
    """Return two other assets of the same topics, with the gates they stand behind."""
    published, locale = visiting.around.published, visiting.locale
    gates = {one.asset: one.key for one in reversed(published.all(Gate))}
    offered = [one for one in published.all(Asset) if one.key in gates]
    return [
        {
            "title": said(one.title, locale),
            "category": one.category,
            "url": url_for("forms.gate", key=gates[one.key]),
        }
        for one in related(visiting.around.asset, offered, visiting.known.taken)
    ]


def _url(endpoint: str, visiting: Visiting, **values: Any) -> str:
    """Return an address beside this gate, framed where we are."""
    values = {**values, **visiting.frame.query}
    return url_for(f"forms.after.{endpoint}", key=visiting.around.gate.key, **values)
