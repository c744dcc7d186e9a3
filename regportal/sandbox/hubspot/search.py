"""Searching records: filters in groups, sorted, page by page, and no more than HubSpot allows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from regportal.sandbox.hubspot.portal import Portal, Record, millis, moment_of
from regportal.sandbox.hubspot.refusing import invalid

GROUPS, IN_A_GROUP, FILTERS = 5, 10, 25
"""How many filters there may be."""
MOST, WITHIN = 200, 10_000
"""Records of one page, and of one search."""
NEEDED = ("filterGroups", "sorts", "properties", "limit", "after")


def searched(
    portal: Portal, kind: str, told: Mapping[str, Any], *, lag: timedelta
) -> tuple[list[Record], int, str | None]:
    """
    Return a page of what is found, how much there is, and where the next page begins.

    What changed within ``lag`` is found as if it were not there yet.
    """
    missing = [name for name in NEEDED if name not in told]
    if missing:
        raise invalid(f"Invalid input JSON: missing {', '.join(missing)}")
    limit, after = told["limit"], str(told["after"] or "0")
    if not (isinstance(limit, int) and 0 < limit <= MOST):
        raise invalid(f"The limit must be between 1 and {MOST}")
    if not after.isdecimal() or int(after) + limit > WITHIN:
        raise invalid(f"Paging beyond {WITHIN} results is not possible")
    groups = _groups(told["filterGroups"])
    settled = portal.clock() - lag
    found = [
        one
        for one in portal.all(kind)
        if one.updated <= settled
        and (not groups or any(all(_fits(one, by) for by in group) for group in groups))
    ]
    for by in reversed(told["sorts"] or []):
        name, falls = _sort(by)
        found.sort(key=partial(_place, name=name), reverse=falls)
    first = int(after)
    page = found[first : first + limit]
    onward = first + limit
    return page, len(found), str(onward) if onward < len(found) else None


def _groups(told: Any) -> list[Sequence[Mapping[str, Any]]]:
    """Return the filters by group; raise RefusedError where there are too many."""
    if not isinstance(told, list):
        raise invalid("filterGroups must be a list")
    groups = [group.get("filters", []) for group in told if isinstance(group, dict)]
    sizes = [len(group) for group in groups]
    if len(groups) > GROUPS or any(size > IN_A_GROUP for size in sizes) or sum(sizes) > FILTERS:
        raise invalid("There are too many filters")
    return groups


def _sort(by: Any) -> tuple[str, bool]:
    """Return by what is sorted, and whether it falls: ``name``, ``-name``, or an object."""
    if isinstance(by, dict):
        return str(by.get("propertyName")), by.get("direction") == "DESCENDING"
    return str(by).removeprefix("-"), str(by).startswith("-")


def _place(record: Record, name: str) -> tuple[float, str]:
    """Return what records are sorted by: moments by what they are, all else as texts."""
    value = record.values.get(name, "")
    at = moment_of(value) if value else None
    return (at.timestamp() if at else 0.0, value)


def _fits(record: Record, by: Mapping[str, Any]) -> bool:
    """Return whether a filter lets a record through."""
    has, operator = record.values.get(str(by.get("propertyName")), ""), by.get("operator")
    one, many = str(by.get("value", "")), [str(value) for value in by.get("values", [])]
    match operator:
        case "EQ" | "NEQ":
            return (has.lower() == one.lower()) is (operator == "EQ")
        case "IN" | "NOT_IN":
            return (has.lower() in [value.lower() for value in many]) is (operator == "IN")
        case "HAS_PROPERTY" | "NOT_HAS_PROPERTY":
            return bool(has) is (operator == "HAS_PROPERTY")
        case "CONTAINS_TOKEN":
            return one.lower() in has.lower()
        case "GT" | "GTE" | "LT" | "LTE":
            return _compared(has, one, str(operator))
    raise invalid(f"{operator!r} is not an operator")


def _compared(has: str, one: str, operator: str) -> bool:
    """Compare moments or numbers."""
    if not has:
        return False
    here, there = _number(has), _number(one)
    return {"GT": here > there, "GTE": here >= there, "LT": here < there, "LTE": here <= there}[
        operator
    ]


def _number(text: str) -> float:
    """Return a moment in milliseconds, or a number."""
    try:
        return float(text)
    except ValueError:
        at = moment_of(text)
        if at is None:
            raise invalid(f"{text!r} cannot be compared") from None
        return float(millis(at))
