"""What people do with a connection: each deed stands in the audit log, whoever does it."""

import uuid
from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from regportal.accounts import audit
from regportal.accounts.audit import COMMAND, Doer
from regportal.connectors.schema import Connector
from regportal.errors import NotHereError
from regportal.outbox import operating
from regportal.outbox.models import MAIL, Message
from regportal.store.documents import Published
from regportal.store.sessions import Store
from regportal.sync import going

CONNECTOR, MESSAGE = "connector", "message"
"""What the audit log calls what something is done to."""
EVERY = "every connector"


def require_connector(published: Published, key: str) -> None:
    """Raise NotHereError where nothing is told to such a connector."""
    if key != MAIL and published.find(Connector, key) is None:
        known = ", ".join([*(one.key for one in published.all(Connector)), MAIL])
        raise NotHereError(f"there is no connector {key!r}; there is {known}")


def pause(
    session: Session, connector: str, because: str, *, doer: Doer = COMMAND, now: datetime
) -> None:
    """Tell a connector nothing until it is resumed; what happens meanwhile waits."""
    operating.pause(session, connector, because)
    audit.write(session, doer, "pause", CONNECTOR, connector, {"because": because}, now=now)


def resume(session: Session, connector: str, *, doer: Doer = COMMAND, now: datetime) -> bool:
    """Speak to a connector again; return whether it was paused."""
    was_paused = operating.resume(session, connector, now=now)
    audit.write(session, doer, "resume", CONNECTOR, connector, {"was paused": was_paused}, now=now)
    return was_paused


def go(session: Session, connector: Connector, *, doer: Doer = COMMAND, now: datetime) -> list[str]:
    """Let a connector go on, as :func:`going.go` does; return what was lifted."""
    lifted = going.go(session, connector, now=now)
    audit.write(session, doer, "go", CONNECTOR, connector.key, now=now)
    return lifted


def replay(
    session: Session, ids: Collection[uuid.UUID], *, doer: Doer = COMMAND, now: datetime
) -> int:
    """
    Let messages be delivered again, as :func:`operating.replay` does; return how many are.

    Raises NotHereError where there is no such message.
    """
    for one in ids:
        if session.get(Message, one) is None:
            raise NotHereError(f"there is no message {one}")
    number = operating.replay(session, ids, now=now)
    for one in ids:
        audit.write(session, doer, "replay", MESSAGE, str(one), now=now)
    return number


def replay_parked(
    store: Store,
    *,
    connector: str | None = None,
    most: int | None = None,
    doer: Doer = COMMAND,
    now: datetime,
) -> int:
    """Let parked messages be delivered again, as :func:`operating.replay_parked` does."""

    def note(session: Session, number: int) -> None:
        key = connector or EVERY
        audit.write(session, doer, "replay", CONNECTOR, key, {"due": number}, now=now)

    return operating.replay_parked(store, connector=connector, most=most, beside=note, now=now)
