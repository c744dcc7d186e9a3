"""
How much one place may do: counted in the database, so that it holds over all processes.

A place is an IPv4 address or an IPv6 /64, and sixteen times as much is let through from all of an
IPv6 /48; each is known by a keyed hash only. What a limit answers never depends on whether an
address is known to us.
"""

import hmac
import ipaddress
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from flask import Request, request
from sqlalchemy.orm import Session

from regportal.errors import TooManyError
from regportal.identity.models import Tally
from regportal.store import current
from regportal.store.ballast import is_full
from regportal.store.facts import table_of
from regportal.store.words import N_

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
IPV6_PLACES = {64: 1, 48: 16}
"""How many times a limit holds for so many bits of an IPv6 address: the first 64 are one
connection, whose owner chooses the rest; the first 48 are what an organisation is given."""
TOO_MANY = N_("That was a lot at once. Please try again later.")
ONE_MORE = (
    "INSERT INTO tally (key, began_at, number) VALUES {values} ON CONFLICT (key, began_at)"
    " DO UPDATE SET number = tally.number + excluded.number RETURNING key, number"
)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many within a window; the windows of a limit begin at the full minute or hour."""

    most: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a limit counts somebody: a key for each place, and how many times it holds there."""

    window: timedelta
    keys: Mapping[bytes, int]


LIMITS = {
    "claims": Limit(60, HOUR),  # forms with an address, resends and changes: each owes a mail
    "claims-with-work": Limit(600, HOUR),  # the same with a calculation done; an office, not more
    "answers": Limit(600, HOUR),  # forms without an address: an office behind one address
    "codes": Limit(60, HOUR),  # six digits typed; each claim has five tries of its own
    "decisions": Limit(120, HOUR),  # yes and no on the page a mail leads to
    "own-page": Limit(20, HOUR),  # letters with the link to one's own page
    "changes": Limit(300, HOUR),  # what a person changes or takes there
    "unsubscribes": Limit(1_200, HOUR),  # mail providers press these for many people
    "choices": Limit(600, HOUR),  # what a banner says of its visitors' choices
    "downloads": Limit(600, HOUR),  # files begun
    "stand": Limit(600, HOUR),  # a stand's key; its visitors, and what waited on the tablet
    "phones": Limit(600, HOUR),  # files taken over to a telephone; a fair's network
    "events": Limit(1_200, MINUTE),  # calls of browsers that tell what they saw; an office's
    "interactions": Limit(6_000, MINUTE),  # a key; calls of up to fifty events
    "timeline": Limit(6_000, MINUTE),  # a key; pages of what contacts did
    "may-mail": Limit(6_000, MINUTE),  # a key; a mailer asks once a letter
    "backtest": Limit(1_200, MINUTE),  # a key; it asks again and again how far one has come
    "bounces": Limit(1_200, MINUTE),  # a key; a mailer tells them in heaps
    "reports": Limit(120, HOUR),  # pages that broke their policy; each is a line in the log
    "keys": Limit(300, HOUR),  # API calls with a key that is none
    "sign-in": Limit(60, HOUR),  # passwords tried from one place in the Studio: an office
    "sign-in-as": Limit(20, HOUR),  # an address, whether or not somebody has it
    "second-factor": Limit(20, HOUR),  # a person; codes of six digits, and recovery codes
    "welcome": Limit(60, HOUR),  # links to come into the Studio for the first time
    "hooks": Limit(20_000, HOUR),  # calls of a CRM that are not signed as they must be
}
"""What is limited a place (a key where it says so), and why so: docs/security.md shows it."""


def take(session: Session, key: bytes, limit: int, window: timedelta, now: datetime) -> bool:
    """Count one more under a key and return whether it is within the limit of this window."""
    [counted] = count(session, [(key, window)], now=now)
    return counted <= limit


def used(session: Session, spots: Sequence[Spot], *, now: datetime) -> list[int]:
    """
    Count one more at each spot, in one statement, and return how much of each limit is used.

    Where a spot has several places, the fullest says it.
    """
    rows = [(key, spot.window) for spot in spots for key in spot.keys]
    counted = iter(count(session, rows, now=now))
    return [max(_share(next(counted), times) for times in spot.keys.values()) for spot in spots]


def within(session: Session, name: str, spots: Sequence[Spot], *, now: datetime) -> list[bool]:
    """
    Count these calls against one limit, in one statement; return which of them are within it.

    In the order in which they came: of several from one place the first are let through.
    """
    limit = LIMITS[name]
    times = Counter(key for one in spots for key in one.keys)
    order = sorted(times)  # two that count at once take the same turns
    counted = count(
        session,
        [(key, limit.window) for key in order],
        now=now,
        times=[times[key] for key in order],
    )
    before = {key: number - times[key] for key, number in zip(order, counted, strict=True)}
    fine = []
    for one in spots:
        for key in one.keys:
            before[key] += 1
        fine.append(
            all(_share(before[key], holds) <= limit.most for key, holds in one.keys.items())
        )
    return fine


def count(
    session: Session,
    keys: Sequence[tuple[bytes, timedelta]],
    *,
    now: datetime,
    times: Sequence[int] = (),
) -> list[int]:
    """
    Count one more under each key, in one statement, and return how many each has in its window.

    Or as many more as ``times`` says. The keys must differ. Two that count at once wait for each
    other, and both are counted.
    """
    values: dict[str, Any] = {}
    for row, (key, window) in enumerate(keys):
        values |= {f"key_{row}": key, f"began_at_{row}": began(now, window)}
        values[f"number_{row}"] = times[row] if times else 1
    told = session.connection().execute(_count(len(keys)), values)
    counted = {bytes(key): number for key, number in told}
    return [counted[key] for key, _ in keys]


def began(now: datetime, window: timedelta) -> datetime:
    """
    Return when the window began that holds a moment.

    >>> began(datetime(2026, 3, 4, 12, 34, 56, tzinfo=UTC), HOUR)
    datetime.datetime(2026, 3, 4, 12, 0, tzinfo=datetime.timezone.utc)
    """
    seconds = int(window.total_seconds())
    return datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, UTC)


def retry_after(window: timedelta, now: datetime) -> int:
    """
    Return in how many seconds the next window begins.

    >>> retry_after(HOUR, datetime(2026, 3, 4, 12, 59, 30, tzinfo=UTC))
    30
    """
    return math.ceil((began(now, window) + window - now).total_seconds())


def is_on() -> bool:
    """Return whether this installation has limits at all."""
    return current.settings().limits == "on"


def spot(
    name: str, window: timedelta, whom: str | None = None, *, sent: Request | None = None
) -> Spot:
    """
    Return where a limit counts a caller, or without one the place of a request.

    Nobody can say from its keys who that is.
    """
    pepper = current.settings().pepper_text.encode()
    times = {whom: 1} if whom is not None else places((sent or request).remote_addr or "")
    return Spot(
        window,
        {
            hmac.digest(pepper, f"limit\n{name}\n{place}".encode(), "sha256"): holds
            for place, holds in times.items()
        },
    )


def places(address: str) -> Mapping[str, int]:
    """
    Return the places an address belongs to, each with how many times a limit holds there.

    >>> places("203.0.113.9"), places("::ffff:203.0.113.9")
    ({'203.0.113.9': 1}, {'203.0.113.9': 1})
    >>> places("2001:db8:1:2:3:4:5:6")
    {'2001:db8:1:2::/64': 1, '2001:db8:1::/48': 16}
    >>> places("unix:")
    {'nowhere': 1}
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return {"nowhere": 1}
    if isinstance(found, ipaddress.IPv4Address):
        return {str(found): 1}
    if found.ipv4_mapped is not None:
        return {str(found.ipv4_mapped): 1}
    return {
        str(ipaddress.ip_network(f"{found}/{bits}", strict=False)): times
        for bits, times in IPV6_PLACES.items()
    }


def check(name: str, whom: str | None = None, *, now: datetime | None = None) -> None:
    """
    Count one more against a limit of :data:`LIMITS`; raise TooManyError where it is too many.

    ``whom`` is the key of a caller; without it the place of the current request is counted. On a
    full disk nothing can be counted: then what was counted before says it.
    """
    if not is_on():
        return
    now = now or datetime.now(UTC)
    limit = LIMITS[name]
    counted = spot(name, limit.window, whom)
    try:
        [number] = current.store().write(lambda session: used(session, [counted], now=now))
    except sa.exc.OperationalError as error:
        if not is_full(error):
            raise
        _refuse_beyond(name, counted, now=now)
    else:
        if number > limit.most:
            raise too_many(name, now=now)


def too_many(name: str, *, now: datetime) -> TooManyError:
    """Return what whoever is beyond a limit is told."""
    return TooManyError(TOO_MANY, after=retry_after(LIMITS[name].window, now))


def look(name: str, *, now: datetime) -> None:
    """
    Raise TooManyError where a limit is used up, without counting.

    For what is counted afterwards, beside a measurement, by :func:`note`.
    """
    if is_on():
        _refuse_beyond(name, spot(name, LIMITS[name].window), now=now)


def note(name: str, *, now: datetime) -> None:
    """Count one more against a limit, soon; nobody waits for it."""
    if not is_on():
        return
    counted = spot(name, LIMITS[name].window)
    current.store().note(lambda session: used(session, [counted], now=now))


def _refuse_beyond(name: str, counted: Spot, *, now: datetime) -> None:
    """Raise TooManyError where a limit is used up at a spot, without counting."""
    since = began(now, counted.window)
    with current.store().read() as session:
        for key, times in counted.keys.items():
            kept = session.get(Tally, (key, since))
            if kept is not None and _share(kept.number, times) >= LIMITS[name].most:
                raise too_many(name, now=now)


def _share(number: int, times: int) -> int:
    """Return how much of a limit that holds so many times a number has used, rounded up."""
    return -(-number // times)


@cache
def _count(rows: int) -> sa.TextClause:
    """
    Return the statement that counts under so many keys.

    Written out, because SQLAlchemy compiles an INSERT of several rows anew each time it runs.
    """
    values = ", ".join(f"(:key_{row}, :began_at_{row}, :number_{row})" for row in range(rows))
    columns = table_of(Tally).c
    types = [
        sa.bindparam(f"{name}_{row}", type_=columns[name].type)
        for name in ("key", "began_at", "number")
        for row in range(rows)
    ]
    return sa.text(ONE_MORE.format(values=values)).bindparams(*types)
