"""The page a mailed link opens: was this you? GET changes nothing, and it has no script."""

from datetime import UTC, datetime

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from regportal.errors import NotHereError, StaleError
from regportal.forms.after import SmallForm, decision_in
from regportal.forms.asking import browser_of, csrf_token
from regportal.forms.claiming import House
from regportal.forms.deciding import Aside, Decision, confirm, confirm_aside, deny, find_proof
from regportal.forms.pages import around_page, asset_shown, locale_of
from regportal.forms.schema import Gate
from regportal.forms.showing import shown_claim
from regportal.forms.visiting import bare_sender, proven_other, whose_browser
from regportal.identity import browser, limits, wire
from regportal.identity.actions import proof_of
from regportal.identity.models import ClaimState
from regportal.identity.people import keys_of_owner
from regportal.library.actions import live_grant, token_of
from regportal.store import current
from regportal.store.documents import said
from regportal.store.tokens import fresh_token
from regportal.store.words import N_

bp = Blueprint("mailed", __name__)

STAYS = "stays"
"""What the button says with which a browser stays that of whoever is proven in it."""


@bp.get("/m/<token>")
def mailed(token: str) -> Response:
    """Show what was claimed, and two buttons."""
    return _asked(token, datetime.now(UTC))


def _asked(token: str, now: datetime, says: str | None = None) -> Response:
    """Render the page that asks; ``says`` is why it asks once more."""
    published, pepper = current.published(), current.settings().pepper_text
    with current.store().read() as session:
        try:
            proof, claim = find_proof(session, token, now=now)
        except NotHereError:
            return _used(session, token)
        if claim.state == ClaimState.REJECTED:
            locale = locale_of(current.site())
            shown = shown_claim(session, published, claim, locale=locale, pepper=pepper)
            return _render("forms/denied.html", N_("Deleted"), claim=shown)
        if proof.used_at is not None or claim.state == ClaimState.EXPIRED:
            return _used(session, token)
        other = proven_other(session, keys_of_owner(session, claim.match_key), now=now)
        kept = browser.jar().token
        holding = kept or fresh_token()  # pressed twice, it is still the same browser
        form = SmallForm(formdata=None)
        form.csrf_token.data = csrf_token(browser_of(holding), current.settings().keys)
        response = _render(
            "forms/confirm.html",
            N_("Was this you?"),
            claim=shown_claim(
                session,
                published,
                claim,
                proof,
                locale=locale_of(current.site()),
                pepper=pepper,
            ),
            action=url_for("mailed.decide", token=token),
            form=form,
            other=other,
            says=says,
            status=409 if says else 200,
        )
    if kept is None:
        browser.keep(response, holding, remembered=False)
    return response


@bp.post("/m/<token>")
def decide(token: str) -> BaseResponse:
    """
    Take the owner's yes or no.

    The link is the secret here, and Origin says that our page was pressed; a cookie is not
    needed, since mail programs open links in browsers that have none of ours. Where somebody
    else is proven in this one, a yes may leave it to him; what was asked for is on the answer.
    """
    wire.check_origin(request, current.site())
    fields = wire.read_form(request)
    choice, seen = decision_in(fields), wire.only(fields, "seen")
    now = datetime.now(UTC)
    limits.check("decisions", now=now)
    published, settings = current.published(), current.settings()
    house, pepper = House(published, current.site(), settings.keys), settings.pepper_text
    try:
        with current.store().read() as session:
            _, claim = find_proof(session, token, now=now)
        sender = bare_sender(browser.jar().token or fresh_token(), claim.locale)
        if choice is Decision.DENY:
            current.store().write(
                lambda session: deny(session, published, token, sender, pepper=pepper, now=now)
            )
            current.wake("deliver", "weigh")
            return redirect(url_for("mailed.mailed", token=token), 303)
        if wire.only(fields, "browser") == STAYS:
            aside = current.store().write(
                lambda session: confirm_aside(
                    session, house, token, sender, seen=seen, pepper=pepper, now=now
                )
            )
            current.wake("settle", "weigh", "deliver")
            return _aside(house, aside, now)
        confirmed = current.store().write(
            lambda session: confirm(
                session, house, token, sender, seen=seen, pepper=pepper, now=now
            )
        )
    except StaleError as stale:
        return _asked(token, now, str(stale))
    except NotHereError:
        with current.store().read() as session:
            return _used(session, token)
    current.wake("settle", "weigh", "deliver")
    onward = url_for("privacy.me")  # a newsletter asked for there, and at no gate
    if published.find(Gate, confirmed.gate) is not None:
        onward = url_for("forms.after.done", key=confirmed.gate)
    response = redirect(onward, 303)
    browser.keep(response, confirmed.token, remembered=confirmed.remembered)
    return response


def _aside(house: House, aside: Aside, now: datetime) -> Response:
    """Say that it is confirmed, and that nobody was signed in or out; hand the file over once."""
    around, locale = house.at(aside.gate), locale_of(house.site)
    newsletter = house.newsletter(aside.newsletter)
    download = external_url = other = None
    with current.store().read() as session:
        visitor = browser.visitor_of_request(session, now=now)
        other = whose_browser(session, visitor)
        if around is not None and newsletter is None:
            asset = around.asset
            granted = live_grant(session, visitor_id=aside.visitor_id, asset=asset.key, now=now)
            if granted is not None and asset.content is not None:
                token = token_of(granted, house.keys)
                url = url_for("downloads.download", token=token)
                download = {"url": url, "name": asset.content.name}
            external_url = asset.url
    return _render(
        "forms/aside.html",
        N_("Confirmed"),
        other=other,
        newsletter=said(newsletter.title, locale) if newsletter else None,
        asset=asset_shown(around.asset, locale) if around else None,
        download=download,
        external_url=external_url,
        by_code=aside.by_code,
    )


def _used(session: Session, token: str) -> Response:
    """Say that a link has been answered, is too old, or leads nowhere; and show a way on."""
    proof = proof_of(session, token)
    reason, gate = "unknown", None
    if proof is not None:
        reason = "used" if proof.used_at is not None else "expired"
        gate = current.published().find(Gate, proof.gate)
    return _render(
        "forms/used.html",
        N_("This link"),
        status=404 if proof is None else 410,
        reason=reason,
        gate_url=url_for("forms.gate", key=gate.key) if gate else None,
        headline=said(gate.headline, locale_of(current.site())) if gate else None,
    )


def _render(template: str, title: str, status: int = 200, **context: object) -> Response:
    """Render a page that is never framed."""
    around = around_page(current.site())
    page = render_template(template, title=around["_"](title), **context, **around)
    return make_response(page, status)
