"""The statements that find what waits, lease it and mark it as sent, for both databases."""

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from regportal.outbox.models import Message, MessageState
from regportal.outbox.rules import LANES, WITHDRAWAL
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
        sa.or_(Told.state == sa.literal_column("'sent'"), Told.lease.is_not(None)),
    )
    .group_by(Told.subject)
)
"""The subjects that a CRM was told of, or is just told of, each with its address: by the address a
claim and its contact are one person."""
PEOPLE = BEGUN.where(Told.subject.not_like("opportunity:%"))
_BEGUN = BEGUN.cte("begun")
IS_BEGUN = sa.or_(
    Message.lane == WITHDRAWAL,
    Message.subject.in_(sa.select(_BEGUN.c.subject)),
    _address(Message).in_(sa.select(_BEGUN.c.address)),
)
"""Something was told of it, or of a person with its address; a withdrawal never waits."""

# Made once: building a statement takes longer than running it.
FIRSTS = (
    sa.select(Message.id, Message.due)
    .where(
        OF_CONNECTOR,
        Message.lane == sa.bindparam("lane"),
        IS_DUE,
        IS_HEAD,
    )
    .order_by(Message.due)
    .limit(sa.bindparam("most", type_=sa.Integer()))
)
"""The messages of a lane that go out next. It reads past all that waits behind others, which may
take long: never in a transaction that writes."""
FIRSTS_BEGUN = FIRSTS.where(IS_BEGUN)
HEADS = (
    sa.select(*TOLD)
    .where(
        among(Message.id),
        Message.lane <= sa.bindparam("lane"),
        IS_DUE,
        Message.due <= sa.bindparam("now"),
        IS_HEAD,
    )
    .order_by(Message.lane, Message.due)
    .limit(sa.bindparam("size", type_=sa.Integer()))
    .with_for_update(skip_locked=True)
)
"""Of some messages, by id, those that still go out next and that no other worker is leasing."""
HEADS_BEGUN = HEADS.where(IS_BEGUN)
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
