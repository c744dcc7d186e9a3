"""The cookie: which visitor a request comes from, and what its browser is to keep."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Request, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from regportal.config import Settings
from regportal.identity.models import Visitor, VisitorState
from regportal.identity.recognising import recognise
from regportal.identity.rules import FRAMED, REMEMBERED
from regportal.identity.visitors import see
from regportal.store import current
from regportal.store.documents import Site
from regportal.store.words import N_

SESSION_COOKIE = "rp_s"
"""Gate state, CSRF, grants: strictly necessary; ends with the browser."""
VISITOR_COOKIE = "rp_v"
"""Recognises a returning visitor: only after a recorded choice."""
FRAME_COOKIE = "rp_p"
"""Both of these inside another site's page, in that site's own jar (security.md 3.2, M3)."""

FRAME_FIELD = "visitor"
"""Carries the token where a browser keeps no cookie inside another site's page (WebKit)."""
SCRIPT_HEADER = "X-RP-Visitor"
"""Carries the token of a page's script, which keeps no cookie of ours (security.md 3.2, M4)."""
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
"""How every token of ours looks; another cookie is not worth a question to the database."""


BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("iPhone", N_("%(browser)s on an iPhone")),
    ("iPad", N_("%(browser)s on an iPad")),
    ("Android", N_("%(browser)s on Android")),
    ("Windows", N_("%(browser)s on Windows")),
    ("Mac OS", N_("%(browser)s on a Mac")),
    ("Linux", N_("%(browser)s on Linux")),
)
SOME_BROWSER = N_("a browser")


@dataclass(frozen=True, slots=True)
class Jar:
    """What a browser sent."""

    token: str | None
    """Its token, or None where it keeps no cookie (yet)."""
    framed: bool
    """Whether we are inside another site's page."""
    by_frame: bool = False
    """Whether the script of our own framed page holds it, where the browser keeps no cookie."""
    by_script: bool = False
    """Whether every script of the site can read it: then it is never worth a proof (M4)."""


def jar(sent: Request | None = None) -> Jar:
    """Read the cookie of a request."""
    sent = sent or request
    settings = current.settings()
    # A form inside the frame comes from our own page: there the cookie, sent nowhere else, says it.
    guest = cookie_name(settings, FRAME_COOKIE) in sent.cookies
    far = guest or _is_from_elsewhere(sent)
    framed = far and sent.args.get("in") == "frame"
    names: tuple[str, ...] = (VISITOR_COOKIE, SESSION_COOKIE, FRAME_COOKIE)
    if framed:
        names = (FRAME_COOKIE, SESSION_COOKIE)
    if _refuses(sent, "Sec-GPC") or (_refuses(sent, "DNT") and objects(current.site(), sent)):
        names = (SESSION_COOKIE,)  # the others are from before he objected
    found = (sent.cookies.get(cookie_name(settings, name)) for name in names)
    token = next((token for token in found if token and TOKEN.fullmatch(token)), None)
    kept = None if token or FRAME_COOKIE not in names else _kept_by_frame(sent)
    return Jar(token or kept, framed, by_frame=kept is not None)


def _kept_by_frame(sent: Request) -> str | None:
    """Return the token that the script of our framed page sends along with a form, or None."""
    if sent.method != "POST" or sent.args.get("in") != "frame":
        return None
    sent.get_data()  # whoever reads the form after us finds it
    token = sent.form.get(FRAME_FIELD, "")
    return token if TOKEN.fullmatch(token) else None


def held_by_script(sent: Request | None = None) -> Jar:
    """
    Read what the script of a page holds: the header's token, or the cookie where it has none.

    From a page of another site no cookie counts (security.md 3.4).
    """
    sent = sent or request
    if SCRIPT_HEADER in sent.headers:
        token = sent.headers[SCRIPT_HEADER]
        return Jar(token if TOKEN.fullmatch(token) else None, framed=False, by_script=True)
    if _is_from_elsewhere(sent):
        return Jar(None, framed=False)
    return jar(sent)


def _is_from_elsewhere(sent: Request) -> bool:
    """Return whether a page of another site lets the browser ask, or leads it here."""
    return sent.headers.get("Sec-Fetch-Site") == "cross-site"


def visitor_of_request(
    session: Session, held: Jar | None = None, *, now: datetime
) -> Visitor | None:
    """
    Return the visitor whose browser sent the current request, or None.

    Where his proof does not count for this request he is shown as claimed, to this request alone;
    an old token that two hold ends him, and a letter tells him so.
    """
    held = held or jar()
    token, family = held.token, browser_name(request)
    found = recognise(session, token, family, now=now)
    if token and found.alarm:
        current.store().write(lambda writing: see(writing, token, family, now=now))
        current.wake("deliver")
    elif token and found.worth_noting:
        current.store().note(lambda writing: see(writing, token, family, now=now))
    if found.visitor is not None and found.doubt is not None:
        session.expunge(found.visitor)
        found.visitor.state = VisitorState.CLAIMED
    return found.visitor


def keep(response: Response, token: str, *, remembered: bool) -> None:
    """
    Let the browser keep a token: for 180 days where it is to be remembered, else a while.

    Where the browser objects to being known again, never longer than a session.
    """
    settings = current.settings()
    objected = objects(current.site())
    remembered = remembered and not objected
    framed = jar().framed and not settings.development
    lasting, life = (FRAME_COOKIE, FRAMED) if framed else (VISITOR_COOKIE, REMEMBERED)
    fleeting = FRAME_COOKIE if framed and not objected else SESSION_COOKIE
    name, other = (lasting, fleeting) if remembered else (fleeting, lasting)
    response.set_cookie(
        cookie_name(settings, name),
        token,
        max_age=int(life.total_seconds()) if remembered else None,
        **_attributes(settings, framed=framed),
    )
    if name != other and cookie_name(settings, other) in request.cookies:
        _drop(response, settings, other, framed=framed)


def hand(response: Response, token: str, *, remembered: bool) -> None:
    """
    Let a page's script keep a token as it came: in the header, or in the cookie.

    A page of another site has no cookie, nor does it replace the one that was not read for it.
    """
    if SCRIPT_HEADER in request.headers:
        response.headers[SCRIPT_HEADER] = token
    elif not _is_from_elsewhere(request):
        keep(response, token, remembered=remembered)


def forget(response: Response) -> None:
    """Let the browser drop whatever it keeps of us."""
    settings = current.settings()
    framed = jar().framed and not settings.development
    for name in (SESSION_COOKIE, VISITOR_COOKIE, FRAME_COOKIE):
        if cookie_name(settings, name) in request.cookies:
            _drop(response, settings, name, framed=framed or name == FRAME_COOKIE)


def cookie_name(settings: Settings, name: str) -> str:
    """Return the cookie's name: bound to our host wherever we have TLS."""
    return name if settings.development else f"__Host-{name}"


def _drop(response: Response, settings: Settings, name: str, *, framed: bool) -> None:
    """Let a cookie end."""
    response.delete_cookie(cookie_name(settings, name), **_attributes(settings, framed=framed))


def _attributes(settings: Settings, *, framed: bool) -> dict[str, Any]:
    """Return what a cookie is bound to: inside another site's page to that site (CHIPS)."""
    return {
        "path": "/",
        "secure": not settings.development,
        "httponly": True,
        "samesite": "None" if framed else "Lax",
        "partitioned": framed,
    }


def objects(site: Site, sent: Request | None = None) -> bool:
    """
    Return whether a browser says that its person is not to be known again, or followed.

    Global Privacy Control always counts; DNT where the site honours it.
    """
    sent = sent or request
    names = ("Sec-GPC", "DNT") if site.do_not_track == "honour" else ("Sec-GPC",)
    return any(_refuses(sent, name) for name in names)


def _refuses(sent: Request, name: str) -> bool:
    """Return whether a header says 1: exactly, and several such headers are one (W3C)."""
    return "1" in sent.headers.get(name, "").replace(" ", "").split(",")


def browser_name(sent: Request) -> str:
    """Return the rough name of a browser, for "was this you?": Firefox on Linux."""
    agent = str(sent.user_agent)
    browser = next((name for mark, name in BROWSERS if mark in agent), SOME_BROWSER)
    on_system = next((says for mark, says in SYSTEMS if mark in agent), "%(browser)s")
    return on_system % {"browser": browser}
