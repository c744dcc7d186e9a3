"""
The way to the company's provider and back.

Both ends are pages of ours that lead on by themselves. From a form a browser follows nobody to
another host (``form-action``), and after a page of somebody else it sends no strict cookie.
"""

import hmac
import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import (
    Blueprint,
    Flask,
    after_this_request,
    current_app,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_security import current_user
from flask_security.utils import login_user
from sqlalchemy.orm import Session

from regportal.accounts import sessions
from regportal.accounts.audit import Doer
from regportal.accounts.elsewhere import NOT_LET_IN, Told, come_in, roles_named
from regportal.config import Settings
from regportal.errors import ForbiddenError, NotHereError, StaleError, UnreachableError
from regportal.identity import limits
from regportal.store import current
from regportal.store.problem import request_id
from regportal.store.tokens import hash_of
from regportal.store.words import N_, translated
from regportal.studio.policies import open_page
from regportal.studio.signing_in import FRESH
from regportal.studio.sso import rounds, ways
from regportal.studio.sso.proof import SKEW, Proof, groups_of, read, told_of
from regportal.studio.sso.provider import Provider, ProviderError
from regportal.studio.sso.rounds import Round

log = logging.getLogger(__name__)
SILENT = N_("Your provider does not answer. Please try again in a minute.")
UNBELIEVED = N_("What your provider says cannot be believed. Whoever runs regportal sees why.")
BEGIN_ANEW = N_("That took too long, or was begun in another browser. Please begin anew.")
DECLINED = N_("Your provider did not let you in.")
NOT_ANEW = N_("Your provider does not say that you have just proved who you are.")
LONGEST = 4096
"""Characters of a code."""

bp = Blueprint("sso", __name__)


def use(app: Flask, settings: Settings) -> None:
    """Let people come in by the provider of the company, where one is named."""
    app.extensions["regportal.sso"] = Provider(settings)
    label = settings.sso_label if settings.has_sso else ""
    app.context_processor(lambda: {"sso": label, "has_passwords": settings.has_passwords})
    app.before_request(ways.check)
    app.register_blueprint(bp)


@bp.post("/sso")
@open_page("whoever wants to sign in at the provider")
def start() -> ResponseReturnValue:
    """Lead somebody to the provider, also whoever must prove once more that it is he."""
    settings, now = _settings(), datetime.now(UTC)
    limits.check("sign-in", now=now)
    only: uuid.UUID | None = current_user.id if current_user.is_authenticated else None
    key = getattr(session, "key", None)
    onward = request.form.get("next") or url_for("overview.overview")
    one = rounds.begin(onward, only, key, now=now)
    try:
        address = _asked(one, settings)
    except (UnreachableError, ProviderError) as error:
        log.warning("the provider of single sign-on: %s", error)
        is_silent = isinstance(error, UnreachableError)
        flash(SILENT if is_silent else UNBELIEVED, "error")
        way = "security.verify" if only else "security.login"
        return redirect(url_for(way, next=request.form.get("next")), 303)
    response = make_response(render_template("studio/onward.html", address=address, is_in=False))
    rounds.keep(response, one, settings)
    return response


@bp.get("/sso/back")
@open_page("whoever comes back from the provider; it opens once")
def back() -> ResponseReturnValue:
    """
    Let in whom the provider proved, once.

    What a GET may not do elsewhere it may here: only the browser that began has the round.
    """
    settings, now = _settings(), datetime.now(UTC)
    limits.check("sign-in", now=now)
    after_this_request(lambda response: rounds.forget(response, settings))
    try:
        onward = _arrive(settings, now=now)
    except (ForbiddenError, StaleError) as error:
        sentence = translated(str(error), g.locale)
        return render_template("studio/not_in.html", sentence=sentence), error.status
    return render_template("studio/onward.html", address=onward, is_in=True)


def _arrive(settings: Settings, *, now: datetime) -> str:
    """
    Let in whoever comes back; return the page that was asked for.

    Raises ForbiddenError and StaleError.
    """
    one = _round(settings, now=now)
    try:
        proof, told = _proven(one, settings, now=now)
    except UnreachableError as error:
        log.warning("the provider of single sign-on: %s", error)
        raise ForbiddenError(SILENT) from error
    except ProviderError as error:
        log.warning("somebody is not let in by single sign-on: %s", error)
        raise ForbiddenError(UNBELIEVED) from error
    if one.only and not _is_fresh(proof, now=now):
        raise ForbiddenError(NOT_ANEW)
    user_id = _let_in(one, told, now=now)
    login_user(current_app.extensions["security"].datastore.find_user(id=user_id))
    session["fs_paa"] = proof.proved_at if _is_fresh(proof, now=now) else 0.0
    return one.onward


def _settings() -> Settings:
    """Return the settings; raises NotHereError where no provider is named."""
    found = current.settings()
    if not found.has_sso:
        raise NotHereError("no single sign-on")
    return found


def _provider() -> Provider:
    """Return the provider."""
    found: Provider = current_app.extensions["regportal.sso"]
    return found


def _back(settings: Settings) -> str:
    """Return where the provider leads back to."""
    return f"{settings.studio_address}/sso/back"


def _asked(one: Round, settings: Settings) -> str:
    """Return the provider's address, with all that it is asked."""
    from authlib.oauth2.rfc7636 import create_s256_code_challenge  # noqa: PLC0415 - an extra

    described = _provider().described()
    asked = {
        "response_type": "code",
        "client_id": settings.sso_client_id,
        "redirect_uri": _back(settings),
        "scope": "openid email profile",
        "state": one.state,
        "nonce": one.nonce,
        "code_challenge": create_s256_code_challenge(one.verifier),
        "code_challenge_method": "S256",
    }
    if one.only:
        asked["max_age"] = "0"
    wanted = [value for name, value in settings.required_claims if name == "acr"]
    if wanted:
        asked["acr_values"] = " ".join(wanted)
    joined = "&" if urlsplit(described.authorize).query else "?"
    return f"{described.authorize}{joined}{urlencode(asked)}"


def _round(settings: Settings, *, now: datetime) -> Round:
    """
    Return the round to which this is the answer, in this browser and from whom it asked.

    Raises StaleError and ForbiddenError.
    """
    one = rounds.kept_in(request, settings)
    sent = request.args.get("state", "")
    if one is None or one.is_over(now):
        raise StaleError(BEGIN_ANEW)
    if not hmac.compare_digest(sent.encode(), one.state.encode()):
        raise StaleError(BEGIN_ANEW)
    issuer = request.args.get("iss")
    if issuer is not None and issuer != settings.sso_issuer:
        log.warning("somebody comes back to single sign-on from another provider than ours")
        raise ForbiddenError(UNBELIEVED)
    if "error" in request.args:
        raise ForbiddenError(DECLINED)
    return one


def _proven(one: Round, settings: Settings, *, now: datetime) -> tuple[Proof, Told]:
    """Return what the provider says of whoever comes back; raises ProviderError."""
    provider, code = _provider(), request.args.get("code", "")
    if provider.described().says_issuer and "iss" not in request.args:
        raise ProviderError("it did not name itself, as it says it does")
    if not 0 < len(code) <= LONGEST or len(request.args.getlist("code")) > 1:
        raise ProviderError("it leads back without a code")
    _use_up(one)
    given = provider.exchange(code, one.verifier, _back(settings))
    proof = read(provider, given, one.nonce, settings, now=now)
    more: Mapping[str, Any] = {}
    wants_groups = settings.sso_roles and settings.sso_roles_claim not in proof.claims
    if "email" not in proof.claims or wants_groups:
        more = provider.userinfo(given.access_token)
    told = told_of(proof, more, settings)
    groups = groups_of(proof, more, settings.sso_roles_claim)
    roles = roles_named(settings, groups)
    return proof, Told(told.issuer, told.subject, told.email, told.name, roles)


def _use_up(one: Round) -> None:
    """Let a round be walked once, whatever becomes of it; raises StaleError the second time."""
    key = hash_of(f"studio-sso\n{one.state}")
    if not current.store().write(
        lambda writing: limits.take(writing, key, 1, limits.HOUR, one.begun_at)
    ):
        raise StaleError(BEGIN_ANEW)


def _is_fresh(proof: Proof, *, now: datetime) -> bool:
    """Return whether somebody has just proved to the provider who he is."""
    age = now.timestamp() - (proof.proved_at or 0.0)
    return -SKEW <= age <= FRESH.total_seconds()


def _let_in(one: Round, told: Told, *, now: datetime) -> uuid.UUID:
    """Return who comes in; raises ForbiddenError where nobody does."""
    doer, here = Doer(None, request_id()), getattr(session, "key", None)
    old = bytes.fromhex(one.session) if one.session else None

    def come(writing: Session) -> tuple[uuid.UUID | None, str]:
        found, why = come_in(writing, told, only=one.only_id, doer=doer, now=now)
        if found is not None and old is not None and old != here:  # it did not come along
            sessions.end(writing, old)
        return (found.id if found else None), why

    user_id, why = current.store().write(come)
    if user_id is None:
        raise ForbiddenError(why or NOT_LET_IN)
    return user_id
