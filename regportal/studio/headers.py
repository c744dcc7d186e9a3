"""The headers of the Studio's pages (security.md 4: P8, P9, P10)."""

from flask import Flask, Response, g, request

from regportal.store import current
from regportal.store.headers import ALONE, ERROR, HEALTH, MINUTES, PageType, common_to, nonce
from regportal.studio.policies import ASSET, policy_of

CLEARED = '"cache", "storage"'
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'{dynamic}; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; {frames}form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types rp; report-to csp"
)
OWN = {
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language, Cookie, Sec-Fetch-Site",
    **ALONE,
}
STUDIO = PageType(
    POLICY.replace("{dynamic}", " 'strict-dynamic'").replace("{frames}", "frame-src {portal}; "),
    OWN,
    has_script=True,
)
"""P8: whoever is signed in; the portal shows him gates there."""
ENTRY = PageType(POLICY.replace("{dynamic}", "").replace("{frames}", ""), OWN, has_script=True)
"""P9: nobody yet."""
STYLES = PageType(
    "default-src 'none'",
    {
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": f"public, max-age={MINUTES}",
    },
)


def use(app: Flask) -> None:
    """Give every answer the headers of its page type, which follows from its policy."""
    app.context_processor(lambda: {"nonce": nonce()})
    app.after_request(_with_headers)


def _kind() -> PageType:
    """Return what kind of page this answer is."""
    policy = policy_of(request.endpoint)
    if "failed" in g or policy is None:
        return ERROR
    if request.endpoint == "reports.csp":
        return HEALTH
    if policy is ASSET:
        return STYLES
    return ENTRY if policy.is_open else STUDIO


def _with_headers(response: Response) -> Response:
    """Set the headers."""
    kind = _kind()
    headers = common_to(request) | kind.headers
    policy = kind.policy.replace("{nonce}", nonce())
    headers["Content-Security-Policy"] = policy.replace("{portal}", current.settings().origin)
    if "locale" in g:
        headers["Content-Language"] = g.locale
    if request.endpoint == "security.logout":
        headers["Clear-Site-Data"] = CLEARED
    response.headers.pop("Cache-Control", None)  # what libraries say of it
    for name, value in headers.items():
        response.headers[name] = value
    return response
