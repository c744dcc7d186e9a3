"""
What may be written into a CRM: its people's own work is not overwritten.

Pure decisions: of a field, of a buying phase, of a newsletter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from regportal.connectors.schema import Policy

NOTHING: tuple[Any, ...] = (None, "", (), [])
"""What nobody wants to be written: 0 and False are values."""
EMPTY = (*NOTHING, False)
"""What a CRM says of a field in which nothing stands."""
APART = "; "
"""What stands between texts that are added to a field one after the other, or are several."""
OPTIONS_APART = ";"
"""The same for a choice of several, of which CRMs take the options without a blank."""


def filled(
    there: Mapping[str, Any], wanted: Mapping[str, Any], policies: Mapping[str, Policy]
) -> dict[str, Any]:
    """
    Return what is to be written into a record, so that each field follows its policy.

    ``there`` is what the record says now; empty for a new one. A field without a policy is
    overwritten.

    >>> there = {"country": "DE", "phone": "", "tags": "widgets"}
    >>> wanted = {"country": "FR", "phone": "+33 1", "tags": "prices", "name": "Ann"}
    >>> filled(
    ...     there,
    ...     wanted,
    ...     {"country": "if_empty", "phone": "if_empty", "tags": "append", "name": "never"},
    ... )
    {'phone': '+33 1', 'tags': 'widgets; prices'}

    What is there already is not written again:

    >>> filled(
    ...     {"country": "FR", "tags": "widgets; prices"},
    ...     {"country": "FR", "tags": "prices"},
    ...     {"tags": "append"},
    ... )
    {}

    A choice of several is a list here, and may be a text there:

    >>> tags = {"tags": ["prices", "pumps"]}
    >>> filled({"tags": "widgets;prices"}, tags, {"tags": "append"})
    {'tags': 'widgets;prices;pumps'}
    >>> filled({"tags": "pumps;prices"}, tags, {})
    {}
    """
    written = {}
    for name, value in wanted.items():
        now, policy = there.get(name), policies.get(name, "overwrite")
        if policy == "never" or value in NOTHING or _alike(value, now):
            continue
        if now in EMPTY or policy == "overwrite":
            written[name] = value
        elif policy == "append":
            known = _parts(now)
            new = [one for one in dict.fromkeys(_parts(value)) if one not in known]
            if new and isinstance(now, (list, tuple)):
                written[name] = [*now, *new]
            elif new:
                apart = OPTIONS_APART if isinstance(value, (list, tuple)) else APART
                written[name] = apart.join([str(now), *new])
    return written


def _alike(value: Any, now: Any) -> bool:
    """Return whether a field says so already; of a choice of several it may say a text."""
    if isinstance(value, (list, tuple)):
        return {*_parts(value)} == {*_parts(now)}
    return bool(value == now)


def _parts(value: Any) -> list[str]:
    """Return the parts of a value that may hold several, as a list or as a text."""
    if isinstance(value, (list, tuple)):
        return [part for one in value for part in _parts(one)]
    if value in NOTHING:
        return []
    return [part for one in str(value).split(OPTIONS_APART) if (part := one.strip())]


class Guard(StrEnum):
    """What is to be done about a value of ours in a CRM."""

    WRITE = "write"
    LEAVE = "leave"
    """It is so already, or it does not matter any more."""
    CONFLICT = "conflict"
    """Somebody there has said otherwise: a person must look."""


PHASE, SENT = "phase", "phase:sent"


def wrote_phase(phase: str) -> dict[str, Any]:
    """Return what is known of an opportunity that holds a phase: ``Link.wrote``."""
    return {PHASE: phase, SENT: []}


def sent_phase(wrote: Mapping[str, Any], phase: str) -> dict[str, Any]:
    """
    Return what is known of one that was sent a phase, where nobody knows whether it holds it.

    >>> sent_phase(wrote_phase("need") | sent_phase({}, "interest"), "decision")
    {'phase:sent': ['interest', 'decision']}
    """
    return {SENT: [*dict.fromkeys([*wrote.get(SENT, ()), phase])]}


def phase_guard(
    there: str | None, wrote: Mapping[str, Any], wanted: str, *, is_closed: bool
) -> Guard:
    """
    Return whether a phase may be written where the field shows ``there``.

    In either direction, but only over nothing, or over what is our own (design.md 7): what the CRM
    took last, and whatever we sent since without an answer.

    >>> ours = wrote_phase("interest")
    >>> phase_guard("interest", ours, "comparison", is_closed=False)
    <Guard.WRITE: 'write'>
    >>> phase_guard(None, {}, "comparison", is_closed=False)
    <Guard.WRITE: 'write'>
    >>> phase_guard("decision", ours, "comparison", is_closed=False)
    <Guard.CONFLICT: 'conflict'>
    >>> phase_guard("decision", ours | sent_phase(ours, "decision"), "comparison", is_closed=False)
    <Guard.WRITE: 'write'>
    >>> phase_guard("comparison", ours, "comparison", is_closed=False)
    <Guard.LEAVE: 'leave'>
    >>> phase_guard("interest", ours, "comparison", is_closed=True)
    <Guard.LEAVE: 'leave'>
    """
    if is_closed or there == wanted:
        return Guard.LEAVE
    is_ours = there == wrote.get(PHASE) or there in wrote.get(SENT, ())
    return Guard.WRITE if there in EMPTY or is_ours else Guard.CONFLICT


EVERY = "*"
"""In the place of a list: all of them."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Whether a newsletter may be sent to somebody, as a CRM has it; since when, where it says."""

    is_allowed: bool | None
    """None: it knows nothing of it."""
    since: datetime | None = None


def consent_guard(
    there: Subscription, *, ours: bool | None, is_allowed: bool, at: datetime
) -> Guard:
    """
    Return whether a permission, or its end, may be written; ``ours`` is what we last wrote.

    A "no" always may. A "yes" may not overrule a "no" that is not ours and is newer, or of which
    the CRM does not say how old it is: opt-outs win ties (crm.md 10).

    >>> from datetime import UTC, timedelta
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> consent_guard(Subscription(False, noon), ours=None, is_allowed=True, at=noon)
    <Guard.CONFLICT: 'conflict'>
    >>> consent_guard(Subscription(False, noon), ours=None, is_allowed=True, at=noon + timedelta(1))
    <Guard.WRITE: 'write'>
    >>> consent_guard(Subscription(False), ours=False, is_allowed=True, at=noon)
    <Guard.WRITE: 'write'>
    >>> consent_guard(Subscription(True), ours=True, is_allowed=False, at=noon)
    <Guard.WRITE: 'write'>
    """
    if there.is_allowed is is_allowed:
        return Guard.LEAVE
    if not is_allowed or there.is_allowed is None or ours is False:
        return Guard.WRITE
    is_older = there.since is not None and there.since < at
    return Guard.WRITE if is_older else Guard.CONFLICT
