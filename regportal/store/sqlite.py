"""How SQLite is opened and asked: durable, strict and patient (security.md 10.8)."""

from typing import Any

import sqlalchemy as sa

WRITE_BACK = "PRAGMA wal_checkpoint(TRUNCATE)"


def prepare(connection: Any, patience: float) -> None:
    """Make a new connection so; it waits so many seconds for others."""
    connection.isolation_level = None  # transactions begin where we say, below
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        f"busy_timeout={patience * 1000:.0f}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def begin(connection: sa.Connection) -> None:
    """Begin on SQLite: a write takes its lock at once, so that it never has to give up halfway."""
    writes = connection.get_execution_options().get("regportal_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
