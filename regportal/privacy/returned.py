"""Mails about mails: what came back (RFC 3464), and what was reported as unwanted (RFC 5965)."""

import email
import email.policy
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

LINK = re.compile(r"/u/([A-Za-z0-9_-]{43})(?![A-Za-z0-9_-])")
PERMANENT = "5"
COMPLAINTS = frozenset({"abuse", "fraud", "virus", "other"})
MOST = 100
"""Recipients of one report that are read."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What a report says of one address."""

    id: str
    type: str
    """``bounce``, ``complaint`` or ``unsubscribe``."""
    email: str
    permanent: bool
    at: datetime | None
    token: str | None
    """Of our unsubscribe link in the mail it is about: whom we wrote to, wherever it went."""


class NotAReportError(ValueError):
    """A mail that says nothing we could act on; one sentence why."""


def read_report(raw: bytes) -> list[Returned]:
    """
    Return what a mail says of the addresses it is about.

    Raises NotAReportError for any other mail: an answer of a person, an out-of-office note.
    """
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    told = str(message.get("Message-ID") or "").strip()
    base = told or hashlib.sha256(raw).hexdigest()
    if not told.isprintable() or len(base) > 200:  # noqa: PLR2004 - an id of ours has 255 signs, with its number
        base = hashlib.sha256(raw).hexdigest()
    try:
        found = list(_returned(message, base))[:MOST]
    except (LookupError, ValueError, AttributeError, TypeError) as error:
        raise NotAReportError("this report cannot be read") from error
    if not found:
        raise NotAReportError("this mail is neither a delivery report nor a complaint")
    return found


def _returned(message: Message, base: str) -> Iterator[Returned]:
    """Yield what each part of a report says."""
    parts = list(message.walk())
    token = _token(parts)
    at = _when(message)
    number = 0
    for part in parts:
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            for block in _blocks(part)[1:]:  # the first is about the server
                found = _bounce(block)
                if found is not None:
                    address, permanent = found
                    yield Returned(f"{base}/{number}", "bounce", address, permanent, at, token)
                    number += 1
        elif kind == "message/feedback-report":
            for block in _blocks(part):
                report = str(block.get("Feedback-Type", "")).strip().lower()
                reported = _recipient(block, parts)
                if reported and (report in COMPLAINTS or report == "opt-out"):
                    what = "unsubscribe" if report == "opt-out" else "complaint"
                    yield Returned(
                        id=f"{base}/{number}",
                        type=what,
                        email=reported,
                        permanent=True,
                        at=at,
                        token=token,
                    )
                    number += 1


def _blocks(part: Message) -> list[Any]:
    """Return the groups of fields of a machine-readable part."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return payload
    text = part.get_payload(decode=True)
    lines = (text if isinstance(text, bytes) else b"").replace(b"\r\n", b"\n")
    policy = email.policy.compat32
    return [email.message_from_bytes(one, policy=policy) for one in lines.split(b"\n\n") if one]


def _bounce(block: Message) -> tuple[str, bool] | None:
    """Return which address a mail did not reach, and whether it never will."""
    if str(block.get("Action", "")).strip().lower() not in {"failed", "delayed"}:
        return None
    address = _address(block.get("Original-Recipient")) or _address(block.get("Final-Recipient"))
    if address is None:
        return None
    failed = str(block.get("Action")).strip().lower() == "failed"
    return address, failed and str(block.get("Status", "")).strip().startswith(PERMANENT)


def _recipient(block: Message, parts: list[Message]) -> str | None:
    """Return who complains: as the report says, else whom the mail went to."""
    for name in ("Original-Rcpt-To", "Removal-Recipient"):
        address = _address(block.get(name))
        if address is not None:
            return address
    for part in parts:
        if part.get_content_type() in {"message/rfc822", "text/rfc822-headers"}:
            for inner in _blocks(part):
                found = getaddresses([str(one) for one in inner.get_all("To", [])])
                if found and "@" in found[0][1]:
                    return found[0][1]
    return None


def _address(field: Any) -> str | None:
    """
    Return the address of a field like ``rfc822;ann@acme.example``.

    >>> _address("rfc822; <ann@acme.example>"), _address("x400;whatever"), _address(None)
    ('ann@acme.example', None, None)
    """
    if field is None:
        return None
    kind, separator, rest = str(field).partition(";")
    if separator and kind.strip().lower() not in {"rfc822", "utf-8"}:
        return None
    address = (rest if separator else kind).strip().strip("<>").strip()
    return address if "@" in address and address.isprintable() else None


def _token(parts: list[Message]) -> str | None:
    """Return the token of our unsubscribe link in the mail a report is about."""
    for part in parts:
        if part.get_content_type() in {"message/rfc822", "text/rfc822-headers"}:
            for inner in _blocks(part):
                found = LINK.search(str(inner.get("List-Unsubscribe", "")))
                if found:
                    return found[1]
    return None


def _when(message: Message) -> datetime | None:
    """Return when a report was written, as far as it says so."""
    try:
        at = parsedate_to_datetime(str(message.get("Date")))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):  # or in UTC before the year 1, after 9999
        return None
