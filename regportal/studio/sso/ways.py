"""Which ways in are closed: passwords and passkeys, where only the provider lets people in."""

from flask import request
from flask_security import current_user

from regportal.accounts.models import Purpose
from regportal.errors import ForbiddenError
from regportal.store import current
from regportal.store.words import N_

ONLY_THERE = N_("Here people come in by the provider of the company, and by nothing else.")
NO_PASSWORD = N_("You have no password yet. Ask somebody who looks after the people for a link.")
BY_OURSELVES = frozenset(
    {
        "security.login",
        "security.verify",
        "security.wan_signin",
        "security.wan_signin_response",
        "security.wan_verify",
        "security.wan_verify_response",
        "security.wan_register",
        "security.wan_register_response",
        "security.two_factor_setup",
        "security.two_factor_setup_validate",
        "security.mf_recovery_codes",
        "security.change_password",
    }
)
"""Where somebody proves to us who he is, or chooses by what."""


def check() -> None:
    """Raise ForbiddenError where a form is sent for a way in that is closed."""
    if request.method != "POST":
        return
    if request.endpoint in BY_OURSELVES and not current.settings().has_passwords:
        raise ForbiddenError(ONLY_THERE)
    has_none = current_user.is_authenticated and current_user.password is None
    if request.endpoint == "security.change_password" and has_none:
        raise ForbiddenError(NO_PASSWORD)  # nothing would prove that it is he


def check_link(purpose: Purpose) -> None:
    """Raise ForbiddenError where a link would let somebody choose a password in vain."""
    if purpose is not Purpose.FIRST and not current.settings().has_passwords:
        raise ForbiddenError(ONLY_THERE)
