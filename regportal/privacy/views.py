"""A person's own page: see it, and the way to it. GET changes nothing."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from regportal.errors import NotHereError
from regportal.forms.after import NO_CODE
from regportal.forms.forming import complain
from regportal.forms.visiting import bare_sender, proven_other
from regportal.identity import browser, limits, wire
from regportal.identity.addresses import read_address
from regportal.identity.rules import masked
from regportal.privacy import changing, taking
from regportal.privacy.choosing import newsletters_shown
from regportal.privacy.models import Leads
from regportal.privacy.owner import (
    TITLE,
    Here,
    NotFreshError,
    here,
    owe_link,
    page,
    sent,
    small_form,
    to_me,
    typed_again,
    wait_until_settled,
)
from regportal.privacy.proving import (
    Pressed,
    asked_here,
    find_link,
    keys_of,
    press,
    press_by_code,
)
from regportal.privacy.reader import Reader
from regportal.privacy.reading import everything
from regportal.privacy.speaking import languages_shown
from regportal.store import current
from regportal.store.tokens import fresh_token
from regportal.store.words import N_

bp = Blueprint("privacy", __name__)
bp.register_blueprint(changing.bp)
bp.register_blueprint(taking.bp)

bp.before_request(wait_until_settled)


@bp.errorhandler(NotFreshError)
@bp.errorhandler(NoResultFound)
def prove_first(error: Exception) -> BaseResponse:
    """
    Lead whoever has to prove his address (again) to where he can.

    So do we whoever was there when his form was read, and was erased before it was done.
    """
    del error
    return redirect(url_for("privacy.me"), 303)


@bp.get("/me")
def me() -> Response:
    """Show what this browser may see: all, the newsletters and choices, or how to prove oneself."""
    with current.store().read() as session:
        asking = here(session)
        owner = asking.owner
        if owner is None:
            return page("prove", TITLE, asking)
        published = current.published(session)
        about: dict[str, Any] = {
            "fresh": owner.fresh,
            "left": owner.left,
            "email": owner.contact.email if owner.fresh else None,
            "newsletters": newsletters_shown(
                session, published, owner.contact, locale=asking.locale, proven=True, now=asking.now
            ),
            "languages": languages_shown(published, owner.contact),
            "language_url": url_for("privacy.changing.language"),
            "remembered": owner.visitor.remembered,
            "tracks": owner.visitor.tracks,
            "objects": browser.objects(current.site(session)),
            "done": request.args.get("done"),
        }
        if owner.fresh:
            reader = Reader(
                session,
                published,
                owner.contacts,
                owner.contact,
                asking.locale,
                current.settings().pepper_text,
                asking.now,
            )
            about |= everything(reader, before=_before())
        return page("me", TITLE, asking, **about)


@bp.post("/me")
def ask_for_link() -> BaseResponse:
    """
    Owe a link to an address; the answer is the same for every address there is.

    Only a row is written. Whether anything is kept under it the worker finds out.
    """
    with current.store().read() as session:
        asking, fields = sent(session)
    limits.check("own-page")
    if asking.owner is not None and "email" not in fields:
        address = asking.owner.contact.address
    else:
        typed = wire.only(fields, "email")
        try:
            address = read_address(typed)
        except ValueError as fault:
            return typed_again("prove", TITLE, asking, typed, fault)
    owe_link(asking, address)
    return redirect(url_for("privacy.asked"), 303)


@bp.get("/me/asked")
def asked() -> Response:
    """Say that a link is on its way, if we know the address; its code can be typed right here."""
    with current.store().read() as session:
        return _asked(session, here(session))


@bp.post("/me/code")
def code() -> BaseResponse:
    """Take the code of the mail: it proves this browser, where this one asked."""
    with current.store().read() as session:
        asking, fields = sent(session)
    typed = wire.only(fields, "code")
    limits.check("codes")
    published, settings = current.published(), current.settings()
    sender = bare_sender(asking.token, asking.locale)
    pressed = current.store().write(
        lambda session: press_by_code(
            session,
            published,
            typed,
            sender,
            keys=settings.keys,
            pepper=settings.pepper_text,
            now=asking.now,
        )
    )
    if pressed is None:
        form = small_form(asking)
        form.code.data = typed
        complain(form.code, NO_CODE)
        with current.store().read() as session:
            return _asked(session, asking, status=422, form=form)
    return _opened(pressed)


@bp.get("/me/<string(length=43):token>")
def link(token: str) -> Response:
    """Show the one button that proves this browser."""
    with current.store().read() as session:
        asking = here(session)
        try:
            found = find_link(session, token, now=asking.now)
        except NotHereError:
            return page("used", N_("This link"), asking, status=404)
        if found.used_at is not None:
            return page("used", N_("This link"), asking, status=410)
        shown: dict[str, Any] = {
            "leads": found.leads.value,
            "masked": masked(found.email),
            "signs_out": proven_other(session, keys_of(session, found), now=asking.now),
        }
    return page("open", TITLE, asking, action=request.path, **shown)


@bp.post("/me/<string(length=43):token>")
def press_link(token: str) -> BaseResponse:
    """
    Take the press: it proves the browser in which it was pressed.

    The link is the secret here, and Origin says that our page was pressed.
    """
    wire.check_origin(request, current.site())
    wire.read_form(request)
    limits.check("decisions")
    published, settings = current.published(), current.settings()
    with current.store().read() as session:
        asking = here(session)
    sender = bare_sender(browser.jar().token or fresh_token(), asking.locale)
    try:
        pressed = current.store().write(
            lambda session: press(
                session,
                published,
                token,
                sender,
                keys=settings.keys,
                pepper=settings.pepper_text,
                now=asking.now,
            )
        )
    except NotHereError:
        return page("used", N_("This link"), asking, status=410)
    return _opened(pressed)


def _asked(session: Session, asking: Here, **about: Any) -> Response:
    """
    Render the page that waits for the mail; without a cookie there is no code to type.

    Where somebody else is proven here it says so: only of him who asks is anything looked up.
    """
    code = None if asking.is_new else {"action": url_for("privacy.code")}
    link = asked_here(session, asking.token, now=asking.now) if asking.owner else None
    other = proven_other(session, keys_of(session, link), now=asking.now) if link else None
    return page("asked", TITLE, asking, code=code, signs_out=other, **about)


def _opened(pressed: Pressed) -> BaseResponse:
    """Go to the page that was proven, and let the browser keep what proves it."""
    current.wake("weigh", "deliver")
    response = to_me("address" if pressed.leads is Leads.ADDRESS else None)
    browser.keep(response, pressed.token, remembered=pressed.remembered)
    return response


def _before() -> datetime | None:
    """Return before when the timeline is to begin; None for a time nobody can read."""
    try:
        found = datetime.fromisoformat(request.args.get("before", ""))
    except ValueError:
        return None
    return found if found.tzinfo else None
