"""The page of the link in our letters: every newsletter of one address, without login or typing."""

from datetime import UTC, datetime

from flask import Blueprint, Response, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from regportal.errors import NotHereError
from regportal.identity import browser, limits, wire
from regportal.identity.contact_tokens import PREFERENCES, of_contact_token
from regportal.identity.models import Contact
from regportal.identity.rules import masked
from regportal.privacy.choosing import Decided, choose, evidence_here, newsletters_shown
from regportal.privacy.owner import here, page
from regportal.privacy.proving import request_link
from regportal.privacy.speaking import languages_shown, speak
from regportal.store import current
from regportal.store.words import N_

bp = Blueprint("preferences", __name__)


@bp.get("/p/<token>")
def shown(token: str) -> Response:
    """Show each newsletter and its buttons; of the person only the masked address."""
    with current.store().read() as session:
        asking = here(session)
        try:
            contact = _contact(session, token)
        except NotHereError:
            return page("used", N_("This link"), asking, status=404, nowhere=True)
        asking = asking.speaking(contact.language)
        published = current.published(session)
        rows = newsletters_shown(
            session,
            published,
            contact,
            locale=asking.locale,
            proven=False,
            now=asking.now,
        )
        return page(
            "preferences",
            N_("Newsletters"),
            asking,
            masked=masked(contact.email),
            newsletters=rows,
            action=url_for("preferences.pressed", token=token),
            languages=languages_shown(published, contact),
            language_url=url_for("preferences.language", token=token),
            everything_url=url_for("preferences.everything", token=token),
            done=request.args.get("done"),
        )


@bp.post("/p/<token>")
def pressed(token: str) -> BaseResponse:
    """
    Do what a button says.

    The link is the secret here, and Origin says that our page was pressed: mail programs open
    links in browsers that have no cookie of ours.
    """
    wire.check_origin(request, current.site())
    fields = wire.read_form(request)
    limits.check("unsubscribes")
    now, published = datetime.now(UTC), current.published()
    with current.store().read() as session:
        contact = _contact(session, token)
        asking = here(session).speaking(contact.language)
        evidence = evidence_here(contact)
    decided = Decided(
        newsletter=wire.only(fields, "newsletter"),
        choice=wire.only(fields, "choice"),
        locale=asking.locale,
        proven=False,
    )
    current.store().write(
        lambda session: choose(
            session, published, _contact(session, token), decided, evidence, now=now
        )
    )
    current.wake("settle", "deliver")
    return redirect(
        url_for("preferences.shown", token=token, done=1, _anchor=f"n-{decided.newsletter}"), 303
    )


@bp.post("/p/<token>/language")
def language(token: str) -> BaseResponse:
    """Write to this address in another language from now on, and show it this page in it."""
    wire.check_origin(request, current.site())
    chosen = wire.only(wire.read_form(request), "language")
    limits.check("unsubscribes")
    published = current.published()
    current.store().write(
        lambda session: speak(session, published, [_contact(session, token)], chosen)
    )
    return redirect(url_for("preferences.shown", token=token, done=1), 303)


@bp.post("/p/<token>/everything")
def everything(token: str) -> BaseResponse:
    """Mail the link to the whole page to the address this one is about; show nothing of it here."""
    wire.check_origin(request, current.site())
    wire.read_form(request)
    limits.check("own-page")
    now, name = datetime.now(UTC), browser.browser_name(request)
    with current.store().read() as session:
        contact = _contact(session, token)
        asking = here(session).speaking(contact.language)
        address = contact.address
    current.store().write(
        lambda session: request_link(
            session,
            address,
            token=None if asking.is_new else asking.token,
            locale=asking.locale,
            browser=name,
            now=now,
        )
    )
    current.wake("deliver")
    return redirect(url_for("privacy.asked"), 303)


def _contact(session: Session, token: str) -> Contact:
    """Return whose link this is; raise NotHereError where it is nobody's (any more)."""
    kept = of_contact_token(session, token, PREFERENCES)
    contact = session.get(Contact, kept.contact_id) if kept else None
    if contact is None:
        raise NotHereError(N_("This link leads nowhere."))
    return contact
