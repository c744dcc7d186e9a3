"""After the gate: the file, or word of a mail; and the way back for whoever it was not."""

import uuid
from collections.abc import Mapping

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from regportal.errors import BadRequestError, ForbiddenError
from regportal.forms.actions import Opened, Sender, Sent, content_of, open_gate, owe_mail
from regportal.forms.addressing import address_from
from regportal.forms.asking import hash_named, read_csrf_token
from regportal.forms.deciding import Decision
from regportal.forms.forming import ask_of, complain
from regportal.forms.giving import (
    Given,
    SmallForm,
    done_page,
    given_here,
    kiosk_page,
    small_buttons,
)
from regportal.forms.others import decide_other
from regportal.forms.proving import prove_by_code
from regportal.forms.visiting import (
    Visiting,
    bare_sender,
    hand_to_frame,
    is_fresh,
    is_proven,
    sender_of,
    visiting_of,
)
from regportal.identity import browser, limits, wire
from regportal.identity.models import Claim, Visitor
from regportal.identity.recognising import holds
from regportal.identity.visitors import end_visitor
from regportal.store import current
from regportal.store.words import N_

__all__ = ["SmallForm", "bp", "decision_in", "go_on"]

bp = Blueprint("after", __name__)

NO_CODE = N_("This code does not fit, or is no longer good. The link in the mail still is.")


@bp.get("/g/<key>/done")
def done(key: str) -> BaseResponse:
    """Hand the file over, or say that a mail is on its way."""
    with current.store().read() as session:
        visiting = visiting_of(session, key, after=True)
        given = given_here(session, visiting)
        return done_page(session, visiting, given) if given else _to_gate(visiting)


@bp.post("/g/<key>/not-you")
def not_you(key: str) -> BaseResponse:
    """Begin anew: whoever sits here now has nothing to do with who was here."""
    visiting, _ = _small_form(key)
    if visiting.visitor is not None:
        ended = visiting.visitor.id
        current.store().write(
            lambda session: end_visitor(session, session.get_one(Visitor, ended), now=visiting.now)
        )
    response = _to_gate(visiting)
    browser.forget(response)
    return response


@bp.post("/g/<key>/resend")
def resend(key: str) -> BaseResponse:
    """
    Send the mail again; the caps of the address decide whether it really goes.

    Whether its owner said yes meanwhile, in a browser of his own, is not told here.
    """
    visiting, _ = _small_form(key)
    if visiting.claim is not None and not is_proven(visiting):
        claim = visiting.claim.id
        limits.check("claims", now=visiting.now)
        current.store().write(
            lambda session: owe_mail(session, session.get_one(Claim, claim), key, now=visiting.now)
        )
        current.wake("deliver")
    return _to_done(visiting)


@bp.post("/g/<key>/code")
def code(key: str) -> BaseResponse:
    """Take the code of the mail: it proves this browser, and decides the claim."""
    visiting, fields = _small_form(key)
    if visiting.visitor is None or visiting.claim is None:
        return _to_gate(visiting)
    typed = wire.only(fields, "code")
    limits.check("codes", now=visiting.now)
    sender = bare_sender(visiting.token, visiting.locale)
    pepper = current.settings().pepper_text
    around = visiting.around
    proven = current.store().write(
        lambda session: prove_by_code(
            session, around, typed, sender, pepper=pepper, now=visiting.now
        )
    )
    if proven is None:
        return _again(key, typed)
    current.wake("settle", "weigh", "deliver")
    url = url_for("forms.after.done", key=proven.gate, **visiting.frame.query)
    response = redirect(url, 303)
    browser.keep(response, proven.token, remembered=proven.remembered)
    return response


@bp.post("/g/<key>/change")
def change(key: str) -> BaseResponse:
    """
    Take another address instead: a new visitor with a new claim.

    So it does where the owner of the first one has said yes meanwhile: whoever typed his address
    must not learn that he did.
    """
    visiting, fields = _small_form(key)
    if visiting.claim is None or is_proven(visiting):
        return _to_gate(visiting)
    typed = wire.only(fields, "email")
    try:
        address = address_from(visiting.around.gate, typed)
    except ValueError as fault:
        form = small_buttons(visiting)
        form.email.data = typed
        complain(form.email, str(fault))
        with current.store().read() as session:
            return done_page(session, visiting, Given(None), form, status=422)
    limits.check("claims", now=visiting.now)
    ask = ask_of(visiting, email=True)
    sent = Sent(ask, content_of(fields), address)
    sender = sender_of(visiting, ask, sent, "")
    opened = current.store().write(
        lambda session: open_gate(session, visiting.around, sent, sender, now=visiting.now)
    )
    current.wake("deliver")
    return go_on(visiting, opened, sent, sender)


@bp.post("/g/<key>/others/<uuid:claim>")
def other(key: str, claim: uuid.UUID) -> BaseResponse:
    """Let an owner who was proven a moment ago decide another open claim of the same address."""
    visiting, fields = _small_form(key)
    if (
        visiting.frame.origin is not None
    ):  # nothing is confirmed there: the page links to the own one
        return _to_done(visiting)
    if is_proven(visiting) and not is_fresh(visiting):
        return redirect(url_for("privacy.me"), 303)
    choice, seen = decision_in(fields), wire.only(fields, "seen")
    limits.check("decisions", now=visiting.now)
    mine = visiting.visitor.id if visiting.visitor and is_proven(visiting) else None
    pepper = current.settings().pepper_text
    around, sender = visiting.around, bare_sender(visiting.token, visiting.locale)
    current.store().write(
        lambda session: decide_other(
            session, around, claim, mine, choice, sender, seen=seen, pepper=pepper, now=visiting.now
        )
    )
    current.wake("settle")
    return _to_done(visiting)


def decision_in(fields: Mapping[str, list[str]]) -> Decision:
    """Return which of the two buttons was pressed; raise BadRequestError for neither."""
    try:
        return Decision(wire.only(fields, "choice"))
    except ValueError as error:
        raise BadRequestError(N_("Please press one of the buttons.")) from error


def go_on(visiting: Visiting, opened: Opened, sent: Sent, sender: Sender) -> BaseResponse:
    """Go on to the page with the file; a browser without cookies is handed it right here."""
    response: BaseResponse
    if visiting.around.kiosk:
        return kiosk_page(visiting, sent)
    if sender.keeps_cookies:
        response = _to_done(visiting)
    else:
        hand_to_frame(visiting, opened.token, remembered=opened.remembered)
        with current.store().read() as session:
            response = done_page(session, visiting, Given(opened.download))
    browser.keep(response, opened.token, remembered=opened.remembered)
    return response


def _small_form(key: str) -> tuple[Visiting, dict[str, list[str]]]:
    """Read a form that has only buttons; raise ForbiddenError where it is not this browser's."""
    with current.store().read() as session:
        wire.check_origin(request, current.site(session))
        fields = wire.read_form(request)
        named = read_csrf_token(wire.only(fields, "csrf_token"), current.settings().keys)
        visiting = visiting_of(session, key, after=True)
        if named != visiting.browser and not holds(session, visiting.visitor, hash_named(named)):
            raise ForbiddenError(
                N_("This form was not made for this browser. Please open it again.")
            )
    return visiting, fields


def _to_gate(visiting: Visiting) -> BaseResponse:
    """Go to the gate."""
    key = visiting.around.gate.key
    return redirect(url_for("forms.gate", key=key, **visiting.frame.query), 303)


def _to_done(visiting: Visiting) -> BaseResponse:
    """Go to the page after the gate."""
    key = visiting.around.gate.key
    return redirect(url_for("forms.after.done", key=key, **visiting.frame.query), 303)


def _again(key: str, typed: str) -> BaseResponse:
    """Show the page once more: the code is not good here, and the page never says why."""
    with current.store().read() as session:
        visiting = visiting_of(session, key, after=True)
        form = small_buttons(visiting)
        form.code.data = typed
        complain(form.code, NO_CODE)
        given = given_here(session, visiting)
        if given is None:
            return _to_gate(visiting)
        return done_page(session, visiting, given, form, status=422)
