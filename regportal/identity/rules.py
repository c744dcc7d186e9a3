"""How long a browser is somebody's, who is one person, and how an address is shown to whom."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

IDLE = timedelta(hours=2)
"""A browser that asked not to be remembered is forgotten after so long without a request…"""
SESSION = timedelta(hours=24)
"""…and after so long in any case."""
REMEMBERED = timedelta(days=180)
FRAMED = timedelta(days=30)  # inside another site's page
"""A browser that asked to be remembered; also how long a proof holds."""
GRACE = timedelta(seconds=60)
"""How long an old token stays good once the new one was seen (design.md 4)."""
LINK = timedelta(hours=72)
"""How long a mailed link can be pressed."""
CODE = timedelta(minutes=10)
"""How long the code beside it can be typed…"""
TRIES = 5
"""…and how often wrongly (security.md R4)."""
FRESH = timedelta(minutes=15)
"""How long after a proof its owner may see, change and take what we know."""

ADMINISTRATOR, PROOF = "administrator", "proof"
"""Who may join two proven people: somebody we trust with it, or they themselves."""
TRUSTED = frozenset({ADMINISTRATOR, PROOF})
"""On whose word two addresses are one person's *own*: to see, to take and to erase."""

COMMON_DOMAINS = (
    "gmail.com",
    "googlemail.com",
    "hotmail.com",
    "outlook.com",
    "yahoo.com",
    "icloud.com",
    "live.com",
    "gmx.de",
    "gmx.net",
    "web.de",
    "t-online.de",
    "proton.me",
    "aol.com",
)


ALSO_COMMON = frozenset({"mail.com", "email.com", "ymail.com", "rocketmail.com", "mail.ru"})
"""Near the common ones, and meant all the same."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides whether a browser is still somebody's."""

    first_seen: datetime
    last_seen: datetime
    remembered: bool
    verified_at: datetime | None = None
    ended_at: datetime | None = None


def is_alive(standing: Standing, now: datetime) -> bool:
    """
    Return whether this browser is still the visitor's (security.md 2.2, 3.3).

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> once = Standing(first_seen=noon, last_seen=noon, remembered=False)
    >>> is_alive(once, noon + timedelta(hours=1)), is_alive(once, noon + timedelta(hours=2))
    (True, False)
    >>> often = Standing(first_seen=noon, last_seen=noon, remembered=True)
    >>> is_alive(often, noon + timedelta(days=100))
    True
    """
    if standing.ended_at is not None:
        return False
    if standing.verified_at is not None and now - standing.verified_at >= REMEMBERED:
        return False
    if standing.remembered:
        return now - standing.last_seen < REMEMBERED
    return now - standing.last_seen < IDLE and now - standing.first_seen < SESSION


def is_fresh(verified_at: datetime | None, now: datetime) -> bool:
    """
    Return whether an address was proven a moment ago: within 15 minutes.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> is_fresh(noon, noon + timedelta(minutes=14)), is_fresh(noon, noon + FRESH)
    (True, False)
    >>> is_fresh(None, noon)
    False
    """
    return verified_at is not None and now - verified_at < FRESH


def holds_proof(verified_at: datetime, token_made_at: datetime) -> bool:
    """
    Return whether a token came with the proof or after it.

    One from before may have been planted or copied: it is never more than a claim
    (security.md T-05).

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> holds_proof(noon, noon), holds_proof(noon, noon - timedelta(seconds=1))
    (True, False)
    """
    return token_made_at >= verified_at


def why_not_joined(kept: Collection[str], joined: Collection[str], *, by: str) -> str | None:
    """
    Return why two people may not be taken for one, or None where they may.

    ``kept`` and ``joined`` are the assurances of their addresses. A CRM may say so of whom it
    brought itself; two who proved their addresses are told apart until somebody decides.

    >>> why_not_joined({"verified"}, {"crm"}, by="crm:sales") is None
    True
    >>> why_not_joined({"verified"}, {"verified"}, by="crm:sales")
    'both have proven their addresses: a person must decide with `regportal contact join`'
    >>> why_not_joined({"verified"}, {"verified"}, by=ADMINISTRATOR) is None
    True
    """
    if by in TRUSTED or not ("verified" in kept and "verified" in joined):
        return None
    return "both have proven their addresses: a person must decide with `regportal contact join`"


def is_good(replaced_at: datetime | None, now: datetime) -> bool:
    """
    Return whether a token may still be used: until 60 s after its successor was first seen.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> is_good(None, noon), is_good(noon, noon + timedelta(seconds=61))
    (True, False)
    """
    return replaced_at is None or now - replaced_at <= GRACE


def masked(email: str) -> str:
    """
    Return an address so that its owner knows it again, and nobody else learns it.

    >>> masked("ann@example.com")
    'a***@e***.com'
    """
    local, _, domain = email.rpartition("@")
    name, _, ending = domain.rpartition(".")
    return f"{local[:1]}***@{name[:1]}***.{ending}"


def typo_hint(email: str, common: Collection[str] = COMMON_DOMAINS) -> str | None:
    """
    Return the address this was probably meant to be, or None.

    >>> typo_hint("ann@gmial.com")
    'ann@gmail.com'
    >>> typo_hint("ann@gmail.com") is None, typo_hint("ann@example.com") is None
    (True, True)
    """
    local, _, domain = email.rpartition("@")
    abroad = any(domain.startswith(f"{one.partition('.')[0]}.") for one in common)
    if abroad or domain in ALSO_COMMON:
        return None
    near = get_close_matches(domain, common, n=1, cutoff=0.85)
    return f"{local}@{near[0]}" if near else None
