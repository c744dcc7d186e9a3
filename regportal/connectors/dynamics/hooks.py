"""
Calls of Dataverse's webhooks: not signed, so a header of our choice must hold our secret.

What they say is no whole truth: the larger ones lack their values. A genuine call is a hint, after
which Dynamics is asked.
"""

import hashlib
import hmac
from datetime import datetime

from regportal.connectors.base import MOST_INBOUND, TOO_LONG, InboundReply, InboundRequest

HEADER = "x-regportal-key"
REQUEST = "x-ms-correlation-request-id"


def accept(secret: str | None, request: InboundRequest, *, now: datetime) -> InboundReply:
    """Return what a call is answered: 202 genuine, 401 not, 413 too long."""
    if len(request.body) > MOST_INBOUND:
        return TOO_LONG
    named = {name.lower(): value for name, value in request.headers.items()}
    words = [one.strip() for one in (secret or "").split(",") if one.strip()]
    given = named.get(HEADER, "").encode()
    fits = [hmac.compare_digest(one.encode(), given) for one in words]
    if not any(fits):
        return InboundReply(401, "the call does not hold our key")
    digest = hashlib.sha256(request.body).hexdigest()
    minute = int(now.timestamp()) // 60
    return InboundReply(202, "taken", f"{digest[:32]}:{minute}", is_hint=True)
