"""What is kept otherwise than the log says, in words that people find it again by."""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.checking import Difference
from regportal.buying.facts import SECOND
from regportal.buying.labels import title
from regportal.buying.models import Opportunity
from regportal.buying.standing import NEVER
from regportal.cli.lines import outside
from regportal.connectors.rules import in_full
from regportal.identity.models import Contact
from regportal.store.among import among
from regportal.store.documents import Published
from regportal.tracking.models import Interaction

EARLIEST, LATEST = 10**9, 10**11
"""Between these a number is a moment in seconds (as microseconds: a million times that)."""

Names = Mapping[str, str]
"""What people call what a key stands for."""


def told(
    session: Session, published: Published, differences: Sequence[Difference]
) -> Iterator[str]:
    """Yield each difference as a line: of whom, with the key, what is kept, and what should be."""
    names = _names(session, published, {*_keys_in([[*one] for one in differences])})
    for one in differences:
        for path, kept, replayed in _apart(one.kept, one.replayed):
            what = ", ".join((one.what, *(names.get(step, step) for step in path)))
            whom = f"{names[key]} [{key}]" if (key := str(one.key)) in names else key
            is_, should = _said(kept, names), _said(replayed, names)
            yield f"{one.subject} {whom}: {what} is {is_}, not {should}"


def _apart(kept: Any, replayed: Any) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """
    Yield what is not the same in two values, and by which names one comes to it.

    >>> [*_apart({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"d": 3}})]
    [(('b', 'c'), 2, None), (('b', 'd'), None, 3)]
    """
    if not (isinstance(kept, Mapping) and isinstance(replayed, Mapping)):
        yield (), kept, replayed
        return
    for name in dict.fromkeys((*kept, *replayed)):
        one, other = kept.get(name), replayed.get(name)
        if one != other:
            yield from ((((name, *path)), *both) for path, *both in _apart(one, other))


def _said(value: Any, names: Names) -> str:
    """
    Return a value as people read it.

    >>> _said([1772625600000000, ["x", None, 3]], {"x": "ann@example.com"})
    '2026-03-04T12:00:00Z (ann@example.com nothing 3)'
    >>> _said([[], []], {}), _said(None, {})
    ('empty', 'nothing')
    """
    if value is None:
        return "nothing"
    if _is_empty(value):
        return "empty"
    if isinstance(value, Mapping):
        each = (f"{names.get(key, key)}: {_inner(below, names)}" for key, below in value.items())
        return "; ".join(each)
    if isinstance(value, list | tuple):
        return " ".join(_inner(each, names) for each in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    return names.get(str(value), str(value))


def _is_empty(value: Any) -> bool:
    """Return whether there is nothing in it, however deep one looks."""
    return value == "" or (isinstance(value, list | tuple | Mapping) and all(map(_is_empty, value)))


def _inner(value: Any, names: Names) -> str:
    """Return a value that is a part of another one."""
    said = _said(value, names)
    several = isinstance(value, list | tuple | Mapping) and not _is_empty(value)
    return f"({said})" if several else said


def _number(value: float) -> str:
    """Return a number; what can only be a moment as one."""
    if value == NEVER:
        return "ever"
    for seconds in (value, value / SECOND):
        if EARLIEST <= seconds < LATEST:
            return in_full(datetime.fromtimestamp(seconds, UTC))
    return f"{value:g}"


# --- what it is called ---


def _keys_in(value: Any) -> Iterator[uuid.UUID]:
    """Yield everything in a value that may be a key of ours."""
    if isinstance(value, Mapping):
        yield from _keys_in([*value, *value.values()])
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _keys_in(each)
    elif isinstance(value, uuid.UUID):
        yield value
    elif isinstance(value, str):
        try:
            yield uuid.UUID(value)
        except ValueError:
            return


def _names(session: Session, published: Published, keys: Collection[uuid.UUID]) -> dict[str, str]:
    """Return what these keys stand for: opportunities, contacts, and what was done."""
    names: dict[str, str] = {}
    some = {"ids": keys}
    for deal in session.scalars(sa.select(Opportunity).where(among(Opportunity.id)), some):
        names[deal.key] = outside(deal.named)
    for who in session.scalars(sa.select(Contact).where(among(Contact.id)), some):
        names[who.key] = who.address.shown
    for deed in session.scalars(sa.select(Interaction).where(among(Interaction.id)), some):
        names[str(deed.id)] = f"{deed.type} of {title(published, deed.object)} [{deed.id}]"
    return names
