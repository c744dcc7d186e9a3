"""What kind of page each address is, and the headers that kind is answered with (security.md 4)."""

from flask import Flask, Request, Response, g, request

from regportal.app.packing import pack
from regportal.forms.pages import frame
from regportal.identity.browser import SCRIPT_HEADER
from regportal.store import current
from regportal.store.documents import Site
from regportal.store.headers import (
    ALONE,
    CONFIRM,
    ERROR,
    HEALTH,
    MINUTES,
    NO_STORE,
    PageType,
    common_to,
    nonce,
    refuse_missing,
)
from regportal.store.words import SOURCE, speaking

KIB = 1024
YEAR = 31536000
"""One year, in seconds: as long as browsers keep what never changes."""

READERS = "Access-Control-Allow-Origin"
"""Names whose scripts may read an answer."""

GATE = PageType(
    "default-src 'none'; {script}style-src 'self'; img-src 'self'; {media}connect-src 'self'; "
    "form-action 'self'; frame-ancestors {ancestors}; base-uri 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'; report-to csp",
    {"Referrer-Policy": "strict-origin", **NO_STORE},
    may_be_framed=True,
    has_script=True,
)
PREVIEW = PageType(
    GATE.policy.replace("form-action 'self'", "form-action 'none'"),
    {**GATE.headers, "Cross-Origin-Embedder-Policy": "require-corp", "X-Robots-Tag": "noindex"},
    shown_in_studio=True,
)
"""A gate as the Studio shows it in its pages, which ask for the first of these: without effect."""
STAND = PageType(
    "default-src 'none'; {script}worker-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types regportal-kiosk; report-to csp",
    {"Referrer-Policy": "strict-origin", "X-Robots-Tag": "noindex", **ALONE, **NO_STORE},
    has_script=True,
)
"""A stand's page: its script alone sends the form, and registers the one worker it may have."""
WORKER = PageType(
    "default-src 'none'; connect-src 'self'",
    {"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-cache"},
)
DOWNLOAD = PageType(
    "default-src 'none'; sandbox; frame-ancestors {ancestors}; base-uri 'none'; form-action 'none'",
    {
        "Cross-Origin-Resource-Policy": "same-site",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, no-store",
        "X-Robots-Tag": "noindex, noarchive",
    },
    leaves_frames=True,
)
STATIC = PageType(
    "default-src 'none'",
    {
        "Cross-Origin-Resource-Policy": "cross-origin",
        READERS: "*",
        "Cache-Control": f"public, max-age={MINUTES}",
    },
)
SCRIPT = PageType(
    STATIC.policy,
    {**STATIC.headers, "Cache-Control": f"public, max-age={YEAR}, immutable"},
)
INCLUDE = PageType(
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox",
    {
        "Cross-Origin-Resource-Policy": "same-site",
        "X-Robots-Tag": "noindex",
        "Cache-Control": f"public, max-age={MINUTES}",
    },
)
HOOK = PageType("default-src 'none'", {"Cache-Control": "no-store"})
API = PageType(
    HEALTH.policy,
    {"Cross-Origin-Resource-Policy": "cross-origin", **NO_STORE},
    asked_by_pages=True,
)
SHELL = PageType(
    HEALTH.policy,
    {**STATIC.headers, "Vary": "Accept-Language"},
)
MAILER = PageType(HEALTH.policy, {"Cross-Origin-Resource-Policy": "same-site", **NO_STORE})

TYPES = {
    "forms.gate": GATE,
    "forms.back": GATE,
    "preview.shown": PREVIEW,
    "forms.open_the_gate": GATE,
    "including.include": INCLUDE,
    "forms.after.done": GATE,
    "forms.after.not_you": GATE,
    "forms.after.resend": GATE,
    "forms.after.change": GATE,
    "forms.after.code": GATE,
    "choosing.choice": API,
    "headless.ask_gate": API,
    "headless.answer_gate": API,
    "headless.not_you": API,
    "shell.shell": SHELL,
    "choosing.gpc": STATIC,
    "crossing.hand_over": API,
    "crossing.redeem": API,
    "vouching.vouch": API,
    "tracking.interactions": API,
    "tracking.revert_interaction": MAILER,
    "timelines.contact": MAILER,
    "timelines.timeline": MAILER,
    "timelines.visits": MAILER,
    "timelines.touches": MAILER,
    "buying.account_timeline": MAILER,
    "buying.account_visits": MAILER,
    "phases.opportunity": MAILER,
    "phases.override_phase": MAILER,
    "phases.end_override": MAILER,
    "backtests.begin_backtest": MAILER,
    "backtests.backtest": MAILER,
    "backtests.delete_backtest": MAILER,
    "forms.after.other": GATE,
    "mailed.mailed": CONFIRM,
    "mailed.decide": CONFIRM,
    "kiosk.page": STAND,
    "kiosk.worker": WORKER,
    "kiosk.send": HOOK,
    "kiosk.carried": CONFIRM,
    "kiosk.carry": CONFIRM,
    "downloads.download": DOWNLOAD,
    "inbox.hook": HOOK,
    "mailer.bounces": HOOK,
    "mailer.may_mail_many": MAILER,
    "mailer.may_mail_one": MAILER,
    "unsubscribing.pressed": CONFIRM,
    "alerts.chosen": CONFIRM,
    "alerts.doubted": CONFIRM,
    "alerts.shown": CONFIRM,
    "alerts.undone": CONFIRM,
    "preferences.everything": CONFIRM,
    "preferences.language": CONFIRM,
    "preferences.pressed": CONFIRM,
    "preferences.shown": CONFIRM,
    "privacy.changing.answer": CONFIRM,
    "privacy.taking.as_csv": CONFIRM,
    "privacy.taking.as_json": CONFIRM,
    "privacy.taking.as_receipt": CONFIRM,
    "privacy.ask_for_link": CONFIRM,
    "privacy.asked": CONFIRM,
    "privacy.changing.change_address": CONFIRM,
    "privacy.changing.choices": CONFIRM,
    "privacy.changing.decide_claim": CONFIRM,
    "privacy.changing.none_of_these": CONFIRM,
    "privacy.changing.deny_deed": CONFIRM,
    "privacy.changing.edit_answer": CONFIRM,
    "privacy.taking.erase_me": CONFIRM,
    "privacy.taking.erase_page": CONFIRM,
    "privacy.changing.leave": CONFIRM,
    "privacy.code": CONFIRM,
    "privacy.link": CONFIRM,
    "privacy.me": CONFIRM,
    "privacy.changing.language": CONFIRM,
    "privacy.changing.never": CONFIRM,
    "privacy.changing.new_address": CONFIRM,
    "privacy.changing.newsletters": CONFIRM,
    "privacy.press_link": CONFIRM,
    "unsubscribing.shown": CONFIRM,
    "app.theme": STATIC,
    "health.healthy": HEALTH,
    "health.metrics": HEALTH,
    "health.ready": HEALTH,
    "app.no_icon": STATIC,
    "reports.csp": HEALTH,
    "script": SCRIPT,
    "openapi": STATIC,
    "static": STATIC,
}
"""Which kind of page each endpoint answers with; a new one must find its place here."""


def use(app: Flask) -> None:
    """
    Give every answer the headers of its page type.

    Raises LookupError where an endpoint has none: without policy nothing is served.
    """
    refuse_missing(app, TYPES, "page type")
    app.context_processor(lambda: {"nonce": nonce(), **speaking(SOURCE)})
    app.after_request(_with_headers)


def speaks_json(sent: Request) -> bool:
    """Return whether whoever asked reads problem+json rather than pages; below /api/ always."""
    if sent.path.startswith("/api/"):
        return True
    kind = TYPES.get(sent.endpoint or "")
    return kind in (HOOK, DOWNLOAD, HEALTH, STATIC, SCRIPT)


def _with_headers(response: Response) -> Response:
    """Set the headers; what a view has set itself about its content stays."""
    kind = ERROR if "failed" in g else TYPES.get(request.endpoint or "", ERROR)
    headers = headers_of(kind, request, TYPES.get(request.endpoint or ""))
    if "locale" in g:
        headers["Content-Language"] = g.locale
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    if response.content_type == "application/json":
        response.content_type += "; charset=utf-8"
    is_for_all = headers.get("Cache-Control", "").startswith("public")
    return pack(response, request) if is_for_all else _padded(response)


def headers_of(kind: PageType, sent: Request, asked: PageType | None = None) -> dict[str, str]:
    """Return the headers of an answer; ``asked``: what it would be if nothing had failed."""
    headers = common_to(sent) | kind.headers | _framing(kind) | _sharing(asked or kind, sent)
    headers["Content-Security-Policy"] = _policy(kind)
    return headers


def _padded(response: Response) -> Response:
    """Fill a page up to whole KiB, so that its length tells little of what is on it (R9)."""
    if response.mimetype == "text/html" and not response.direct_passthrough:
        page = response.get_data()
        response.set_data(page + b" " * (-len(page) % KIB))
    return response


def _sharing(kind: PageType, sent: Request) -> dict[str, str]:
    """
    Return what lets scripts on the site's pages read an answer; nothing for any other origin.

    Also of an error: what was wrong is theirs to read.
    """
    if kind.headers.get(READERS) == "*":
        return {READERS: "*"}
    origin = sent.headers.get("Origin")
    if not kind.asked_by_pages or origin is None or not _is_ours(origin):
        return {}
    shared = {
        READERS: origin,
        "Access-Control-Expose-Headers": f"Retry-After, {SCRIPT_HEADER}",
        "Vary": NO_STORE["Vary"],
    }
    if sent.headers.get("Sec-Fetch-Site") in {"same-origin", "same-site"}:  # M2: with cookies
        shared["Access-Control-Allow-Credentials"] = "true"
    if sent.method == "OPTIONS":
        shared["Access-Control-Allow-Methods"] = "GET, POST"
        shared["Access-Control-Allow-Headers"] = f"Content-Type, {SCRIPT_HEADER}"
        shared["Access-Control-Max-Age"] = "600"
    return shared


def _is_ours(origin: str) -> bool:
    """Return whether an origin is the portal's, or one the site names."""
    site = current.published().find(Site, "site")
    return origin == current.settings().origin or (site is not None and origin in site.origins)


def _ancestor(kind: PageType) -> str | None:
    """Return the one origin that may frame this answer."""
    if kind.shown_in_studio:
        return current.settings().studio_origin
    framed = kind.may_be_framed or kind.leaves_frames
    return frame(current.site()).origin if framed else None


def _framing(kind: PageType) -> dict[str, str]:
    """Return what says who may show this page inside his own."""
    if not (kind.may_be_framed or kind.shown_in_studio):
        return {}
    return {"Cross-Origin-Resource-Policy": "cross-origin"} if _ancestor(kind) else ALONE


def _policy(kind: PageType) -> str:
    """Return the Content-Security-Policy: one origin may frame it, one nonce may run."""
    ancestor = _ancestor(kind)
    script = f"script-src 'nonce-{nonce()}'; " if kind.has_script else ""
    media = "media-src 'self'; " if g.get("plays") else ""
    policy = kind.policy.replace("{script}", script).replace("{media}", media)
    return policy.replace("{ancestors}", ancestor or "'none'")
