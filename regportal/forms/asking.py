"""The ask token: what a form asked, signed, so that nobody can answer what was not asked."""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import asdict

from itsdangerous import BadSignature

from regportal.errors import BadRequestError, ForbiddenError
from regportal.forms.rules import Ask
from regportal.store.tokens import hash_of, signing
from regportal.store.words import N_

PURPOSE = "regportal.ask"


def write_ask(ask: Ask, keys: Sequence[bytes]) -> str:
    """Return the token for a form."""
    return signing(keys, PURPOSE).dumps(list(asdict(ask).values()))


def read_ask(token: str, keys: Sequence[bytes]) -> Ask:
    """Return what a form asked; raise BadRequestError where we did not ask it."""
    try:
        return Ask(*signing(keys, PURPOSE).loads(token))
    except (BadSignature, TypeError, ValueError, UnicodeError) as error:
        says = N_("This form is not one of ours. Please open the page again.")
        raise BadRequestError(says) from error


def csrf_token(browser: str, keys: Sequence[bytes]) -> str:
    """Return the token that binds a rendered form to the browser it was rendered for."""
    return f"{browser}.{_seal(browser, keys[0])}"


def read_csrf_token(given: str, keys: Sequence[bytes]) -> str:
    """Return the browser a form was rendered for; raise ForbiddenError for a forged token."""
    browser, _, seal = given.partition(".")
    if not any(hmac.compare_digest(seal.encode(), _seal(browser, key).encode()) for key in keys):
        raise ForbiddenError(N_("This form did not come from our page. Please open it again."))
    return browser


def browser_of(token: str) -> str:
    """Return how a form names the browser that holds this token."""
    return base64.urlsafe_b64encode(hash_of(token)).rstrip(b"=").decode()


def hash_named(browser: str) -> bytes:
    """Return the hash of the token a form names; empty where it names none."""
    try:
        return base64.urlsafe_b64decode(browser + "=" * (-len(browser) % 4))
    except ValueError:
        return b""


def _seal(browser: str, key: bytes) -> str:
    """Return what only we can write under a browser's name."""
    digest = hmac.digest(key, f"regportal.csrf\n{browser}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
