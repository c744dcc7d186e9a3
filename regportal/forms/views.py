"""The gate, over HTTP: ask one thing, then hand over the asset."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from regportal.consent.schema import Newsletter
from regportal.errors import BadRequestError, ForbiddenError, StaleError, TooManyError
from regportal.forms import after
from regportal.forms.arriving import Verdict, arrival_of, take_form
from regportal.forms.asking import hash_named, read_ask, read_csrf_token
from regportal.forms.effort import FIELD as EFFORT
from regportal.forms.effort import effort_for
from regportal.forms.fields import HONEYPOT, GateForm
from regportal.forms.forming import (
    Fault,
    check_asked,
    form_for,
    fresh_form,
    read_sent,
    settle_shown,
)
from regportal.forms.pages import around_page, asset_shown, frequency_shown
from regportal.forms.rules import Ask, is_fresh
from regportal.forms.schema import Question
from regportal.forms.visiting import Visiting, sender_of, visiting_of
from regportal.identity import browser, limits, wire
from regportal.identity.rules import masked
from regportal.identity.visitors import holds
from regportal.store import current
from regportal.store.documents import said
from regportal.store.words import N_

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
            raise BadRequestError(N_("This form belongs to another page."))
        check_asked(fields, ask)
        mine = visiting.is_new or _is_mine(session, visiting, fields, ask)
    if not mine or not is_fresh(ask, visiting.now):
        return _anew(key, N_("This page had been open for too long. Here it is anew."))
    sent = read_sent(visiting, ask, fields)
    if isinstance(sent, Fault):
        return _page(visiting, ask, form_for(visiting, ask, fields, sent), status=422)
    sender = sender_of(visiting, ask, sent, wire.only(fields, HONEYPOT))
    arrival = arrival_of(visiting, ask, sent, wire.only(fields, EFFORT))
    around, now = visiting.around, visiting.now
    try:
        opened = current.store().write(
            lambda writing: take_form(writing, arrival, around, sent, sender, now=now)
        )
    except StaleError as stale:
        return _anew(key, str(stale))
    if isinstance(opened, Verdict):
        return _too_many(visiting, ask, fields, opened)
    current.store().note(lambda writing: settle_shown(writing, sent, now=visiting.now))
    current.wake("weigh", "deliver")
    return after.go_on(visiting, opened, sent, sender)


def _is_mine(
    session: Session, visiting: Visiting, fields: Mapping[str, list[str]], ask: Ask
) -> bool:
    """Return whether a form was made for this visitor; raise ForbiddenError for a forgery."""
    named = read_csrf_token(wire.only(fields, "csrf_token"), current.settings().keys)
    if named != ask.visitor:
        raise ForbiddenError(N_("This form was not made for this browser. Please open it again."))
    return named == visiting.browser or holds(session, visiting.visitor, hash_named(named))


def _too_many(
    visiting: Visiting, ask: Ask, fields: Mapping[str, list[str]], verdict: Verdict
) -> Response:
    """Let the browser do a small calculation first, or refuse: too many come from its place."""
    wait = limits.retry_after(limits.HOUR, visiting.now)
    if verdict is Verdict.LATER:
        raise TooManyError(limits.TOO_MANY, after=wait)
    pressed = f"remember={wire.only(fields, 'remember')}"
    effort = {"pressed": pressed, **asdict(effort_for(ask.nonce, current.settings().keys))}
    response = _page(visiting, ask, form_for(visiting, ask, fields), status=429, effort=effort)
    response.headers["Retry-After"] = str(wait)
    return response


def _anew(key: str, says: str) -> Response:
    """Show the form anew, and why."""
    with current.store().read() as session:
        visiting = visiting_of(session, key)
    return _page(visiting, *fresh_form(visiting, says), status=409)


def _page(
    visiting: Visiting,
    ask: Ask,
    form: GateForm,
    status: int = 200,
    effort: Mapping[str, object] | None = None,
) -> Response:
    """Render the form."""
    gate, site, locale = visiting.around.gate, visiting.around.site, ask.locale
    question = visiting.around.question(ask.question)
    newsletter = visiting.around.newsletter(ask.newsletter)
    known_as = masked(visiting.claim.email) if visiting.claim and not ask.email else None
    referrer = wire.place_of(request.args.get("rp_ref") or request.referrer or "")
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
        effort=effort,
        question=_question_shown(question, ask) if question else None,
        newsletter=_newsletter_shown(newsletter, ask) if newsletter else None,
        recognised=known_as is not None,
        masked=known_as,
        not_you_url=url_for("forms.after.not_you", key=gate.key, **visiting.frame.query),
        remember_offered=visiting.may_remember,
        mail_delivery=visiting.by_mail,
        kiosk=visiting.around.kiosk,
        action=url_for(
            "forms.gate",
            key=gate.key,
            **visiting.frame.query,
            **wire.campaign_of(request.args),
            **came_from,
        ),
        **around_page(site, locale),
    )
    response = make_response(page, status)
    if visiting.is_new and not visiting.around.kiosk:
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
        "frequency": frequency_shown(newsletter, ask.locale),
    }
