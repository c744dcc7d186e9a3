"""What may follow what in a consent, whose word it takes, and who may be written to."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

PENDING_FOR = timedelta(days=7)
"""How long a request waits for its confirmation."""
LOCKED_FOR = timedelta(days=90)
"""How long strangers ask in vain for a newsletter whose reader said "that was not me"."""
UNDO_FOR = timedelta(minutes=30)
"""How long whoever pressed "stop" may take it back."""
PAUSE = timedelta(days=90)
"""How long a newsletter pauses."""

NEXT: Mapping[str | None, frozenset[str]] = {
    None: frozenset({"pending", "confirmed", "imported", "withdrawn"}),
    "pending": frozenset({"confirmed", "refused", "expired", "withdrawn", "suppressed", "erased"}),
    "confirmed": frozenset({"paused", "withdrawn", "expired", "suppressed", "erased"}),
    "imported": frozenset({"confirmed", "paused", "withdrawn", "expired", "suppressed", "erased"}),
    "paused": frozenset({"confirmed", "withdrawn", "expired", "suppressed", "erased"}),
    "withdrawn": frozenset({"pending", "confirmed", "suppressed", "erased"}),
    "expired": frozenset({"pending", "confirmed", "withdrawn", "suppressed", "erased"}),
    "refused": frozenset({"pending", "confirmed", "withdrawn", "suppressed", "erased"}),
    "suppressed": frozenset({"erased"}),
    "erased": frozenset(),
}
LIVE = frozenset({"confirmed", "imported", "paused"})
"""A permission that is there, if only asleep."""
STOPS = frozenset({"paused", "withdrawn", "refused", "suppressed", "erased"})
"""What somebody wants to hold at once, whatever there is room for."""
PROOF = frozenset({"gate", "confirm page", "code", "preference page"})
"""How the owner of a mailbox speaks to us, proven; a link for unsubscribing proves too little."""
UNDONE = frozenset({"withdrawn", "paused"})
"""What may be taken back for a while by whoever pressed it."""
UNDO = "undo"
"""How whoever pressed "stop" takes it back."""
WHO: Mapping[str, frozenset[str]] = {
    "pending": frozenset({"gate", "preference page"}),
    "confirmed": PROOF,
    "imported": frozenset({"import"}),
}
"""Whose word it takes to come into a state that allows something; out of one anybody's will do."""
HAPPENED: Mapping[str, str] = {
    "pending": "request",
    "paused": "pause",
    "withdrawn": "withdrawal",
    "refused": "refusal",
    "expired": "expiry",
    "suppressed": "suppression",
    "imported": "import",
    "erased": "erasure",
}
"""What it is called when a consent comes into a state…"""
CONFIRMED_FROM: Mapping[str | None, str] = {"pending": "confirmation", "paused": "resumption"}
"""…and a yes by what was there before."""
RHYTHMS = ("daily", "weekly", "monthly", "quarterly")
"""How often a newsletter can come, the most often first."""
USUAL = "usual"
"""As often as it usually comes."""
FIRST = "0" * 64
"""The hash before the first line."""


def may_follow(state: str | None, to: str, *, changed: bool = False, undo: bool = False) -> bool:
    """
    Return whether a consent may go from one state to another (security.md 2.6).

    >>> may_follow(None, "pending"), may_follow("confirmed", "pending")
    (True, False)

    A permission may stay what it is where something about it changed: how often, or until when.

    >>> may_follow("paused", "paused"), may_follow("paused", "paused", changed=True)
    (False, True)

    So may a "stop" where somebody else says it, too.

    >>> may_follow("withdrawn", "withdrawn"), may_follow("withdrawn", "withdrawn", changed=True)
    (False, True)
    """
    if undo:
        return state in UNDONE and to in LIVE
    if state == to:
        return changed and (to in LIVE or to == "withdrawn")
    return to in NEXT[state]


def event_type(state: str | None, to: str, *, undo: bool = False) -> str:
    """
    Return what happens when a consent comes from one state into another (ISO/IEC TS 27560).

    >>> event_type(None, "pending"), event_type("pending", "confirmed")
    ('request', 'confirmation')
    >>> event_type(None, "confirmed"), event_type("paused", "confirmed")
    ('consent', 'resumption')
    >>> event_type("confirmed", "confirmed"), event_type("withdrawn", "confirmed", undo=True)
    ('change', 'restoration')
    >>> event_type("withdrawn", "withdrawn")
    'withdrawal'
    """
    if undo:
        return "restoration"
    if state == to and to in LIVE:
        return "change"
    if to == "confirmed":
        return CONFIRMED_FROM.get(state, "consent")
    return HAPPENED[to]


def can_be_undone(state: str | None, before: str | None, pressed: timedelta) -> bool:
    """
    Return whether a line can still be taken back: so long ago it took away what was allowed.

    >>> can_be_undone("withdrawn", "confirmed", timedelta(minutes=5))
    True

    A second "stop" cannot: whoever takes his own back must not take back the first with it.

    >>> can_be_undone("withdrawn", "withdrawn", timedelta(minutes=5))
    False
    """
    return state in UNDONE and before in LIVE and pressed < UNDO_FOR


def may_say(method: str, to: str) -> bool:
    """
    Return whether what came this way may lead into a state: nobody else's yes is a yes (R12).

    >>> may_say("crm", "confirmed"), may_say("import", "confirmed"), may_say("crm", "withdrawn")
    (False, False, True)
    """
    return to not in WHO or method in WHO[to]


def is_less_often(rhythm: str, than: str | None) -> bool:
    """
    Return whether a rhythm is less often than another (None: than usual, as any is).

    >>> is_less_often("monthly", "weekly"), is_less_often("weekly", "monthly")
    (True, False)
    """
    return than is None or RHYTHMS.index(rhythm) > RHYTHMS.index(than)


@dataclass(frozen=True, slots=True)
class Line:
    """What of a line of the ledger decides whether somebody may be written to."""

    number: int
    id: uuid.UUID
    state: str
    at: datetime
    method: str
    until: datetime | None = None
    valid_until: datetime | None = None
    rhythm: str | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether one newsletter may be sent to one address, and why."""

    allowed: bool
    state: str | None
    """As design.md 4 calls it; None where the ledger says nothing of it."""
    since: datetime | None
    evidence_id: str | None
    because: str
    rhythm: str | None = None


NOTHING = Permission(
    allowed=False, state=None, since=None, evidence_id=None, because="nobody ever asked for it"
)
SAYS: Mapping[str, str] = {
    "pending": "asked for, and not confirmed yet",
    "confirmed": "the owner of the address confirmed it",
    "imported": "imported with evidence of the permission",
    "paused": "paused by the owner of the address",
    "withdrawn": "withdrawn",
    "refused": "the owner of the address said that it was somebody else who asked",
    "expired": "the request or the permission ran out",
    "suppressed": "mail to the address came back, or was reported as unwanted",
    "erased": "the person was erased",
}
NARROWED = "stopped or paused at another address of the same person"


def permission(own: Sequence[Line], others: Iterable[Sequence[Line]], at: datetime) -> Permission:
    """
    Return whether an address may be written to at a moment, from the ledger alone.

    ``own`` are the lines about this address and one newsletter, oldest first; ``others`` those
    about each other address of the same person: a "stop" there holds here too, unless the person
    said yes here after it. Nothing but lines is asked, so no setting can widen it.
    """
    lines = [line for line in own if line.at <= at]
    if not lines:
        return NOTHING
    state, since = _standing(lines, at)
    allowed, because = state in {"confirmed", "imported"}, SAYS[state]
    if allowed and any(_stop_after(_last_yes(lines), other, at) for other in others):
        allowed, because = False, NARROWED
    newest = lines[-1]
    return Permission(allowed, state, since, str(newest.id), because, newest.rhythm)


def _standing(lines: Sequence[Line], at: datetime) -> tuple[str, datetime]:
    """Return the state that holds at a moment, and since when: pauses and periods end by time."""
    newest = lines[-1]
    if newest.state in LIVE and newest.valid_until is not None and newest.valid_until <= at:
        return "expired", newest.valid_until
    if newest.state == "pending" and newest.at + PENDING_FOR <= at:
        return "expired", newest.at + PENDING_FOR
    if newest.state == "paused" and newest.until is not None and newest.until <= at:
        awake = (line.state for line in reversed(lines) if line.state != "paused")
        return next(awake, "expired"), newest.until
    return newest.state, newest.at


def _last_yes(lines: Sequence[Line]) -> int:
    """Return the number of the last line in which the owner himself said yes; 0 for none."""
    said = (line.number for line in lines if line.state == "confirmed" and line.method in PROOF)
    return max(said, default=0)


def _stop_after(yes: int, other: Sequence[Line], at: datetime) -> bool:
    """Return whether somebody stopped or paused it elsewhere after he said yes here."""
    stopped = False
    for line in other:
        if line.at <= at:
            asleep = line.state == "paused" and (line.until is None or line.until > at)
            complained = line.state == "suppressed" and line.method == "complaint"
            if line.state == "withdrawn" or complained or asleep:
                stopped = stopped or line.number > yes
            elif line.state in LIVE:
                stopped = False
    return stopped


def canonical(line: Mapping[str, Any]) -> bytes:
    r"""
    Return a line as the bytes that are hashed: sorted keys, no spaces, ASCII.

    >>> canonical({"b": 1, "a": "ü"})
    b'{"a":"\\u00fc","b":1}'
    """
    return json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def chained(line: Mapping[str, Any], previous: str) -> str:
    """Return the hash of a line that follows a line with the hash ``previous``."""
    return hashlib.sha256(canonical(line) + previous.encode()).hexdigest()
