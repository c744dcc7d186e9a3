"""Not speaking to a connector for a while: it asked for it, somebody wants it, or it is away."""

import logging
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.outbox.breaker import CLOSED, Breaker
from regportal.outbox.models import Message, MessageState, Pause
from regportal.outbox.rules import WAITS, is_paused, left_of, longer
from regportal.outbox.waiting import IS_DUE, IS_HEAD
from regportal.store.base import UtcMoment

log = logging.getLogger(__name__)

OF_IT = Pause.connector == sa.bindparam("of")  # an UPDATE keeps "connector" for the column
AT_A_TIME = 5_000
"""Messages that one probe gives up: nobody else who writes waits for long."""
MINE = Message.connector == sa.bindparam("of")
HELD = sa.select(Pause.until, Pause.failures, Pause.since).where(OF_IT)
SET_PAUSE = sa.text(
    "INSERT INTO pause (connector, until, because, failures, since) "
    "VALUES (:connector, :until, :because, :failures, :since) "
    "ON CONFLICT (connector) DO UPDATE SET until = excluded.until, because = excluded.because, "
    "failures = excluded.failures, since = excluded.since WHERE :by_hand OR pause.until IS NOT NULL"
).bindparams(*(sa.bindparam(name, type_=UtcMoment()) for name in ("until", "since")))
"""
Both databases read it; two workers that are thrown out at once do not collide. What only a person
ends, nobody else shortens, not even where both come at once.
"""
CLOSE = (
    sa.delete(Pause)
    .where(OF_IT, Pause.failures > 0)
    .returning(Pause.failures, Pause.since)
    .execution_options(synchronize_session=False)
)
PROBE = (
    sa.update(Pause)
    .where(OF_IT, Pause.failures > 0, Pause.until == sa.bindparam("ended"))
    .values(until=sa.bindparam("answers_by"))
    .returning(Pause.connector)
    .execution_options(synchronize_session=False)
)
"""Of several workers one takes the message with which a CRM is tried."""
UNTRIED = (
    sa.update(Pause)
    .where(OF_IT, Pause.failures > 0)
    .values(until=sa.bindparam("now"))
    .execution_options(synchronize_session=False)
)

FREE = sa.select(Message.id).where(MINE, IS_DUE).with_for_update(skip_locked=True)
"""What others have in hand is left to them: nobody waits for somebody who waits for him."""
AT_ONCE = (
    sa.update(Message)
    .where(
        Message.id.in_(
            FREE.where(
                Message.attempts > 0,
                Message.leased_until.is_(None),
                Message.due > sa.bindparam("now"),
            )
        )
    )
    .values(due=sa.bindparam("now"))
    .execution_options(synchronize_session=False)
)
GIVE_UP = (
    sa.update(Message)
    .where(
        Message.id.in_(
            FREE.where(
                IS_HEAD,
                sa.or_(
                    *(
                        sa.and_(Message.attempts == made, Message.due <= sa.bindparam(f"by_{made}"))
                        for made in range(len(WAITS))
                    )
                ),
            )
            .order_by(Message.due)
            .limit(AT_A_TIME)
        )
    )
    .values(state=MessageState.PARKED, trouble=sa.bindparam("because"))
    .execution_options(synchronize_session=False)
)
"""The first of each subject, where the time of its last attempt has come."""


@dataclass(frozen=True, slots=True)
class Held:
    """Whether a connector is spoken to."""

    until: datetime | None
    """When its pause ends; None: when somebody ends it."""
    breaker: Breaker = CLOSED
    """Closed, where it is no breaker's pause."""


def held(session: Session, connector: str, *, to_change: bool = False) -> Held | None:
    """Return what holds a connector, or did; None: nothing."""
    asked = HELD.with_for_update() if to_change else HELD
    row = session.connection().execute(asked, {"of": connector}).first()
    return None if row is None else Held(row.until, Breaker(row.failures, row.since))


def set_pause(
    session: Session,
    connector: str,
    because: str,
    until: datetime | None,
    breaker: Breaker = CLOSED,
    *,
    by_hand: bool = False,
) -> None:
    """Do not speak to a connector for a while, or until somebody resumes it."""
    values = {"connector": connector, "until": until, "because": because, **asdict(breaker)}
    session.execute(SET_PAUSE, values | {"by_hand": by_hand})


def hold(
    session: Session, connector: str, because: str, until: datetime | None, *, now: datetime
) -> None:
    """Let a connector wait; a longer pause that already holds stays."""
    there = held(session, connector)
    if there and is_paused(there.until, now) and longer(there.until, until) == there.until:
        return
    set_pause(session, connector, because, until)
    log.warning("%s is paused until %s: %s", connector, until or "resumed", because)


def may_probe(session: Session, connector: str, there: Held, *, answers_by: datetime) -> bool:
    """Return whether we are the one who tries it; until it answers nobody else does."""
    asked = {"of": connector, "ended": there.until, "answers_by": answers_by}
    return session.connection().execute(PROBE, asked).first() is not None


def untried(session: Session, connector: str, *, now: datetime) -> None:
    """Let a CRM be tried again at once: the message it was tried with was not told."""
    session.execute(UNTRIED, {"of": connector, "now": now})


def heard(session: Session, connector: str, *, now: datetime) -> None:
    """Close the breaker: a CRM answers. After a long silence nothing waits for its own time."""
    closed = session.connection().execute(CLOSE, {"of": connector}).first()
    if closed is None:
        return
    breaker = Breaker(*closed)
    if breaker.is_tripped:
        log.info("%s answers again", connector)
    end(session, connector, breaker, now=now)


def end(session: Session, connector: str, breaker: Breaker, *, now: datetime) -> None:
    """Let what a breaker has kept go out, now that it is closed."""
    if breaker.was_long(now):
        session.execute(AT_ONCE, {"of": connector, "now": now})


def silent(
    session: Session, connector: str, because: str, *, is_probe: bool, chance: float, now: datetime
) -> None:
    """
    Count a call that came to nothing, and do not make the next one too soon.

    As long as the breaker is open only the probe counts: the others were begun before. In the end
    what was waiting is parked, as it would be had it been tried.
    """
    there = held(session, connector, to_change=True) or Held(now)
    before = there.breaker
    is_asked_for = not before.failures and is_paused(there.until, now)
    if is_asked_for or (before.is_tripped and not is_probe):
        return
    after = before.failed(there.until, now)
    set_pause(session, connector, because, now + after.rest(chance), after)
    if after.is_tripped and not before.is_tripped:
        log.warning("%s does not answer and is left alone: %s", connector, because)
    if after.gives_up(now):
        by = {f"by_{made}": now - left_of(made) for made in range(len(WAITS))}
        says = f"given up: {because}"
        session.execute(GIVE_UP, {"of": connector, "because": says, **by})
