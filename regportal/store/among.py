"""
Asking for the rows whose column is one of many keys or texts: one parameter, however many.

So a statement is made once, and planned once, instead of anew for every number of them.
"""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from regportal.store.compact import write_json

AMONG = {
    "sqlite": "{} IN (SELECT value FROM json_each({}))",
    "postgresql": "{} = ANY({})",
}
"""That a column is one of a list, which is an array on PostgreSQL and JSON on SQLite."""


class _List(sa.types.TypeDecorator[Collection[Any]]):
    """Values of a column's type, as one parameter."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, item: sa.types.TypeEngine[Any]) -> None:
        """Be a list of values of this type."""
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return how a database takes it."""
        kind = postgresql.ARRAY(self.item) if dialect.name == "postgresql" else sa.Text()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Collection[Any] | None, dialect: sa.Dialect) -> Any:
        """Return the values as the driver takes them."""
        values = [*(value or ())]
        if dialect.name == "postgresql":
            return values
        coded = self.item.dialect_impl(dialect).bind_processor(dialect)
        return write_json(values if coded is None else [coded(one) for one in values])


class _Among(FunctionElement[bool]):
    """That a column is one of the values of a parameter."""

    type = sa.Boolean()
    inherit_cache = True

    def self_group(self, against: object = None) -> Any:
        """Return it as it is: with "= 1" behind it, as for other functions, no index would do."""
        del against
        return self


@compiles(_Among, "sqlite")
@compiles(_Among, "postgresql")
def _written(element: _Among, compiler: Any, **options: Any) -> str:
    """Return it in SQL."""
    column, values = (compiler.process(one, **options) for one in element.clauses)
    return AMONG[compiler.dialect.name].format(column, values)


def among(column: Any, given: str = "ids") -> sa.ColumnElement[bool]:
    """
    Return that a column is one of the values that a statement is executed with, called ``given``.

    >>> from sqlalchemy.dialects import sqlite
    >>> asked = among(sa.column("id", sa.Uuid()), "keys")
    >>> print(asked.compile(dialect=sqlite.dialect(paramstyle="named")))
    id IN (SELECT value FROM json_each(:keys))
    """
    return _Among(column, sa.bindparam(given, type_=_List(column.type)))
