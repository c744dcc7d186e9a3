"""Who may open which page of the Studio: whatever nobody has decided is refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from flask import Flask, current_app, flash, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from flask_security.utils import check_and_update_authn_fresh

from regportal.accounts.roles import Permission
from regportal.errors import ForbiddenError, NotHereError
from regportal.store.headers import refuse_missing
from regportal.store.words import N_

V = TypeVar("V", bound=Callable[..., Any])
NOT_YOURS = N_("You may not see this. An owner can give you the role for it.")
OVER = N_("Please sign in.")
PROVE = N_("Please prove once more that it is you.")


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may open a page."""

    permission: Permission | None = None
    """What somebody must be allowed; None: nothing but what ``is_open`` says."""
    is_open: bool = False
    """Whether nobody has to be signed in."""
    is_closed: bool = False
    """Whether it is there for nobody: a page of a library that we do not use."""
    is_fresh: bool = False
    """Whether somebody must have proved a short while ago that it is he."""
    why: str = ""


def page(permission: Permission, *, fresh: bool = False) -> Callable[[V], V]:
    """Let those open a view who are allowed this."""
    return _decided(Policy(permission=permission, is_fresh=fresh))


def own_page(why: str, *, fresh: bool = False) -> Callable[[V], V]:
    """Let everybody open a view who is signed in, and say why that is right."""
    return _decided(Policy(is_fresh=fresh, why=why))


def open_page(why: str) -> Callable[[V], V]:
    """Let anybody open a view, and say why that is right."""
    return _decided(Policy(is_open=True, why=why))


OPEN = Policy(is_open=True, why="before somebody is signed in")
OWN = Policy(why="everybody's own account")
ASSET = Policy(is_open=True, why="styles and scripts, the same for all")
CLOSED = Policy(is_closed=True, why="we do not use it")
LIBRARY: Mapping[str, Policy] = MappingProxyType(
    {
        "security.login": OPEN,
        "security.logout": OWN,
        "security.verify": OWN,
        "security.change_password": OWN,
        "security.two_factor_setup": OWN,
        "security.two_factor_setup_validate": OWN,
        "security.two_factor_token_validation": OPEN,
        "security.two_factor_rescue": CLOSED,
        "security.tf_select": OPEN,
        "security.mf_recovery_codes": OWN,
        "security.mf_recovery": OPEN,
        "security.wan_register": OWN,
        "security.wan_register_response": OWN,
        "security.wan_signin": OPEN,
        "security.wan_signin_response": OPEN,
        "security.wan_verify": OWN,
        "security.wan_verify_response": OWN,
        "security.wan_delete": OWN,
        "security.static": CLOSED,
        "bootstrap.static": ASSET,
        "static": ASSET,
        "vendor.static": ASSET,
        "reports.csp": Policy(is_open=True, why="browsers tell there what broke a policy"),
    }
)
"""Of the views that libraries bring along."""


def use(app: Flask) -> None:
    """
    Refuse whatever nobody has decided.

    Raises LookupError where an endpoint has no policy: without one nothing is served.
    """
    app.extensions["regportal.policies"] = policies = dict(LIBRARY) | {
        name: view.policy for name, view in app.view_functions.items() if hasattr(view, "policy")
    }
    refuse_missing(app, policies, "policy")
    app.before_request(_guard)


def policy_of(endpoint: str | None) -> Policy | None:
    """Return who may open what is asked for; None: nobody has decided, or there is nothing."""
    found: Policy | None = current_app.extensions["regportal.policies"].get(endpoint)
    return found


def may(permission: Permission) -> bool:
    """Return whether whoever is signed in may do this."""
    return permission in getattr(current_user, "permissions", ())


def _decided(policy: Policy) -> Callable[[V], V]:
    """Return what writes a policy on a view."""

    def write(view: V) -> V:
        view.policy = policy  # type: ignore[attr-defined] # read by use()
        return view

    return write


def _guard() -> ResponseReturnValue | None:
    """Let a request in, or say why not; raises ForbiddenError and NotHereError."""
    if request.endpoint is None:
        return None  # there is nothing under this address
    policy = policy_of(request.endpoint)
    if policy is None:
        raise ForbiddenError(NOT_YOURS)
    if policy.is_closed:
        raise NotHereError(request.endpoint)
    if policy.is_open:
        return None
    if not current_user.is_authenticated:
        return _ask_to_sign_in()
    if policy.permission is not None and not may(policy.permission):
        raise ForbiddenError(NOT_YOURS)
    if policy.is_fresh and not _is_fresh():
        flash(PROVE, "info")
        return redirect(url_for("security.verify", next=_here()), 303)
    g.who = current_user.id
    return None


def _ask_to_sign_in() -> ResponseReturnValue:
    """Lead to the sign-in, and from there back to a page that was asked for."""
    flash(OVER, "info")
    back = _here() if _may_be_reopened() else None
    return redirect(url_for("security.login", next=back), 303)


def _may_be_reopened() -> bool:
    """Return whether an address says all there was to the request."""
    return request.method == "GET" and request.endpoint != "overview.overview"


def _here() -> str:
    """Return where we are, with what was asked for there, as ``next`` names it."""
    asked = urlencode([*request.args.items(multi=True)], safe="", quote_via=quote)
    return f"{request.root_path}{request.path}" + (f"?{asked}" if asked else "")


def _is_fresh() -> bool:
    """Return whether whoever is signed in proved a short while ago that it is he."""
    within = current_app.config["SECURITY_FRESHNESS"]
    grace = current_app.config["SECURITY_FRESHNESS_GRACE_PERIOD"]
    return bool(session) and check_and_update_authn_fresh(within, grace, "session")
