"""Back-tests that programs ask for: kept from the asking until a week after."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.backtest.models import Trial, TrialState
from regportal.buying.schema import Buying
from regportal.errors import NotHereError, TooManyError
from regportal.store.ids import uuid7

WAITING = 10
"""Back-tests that may wait or run at a time: each goes through all that ever happened."""
KEPT, MOST = timedelta(days=7), 50
"""How long, and how many, are kept."""
LEASE = timedelta(minutes=5)
"""After which one of which nothing is heard is begun again."""
UNFINISHED = Trial.state.in_([TrialState.WAITING, TrialState.RUNNING])


def wrong_span(
    since: datetime | None, until: datetime | None, now: datetime
) -> tuple[str, str] | None:
    """Return which end of a time is wrong, and why; None: it may be looked at."""
    if until is not None and until > now:
        return "to", "lies ahead: there is no history yet"
    if since is not None and since >= (until or now):
        return "from", "must be before the end, and before now"
    return None


def ask(
    session: Session,
    draft: Buying,
    since: datetime | None,
    until: datetime | None,
    *,
    now: datetime,
) -> Trial:
    """Keep that a draft is to be tried; raise TooManyError while many are."""
    tidy(session, now=now)
    if len(session.scalars(sa.select(Trial.id).where(UNFINISHED)).all()) >= WAITING:
        raise TooManyError(f"{WAITING} back-tests are waiting: let them end, or delete one.")
    trial = Trial(
        id=uuid7(),
        rules=draft.as_written(),
        since=since,
        until=until,
        state=TrialState.WAITING,
        asked_at=now,
        tried=0,
        of=0,
    )
    session.add(trial)
    session.flush()
    return trial


def tidy(session: Session, *, now: datetime) -> None:
    """Delete what is older than we keep it, or more than we keep."""
    newest = sa.select(Trial.id).order_by(Trial.id.desc()).limit(MOST - 1)
    session.execute(
        sa.delete(Trial)
        .where(sa.or_(Trial.asked_at < now - KEPT, Trial.id.not_in(newest)))
        .execution_options(synchronize_session=False)
    )


def trial_called(session: Session, key: uuid.UUID) -> Trial:
    """Return a back-test; raise NotHereError where there is none, or none any more."""
    found = session.get(Trial, key)
    if found is None:
        raise NotHereError(f"there is no back-test {key}")
    return found


def newest(session: Session) -> list[Trial]:
    """Return the back-tests that are kept, newest first."""
    return [*session.scalars(sa.select(Trial).order_by(Trial.id.desc()).limit(MOST))]


def remove(session: Session, key: uuid.UUID) -> Trial:
    """Delete a back-test, also one that runs, and return it as it was."""
    found = trial_called(session, key)
    session.delete(found)
    return found


# --- who runs them ---


def is_due(session: Session, now: datetime) -> bool:
    """Return whether a back-test waits to be run."""
    return session.scalars(_due(now)).first() is not None


def take(session: Session, *, now: datetime) -> uuid.UUID | None:
    """Return the oldest back-test that waits, which is then ours to run; None: none waits."""
    key = session.scalars(_due(now).with_for_update(skip_locked=True)).first()
    if key is not None:
        _tell(session, key, state=TrialState.RUNNING, lease=now + LEASE)
    return key


def give_back(session: Session, key: uuid.UUID) -> None:
    """Let a back-test that did not end be run by whoever comes next."""
    _tell(session, key, state=TrialState.WAITING, lease=None)


def is_wanted(session: Session, key: uuid.UUID) -> bool:
    """Return whether a back-test is still to be run: nobody deleted it."""
    return session.scalar(sa.select(Trial.id).where(Trial.id == key, UNFINISHED)) is not None


def come_so_far(session: Session, key: uuid.UUID, tried: int, of: int, *, now: datetime) -> None:
    """Keep how far a back-test has come."""
    _tell(session, key, tried=tried, of=of, lease=now + LEASE)


def finish(session: Session, key: uuid.UUID, report: dict[str, Any], *, now: datetime) -> None:
    """Keep what came of a back-test."""
    done = {"state": TrialState.DONE, "report": report, "tried": Trial.of}
    _tell(session, key, **done, ended_at=now, lease=None)


def fail(session: Session, key: uuid.UUID, trouble: str, *, now: datetime) -> None:
    """Keep that nothing came of a back-test, and why."""
    _tell(session, key, state=TrialState.FAILED, trouble=trouble, ended_at=now, lease=None)


def _due(now: datetime) -> sa.Select[uuid.UUID]:
    """Select the oldest that waits, or whose runner has died."""
    left = sa.and_(Trial.state == TrialState.RUNNING, Trial.lease <= now)
    waits = sa.or_(Trial.state == TrialState.WAITING, left)
    return sa.select(Trial.id).where(waits).order_by(Trial.id).limit(1)


def _tell(session: Session, key: uuid.UUID, **values: Any) -> None:
    """Keep something of a back-test that has not ended; nothing of one that was deleted."""
    session.execute(
        sa.update(Trial)
        .where(Trial.id == key, UNFINISHED)
        .values(values)
        .execution_options(synchronize_session=False)
    )
