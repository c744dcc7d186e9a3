"""
Calls of HubSpot's webhooks: genuine or not, and what they say of records that are gone.

Their order is not promised, and a change names only what changed. So a genuine call is a hint,
after which HubSpot is asked. Of deletions, merges and ended associations only they tell.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from regportal.connectors.base import MOST_INBOUND, TOO_LONG, InboundReply, InboundRequest, Notice
from regportal.connectors.hubspot.values import in_full
from regportal.connectors.telling import notice
from regportal.errors import JsonError
from regportal.store.strict_json import read_json

LONGEST_AGO = 300_000
"""Milliseconds that the call's own time may differ from ours, before or after."""
SIGNATURE, TIMESTAMP = "x-hubspot-signature-v3", "x-hubspot-request-timestamp"
DECODED = {f"%{ord(letter):02X}": letter for letter in ":/?@!$'()*,;"}
"""What is decoded in the query before it is signed, and nothing else."""
OBJECTS = {"0-1": "contact", "0-3": "deal"}
"""Of what kind a record is, where a call names kinds by their numbers."""
ENDS = {
    "DEAL_TO_CONTACT": ("fromObjectId", "toObjectId"),
    "CONTACT_TO_DEAL": ("toObjectId", "fromObjectId"),
}
"""Which end of an association is the deal, and which the contact; it is told from both."""
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


def accept(
    keys: Sequence[bytes], request: InboundRequest, *, account: str | None = None, now: datetime
) -> InboundReply:
    """
    Return what a call is answered: 202 genuine, 401 not, 413 too long.

    The signature is over the address at which we are called from outside, not the one at which a
    proxy calls us. An app signs for all accounts it is installed in with one secret: only what is
    said of ``account`` is news.
    """
    if len(request.body) > MOST_INBOUND:
        return TOO_LONG
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
    news = () if account is None else tuple(news_of(request.body, account))
    return InboundReply(202, "taken", digest[:32], is_hint=True, news=news)


def news_of(body: bytes, account: str) -> Iterator[Notice]:
    """
    Yield what a call says of records of an account that are gone; of what is no event, nothing.

    >>> body = (
    ...     b'[{"portalId": 7, "subscriptionType": "contact.privacyDeletion", "objectId": 151},'
    ...     b' {"portalId": 8, "subscriptionType": "contact.deletion", "objectId": 152}, null]'
    ... )
    >>> [one.body for one in news_of(body, "7")]
    [{'type': 'contact.erased', 'data': {'record': '151'}}]
    """
    try:
        events = read_json(body, most=MOST_INBOUND)
    except JsonError:
        return
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict) and _number(event.get("portalId")) == account:
            at = _moment(event.get("occurredAt"))
            for type_, told in _said(event):
                yield notice(type_, told, at, *told.values())


def _said(event: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield what an event says that cannot be asked for later."""
    kind, _, what = str(event.get("subscriptionType")).partition(".")
    kind = OBJECTS.get(str(event.get("objectTypeId")), kind)
    id = _number(event.get("objectId"))
    match kind, what:
        case "contact", "deletion" if id:
            yield "contact.deleted", {"record": id}
        case "contact", "privacyDeletion" if id:
            yield "contact.erased", {"record": id}
        case "deal", "deletion" if id:
            yield "opportunity.deleted", {"external_id": id}
        case "contact", "merge":
            kept, merged = _number(event.get("primaryObjectId")), event.get("mergedObjectIds")
            for one in merged if kept and isinstance(merged, list) else ():
                if joined := _number(one):
                    yield "contact.merged", {"record": joined, "into": str(kept)}
        case _, "associationChange" if event.get("associationRemoved") is True:
            names = ENDS.get(str(event.get("associationType")), ())
            ends = [id for name in names if (id := _number(event.get(name)))]
            if len(ends) > 1:
                yield (
                    "contact_role.removed",
                    dict(zip(("opportunity", "record"), ends, strict=True)),
                )


def _number(value: Any) -> str | None:
    """Return a number of HubSpot's, which is a text or an integer; None where it is neither."""
    text = str(value) if isinstance(value, (str, int)) else ""
    return text if _MOMENT.fullmatch(text) else None


def _moment(value: Any) -> str | None:
    """Return a moment that is told in milliseconds; None where it is none."""
    try:
        return in_full(datetime.fromtimestamp(int(_number(value) or "") / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        return None
