"""Tokens: opaque, one purpose each, kept as hashes."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from itsdangerous import URLSafeSerializer


def fresh_token() -> str:
    """Return 32 random bytes as text for a cookie."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> bytes:
    """Return what the database keeps of a token: its SHA-256."""
    return hashlib.sha256(token.encode()).digest()


def signing(keys: Sequence[bytes], purpose: str) -> URLSafeSerializer:
    """Return what signs with the newest key and reads what any of them signed, for one purpose."""
    return URLSafeSerializer(
        list(reversed(keys)),
        salt=purpose,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def derived_token(keys: Sequence[bytes], purpose: str, *parts: bytes) -> str:
    """
    Return a token only we can make, the same for the same parts.

    Sent twice, a form gets the same answer twice, and the database still holds only hashes.
    One purpose never makes another's token.

    >>> derived_token([b"k" * 32], "one", b"x") == derived_token([b"k" * 32], "two", b"x")
    False
    """
    message = b"".join(len(part).to_bytes(4, "big") + part for part in (purpose.encode(), *parts))
    digest = hmac.digest(keys[0], message, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def derived_code(key: bytes, purpose: str, *parts: bytes) -> str:
    """
    Return six digits only we can make, the same for the same parts.

    >>> derived_code(b"k" * 32, "code", b"x")
    '520916'
    """
    message = b"".join(len(part).to_bytes(4, "big") + part for part in (purpose.encode(), *parts))
    number = int.from_bytes(hmac.digest(key, message, "sha256")[:8], "big")
    return f"{number % 1_000_000:06}"
