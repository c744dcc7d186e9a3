"""Values of fields: as they come in JSON, as they are kept, and as they go out."""

import re
from datetime import UTC, date, datetime
from typing import Any

from regportal.sandbox.salesforce.ids import whole
from regportal.sandbox.salesforce.objects import NUMBERS, TEXTS, Field
from regportal.sandbox.salesforce.refusals import RefusedError

EMAIL = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+\.[^\s@.,;<>\"]+")
BLANK = ("", None)


def kept(field: Field, value: Any) -> Any:
    """
    Return a value as it is kept; raise RefusedError where the field cannot hold it.

    >>> kept(Field("NumberOfEmployees", "int"), "10000")
    10000
    """
    if value in BLANK:
        return False if field.type == "boolean" else None
    try:
        return _read(field, value)
    except (ValueError, TypeError, OverflowError):
        message = f"{field.label or field.name}: value not of required type: {value}"
        raise RefusedError("INVALID_TYPE_ON_FIELD_IN_RECORD", message, 400, [field.name]) from None


def _read(field: Field, value: Any) -> Any:
    """Read a value that is not empty."""
    if field.type in TEXTS or field.type not in {"boolean", "date", "datetime", *NUMBERS}:
        return _text(field, value)
    if field.type == "boolean":
        if str(value).casefold() not in {"true", "false"}:
            raise ValueError(value)
        return str(value).casefold() == "true"
    if field.type == "date":
        return date.fromisoformat(str(value)[:10])
    if field.type == "datetime":
        at = datetime.fromisoformat(str(value))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, bool):
        raise TypeError(value)
    number = float(value)
    return int(number) if field.type == "int" or number.is_integer() else number


def _text(field: Field, value: Any) -> str:
    """Read a text, an option, an address or an id."""
    if not isinstance(value, str):
        raise TypeError(value)
    name = field.label or field.name
    text = value.strip() if field.type != "textarea" else value
    if field.length and len(text) > field.length:
        message = f"{name}: data value too large: {text} (max length={field.length})"
        raise RefusedError("STRING_TOO_LONG", message, 400, [field.name])
    if field.type == "email" and not EMAIL.fullmatch(text):
        message = f"{name}: invalid email address: {text}"
        raise RefusedError("INVALID_EMAIL_ADDRESS", message, 400, [field.name])
    if field.type == "picklist" and field.has("R") and text not in field.options:
        message = f"{name}: bad value for restricted picklist field: {text}"
        code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
        raise RefusedError(code, message, 400, [field.name])
    if field.type == "reference":
        id = whole(text)
        if id is None:
            message = f"{name}: id value of incorrect type: {text}"
            raise RefusedError("MALFORMED_ID", message, 400, [field.name])
        return id
    return text


def shown(value: Any) -> Any:
    """
    Return a value as JSON has it.

    >>> shown(datetime(2026, 3, 4, 12, tzinfo=UTC)), shown(date(2026, 3, 4))
    ('2026-03-04T12:00:00.000+0000', '2026-03-04')
    """
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000+0000"
    return value.isoformat() if isinstance(value, date) else value
