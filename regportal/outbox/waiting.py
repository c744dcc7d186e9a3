"""What waits to be told, in the words of both databases."""

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from regportal.outbox.models import Message
from regportal.outbox.rules import LANES

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
IS_DUE = Message.state == sa.literal_column("'due'")
Ahead = aliased(Message)
IS_HEAD = ~(
    sa.select(sa.literal(1))
    .where(
        Ahead.connector == Message.connector,
        Ahead.subject == Message.subject,
        Ahead.sequence < Message.sequence,
        Ahead.state.in_([sa.literal_column("'due'"), sa.literal_column("'parked'")]),
        sa.or_(Ahead.state == sa.literal_column("'due'"), Ahead.creates),
    )
    .exists()
)
"""Nothing of its subject is to be delivered before it, or is parked and creates the contact."""

# Made once: building a statement takes longer than running it.
HEADS = (
    sa.select(*TOLD)
    .where(
        OF_CONNECTOR,
        Message.lane == sa.bindparam("lane"),
        IS_DUE,
        Message.due <= sa.bindparam("now"),
        IS_HEAD,
    )
    .order_by(Message.due)
    .limit(sa.bindparam("size", type_=sa.Integer()))
    .with_for_update(skip_locked=True)
)
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
NEXT = (
    sa.select(Message.due)
    .where(
        OF_CONNECTOR,
        Message.lane == sa.bindparam("lane"),
        IS_DUE,
        IS_HEAD,
    )
    .order_by(Message.due)
    .limit(1)
)
WAITS = sa.select(Message.id).where(OF_CONNECTOR, Message.lane.in_(LANES), IS_DUE).limit(1)
