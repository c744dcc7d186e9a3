"""What PostgreSQL wants to be asked otherwise than SQLite."""

from typing import Any

import sqlalchemy as sa

IN_TRANSACTION = {"INTRANS", "INERROR"}
"""Where PostgreSQL waits for the next statement of a transaction, or for its end."""
IN_THE_WAY = {"40001", "40P01"}  # serialization failure, deadlock


def roll_back(connection: sa.Connection) -> None:
    """
    End a transaction on PostgreSQL, where the connection's own way forgets all that is prepared.

    Every read ends so: it would have each of its statements planned anew, and the writes that come
    after it on the same connection. What is prepared outlives a transaction.
    """
    if connection.closed or connection.invalidated:
        return
    raw: Any = connection.connection.dbapi_connection
    if raw.info.transaction_status.name in IN_TRANSACTION:
        raw.pgconn.exec_(b"ROLLBACK")


def is_in_the_way(error: sa.exc.DBAPIError) -> bool:
    """Return whether another transaction got in the way, so that the same may be tried again."""
    return getattr(error.orig, "sqlstate", None) in IN_THE_WAY
