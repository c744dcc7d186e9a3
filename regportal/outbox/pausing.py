"""Pausing a connector: its CRM asks for it, a person does, or the CRM does not answer."""

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
"""Messages that are parked in one transaction, so that no other writer waits for long."""
MINE = Message.connector == sa.bindparam("of")
HELD = sa.select(Pause.until, Pause.failures, Pause.since).where(OF_IT)
SET_PAUSE = sa.text(
    "INSERT INTO pause (connector, until, because, failures, since) "
    "VALUES (:connector, :until, :because, :failures, :since) "
    "ON CONFLICT (connector) DO UPDATE SET until = excluded.until, because = excluded.because, "
    "failures = excluded.failures, since = excluded.since WHERE :by_hand OR pause.until IS NOT NULL"
).bindparams(*(sa.bindparam(name, type_=UtcMoment()) for name in ("until", "since")))
"""
One statement for both databases, so that two workers may set a pause at once. A pause without an
end is lifted by a person only: no worker's may replace it.
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
"""Lets one of several workers send the probe: its row changes for the first of them only."""
UNTRIED = (
    sa.update(Pause)
    .where(OF_IT, Pause.failures > 0)
    .values(until=sa.bindparam("now"))
    .execution_options(synchronize_session=False)
)

FREE = sa.select(Message.id).where(MINE, IS_DUE).with_for_update(skip_locked=True)
"""Messages that nobody else holds a lock on: so no two workers wait for each other."""
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
"""Parks the first message of each subject that would have had its last attempt by now."""


@dataclass(frozen=True, slots=True)
class Held:
    """A pause of a connector, which may be over, and its circuit breaker."""

    until: datetime | None
    """When its pause ends; None: when somebody ends it."""
    breaker: Breaker = CLOSED
    """Closed, where the pause is not the breaker's."""


def held(session: Session, connector: str, *, to_change: bool = False) -> Held | None:
    """Return the pause of a connector, also one that is over; None: there is none."""
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
    """Pause a connector until a time, or (None) until a person resumes it."""
    values = {"connector": connector, "until": until, "because": because, **asdict(breaker)}
    session.execute(SET_PAUSE, values | {"by_hand": by_hand})


def hold(
    session: Session, connector: str, because: str, until: datetime | None, *, now: datetime
) -> None:
    """Pause a connector, unless it is paused for longer already."""
    there = held(session, connector)
    if there and is_paused(there.until, now) and longer(there.until, until) == there.until:
        return
    set_pause(session, connector, because, until)
    log.warning("%s is paused until %s: %s", connector, until or "resumed", because)


def may_probe(session: Session, connector: str, there: Held, *, answers_by: datetime) -> bool:
    """Return whether this worker sends the probe; then no other does before ``answers_by``."""
    asked = {"of": connector, "ended": there.until, "answers_by": answers_by}
    return session.connection().execute(PROBE, asked).first() is not None


def untried(session: Session, connector: str, *, now: datetime) -> None:
    """Let the next probe be sent at once: the last one was not told."""
    session.execute(UNTRIED, {"of": connector, "now": now})


def heard(session: Session, connector: str, *, now: datetime) -> None:
    """Close the breaker: the CRM answers. After a long silence all that failed is due at once."""
    closed = session.connection().execute(CLOSE, {"of": connector}).first()
    if closed is None:
        return
    breaker = Breaker(*closed)
    if breaker.is_tripped:
        log.info("%s answers again", connector)
    end(session, connector, breaker, now=now)


def end(session: Session, connector: str, breaker: Breaker, *, now: datetime) -> None:
    """Let what failed and waits be due at once, if the breaker was open for long."""
    if breaker.was_long(now):
        session.execute(AT_ONCE, {"of": connector, "now": now})


def silent(
    session: Session, connector: str, because: str, *, is_probe: bool, chance: float, now: datetime
) -> None:
    """
    Count a call without an answer; pause the connector where the breaker opens, or stays open.

    As long as it is open only the probe counts: other calls were begun before. What has waited as
    long as a message is ever tried is parked, as it would be had each attempt been made.
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
