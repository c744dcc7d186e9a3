"""
Flask-Security as the Studio uses it: passwords, codes, passkeys, and nothing beside them.

Its pages are ours (templates/studio), its people are ours (datastore.py). What it has and we do
not want is off: signing up, tokens, codes by mail, being remembered.
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, cast

from flask import Flask, Response, render_template, request, session, url_for
from flask_security import LoginForm, Security, Totp, current_user
from flask_security.core import UserMixin
from flask_security.recovery_codes import MfRecoveryCodesUtil
from flask_security.webauthn import WebAuthnSigninForm, WebAuthnSigninResponseForm
from flask_security.webauthn_util import WebauthnUtil
from flask_wtf.csrf import CSRFProtect
from passlib.totp import TotpMatch
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from regportal.config import Settings
from regportal.errors import BadRequestError
from regportal.identity import limits
from regportal.store import current
from regportal.store.tokens import derived_token
from regportal.store.words import N_
from regportal.studio.datastore import Accounts
from regportal.studio.known import opened_on_its_way, sealed_on_its_way
from regportal.studio.sessions import AWAITS
from regportal.studio.wording import WORDS

FRESH = timedelta(minutes=15)
"""So long after a proof somebody may change how he, or a colleague, comes in."""
SHORTEST = 12
"""Characters of a password."""
STEP = 30
"""Seconds that a code is good for; one step before and after it is taken, too."""
NEXT = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9_.~-]*/?)*(?:\?[A-Za-z0-9_.~=&%-]*)?")
"""A page of ours, by its path: no host, no scheme, nothing a browser reads as one."""
ASKED_AGAIN = frozenset(
    {
        "security.login",
        "security.verify",
        "security.change_password",
        "security.two_factor_token_validation",
        "security.mf_recovery",
    }
)
"""Where a form that is shown again was not good: what is good leads on."""
CODES = frozenset({"security.two_factor_token_validation", "security.mf_recovery"})
"""Where somebody proves a second factor."""


class SignIn(LoginForm):
    """Address and password; nobody is remembered beyond a session."""

    remember = None  # type: ignore[assignment] # WTForms drops the field

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Lead to the overview where nothing else was asked for."""
        super().__init__(*args, **kwargs)
        self.next.data = self.next.data or url_for("overview.overview")


class PasskeySignIn(WebAuthnSigninForm):
    """A passkey, without a name: a hint would tell whom we know."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Remember nobody, whatever was sent."""
        super().__init__(*args, **kwargs)
        self.remember.data, self.identity.data = False, ""


class PasskeyAnswer(WebAuthnSigninResponseForm):
    """What a passkey answered."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Remember nobody, whatever was sent."""
        super().__init__(*args, **kwargs)
        self.remember.data = ""
        self.next.data = self.next.data or url_for("overview.overview")


class Codes(Totp):
    """
    Codes of six digits, each taken once.

    A new secret is sealed while it travels through the browser, where it stands in an address;
    one that is kept comes opened from the datastore.
    """

    def generate_totp_secret(self) -> str:
        """Return a new secret, sealed."""
        return sealed_on_its_way(self._totp.new().to_json(encrypt=False), current.settings().keys)

    def verify_totp(self, token: str, totp_secret: str, user: UserMixin, window: int = 0) -> bool:
        """Return whether a code is that of this moment, and was not taken before."""
        return super().verify_totp(token, self._opened(totp_secret), user, window)

    def get_totp_uri(self, username: str, totp_secret: str) -> str:
        """Return what the picture says to a phone."""
        return super().get_totp_uri(username, self._opened(totp_secret))

    def get_totp_pretty_key(self, totp_secret: str) -> str:
        """Return the secret as people type it."""
        return super().get_totp_pretty_key(self._opened(totp_secret))

    def get_totp_b32_key(self, totp_secret: str) -> str:
        """Return the secret as programs read it."""
        return super().get_totp_b32_key(self._opened(totp_secret))

    def _opened(self, secret: str) -> str:
        """Return a secret that may be sealed."""
        return opened_on_its_way(secret, current.settings().keys)

    def get_last_counter(self, user: UserMixin) -> int | None:
        """Return of which moment the last code was that was taken."""
        found: int | None = getattr(user, "tf_counter", None)
        return found

    def set_last_counter(self, user: UserMixin, tmatch: TotpMatch) -> None:
        """Keep of which moment this one is."""
        setattr(user, "tf_counter", tmatch.counter)  # noqa: B010 - our Account has it
        cast("Accounts", _security().datastore).put(user)


class Recovery(MfRecoveryCodesUtil):
    """Recovery codes, shown once: what is kept are keyed hashes."""

    def create_recovery_codes(self, user: UserMixin) -> list[str]:
        """Make new ones in the place of those before, and return them."""
        security = _security()
        made: list[str] = security.totp_factory.generate_recovery_codes(10)
        security.datastore.mf_set_recovery_codes(user, [_hashed(user, one) for one in made])
        return made

    def get_recovery_codes(self, user: UserMixin) -> list[str]:
        """Return nothing: nobody can read them again."""
        del user
        return []

    def check_recovery_code(self, user: UserMixin, code: str) -> bool:
        """Return whether it is one that was not used yet."""
        return _hashed(user, code) in (user.mf_recovery_codes or ())

    def delete_recovery_code(self, user: UserMixin, code: str) -> bool:
        """Use one up."""
        left = [one for one in user.mf_recovery_codes or () if one != _hashed(user, code)]
        _security().datastore.mf_set_recovery_codes(user, left or None)
        return True


class Passkeys(WebauthnUtil):
    """What we ask of a passkey: that it finds its person itself, and asks for a finger or PIN."""

    def origin(self) -> str:
        """Return our own origin: as people see it, whatever proxies there are."""
        return current.settings().studio_origin

    def authenticator_selection(
        self, user: UserMixin, usage: str
    ) -> AuthenticatorSelectionCriteria:
        """Return of which kind it must be."""
        del user
        return AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED
            if usage == "first"
            else ResidentKeyRequirement.DISCOURAGED,
            user_verification=_verification(usage == "first"),
        )

    def user_verification(
        self, user: UserMixin | None, usage: list[str]
    ) -> UserVerificationRequirement:
        """Return whether it must know its person: in the place of a password always."""
        del user
        return _verification("secondary" not in usage)


def use(app: Flask, settings: Settings) -> None:
    """Let people sign in to an application."""
    app.config.update(_CONFIG)
    app.config["SECURITY_TOTP_SECRETS"] = {"1": secrets.token_hex()}  # none is ever sealed with it
    pepper = settings.pepper_text.encode()
    app.config["SECURITY_PASSWORD_SALT"] = derived_token([pepper], "studio-passwords")
    app.config["SECURITY_TOTP_ISSUER"] = f"regportal ({settings.studio_host})"
    app.config["SECURITY_WAN_RP_NAME"] = "regportal"
    for name, said in WORDS.items():
        app.config[f"SECURITY_MSG_{name}"] = said
    CSRFProtect(app)
    app.before_request(_check_next)
    app.before_request(_check_limits)
    security = Security(
        app,
        Accounts(),
        login_form=SignIn,
        wan_signin_form=PasskeySignIn,
        wan_signin_response_form=PasskeyAnswer,
        totp_cls=Codes,
        mf_recovery_codes_util_cls=Recovery,
        webauthn_util_cls=Passkeys,
        render_template=render_template,
    )
    security.want_json(lambda _request: False)
    security.login_manager.request_loader(lambda _request: None)  # no tokens
    security.login_manager.session_protection = None  # a session is a row here, not a cookie
    app.after_request(_say_refused)


_CONFIG: Mapping[str, Any] = {
    "REMEMBER_COOKIE_NAME": ";",  # which no cookie can be called: nobody is ever remembered
    "WTF_CSRF_TIME_LIMIT": None,  # as long as its session
    "WTF_CSRF_SSL_STRICT": False,  # the token binds it to a session, and Origin is checked
    "SECURITY_PASSWORD_HASH": "argon2",
    "SECURITY_PASSWORD_SCHEMES": ["argon2"],
    "SECURITY_DEPRECATED_PASSWORD_SCHEMES": [],
    "SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": {
        "argon2__memory_cost": 65536,
        "argon2__rounds": 3,
        "argon2__parallelism": 4,
    },
    "SECURITY_PASSWORD_LENGTH_MIN": SHORTEST,
    "SECURITY_PASSWORD_NORMALIZE_FORM": "NFKC",
    "SECURITY_RETURN_GENERIC_RESPONSES": True,
    "SECURITY_CHANGEABLE": True,
    "SECURITY_SEND_PASSWORD_CHANGE_EMAIL": False,
    "SECURITY_TWO_FACTOR": True,
    "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
    "SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY": STEP,
    "SECURITY_TWO_FACTOR_RESCUE_EMAIL": False,
    "SECURITY_TWO_FACTOR_POST_SETUP_VIEW": "account.account",
    "SECURITY_TWO_FACTOR_ALWAYS_VALIDATE": True,
    "SECURITY_MULTI_FACTOR_RECOVERY_CODES": True,
    "SECURITY_WEBAUTHN": True,
    "SECURITY_WAN_ALLOW_USER_HINTS": False,
    "SECURITY_WAN_POST_REGISTER_VIEW": "account.account",
    "SECURITY_FRESHNESS": FRESH,
    "SECURITY_FRESHNESS_GRACE_PERIOD": timedelta(0),
    "SECURITY_DATETIME_FACTORY": partial(datetime.now, UTC),
    "SECURITY_API_ENABLED_METHODS": ["session"],
    "SECURITY_POST_LOGIN_VIEW": "overview.overview",
    "SECURITY_POST_LOGOUT_VIEW": "security.login",
    "SECURITY_POST_CHANGE_VIEW": "account.account",
    "SECURITY_POST_VERIFY_VIEW": "account.account",
    "SECURITY_CACHE_CONTROL": None,  # its page type says it
    "SECURITY_CLI_USERS_NAME": None,
    "SECURITY_CLI_ROLES_NAME": None,
    "SECURITY_EMAIL_VALIDATOR_ARGS": {"check_deliverability": False, "test_environment": True},
    "SECURITY_LOGIN_USER_TEMPLATE": "studio/sign_in.html",
    "SECURITY_VERIFY_TEMPLATE": "studio/verify.html",
    "SECURITY_CHANGE_PASSWORD_TEMPLATE": "studio/change_password.html",
    "SECURITY_TWO_FACTOR_SETUP_TEMPLATE": "studio/second_factor.html",
    "SECURITY_TWO_FACTOR_VERIFY_CODE_TEMPLATE": "studio/code.html",
    "SECURITY_TWO_FACTOR_SELECT_TEMPLATE": "studio/which_factor.html",
    "SECURITY_MULTI_FACTOR_RECOVERY_TEMPLATE": "studio/recovery_code.html",
    "SECURITY_MULTI_FACTOR_RECOVERY_CODES_TEMPLATE": "studio/recovery_codes.html",
    "SECURITY_WAN_REGISTER_TEMPLATE": "studio/passkeys.html",
    "SECURITY_WAN_SIGNIN_TEMPLATE": "studio/passkey.html",
    "SECURITY_WAN_VERIFY_TEMPLATE": "studio/passkey.html",
}


def _verification(required: bool) -> UserVerificationRequirement:  # noqa: FBT001 - one thing
    """Return what we ask of a passkey about its person."""
    kinds = UserVerificationRequirement
    return kinds.REQUIRED if required else kinds.DISCOURAGED


def _security() -> Security:
    """Return Flask-Security of this application."""
    from flask import current_app  # noqa: PLC0415 - a proxy of this request

    found: Security = current_app.extensions["security"]
    return found


def _hashed(user: UserMixin, code: str) -> str:
    """Return what is kept of somebody's recovery code, however it is spelled."""
    plain = "".join(sign for sign in code.casefold() if sign.isalnum())
    pepper = current.settings().pepper_text.encode()
    return hmac.new(pepper, f"recovery\n{user.id}\n{plain}".encode(), "sha256").hexdigest()


def _check_next() -> None:
    """Raise BadRequestError where ``next`` is anything but the path of a page of ours."""
    for sent in (request.args, request.form if request.method == "POST" else {}):
        for asked in sent.getlist("next") if hasattr(sent, "getlist") else ():
            if asked and not NEXT.fullmatch(asked):
                raise BadRequestError(N_("This leads somewhere else."), "next")


def _check_limits() -> None:
    """Count what could be guessed; raises TooManyError, the same for whoever we know or not."""
    if request.method != "POST":
        return
    if request.endpoint == "security.login":
        limits.check("sign-in")
        limits.check("sign-in-as", request.form.get("email", "").strip().casefold())
    elif request.endpoint == "security.wan_signin_response":
        limits.check("sign-in")
    elif request.endpoint in CODES and session.get(AWAITS):
        limits.check("second-factor", str(session[AWAITS]))
    elif request.endpoint in {"security.verify", "security.change_password"}:
        limits.check("sign-in-as", getattr(current_user, "email", ""))


def _say_refused(response: Response) -> Response:
    """Give a form that was not good the status that says so."""
    again = request.method == "POST" and request.endpoint in ASKED_AGAIN
    if again and response.status_code == HTTPStatus.OK:
        response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    return response
