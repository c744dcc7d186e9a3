"""Headers by which a call asks only for what is new, or writes only what nobody has changed."""

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from regportal.sandbox.salesforce.calls import Call
from regportal.sandbox.salesforce.objects import SObject
from regportal.sandbox.salesforce.refusals import RefusedError


def known(sobject: SObject) -> dict[str, str]:
    """Return by what a description is known, and since when it is so."""
    return {"ETag": sobject.etag(), "Last-Modified": http_date(sobject.changed)}


def is_old(call: Call, changed: datetime) -> bool:
    """Return whether nothing is new since the moment that a call names."""
    since = call.headers.get("if-modified-since")
    return since is not None and changed <= moment(since)


def http_date(at: datetime) -> str:
    """Return a moment as headers have it."""
    return format_datetime(at.astimezone(UTC), usegmt=True)


def moment(text: str) -> datetime:
    """Read a moment of a header."""
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, TypeError):
        raise RefusedError("INVALID_HEADER", f"invalid date: {text}") from None
