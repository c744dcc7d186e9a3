"""What an answer means, and which addresses we may call."""

import enum
import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

WEB_PORTS = frozenset({80, 443})
LONGEST_WAIT = timedelta(hours=24)  # whatever a receiver asks for
SECONDS = re.compile(r"[0-9]{1,12}")

NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # behind a carrier's NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local: metadata services live here
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
)
PUBLIC_V6 = IPv6Network("2000::/3")
NOT_PUBLIC_V6: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # Teredo, ORCHID, benchmarks and other special purposes
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries an IPv4 address
        "3fff::/20",
    )
)


class Outcome(enum.StrEnum):
    """What became of one change."""

    DONE = "done"
    NOOP = "noop"
    """It was so already."""
    RETRY = "retry"
    """Again, by the schedule."""
    LATER = "later"
    """Again at ``retry_at``, and this was no attempt."""
    THROTTLED = "throttled"
    """The whole connector waits until ``retry_at``; no attempt."""
    REJECTED = "rejected"
    """Never: a person must look."""
    AMBIGUOUS = "ambiguous"
    """More than one record fits."""
    GONE = "gone"
    """Nobody wants to hear from us there any more: the connector pauses; no attempt."""
    CONFLICT = "conflict"
    """A person changed there what we were going to write."""
    AUTH = "auth"
    """We are not let in: the connector pauses; no attempt."""
    UNSUPPORTED = "unsupported"
    """This CRM has no place for it."""


TAKEN = frozenset({Outcome.DONE, Outcome.NOOP})
"""What leaves nothing to be done."""


def outcome_of(status: int) -> Outcome:
    """
    Return what a receiver's status means for the one change it was given.

    >>> outcome_of(204), outcome_of(503), outcome_of(422)
    (<Outcome.DONE: 'done'>, <Outcome.RETRY: 'retry'>, <Outcome.REJECTED: 'rejected'>)

    A redirect is not followed, so the change was not taken:

    >>> outcome_of(301)
    <Outcome.RETRY: 'retry'>
    """
    match status:
        case 401 | 403:
            return Outcome.AUTH
        case 410:
            return Outcome.GONE
        case 429:
            return Outcome.THROTTLED
        case 408 | 425:
            return Outcome.RETRY
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own
        return Outcome.DONE
    return Outcome.REJECTED if 400 <= status < 500 else Outcome.RETRY  # noqa: PLR2004 - the same


def retry_at(header: str | None, now: datetime) -> datetime | None:
    """
    Return when ``Retry-After`` asks us back, at most 24 h from now; None where it says nothing.

    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> retry_at("120", noon).isoformat()
    '2026-03-04T12:02:00+00:00'
    >>> retry_at("Wed, 04 Mar 2026 12:30:00 GMT", noon).isoformat()
    '2026-03-04T12:30:00+00:00'
    >>> retry_at("1000000000", noon).isoformat()
    '2026-03-05T12:00:00+00:00'
    >>> retry_at("-5", noon) is retry_at("soon", noon) is None
    True
    """
    if header is None:
        return None
    text = header.strip()
    latest = now + LONGEST_WAIT
    if SECONDS.fullmatch(text):
        return latest if int(text) > LONGEST_WAIT.total_seconds() else now + _seconds(text)
    try:
        asked = parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    asked = asked.replace(tzinfo=UTC) if asked.tzinfo is None else asked
    return min(asked, latest) if asked > now else None


def _seconds(text: str) -> timedelta:
    """Read a number of seconds."""
    return timedelta(seconds=int(text))


def read_moment(text: str) -> datetime:
    """
    Return the moment that :func:`in_full` wrote.

    >>> read_moment("2026-03-04T12:00:00Z")
    datetime.datetime(2026, 3, 4, 12, 0, tzinfo=datetime.timezone.utc)
    """
    return datetime.fromisoformat(text).astimezone(UTC)


def in_full(at: datetime) -> str:
    """
    Return a moment as machines read it: RFC 3339, UTC.

    >>> in_full(datetime(2026, 3, 4, 12, tzinfo=UTC))
    '2026-03-04T12:00:00Z'
    """
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def is_public(address: Address) -> bool:
    """
    Return whether an address belongs to the open internet.

    Only what is surely there: no private, special or translated range.

    >>> is_public(IPv4Address("192.0.43.8")), is_public(IPv4Address("169.254.169.254"))
    (True, False)
    >>> is_public(IPv6Address("64:ff9b::7f00:1")), is_public(IPv6Address("::ffff:127.0.0.1"))
    (False, False)
    """
    address = plain(address)
    if isinstance(address, IPv4Address):
        return not _lies_in(address, NOT_PUBLIC)
    return address in PUBLIC_V6 and not _lies_in(address, NOT_PUBLIC_V6)


def plain(address: Address) -> Address:
    """
    Return the IPv4 address where it is written as an IPv6 one.

    >>> plain(IPv6Address("::ffff:10.0.0.1"))
    IPv4Address('10.0.0.1')
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def may_call(scheme: str, port: int, address: Address, private: Collection[Network]) -> bool:
    """
    Return whether we may call this address: https on a web port, in public.

    Where the operator allows a private network, http and any port are allowed too.

    >>> may_call("https", 443, IPv4Address("192.0.43.8"), ())
    True
    >>> may_call("http", 80, IPv4Address("192.0.43.8"), ())
    False
    >>> may_call("http", 8069, IPv4Address("10.1.2.3"), [IPv4Network("10.0.0.0/8")])
    True
    """
    address = plain(address)
    if _lies_in(address, private):
        return True
    return scheme == "https" and port in WEB_PORTS and is_public(address)


def _lies_in(address: Address, networks: Collection[Network]) -> bool:
    """Return whether one of these networks has the address."""
    return any(address.version == net.version and address in net for net in networks)
