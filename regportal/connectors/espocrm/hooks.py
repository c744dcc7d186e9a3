"""
Calls of EspoCRM's webhooks: genuine or not, and nothing else.

What they say is no whole truth: an update names only what changed, and when is not said. So a
genuine call is a hint, after which EspoCRM is asked.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from regportal.connectors.base import MOST_INBOUND, TOO_LONG, InboundReply, InboundRequest

LONGEST_ID = 64
NOT_SIGNED = InboundReply(401, "the call is not signed")


def keys_of(secret: str) -> tuple[bytes, ...]:
    """
    Return the secret keys of webhooks: one each, separated by commas or blanks.

    >>> keys_of("7610b610, cc09eb15")
    (b'7610b610', b'cc09eb15')
    """
    return tuple(part.encode() for part in secret.replace(",", " ").split())


def accept(keys: Sequence[bytes], request: InboundRequest, *, now: datetime) -> InboundReply:
    """
    Return what a call is answered: 202 genuine, 401 not, 413 too long.

    The header ``Signature`` is base64 of the webhook's id, a colon and the HMAC-SHA256 of the body
    in hex; ``X-Signature``, of older versions, has its bytes instead. Neither holds a time: the
    same call counts as another one after a minute, for what it announces may have happened again.
    """
    if len(request.body) > MOST_INBOUND:
        return TOO_LONG
    named = {name.lower(): value for name, value in request.headers.items()}
    digests = [hmac.digest(key, request.body, hashlib.sha256) for key in keys]
    hook = _signer(named.get("signature"), [one.hex().encode() for one in digests])
    hook = hook or _signer(named.get("x-signature"), digests)
    if hook is None:
        return NOT_SIGNED
    digest = hashlib.sha256(request.body).hexdigest()
    minute = int(now.timestamp()) // 60
    return InboundReply(202, "taken", f"{hook}:{digest[:32]}:{minute}", is_hint=True)


def _signer(header: str | None, expected: Sequence[bytes]) -> str | None:
    """Return the id of the webhook that signed; None where none of ours did."""
    try:
        said = base64.b64decode(header or "", validate=True)
    except ValueError:
        return None
    hook, _, given = said.partition(b":")
    fits = [hmac.compare_digest(one, given) for one in expected]
    if not any(fits) or len(hook) > LONGEST_ID or not hook.isalnum():
        return None
    return hook.decode("ascii")
