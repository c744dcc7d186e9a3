"""Taking a person out of every table: his rows go, and the rows that stay name him no more."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.identity.models import Visitor, VisitorState
from regportal.privacy.traces import (
    MENTION,
    Keys,
    Traces,
    every_model,
    keys_of,
    mentions_of,
    primary,
    some,
    without,
)
from regportal.store.ballast import may_use_ballast
from regportal.store.base import Base
from regportal.store.facts import table_of


def remove(session: Session, traces: Traces) -> dict[str, int]:
    """Delete or empty a person's rows in every table, and return how many in each."""
    may_use_ballast(session)
    tables = [table for table in Base.metadata.sorted_tables if table.name in every_model()]
    models = [every_model()[table.name] for table in tables]
    his = [one for one in models if one.person and not one.outlives]
    found = {one: keys_of(session, one, traces) for one in his}
    named = {one: mentions_of(session, one, traces) for one in his}
    counts: Counter[str] = Counter()
    for model in reversed(his):  # whoever points at a row goes before it
        _delete(session, model, found[model])
        _empty(session, model, named[model], traces)
        counts[model.__tablename__] = len(found[model]) + len(named[model])
    session.execute(
        sa.update(Visitor)
        .where(Visitor.claim_id.in_(traces.claims))
        .values(claim_id=None, state=VisitorState.ANONYMOUS, verified_at=None)
    )
    session.expire_all()
    return {table: count for table, count in sorted(counts.items()) if count}


def _delete(session: Session, model: type[Base], keys: Keys) -> None:
    """Delete rows; what stays and points at them lets go."""
    table = table_of(model)
    for portion in some(keys):
        _let_go(session, table, portion)
        session.execute(sa.delete(table).where(primary(table, list(portion))))


def _empty(session: Session, model: type[Base], keys: Keys, traces: Traces) -> None:
    """Take out of rows that stay whatever names the person."""
    table = table_of(model)
    mentions = [table.columns[name] for name, key in model.person.items() if key == MENTION]
    for portion in some(keys):
        rows = session.execute(
            sa.select(*table.primary_key, *mentions).where(primary(table, list(portion)))
        ).all()
        for row in rows:
            key, held = row[: len(table.primary_key)], row[len(table.primary_key) :]
            values = {
                column.name: _emptied(column, value, traces)
                for column, value in zip(mentions, held, strict=True)
            }
            changed = values | dict(model.when_emptied)
            session.execute(sa.update(table).where(primary(table, [tuple(key)])).values(changed))


def _emptied(column: sa.Column[Any], value: Any, traces: Traces) -> Any:
    """Return what a column holds once it names the person no more."""
    left = b"" if isinstance(value, bytes) else without(value, traces)
    return {} if left is None and not column.nullable else left


def _let_go(session: Session, table: sa.Table, keys: Sequence[Any]) -> None:
    """Let rows that stay no longer point at rows that go."""
    gone = [key[0] for key in keys]
    for other in Base.metadata.tables.values():
        for column in other.columns:
            points = any(key.column.table is table for key in column.foreign_keys)
            if points and column.nullable:
                session.execute(sa.update(other).where(column.in_(gone)).values({column: None}))
