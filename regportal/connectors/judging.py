"""
What may be written into a CRM: its people's own work is not overwritten.

Pure decisions: of a field, of a buying phase, of a newsletter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from regportal.connectors.rules import in_full, read_moment
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


NEAR = timedelta(minutes=10)
"""As far as two clocks that are right may be apart: ours, and a CRM's."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Whether a newsletter may be sent to somebody, as a CRM has it; since when, where it says."""

    is_allowed: bool | None
    """None: it knows nothing of it."""
    since: datetime | None = None
    is_mixed: bool = False
    """Whether that is so of one of several lists of a name, and otherwise of another."""
    wider: "Subscription | None" = None
    """A "no" to more than this list, not to all: it stands in the way of a "yes"."""


def joined(known: Subscription | None, said: Subscription) -> Subscription:
    """
    Return what two lists of one name say together: a "no" of one counts, and the newer "no".

    >>> joined(Subscription(True), Subscription(False))
    Subscription(is_allowed=False, since=None, is_mixed=True, wider=None)
    >>> joined(None, Subscription(True))
    Subscription(is_allowed=True, since=None, is_mixed=False, wider=None)

    What one of them knows nothing of, the other says:

    >>> joined(Subscription(None), Subscription(True)).is_allowed
    True
    """
    if known is None:
        return said
    wider = known.wider or said.wider
    if known.is_allowed is said.is_allowed:
        since = max(known.since, said.since) if known.since and said.since else None
        is_mixed = known.is_mixed or said.is_mixed
        return replace(known, since=since, is_mixed=is_mixed, wider=wider)
    first = min(known, said, key=lambda one: (False, True, None).index(one.is_allowed))
    return replace(first, is_mixed=True, wider=wider)


def noted(newsletter: str, now: datetime, *, is_allowed: bool) -> dict[str, Any]:
    """
    Return what is kept of a permission, or its end, that a CRM took: of a "no" also when.

    >>> from datetime import UTC
    >>> noted("prices", datetime(2026, 3, 4, 12, tzinfo=UTC), is_allowed=False)
    {'consent:prices': False, 'withdrawn:prices': '2026-03-04T12:00:00Z'}
    """
    at = None if is_allowed else in_full(now)
    return {f"consent:{newsletter}": is_allowed, f"withdrawn:{newsletter}": at}


def sent_no(newsletter: str, now: datetime) -> dict[str, Any]:
    """
    Return what is kept of a "no" that was sent, where nobody knows whether the CRM has it.

    What it took last still is what it was; but a "no" of that time may be ours.
    """
    return {f"withdrawn:{newsletter}": in_full(now)}


def is_our_no(wrote: Mapping[str, Any], newsletter: str, since: datetime | None) -> bool:
    """
    Return whether a "no" in a CRM is the one we wrote: not one somebody there said after it.

    Where the CRM does not say since when, ours is the only one we know of.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> wrote = noted("prices", noon, is_allowed=False)
    >>> [is_our_no(wrote, "prices", one) for one in (noon, noon + timedelta(hours=5), None)]
    [True, False, True]
    >>> is_our_no(noted("prices", noon, is_allowed=True), "prices", noon)
    False
    >>> is_our_no(sent_no("prices", noon), "prices", noon)
    True
    """
    at = wrote.get(f"withdrawn:{newsletter}")
    if since is None:
        return at is not None or wrote.get(f"consent:{newsletter}") is False
    return at is not None and since <= read_moment(at) + NEAR


def consent_guard(there: Subscription, *, is_ours: bool, is_allowed: bool, at: datetime) -> Guard:
    """
    Return whether a permission, or its end, may be written; ``is_ours``: the "no" there is ours.

    A "no" always may, and is written as long as one list says otherwise. A "yes" may not overrule
    a "no" that is not ours and is newer, or of which the CRM does not say how old it is: opt-outs
    win ties (crm.md 10), and what two clocks cannot tell apart is one.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> def guard(there, at=noon, is_ours=False, is_allowed=True):
    ...     return str(consent_guard(there, is_ours=is_ours, is_allowed=is_allowed, at=at))
    >>> guard(Subscription(False, noon)), guard(Subscription(False, noon), noon + timedelta(1))
    ('conflict', 'write')
    >>> guard(Subscription(False, noon), noon + NEAR), guard(Subscription(False), is_ours=True)
    ('conflict', 'write')
    >>> guard(Subscription(True), is_allowed=False), guard(Subscription(False), is_allowed=False)
    ('write', 'leave')
    >>> guard(Subscription(False, is_mixed=True), is_allowed=False)
    'write'
    """
    if not is_allowed:
        is_so = there.is_allowed is False and not there.is_mixed
        return Guard.LEAVE if is_so else Guard.WRITE
    if there.is_allowed or there.is_allowed is None or is_ours:
        return Guard.LEAVE if there.is_allowed else Guard.WRITE
    is_older = there.since is not None and there.since < at - NEAR
    return Guard.WRITE if is_older else Guard.CONFLICT
