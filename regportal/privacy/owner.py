"""Who stands before his own page, and the forms he may send from it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Response, make_response, render_template, request, url_for
from sqlalchemy.orm import Session

from regportal.errors import ForbiddenError, RequestError
from regportal.forms import wire
from regportal.forms.after import SmallForm
from regportal.forms.asking import browser_of, csrf_token, hash_named, read_csrf_token
from regportal.forms.pages import around_page, locale_of
from regportal.identity import browser
from regportal.identity.actions import claim_of, holds
from regportal.identity.models import Contact, Visitor, VisitorState
from regportal.identity.people import contacts_of
from regportal.identity.rules import is_fresh
from regportal.identity.tokens import fresh_token
from regportal.store import current
from regportal.store.words import N_

PATIENCE = 2.0
"""Seconds that a page waits for the worker."""
GLANCE = 0.02
"""Seconds between two looks."""


class NotFreshError(RequestError):
    """Whoever asks has to prove his address (again) first; he is shown how."""

    status = 403


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody whose browser is proven."""

    visitor: Visitor
    contact: Contact
    """The address that was proven here."""
    contacts: Sequence[Contact]
    """All of his addresses, the main one first."""
    fresh: bool
    """Whether that was within the last quarter of an hour."""


@dataclass(frozen=True, slots=True)
class Here:
    """One request to one's own page."""

    owner: Owner | None
    token: str
    is_new: bool
    """Whether the browser has no token yet: the answer brings one."""
    locale: str
    now: datetime

    @property
    def proven(self) -> Owner:
        """Return who it is; raise NotFreshError where nobody has proven anything here."""
        if self.owner is None:
            raise NotFreshError(N_("Please prove your address first."))
        return self.owner

    @property
    def fresh(self) -> Owner:
        """Return who it is, freshly proven; raise NotFreshError where that is too long ago."""
        if not self.proven.fresh:
            raise NotFreshError(N_("Please prove your address first."))
        return self.proven


def wait_until_settled() -> None:
    """
    Wait, two seconds at most, for the worker to work out a proof that was just given here.

    Whoever proves his address and opens his page at once would find nobody there.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and _is_unsettled():
        time.sleep(GLANCE)


def here(session: Session) -> Here:
    """Read who asks."""
    now = datetime.now(UTC)
    jar = browser.jar()
    visitor = browser.visitor_of_request(session, now=now)
    return Here(
        owner=_owner(session, visitor, now=now),
        token=jar.token or fresh_token(),
        is_new=jar.token is None,
        locale=locale_of(current.site(session)),
        now=now,
    )


def _is_unsettled() -> bool:
    """Return whether this browser has proven a claim that the worker has still to work out."""
    with current.store().read() as session:
        visitor = browser.visitor_of_request(session, now=datetime.now(UTC))
        if visitor is None or visitor.state != VisitorState.VERIFIED:
            return False
        claim = claim_of(session, visitor)
        return claim is not None and claim.settled_at is None


def _owner(session: Session, visitor: Visitor | None, *, now: datetime) -> Owner | None:
    """Return whose browser it is; None where that is not proven, or not settled yet."""
    if visitor is None or visitor.state != VisitorState.VERIFIED:
        return None
    claim = claim_of(session, visitor)
    contact = session.get(Contact, claim.contact_id) if claim and claim.contact_id else None
    if contact is None:
        return None
    return Owner(
        visitor=visitor,
        contact=contact,
        contacts=contacts_of(session, contact.person_id),
        fresh=is_fresh(visitor.verified_at, now),
    )


def sent(session: Session) -> tuple[Here, dict[str, list[str]]]:
    """
    Read a form of the own page; raise ForbiddenError where no page of this browser's sent it.

    Raises TooManyError where one place sends too many.
    """
    wire.check_origin(request, current.site(session))
    fields = wire.read_form(request)
    named = read_csrf_token(wire.only(fields, "csrf_token"), current.settings().keys)
    asking = here(session)
    visitor = asking.owner.visitor if asking.owner else None
    if named != browser_of(asking.token) and not holds(session, visitor, hash_named(named)):
        raise ForbiddenError(N_("This form was not made for this browser. Please open it again."))
    return asking, fields


def small_form(asking: Here) -> SmallForm:
    """Make a form that has only buttons, and perhaps an address."""
    form = SmallForm(formdata=None)
    form.csrf_token.data = csrf_token(browser_of(asking.token), current.settings().keys)
    return form


def page(template: str, title: str, asking: Here, status: int = 200, **about: Any) -> Response:
    """Render a page of the owner's."""
    around: Mapping[str, Any] = around_page(current.site(), asking.locale)
    about = {"form": small_form(asking), "me_url": url_for("privacy.me"), **about}
    text = render_template(f"privacy/{template}.html", title=around["_"](title), **about, **around)
    response = make_response(text, status)
    if asking.is_new:
        browser.keep(response, asking.token, remembered=False)
    return response
