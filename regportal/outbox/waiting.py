"""The statements that find what waits, lease it and mark it as sent, for both databases."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from regportal.outbox.models import Message, MessageState
from regportal.outbox.rules import LANES
from regportal.store.among import among
from regportal.store.base import UtcMoment

OF_CONNECTOR = Message.connector == sa.bindparam("connector")
TOLD = (
    Message.id,
    Message.topic,
    Message.subject,
    Message.sequence,
    Message.occurred_at,
    Message.payload,
    Message.attempts,
)

# Written out, not bound: only so do both databases see that their partial indexes fit.
DUE: sa.ColumnElement[str] = sa.literal_column("'due'")
PARKED: sa.ColumnElement[str] = sa.literal_column("'parked'")
IS_DUE = Message.state == DUE
Ahead, Creator = aliased(Message), aliased(Message)
AHEAD = sa.select(sa.literal(1)).where(
    Ahead.connector == Message.connector,
    Ahead.subject == Message.subject,
    Ahead.sequence < Message.sequence,
    Ahead.state.in_([DUE, PARKED]),
)
"""What is told, or parked, before a message of the same subject."""
IS_HELD = (
    sa.select(sa.literal(1))
    .where(
        Creator.connector == Ahead.connector,
        Creator.subject == Ahead.subject,
        Creator.sequence < Ahead.sequence,
        Creator.state == PARKED,
        Creator.creates,
    )
    .exists()
)
"""What is ahead waits itself for the contact, whose creation is parked."""
IS_HEAD = sa.or_(
    ~AHEAD.where(sa.or_(Ahead.state == DUE, Ahead.creates)).exists(),
    sa.and_(
        Message.passes,
        ~AHEAD.where(
            Ahead.state == DUE, sa.or_(Ahead.passes, Ahead.merges == Message.merges, ~IS_HELD)
        ).exists(),
    ),
)
"""
Nothing of its subject is to be delivered before it, or is parked and creates the contact.

A withdrawal passes what is parked, and what waits behind it; but no other withdrawal, and nothing
that tells of the same newsletter.
"""


def _address(of: type[Message]) -> sa.ColumnElement[str]:
    """Return the address of whom a message is about; NULL where it is about nobody."""
    told = (of.payload[one]["email"].as_string() for one in ("contact", "claim"))
    return sa.func.lower(sa.func.coalesce(*told))


Told = aliased(Message)
BEGUN = (
    sa.select(Told.subject, sa.func.max(_address(Told)).label("address"))
    .where(
        Told.connector == sa.bindparam("connector"),
        ~Told.passes,
        sa.or_(Told.state == sa.literal_column("'sent'"), Told.lease.is_not(None)),
    )
    .group_by(Told.subject)
)
"""The subjects that a CRM was told of, or is just told of, each with its address: by the address a
claim and its contact are one person. Of whom it heard a withdrawal alone it was not told."""
PEOPLE = BEGUN.where(Told.subject.not_like("opportunity:%"))
_BEGUN = BEGUN.cte("begun")
IS_BEGUN = sa.func.coalesce(
    sa.or_(
        Message.subject.in_(sa.select(_BEGUN.c.subject)),
        _address(Message).in_(sa.select(_BEGUN.c.address)),
    ),
    sa.false(),
)
"""Something was told of it, or of a person with its address."""
MAY_GO_ON = sa.or_(
    sa.and_(IS_BEGUN, IS_HEAD),
    sa.and_(
        ~IS_BEGUN,
        Message.passes,
        ~AHEAD.where(
            Ahead.state == DUE, sa.or_(Ahead.passes, Ahead.merges == Message.merges)
        ).exists(),
    ),
)
"""
What goes out once a first run is over: of those it had begun to tell of whatever comes next.

Of the others a withdrawal passes all that waits, as it passes what is parked: it never waits, and
nobody is begun for its sake.
"""


def _firsts(goes: sa.ColumnElement[bool]) -> sa.Select[uuid.UUID, datetime]:
    """
    Select the messages of a lane that go out next.

    It reads past all that waits behind others, which may take long: never in a transaction that
    writes.
    """
    return (
        sa.select(Message.id, Message.due)
        .where(OF_CONNECTOR, Message.lane == sa.bindparam("lane"), IS_DUE, goes)
        .order_by(Message.due)
        .limit(sa.bindparam("most", type_=sa.Integer()))
    )


def _heads(goes: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Select of some messages, by id, those that still go out next and no other worker leases."""
    return (
        sa.select(*TOLD)
        .where(
            among(Message.id),
            Message.lane <= sa.bindparam("lane"),
            IS_DUE,
            Message.due <= sa.bindparam("now"),
            goes,
        )
        .order_by(Message.lane, Message.due)
        .limit(sa.bindparam("size", type_=sa.Integer()))
        .with_for_update(skip_locked=True)
    )


# Made once: building a statement takes longer than running it.
FIRSTS, FIRSTS_BEGUN = _firsts(IS_HEAD), _firsts(MAY_GO_ON)
HEADS, HEADS_BEGUN = _heads(IS_HEAD), _heads(MAY_GO_ON)
MEND = (
    sa.update(Message)
    .where(
        Message.connector == sa.bindparam("of"),
        Message.lane.in_(LANES),
        IS_DUE,
        Message.due > sa.bindparam("late"),
    )
    .values(due=sa.bindparam("now"))
)
WAITS = sa.select(Message.id).where(OF_CONNECTOR, Message.lane.in_(LANES), IS_DUE).limit(1)
PUT_OFF = WAITS.where(Message.due > sa.bindparam("late"))
"""Whether anything is due later than we ever put it off: a clock was wrong."""
LET = (
    sa.update(Message)
    .where(among(Message.id))
    .values(
        lease=sa.bindparam("token"),
        leased_until=sa.bindparam("until"),
        due=sa.bindparam("until"),
    )
    .execution_options(synchronize_session=False)
)
Leased = aliased(Message)
PUT_BEHIND = (
    sa.update(Message)
    .where(
        Message.connector == sa.bindparam("of"),
        among(Message.subject, "subjects"),
        IS_DUE,
        sa.select(sa.literal(1))
        .where(
            Leased.connector == Message.connector,
            Leased.subject == Message.subject,
            Leased.sequence > Message.sequence,
            Leased.lease == sa.bindparam("token"),
        )
        .exists(),
    )
    .values(due=sa.bindparam("until"))
    .execution_options(synchronize_session=False)
)
"""Puts off what a message passes that is leased now: one of a subject at a time, also where a
person lets the others go meanwhile."""
SENT = (
    sa.update(Message)
    .where(
        among(Message.id),
        Message.lease == sa.bindparam("token"),
        IS_DUE,
    )
    .values(
        state=MessageState.SENT,
        attempts=Message.attempts + 1,
        sent_at=sa.bindparam("now"),
        trouble=None,
        outcome=None,
        lease=None,
        leased_until=None,
    )
    .returning(Message.id)
    .execution_options(synchronize_session=False)
)
NOW, UNTIL, TOKEN = (
    sa.bindparam("now", type_=UtcMoment()),
    sa.bindparam("until", type_=UtcMoment()),
    sa.bindparam("token", type_=sa.Uuid()),
)
RENEW = (
    sa.update(Message)
    .where(
        Message.connector == sa.bindparam("of"),
        among(Message.subject, "subjects"),
        IS_DUE,
        sa.or_(
            Message.lease == TOKEN,
            sa.and_(
                Message.due.between(sa.bindparam("soon", type_=UtcMoment()), UNTIL),
                sa.or_(Message.leased_until.is_(None), Message.leased_until <= NOW),
            ),
        ),
    )
    .values(
        due=UNTIL,
        leased_until=sa.case((Message.lease == TOKEN, UNTIL), else_=Message.leased_until),
    )
    .execution_options(synchronize_session=False)
)
"""Renews the leases of a batch. A message that was put off until such a lease is over, as the word
of an erasure is, is put off with it."""
