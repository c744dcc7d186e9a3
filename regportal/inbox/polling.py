"""Asking a CRM what happened there: behind every push, or instead of one."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.base import Connector, Notice, Unsupported
from regportal.connectors.desk import NotTakenError
from regportal.connectors.rules import Outcome, in_full
from regportal.errors import UnreachableError
from regportal.inbox.actions import take_news
from regportal.inbox.confirming import confirm
from regportal.inbox.models import Poll
from regportal.outbox.budget import Budget, compare_anew
from regportal.outbox.rules import AWAITED, REST, Standing
from regportal.store.facts import insert_in
from regportal.store.sessions import Store

EVERY, SELDOM = timedelta(minutes=1), timedelta(minutes=10)
"""Between two times that a CRM is asked, and where few of its calls are left."""
BREATH = timedelta(minutes=5)
"""After it could not be asked, or did not let us, and did not say until when."""
PATIENCE = timedelta(seconds=10)
"""Where it asks us to wait no longer, we do, and go on; once for each call."""
LEAST = timedelta(seconds=10)
"""Before it is asked again that is called too often, however soon it lets us."""
LEASE = timedelta(minutes=2)
"""After which another worker asks where one died in the middle."""
LONGEST = timedelta(days=1)
"""However long a CRM asks us to wait. A time further ahead was set by a clock that was wrong."""
AT_ONCE = 200
"""Pieces of news asked for in one call, and kept in one transaction."""
MOST = 100
"""Calls after which others have their turn."""

Rest = Callable[[float], bool]
"""Waits for so many seconds, and says whether we may go on then."""
Changes = tuple[Sequence[Notice], str] | Unsupported
Told = TypeVar("Told")

log = logging.getLogger(__name__)


def at_leisure(seconds: float) -> bool:
    """Wait, whatever happens meanwhile."""
    time.sleep(seconds)
    return True


def poll(
    store: Store,
    key: str,
    connector: Connector,
    budget: Budget,
    *,
    clock: Callable[[], datetime],
    on_heard: Callable[[], object] = lambda: None,
    rest: Rest = at_leisure,
) -> datetime | None:
    """
    Ask a CRM what happened since it was asked last, and keep it; return when to ask again.

    It is asked until its cursor stays where it is. Of several workers one asks. What is told twice
    is kept once; ``on_heard`` is called where something was not known. It is asked less often where
    little is left of the ``budget``, and not at all where nothing is. Where it asks us to wait, we
    ``rest``, or come back when it says; once it has told something that is no trouble. Where it no
    longer knows how far we were, it is asked from the beginning, and for every record we know. At
    last it is asked whether what its calls said is so. None: this one cannot be asked.
    """
    now = clock()
    cursor, waits_until = _begun(store, key, now=now)
    if waits_until is not None:
        return waits_until
    stands = _standing(store, budget, now=now)
    if AWAITED not in stands.lanes:
        store.write(lambda session: _set(session, key, due=stands.until, awaited=stands.until))
        return stands.until
    pace = EVERY if REST in stands.lanes else SELDOM

    def changes(cursor: str | None) -> Changes:
        return _patiently(lambda: connector.changes(cursor, AT_ONCE), clock, rest)

    def is_any_so() -> bool:
        return _patiently(lambda: confirm(store, key, connector, now=clock()), clock, rest)

    try:
        again = _asked(store, key, changes, cursor, pace, clock=clock, on_heard=on_heard)
        if again is None:
            return None
        ends: dict[str, Any] = {"due": again, "awaited": again, "trouble": None}
    except (UnreachableError, NotTakenError) as error:
        log.warning("%s could not be asked: %s", key, error)
        ends = _troubled(error, cursor, now=clock())
    except Exception as error:
        says = f"an error of ours: {type(error).__name__}"
        store.write(lambda session: _set(session, key, trouble=says))
        raise
    unsure = _confirmed(key, is_any_so, clock=clock, on_heard=on_heard)
    ends |= unsure if ends["trouble"] is None else {}
    spent, now = budget.meter.read(), clock()

    def end(session: Session) -> None:
        hinted = Poll.due <= now
        _set(session, key, **ends | {"due": sa.case((hinted, Poll.due), else_=ends["due"])})
        if "cursor" in ends:
            compare_anew(session, key)
        budget.keep(session, spent, now=now)

    store.write(end)
    due: datetime = ends["due"]
    return due


def _confirmed(
    key: str,
    is_any_so: Callable[[], bool],
    *,
    clock: Callable[[], datetime],
    on_heard: Callable[[], object],
) -> dict[str, Any]:
    """Ask whether what a CRM's calls said is so; return where that leaves us, if it could not."""
    try:
        if is_any_so():
            on_heard()
    except (UnreachableError, NotTakenError) as error:
        log.warning("%s could not be asked whether what it said is so: %s", key, error)
        again = _put_off(error, now=clock())
        return {"trouble": str(error)} if again is None else {"due": again, "awaited": again}
    return {}


def _asked(
    store: Store,
    key: str,
    changes: Callable[[str | None], Changes],
    cursor: str | None,
    pace: timedelta,
    *,
    clock: Callable[[], datetime],
    on_heard: Callable[[], object],
) -> datetime | None:
    """
    Ask from a cursor on until it stays, and return when to ask again; None: never.

    With each answer but the last our lease is longer: a hint that comes with that one is heard.
    Where it has answered and then puts us off, the rest is asked for the next time.
    """
    for page in range(MOST):
        try:
            found = changes(cursor)
        except NotTakenError as error:
            again = _put_off(error, now=clock()) if page else None
            if again is None:
                raise
            log.info("%s was asked in part: %s", key, error)
            return again
        if found is Outcome.UNSUPPORTED:
            return None
        news, after = found
        until = None if after == cursor else clock() + LEASE
        if store.write(_keeping(key, news, after, until, now=clock())):
            on_heard()
        if after == cursor:
            return clock() + pace
        cursor = after
    return clock()  # there is more: whoever comes first goes on


def _patiently(ask: Callable[[], Told], clock: Callable[[], datetime], rest: Rest) -> Told:
    """Return what a CRM says; where it asks us to wait a little first, we do, once."""
    try:
        return ask()
    except NotTakenError as error:
        now = clock()
        if error.retry_at is None or error.retry_at > now + PATIENCE:
            raise
        if not rest(max((error.retry_at - now).total_seconds(), 0)):
            raise
    return ask()


def _back_at(error: Exception, *, now: datetime) -> datetime | None:
    """Return when a CRM lets us come back; None where it does not say. One in trouble is spared."""
    asked, least = getattr(error, "retry_at", None), LEAST if _is_much(error) else EVERY
    return min(max(asked, now + least), now + LONGEST) if asked else None


def _is_much(error: Exception) -> bool:
    """Return whether a CRM refuses because it is called too often, and for nothing else."""
    return getattr(error, "outcome", None) is Outcome.THROTTLED


def _put_off(error: UnreachableError | NotTakenError, *, now: datetime) -> datetime | None:
    """Return until when we are merely called too often; None: it is more, or takes long."""
    again = _back_at(error, now=now) if _is_much(error) else None
    return again if again and again <= now + SELDOM else None


def _troubled(
    error: UnreachableError | NotTakenError, cursor: str | None, *, now: datetime
) -> dict[str, Any]:
    """Return how far we are with a CRM that could not be asked; without a cursor it forgot that."""
    again = _back_at(error, now=now) or now + BREATH
    ends = {"due": again, "trouble": str(error)}
    is_lost = getattr(error, "outcome", None) is Outcome.GONE and cursor is not None
    return ends | {"due": now, "cursor": None} if is_lost else ends


def _standing(store: Store, budget: Budget, *, now: datetime) -> Standing:
    """Return how much of a CRM's calls is left."""
    with store.read() as session:
        return budget.stands(session, now=now)


def hint(session: Session, key: str, *, now: datetime) -> None:
    """Let a CRM be asked now: it said that something happened."""
    _set(session, key, due=now)


def troubles(session: Session) -> dict[str, str]:
    """Return which CRMs could not be asked the last time, since when they cannot be, and why."""
    every = session.scalars(sa.select(Poll).where(Poll.trouble.is_not(None)))
    return {one.connector: said for one in every if (said := trouble(one))}


def trouble(poll: Poll) -> str | None:
    """Return since when a CRM cannot be asked, and why, in one sentence; None: it can."""
    if poll.trouble is None:
        return None
    return f"cannot be asked since {in_full(poll.awaited or poll.due)}: {poll.trouble}"


def _begin(session: Session, key: str, *, now: datetime) -> tuple[str | None, datetime | None]:
    """Return from where to ask on, for us alone; or until when nobody is to ask."""
    insert = insert_in(session.get_bind().dialect.name)(Poll)
    begun = insert.values(connector=key, due=now)
    session.execute(begun.on_conflict_do_nothing(index_elements=["connector"]))
    row = session.get_one(Poll, key, with_for_update=True)
    waits_until = _waits_until(row, now)
    if waits_until is None:
        row.due, row.awaited = now + LEASE, min(row.awaited or now, now)
    return row.cursor, waits_until


def _begun(store: Store, key: str, *, now: datetime) -> tuple[str | None, datetime | None]:
    """Begin, where it is time: to find that it is not costs no writer anything."""
    with store.read() as session:
        waits_until = _waits_until(session.get(Poll, key), now)
    if waits_until is not None:
        return None, waits_until
    return store.write(lambda session: _begin(session, key, now=now))


def _waits_until(row: Poll | None, now: datetime) -> datetime | None:
    """Return until when nobody is to ask; None: whoever comes may."""
    return row.due if row is not None and now < row.due <= now + LONGEST else None


def _keeping(
    key: str, news: Sequence[Notice], cursor: str, until: datetime | None, *, now: datetime
) -> Callable[[Session], bool]:
    """Return what keeps news, how far we are and until when we ask; it says whether any was new."""

    def keep(session: Session) -> bool:
        new = [take_news(session, key, one, now=now) for one in news]
        _set(session, key, cursor=cursor, **({"due": until} if until else {}))
        return any(new)

    return keep


def _set(session: Session, key: str, **values: Any) -> None:
    """Write down how far we are with a CRM, and when to ask it again."""
    session.execute(
        sa.update(Poll)
        .where(Poll.connector == key)
        .values(values)
        .execution_options(synchronize_session=False)
    )
