"""Kinds of pages, and what every answer carries (security.md 4): the same for both applications."""

import secrets
from collections.abc import Container
from dataclasses import dataclass, field

from flask import Flask, Request, g

from regportal.store import current

PERMISSIONS = "camera=(), microphone=(), geolocation=(), payment=(), browsing-topics=()"
YEARS = 63072000
"""Two years, in seconds."""
MINUTES = 300
"""Five minutes, in seconds: how long a browser keeps our scripts and styles unasked."""
REPORTS = "/_r/csp"
"""Where browsers tell what broke a policy."""


@dataclass(frozen=True, slots=True)
class PageType:
    """One row of the table of page types: its policy and the headers of its own."""

    policy: str
    headers: dict[str, str] = field(default_factory=dict)
    may_be_framed: bool = False
    leaves_frames: bool = False
    """Whether a framed page leads there: WebKit asks also of a file who may show it (P6)."""
    shown_in_studio: bool = False
    """Whether the Studio's own pages show it inside them, and nobody else's."""
    asked_by_pages: bool = False
    """Whether scripts on the site's own pages may ask it (security.md 3.4)."""
    has_script: bool = False


COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": PERMISSIONS,
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""What every answer has, whatever its page type."""
NO_STORE = {"Cache-Control": "no-store", "Vary": "Accept-Language, Cookie, Origin, Sec-Fetch-Site"}
ALONE = {"X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin"}
CONFIRM = PageType(
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    {
        "Referrer-Policy": "same-origin",
        "X-Robots-Tag": "noindex",
        **ALONE,
        **NO_STORE,
    },
)
HEALTH = PageType(
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox",
    {"Cross-Origin-Resource-Policy": "same-site", "Cache-Control": "no-store"},
)
ERROR = CONFIRM


def common_to(sent: Request) -> dict[str, str]:
    """Return the headers that every answer to a request has."""
    common = COMMON | {"Reporting-Endpoints": f'csp="{sent.root_path}{REPORTS}"'}
    settings = current.settings()
    if not settings.development and not settings.path:  # below a path the host is not ours alone
        below = "; includeSubDomains" if settings.hsts == "subdomains" else ""
        common["Strict-Transport-Security"] = f"max-age={YEARS}{below}"
    return common


def nonce() -> str:
    """Return the nonce of this answer's scripts."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    found: str = g.nonce
    return found


def refuse_missing(app: Flask, found: Container[str], what: str) -> None:
    """Raise LookupError where an endpoint has no such thing: without it nothing is served."""
    missing = sorted(
        {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint not in found}
    )
    if missing:
        raise LookupError(f"no {what} for {', '.join(missing)}")
