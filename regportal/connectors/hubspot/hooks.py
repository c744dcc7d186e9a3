"""
Calls of HubSpot's webhooks: genuine or not, and nothing else.

Their order is not promised, and a change names only what changed. So a genuine call is a hint,
after which HubSpot is asked.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from regportal.connectors.base import InboundReply, InboundRequest

MOST = 256 * 1024
"""Bytes of one call: a hundred events have less."""
LONGEST_AGO = 300_000
"""Milliseconds that the call's own time may differ from ours, before or after."""
SIGNATURE, TIMESTAMP = "x-hubspot-signature-v3", "x-hubspot-request-timestamp"
DECODED = {f"%{ord(letter):02X}": letter for letter in ":/?@!$'()*,;"}
"""What is decoded in the query before it is signed, and nothing else."""
_ESCAPED = re.compile("|".join(DECODED), re.IGNORECASE)
_MOMENT = re.compile(r"[0-9]{1,15}", re.ASCII)


def keys_of(secret: str) -> tuple[bytes, ...]:
    """
    Return the client secrets of an app: while it changes the new and the old one.

    >>> keys_of("one, two")
    (b'one', b'two')
    """
    return tuple(part.encode() for part in secret.replace(",", " ").split())


def signature(key: bytes, uri: str, body: bytes, timestamp: str) -> str:
    """
    Return the signature of a call, version 3.

    >>> signature(
    ...     b"yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
    ...     "https://www.example.com/webhook_uri",
    ...     b"{'example_field':'example_value'}",
    ...     "1693657560000",
    ... )
    'K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y='
    """
    place, mark, query = uri.partition("?")
    decoded = _ESCAPED.sub(lambda found: DECODED[found[0].upper()], query)
    source = f"POST{place}{mark}{decoded}".encode() + body + timestamp.encode()
    return base64.b64encode(hmac.digest(key, source, hashlib.sha256)).decode()


def accept(keys: Sequence[bytes], request: InboundRequest, *, now: datetime) -> InboundReply:
    """
    Return what a call is answered: 202 genuine, 401 not, 413 too long.

    The signature is over the address at which we are called from outside, not the one at which a
    proxy calls us.
    """
    if len(request.body) > MOST:
        return InboundReply(413, f"more than {MOST // 1024} KiB")
    named = {name.lower(): value for name, value in request.headers.items()}
    given, stamp = named.get(SIGNATURE, ""), named.get(TIMESTAMP, "")
    if not _MOMENT.fullmatch(stamp):
        return InboundReply(401, "the call does not say when it was signed")
    fits = [
        hmac.compare_digest(
            signature(key, request.url, request.body, stamp).encode(), given.encode()
        )
        for key in keys
    ]
    if not any(fits):
        return InboundReply(401, "the signature is wrong")
    if abs(now.timestamp() * 1000 - int(stamp)) > LONGEST_AGO:
        return InboundReply(401, "the call was signed at another time")
    digest = hashlib.sha256(request.body).hexdigest()
    return InboundReply(202, "taken", digest[:32], digest, is_hint=True)
