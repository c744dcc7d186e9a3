"""Records that are written from outside, and only as long as they are as they were read."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from trytond.exceptions import UserError
from trytond.model import fields
from trytond.model.exceptions import AccessError
from trytond.rpc import RPC
from trytond.transaction import Transaction, inactive_records


def told(call: Callable[..., Any]) -> Callable[..., Any]:
    """Let a call say why it is not allowed: of an AccessError REST says no more than 403."""

    @wraps(call)
    def telling(*args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except AccessError as error:
            raise UserError(error.message) from error

    return telling


class Guarded:
    """Adds calls that REST lacks: it writes one record a call, and cannot compare and set."""

    __slots__ = ()

    @classmethod
    def __setup__(cls) -> None:
        """Let them be called from outside."""
        super().__setup__()
        calls = ("regportal_create", "regportal_write")
        cls.__rpc__.update({one: RPC(readonly=False) for one in calls})

    @classmethod
    @told
    def regportal_create(cls, new: list[dict[str, Any]]) -> list[int]:
        """Make records, and return their ids."""
        return [one.id for one in cls.create(new)]

    @classmethod
    @told
    def regportal_write(cls, changes: list[dict[str, Any]]) -> list[str]:
        """
        Write the ``values`` of each change into the record with its ``id``.

        Says of each ``written``; ``changed`` where the record is no longer as it was at
        ``timestamp``, or ``gone`` where there is none: then nothing is written of it.
        """
        there = cls._regportal_timestamps([one["id"] for one in changes])
        says = []
        for one in changes:
            id, asked = one["id"], one.get("timestamp")
            if id not in there:
                says.append("gone")
            elif asked is not None and there[id] != asked:
                says.append("changed")
            else:
                says.append("written")
                cls._regportal_set(cls(id), one["values"])
        return says

    @classmethod
    def _regportal_timestamps(cls, ids: list[int]) -> dict[int, str]:
        """Return when each record that is there was written last; from now on only we do."""
        table = cls.__table__()
        ours = table.update([table.id], [table.id], where=fields.SQL_OPERATORS["in"](table.id, ids))
        Transaction().connection.cursor().execute(*ours)  # on SQLite nothing else keeps others out
        with inactive_records():
            found = cls.search_read([("id", "in", ids)], fields_names=["_timestamp"])
        return {one["id"]: one["_timestamp"] for one in found}

    @classmethod
    def _regportal_set(cls, record: Any, values: dict[str, Any]) -> None:
        """Write values into a record."""
        cls.write([record], values)
