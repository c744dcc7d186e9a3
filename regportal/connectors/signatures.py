"""Standard Webhooks 1.0: signing what we send, and believing what we are sent."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from regportal.errors import ConfigError, UnsignedError

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
TOLERANCE = 300  # seconds, before and after
MOST_SIGNATURES = 16
MESSAGE_ID = re.compile(r"[!-\-/-~]{1,255}")  # visible ASCII, but no dot: it separates
TIMESTAMP = re.compile(r"[0-9]{1,12}")


def keys_of(secret: str) -> tuple[bytes, ...]:
    """
    Return the keys a secret holds; several, separated by commas or spaces, for rotation.

    >>> [len(key) for key in keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    [24]

    Raises ConfigError where one is not ``whsec_`` and 24 to 64 bytes of base64.
    """
    keys = tuple(_key_of(part) for part in secret.replace(",", " ").split())
    if not keys:
        raise ConfigError("a webhook secret is empty")
    return keys


def sign(keys: Sequence[bytes], message_id: str, at: datetime, body: bytes) -> str:
    """Return the ``webhook-signature`` of a message sent at this moment: one a key."""
    return " ".join(
        f"v1,{base64.b64encode(_digest(key, message_id, _seconds(at), body)).decode()}"
        for key in keys
    )


def signed(keys: Sequence[bytes], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers of a signed message."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": _seconds(at),
        "webhook-signature": sign(keys, message_id, at, body),
    }


def verify(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, *, now: datetime) -> str:
    """
    Return the id of a message that one of these keys signed within the last five minutes.

    Anything wrong raises UnsignedError, and nothing else is ever raised.
    """
    named = {name.lower(): value for name, value in headers.items()}
    message_id = named.get("webhook-id", "")
    seconds = named.get("webhook-timestamp", "")
    given = named.get("webhook-signature", "").split(" ")[:MOST_SIGNATURES]
    if not MESSAGE_ID.fullmatch(message_id) or not TIMESTAMP.fullmatch(seconds):
        raise UnsignedError("the call is not signed")
    if abs(now.timestamp() - int(seconds)) > TOLERANCE:
        raise UnsignedError("the call is not signed")
    expected = [_digest(key, message_id, seconds, body) for key in keys]
    passed = [_decoded(text) for text in given]
    if not any([hmac.compare_digest(one, other) for one in expected for other in passed]):  # noqa: C419 - all are compared, whichever fits
        raise UnsignedError("the call is not signed")
    return message_id


def _digest(key: bytes, message_id: str, seconds: str, body: bytes) -> bytes:
    """Return the HMAC-SHA256 over id, timestamp and the bytes of the body."""
    return hmac.digest(key, f"{message_id}.{seconds}.".encode() + body, hashlib.sha256)


def _seconds(at: datetime) -> str:
    """Return the moment in whole seconds since 1970, the same in every time zone."""
    return str(int(at.timestamp()))


def _decoded(signature: str) -> bytes:
    """Return the bytes of one ``v1,…``; nothing for any other text."""
    version, _, text = signature.partition(",")
    try:
        return base64.b64decode(text, validate=True) if version == "v1" else b""
    except (ValueError, binascii.Error):
        return b""


def _key_of(secret: str) -> bytes:
    """Return the key of one ``whsec_…``."""
    before, prefix, text = secret.partition(PREFIX)
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if before or not prefix or len(key) not in KEY_BYTES:
        raise ConfigError("a webhook secret must be whsec_ and 24 to 64 bytes in base64")
    return key
