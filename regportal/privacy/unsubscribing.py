"""The link in every newsletter: one press stops it, or lets it come less often."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from regportal.consent.actions import change_consent, less_often, newest_line, undo
from regportal.consent.lines import Evidence, hold_ledger, is_same_voice
from regportal.consent.models import ConsentEvent, ConsentState
from regportal.consent.permission import may_mail
from regportal.consent.rules import PAUSE, UNDO_FOR, Permission
from regportal.consent.schema import Newsletter
from regportal.errors import BadRequestError, NotHereError
from regportal.forms.news import tell_consent
from regportal.forms.pages import around_page, locale_of
from regportal.identity import limits, wire
from regportal.identity.contact_tokens import UNSUBSCRIBE, of_contact_token
from regportal.identity.models import Contact
from regportal.identity.rules import masked
from regportal.store import current
from regportal.store.documents import Published, said
from regportal.store.tokens import derived_token
from regportal.store.words import N_, moment_shown, translated

bp = Blueprint("unsubscribing", __name__)

STOP, SLEEP, BACK = "stop", "pause", "undo"
"""What a person presses; anything else is the name of a rhythm."""
PAGE = "unsubscribe page"
DOUBLE = timedelta(minutes=1)
"""How long the same press from the same browser is taken for one: somebody clicked twice."""


@dataclass(frozen=True, slots=True)
class Link:
    """What an unsubscribe link is about."""

    contact: Contact
    newsletter: str


@dataclass(frozen=True, slots=True)
class Press:
    """What was pressed, and by whom as far as that can be seen."""

    token: str
    choice: str
    method: str
    undo: str
    """What shows that he pressed the button before as well."""
    keys: tuple[bytes, ...]
    network: str | None
    agent_hash: str
    signals: Mapping[str, str]

    def evidence(self, link: Link) -> Evidence:
        """Return what shows that it was pressed."""
        return Evidence(link.contact.email, self.network, self.agent_hash, self.signals)


@bp.get("/u/<token>")
def shown(token: str) -> Response:
    """Show what is sent, and the buttons."""
    now = datetime.now(UTC)
    with current.store().read() as session:
        link = _link(session, token)
        return _page(session, link, token, now=now)


@bp.post("/u/<token>")
def pressed(token: str) -> BaseResponse:
    """
    Stop the newsletter at a mail program's press, or do what a button of the page says.

    A mail program comes from anywhere and has no cookie (RFC 8058); the link is the secret. The
    page's own form says by its Origin that it is ours.
    """
    now = datetime.now(UTC)
    published = current.published()
    limits.check("unsubscribes", now=now)
    if wire.is_one_click(request):
        press = _press(token, STOP, "one-click")
        current.store().write(lambda session: decide(session, published, press, now=now))
        current.wake("deliver")
        answer = make_response("You will get no more of these e-mails.\n")
        answer.content_type = "text/plain; charset=utf-8"
        return answer
    wire.check_origin(request, current.site())
    fields = wire.read_form(request)
    press = _press(token, wire.only(fields, "choice"), PAGE, wire.only(fields, "undo"))
    line = current.store().write(lambda session: decide(session, published, press, now=now))
    current.wake("deliver")
    mistake = None if line is None or press.choice == BACK else _undo_token(line, press.keys)
    return redirect(url_for("unsubscribing.shown", token=token, undo=mistake), 303)


def decide(
    session: Session, published: Published, press: Press, *, now: datetime
) -> ConsentEvent | None:
    """
    Do what was pressed, and return its line; None where it changes nothing.

    Pressed twice it is done once, and the second answer is that of the first.
    The link of a newsletter narrows what is allowed, or takes back what was just pressed; it never
    widens. Raises NotHereError for no link of ours, BadRequestError for no button of ours.
    """
    link = _link(session, press.token)
    hold_ledger(session)  # what is read now still holds when it is written
    line = newest_line(session, link.contact.id, link.newsletter)
    until: datetime | None
    rhythm: str | None
    if press.choice == BACK:
        return _take_back(session, published, link, line, press, now=now)
    if line is not None and _is_again(session, link, line, press, now=now):
        return line
    if press.choice == STOP:
        state, until, rhythm = ConsentState.WITHDRAWN, None, None
    elif press.choice == SLEEP:
        state, until, rhythm = ConsentState.PAUSED, now + PAUSE, None
    elif line is not None and press.choice in less_often(
        published.find(Newsletter, link.newsletter), line
    ):
        state, until, rhythm = line.state, line.until, press.choice
    else:
        raise BadRequestError(N_("Please press one of the buttons."))
    kept = change_consent(
        session,
        published,
        link.contact,
        link.newsletter,
        state,
        press.method,
        evidence=press.evidence(link),
        until=until,
        rhythm=rhythm,
        now=now,
    )
    tell_consent(session, published, link.contact, kept, now=now)
    return kept


def _press(token: str, choice: str, method: str, undo: str = "") -> Press:
    """Read who presses what."""
    return Press(
        token=token,
        choice=choice,
        method=method,
        undo=undo,
        keys=current.settings().keys,
        network=wire.network_of(request),
        agent_hash=wire.agent_hash(request),
        signals=wire.signals_of(request),
    )


def _link(session: Session, token: str) -> Link:
    """Return what a link is about; raise NotHereError where it is nothing (any more)."""
    kept = of_contact_token(session, token, UNSUBSCRIBE)
    contact = session.get(Contact, kept.contact_id) if kept else None
    if kept is None or contact is None or kept.newsletter is None:
        raise NotHereError("This link leads nowhere.")
    return Link(contact, kept.newsletter)


def _is_again(
    session: Session, link: Link, line: ConsentEvent, press: Press, *, now: datetime
) -> bool:
    """Return whether a line was written by this same press, a moment ago: a double click."""
    if press.choice == STOP:
        alike = line.state == ConsentState.WITHDRAWN
    elif press.choice == SLEEP:
        alike = line.state == ConsentState.PAUSED and line.until == line.at + PAUSE
    else:
        alike = line.rhythm == press.choice
    soon = now - line.at < DOUBLE
    return alike and soon and is_same_voice(session, line, press.method, press.evidence(link))


def _take_back(
    session: Session,
    published: Published,
    link: Link,
    line: ConsentEvent | None,
    press: Press,
    *,
    now: datetime,
) -> ConsentEvent | None:
    """Take back what was just pressed here, for whoever pressed it; None where it is too late."""
    if line is None or not hmac.compare_digest(
        press.undo.encode(), _undo_token(line, press.keys).encode()
    ):
        return None
    kept = undo(session, published, line, evidence=press.evidence(link), now=now)
    tell_consent(session, published, link.contact, kept, now=now)
    return kept


def _undo_token(line: ConsentEvent, keys: Sequence[bytes]) -> str:
    """Return what shows that somebody pressed the button that wrote a line."""
    return derived_token(keys, "undo", line.id.bytes)


def _page(session: Session, link: Link, token: str, *, now: datetime) -> Response:
    """Render the page of a link."""
    site, published = current.site(), current.published()
    locale = locale_of(site, link.contact.language)
    newsletter = published.find(Newsletter, link.newsletter)
    title = said(newsletter.title, locale) if newsletter else link.newsletter
    allows = may_mail(session, link.contact, link.newsletter, at=now)
    line = newest_line(session, link.contact.id, link.newsletter)
    proof = request.args.get("undo", "")
    fresh = (
        line is not None
        and line.at > now - UNDO_FOR
        and proof == _undo_token(line, current.settings().keys)
    )
    takes_back = fresh and line is not None and line.state in {"withdrawn", "paused"}
    page = render_template(
        "privacy/unsubscribe.html",
        title=title,
        newsletter=title,
        masked=masked(link.contact.email),
        status=_status(allows),
        until=_until(line, locale),
        rhythm=translated(allows.rhythm, locale) if allows.rhythm else None,
        pressed=fresh,
        undo=proof if takes_back else None,
        rhythms=[
            (one, translated(one, locale))
            for one in less_often(published.find(Newsletter, link.newsletter), line)
        ],
        action=url_for("unsubscribing.pressed", token=token),
        **around_page(site, locale),
    )
    return make_response(page)


def _status(allows: Permission) -> str:
    """Return which of the four things the page says: sent, asleep, asked or stopped."""
    if allows.allowed:
        return "sent"
    if allows.state in {"paused", "pending"}:
        return allows.state
    return "stopped"


def _until(line: ConsentEvent | None, locale: str) -> str | None:
    """Return when a pause ends."""
    return moment_shown(line.until, locale) if line is not None and line.until else None
