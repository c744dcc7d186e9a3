"""What is wrong with what a program sent, in our own words: short, and saying what to send."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from regportal.store.schema import words_of

MOMENT = "must be a moment with its zone, like 2026-03-04T12:00:00Z"
OBJECT, NUMBER = "must be an object", "must be a number"
WHOLE, TRUTH = "must be a whole number", "must be true or false"

SAYS: Mapping[str, str] = MappingProxyType(
    {
        "missing": "is missing",
        "extra_forbidden": "is not known here: leave it out",
        "model_type": OBJECT,
        "model_attributes_type": OBJECT,
        "dict_type": OBJECT,
        "list_type": "must be a list",
        "tuple_type": "must be a list",
        "too_short": "must have at least {min_length} of them",
        "too_long": "must have at most {max_length} of them",
        "string_type": "must be a text",
        "string_too_short": "must have at least {min_length} characters",
        "string_too_long": "must have at most {max_length} characters",
        "int_type": WHOLE,
        "int_parsing": WHOLE,
        "int_parsing_size": WHOLE,
        "int_from_float": WHOLE,
        "float_type": NUMBER,
        "float_parsing": NUMBER,
        "finite_number": NUMBER,
        "greater_than": "must be more than {gt}",
        "greater_than_equal": "must be at least {ge}",
        "less_than": "must be less than {lt}",
        "less_than_equal": "must be at most {le}",
        "bool_type": TRUTH,
        "bool_parsing": TRUTH,
        "uuid_type": "must be a UUID",
        "uuid_parsing": "must be a UUID",
        "datetime_type": MOMENT,
        "datetime_parsing": MOMENT,
        "datetime_object_invalid": MOMENT,
        "datetime_from_date_parsing": MOMENT,
        "timezone_aware": MOMENT,
        "literal_error": "must be {expected}",
        "enum": "must be {expected}",
        "value_error": "{error}",
    }
)
"""A sentence for each fault that pydantic finds, by its name there."""
ELSE = "cannot be taken as it is"
THEIRS = frozenset(get_args(ErrorType))
"""What pydantic finds; all others our own validators found, and they speak as we do."""

PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        r"^[a-z0-9][a-z0-9_-]{0,63}$": (
            "must be a key: small letters, digits, - and _, at most 64, not beginning with - or _"
        ),
        r"^\d{1,12}(\.\d{1,4})?$": 'must be an amount as a text, like "1250.50"',
        r"^[A-Z]{3}$": "must be a currency, like EUR",
        r"^[A-Za-z0-9_-]{43}$": "must be a visitor's token, as it came in X-RP-Visitor",
        r"^[A-Za-z0-9_-]{20,200}$": "must be what the link brought along",
    }
)
"""What a text must look like, by the pattern that it does not match."""


def plain(fault: ErrorDetails) -> str:
    """
    Return what is wrong, without where and without repeating what was sent.

    >>> plain({"type": "missing", "loc": ("type",), "msg": "Field required", "input": {}})
    'is missing'
    """
    kind, about = fault["type"], fault.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return _like(about["pattern"])
    if kind in {"too_short", "string_too_short"} and about["min_length"] == 1:
        return "is empty"
    return SAYS.get(kind, ELSE).format(**about) if kind in THEIRS else fault["msg"]


def _like(pattern: str) -> str:
    """Return what a text must look like."""
    words = words_of(pattern)
    if words:
        return f"must be one of {', '.join(words)}"
    return PATTERNS.get(pattern, ELSE)
