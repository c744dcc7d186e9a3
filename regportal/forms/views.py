"""The gate, over HTTP: ask one thing, then hand over the asset."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from regportal.consent.schema import Newsletter
from regportal.errors import BadRequestError, ForbiddenError, StaleError
from regportal.forms import after, wire
from regportal.forms.actions import open_gate
from regportal.forms.asking import hash_named, read_ask, read_csrf_token
from regportal.forms.fields import HONEYPOT, GateForm
from regportal.forms.forming import (
    Fault,
    check_asked,
    form_for,
    fresh_form,
    read_sent,
    settle_shown,
)
from regportal.forms.pages import around_page, asset_shown
from regportal.forms.rules import Ask, is_fresh
from regportal.forms.schema import Question
from regportal.forms.visiting import Visiting, is_proven, sender_of, visiting_of
from regportal.identity import browser
from regportal.identity.actions import holds
from regportal.identity.rules import masked
from regportal.store import current
from regportal.store.documents import said

bp = Blueprint("forms", __name__)
bp.register_blueprint(after.bp)


@bp.get("/g/<key>")
def gate(key: str) -> Response:
    """Ask for the address, or for one thing more."""
    with current.store().read() as session:
        visiting = visiting_of(session, key)
    return _page(visiting, *fresh_form(visiting))


@bp.post("/g/<key>")
def open_the_gate(key: str) -> BaseResponse:
    """Take the form and hand over the asset, or say what is wrong with it."""
    with current.store().read() as session:
        wire.check_origin(request, current.site(session))
        fields = wire.read_form(request)
        visiting = visiting_of(session, key)
        ask = read_ask(wire.only(fields, "ask"), current.settings().keys)
        if ask.gate != key:
            raise BadRequestError("This form belongs to another page.")
        check_asked(fields, ask)
        mine = visiting.is_new or _is_mine(session, visiting, fields, ask)
    if not mine or not is_fresh(ask, visiting.now):
        return _anew(key, "This page had been open for too long. Here it is anew.")
    sent = read_sent(visiting, ask, fields)
    if isinstance(sent, Fault):
        return _page(visiting, ask, form_for(visiting, ask, fields, sent), status=422)
    sender = sender_of(visiting, ask, sent, wire.only(fields, HONEYPOT))
    try:
        opened = current.store().write(
            lambda writing: open_gate(writing, visiting.around, sent, sender, now=visiting.now)
        )
    except StaleError as stale:
        return _anew(key, str(stale))
    current.store().note(lambda writing: settle_shown(writing, sent, now=visiting.now))
    current.wake("weigh", "deliver")
    return after.go_on(visiting, opened, sender)


def _is_mine(
    session: Session, visiting: Visiting, fields: Mapping[str, list[str]], ask: Ask
) -> bool:
    """Return whether a form was made for this visitor; raise ForbiddenError for a forgery."""
    named = read_csrf_token(wire.only(fields, "csrf_token"), current.settings().keys)
    if named != ask.visitor:
        raise ForbiddenError("This form was not made for this browser. Please open it again.")
    return named == visiting.browser or holds(session, visiting.visitor, hash_named(named))


def _anew(key: str, says: str) -> Response:
    """Show the form anew, and why."""
    with current.store().read() as session:
        visiting = visiting_of(session, key)
    return _page(visiting, *fresh_form(visiting, says), status=409)


def _page(visiting: Visiting, ask: Ask, form: GateForm, status: int = 200) -> Response:
    """Render the form."""
    gate, site, locale = visiting.around.gate, visiting.around.site, visiting.locale
    question = visiting.around.question(ask.question)
    newsletter = visiting.around.newsletter(ask.newsletter)
    known_as = masked(visiting.claim.email) if visiting.claim and not ask.email else None
    referrer = wire.referrer_of(request)
    came_from: dict[str, Any] = {"rp_ref": referrer} if referrer else {}
    page = render_template(
        "forms/gate.html",
        title=said(gate.headline, locale),
        gate={
            "headline": said(gate.headline, locale),
            "text": said(gate.text, locale) if gate.text else None,
        },
        asset=asset_shown(visiting.around.asset, locale),
        form=form,
        question=_question_shown(question, ask) if question else None,
        newsletter=_newsletter_shown(newsletter, ask) if newsletter else None,
        recognised=known_as is not None,
        masked=known_as,
        not_you_url=url_for("forms.after.not_you", key=gate.key, **visiting.frame.query),
        remember_offered=site.remember == "ask" and not browser.jar().objects,
        mail_delivery=gate.delivery == "mail" and not is_proven(visiting),
        action=url_for(
            "forms.gate",
            key=gate.key,
            **visiting.frame.query,
            **wire.parameters_of(request),
            **came_from,
        ),
        **around_page(site),
    )
    response = make_response(page, status)
    if visiting.is_new:
        browser.keep(response, visiting.token, remembered=False)
    return response


def _question_shown(question: Question, ask: Ask) -> dict[str, object]:
    """Return what the page says about the question."""
    return {
        "key": question.key,
        "label": ask.wording,
        "why": said(question.why, ask.locale) if question.why else None,
        "type": question.type,
        "required": ask.required,
        "may_decline": not ask.required,
    }


def _newsletter_shown(newsletter: Newsletter, ask: Ask) -> dict[str, object]:
    """Return what the page says about the newsletter."""
    return {
        "key": newsletter.key,
        "title": said(newsletter.title, ask.locale),
        "wording": ask.newsletter_wording,
        "frequency": newsletter.frequency,
    }
