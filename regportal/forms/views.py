"""The gate, over HTTP: ask one thing, then hand over the asset."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from regportal.consent.schema import Newsletter
from regportal.errors import StaleError
from regportal.forms import after
from regportal.forms.fields import GateForm
from regportal.forms.forming import form_for, fresh_ask
from regportal.forms.pages import around_page, asset_shown, frequency_shown, gate_shown
from regportal.forms.rules import Ask
from regportal.forms.schema import Question
from regportal.forms.taking import Crowded, Faulty, Fields, Taken, take_fields
from regportal.forms.visiting import Visiting, visiting_of
from regportal.identity import browser, wire
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
    ask = fresh_ask(visiting)
    return page_of(visiting, ask, form_for(visiting, ask))


@bp.post("/g/<key>/back")
def back(key: str) -> Response:
    """Ask once more, in a frame where the browser keeps no cookie: its script knows the token."""
    wire.check_origin(request, current.site())
    return gate(key)


@bp.post("/g/<key>")
def open_the_gate(key: str) -> BaseResponse:
    """Take the form and hand over the asset, or say what is wrong with it."""
    wire.check_origin(request, current.site())
    fields = wire.read_form(request)
    try:
        found = take_fields(key, fields, as_form=True)
    except StaleError as stale:
        return _anew(key, fields, str(stale))
    match found:
        case Taken(visiting, sent, sender, opened):
            return after.go_on(visiting, opened, sent, sender)
        case Faulty(visiting, ask, fault):
            return page_of(visiting, ask, form_for(visiting, ask, fields, fault), status=422)
        case Crowded():
            return _first_an_effort(found, fields)


def _first_an_effort(crowded: Crowded, fields: Fields) -> Response:
    """Show the form once more, and let the browser do a small calculation before it goes on."""
    visiting, ask = crowded.visiting, crowded.ask
    pressed = f"remember={wire.only(fields, 'remember')}"
    effort = {"pressed": pressed, **asdict(crowded.effort)}
    response = page_of(visiting, ask, form_for(visiting, ask, fields), status=429, effort=effort)
    response.headers["Retry-After"] = str(crowded.wait)
    return response


def _anew(key: str, fields: Fields, says: str) -> Response:
    """
    Show the form anew with what was typed, and why.

    A newsletter is agreed to anew, too, and nothing typed comes back at a kiosk.
    """
    with current.store().read() as session:
        visiting = visiting_of(session, key)
    ask = fresh_ask(visiting)
    may = () if visiting.around.kiosk else ("email", "q-")
    typed = {name: fields[name] for name in fields if name.startswith(may)}
    form = form_for(visiting, ask, typed)
    form.form_errors.append(says)
    return page_of(visiting, ask, form, status=409)


def page_of(
    visiting: Visiting,
    ask: Ask,
    form: GateForm,
    status: int = 200,
    effort: Mapping[str, object] | None = None,
    action: str | None = None,
) -> Response:
    """Render the form; ``action``: where it is sent, if not to its gate."""
    gate, site, locale = visiting.around.gate, visiting.around.site, ask.locale
    question = visiting.question(ask.question)
    newsletter = visiting.around.newsletter(ask.newsletter)
    known_as = masked(visiting.claim.email) if visiting.claim and not ask.email else None
    referrer = wire.came_from(request)
    came_from: dict[str, Any] = {"rp_ref": referrer} if referrer else {}
    around = {**visiting.frame.query, **wire.campaign_of(request.args), **came_from}
    may_go_back = visiting.is_new and visiting.frame.origin and request.method == "GET"
    page = render_template(
        "forms/gate.html",
        title=said(gate.headline, locale),
        gate=gate_shown(gate, locale),
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
        action=action or url_for("forms.gate", key=gate.key, **around),
        back=url_for("forms.back", key=gate.key, **around) if may_go_back else None,
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
