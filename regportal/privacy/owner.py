"""Who stands before his own page, and the forms he may send from it."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from regportal.errors import ForbiddenError, RequestError
from regportal.forms.after import SmallForm
from regportal.forms.asking import browser_of, csrf_token, hash_named, read_csrf_token
from regportal.forms.forming import complain
from regportal.forms.pages import around_page, locale_of
from regportal.identity import browser, wire
from regportal.identity.actions import claim_of
from regportal.identity.addresses import Address
from regportal.identity.models import Contact, Visitor, VisitorState
from regportal.identity.people import is_left, own_contacts
from regportal.identity.recognising import holds
from regportal.identity.rules import is_fresh, masked
from regportal.privacy.models import Leads
from regportal.privacy.proving import request_link
from regportal.store import current
from regportal.store.tokens import fresh_token
from regportal.store.words import N_

TITLE = N_("Your data")
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
    """All of his own addresses, the main one first (identity/people.py)."""
    fresh: bool
    """Whether that was within the last quarter of an hour, and opens everything."""
    left: bool = False
    """
    Whether the address was left for another one: then it opens what is sent to it, and no more.

    The mailbox may be somebody else's by now; of the person the new address alone shows anything.
    """


@dataclass(frozen=True, slots=True)
class Here:
    """One request to one's own page."""

    owner: Owner | None
    token: str
    is_new: bool
    """Whether the browser has no token yet: the answer brings one."""
    locale: str
    now: datetime

    def speaking(self, language: str | None) -> "Here":
        """Return the same in the language somebody chose, where he did."""
        return replace(self, locale=locale_of(current.site(), language))

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
    owner = _owner(session, visitor, now=now)
    return Here(
        owner=owner,
        token=jar.token or fresh_token(),
        is_new=jar.token is None,
        locale=locale_of(current.site(session), owner.contact.language if owner else None),
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
    left = is_left(session, contact.id)
    return Owner(
        visitor=visitor,
        contact=contact,
        contacts=[contact] if left else own_contacts(session, contact),
        fresh=is_fresh(visitor.verified_at, now) and not left,
        left=left,
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
    """Render a page of the owner's; "Not you?" stands on each that knows him."""
    around: Mapping[str, Any] = around_page(current.site(), asking.locale)
    owner = asking.owner
    about = {
        "form": small_form(asking),
        "me_url": url_for("privacy.me"),
        "masked": masked(owner.contact.email) if owner else None,
        "leave_url": url_for("privacy.changing.leave") if owner else None,
        **about,
    }
    text = render_template(f"privacy/{template}.html", title=around["_"](title), **about, **around)
    response = make_response(text, status)
    if asking.is_new:
        browser.keep(response, asking.token, remembered=False)
    return response


def to_me(done: str | None = None, place: str | None = None) -> BaseResponse:
    """Go to the own page, and say there what was done."""
    return redirect(url_for("privacy.me", done=done, _anchor=place), 303)


def typed_again(template: str, title: str, asking: Here, typed: str, fault: ValueError) -> Response:
    """Render a page with the address that was typed, and why it cannot be taken."""
    form = small_form(asking)
    form.email.data = typed
    complain(form.email, str(fault))
    return page(template, title, asking, status=422, form=form)


def owe_link(
    asking: Here,
    address: Address,
    leads: Leads = Leads.PAGE,
    contact_id: uuid.UUID | None = None,
) -> None:
    """Owe the letter with the link, and with the code for this browser."""
    name = browser.browser_name(request)
    current.store().write(
        lambda session: request_link(
            session,
            address,
            leads=leads,
            contact_id=contact_id,
            token=None if asking.is_new else asking.token,
            locale=asking.locale,
            browser=name,
            now=asking.now,
        )
    )
    current.wake("deliver")
