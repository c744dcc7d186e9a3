"""What regportal knows of a person: its own key, and scores."""

from typing import Any

from trytond.model import Unique, fields
from trytond.pool import Pool, PoolMeta
from trytond.rpc import RPC
from trytond.transaction import inactive_records, without_check_access

from .guarded import Guarded, told

MECHANISMS = ("email", "fax", "mobile", "phone", "website")
"""Fields of a party that are lines of its contact mechanisms."""


class Party(Guarded, metaclass=PoolMeta):
    """A party that regportal knows."""

    __name__ = "party.party"

    regportal_id = fields.Char("regportal: Key")
    regportal_scores = fields.Dict("regportal.score", "Scores")

    @classmethod
    def __setup__(cls) -> None:
        """Let no two parties have one key."""
        super().__setup__()
        table = cls.__table__()
        one = Unique(table, table.regportal_id)
        cls._sql_constraints += [("regportal_id_unique", one, "regportal_tryton.msg_key_unique")]
        cls.__rpc__["regportal_forget"] = RPC(readonly=False)

    @classmethod
    def copy(cls, parties: list[Any], default: dict[str, Any] | None = None) -> list[Any]:
        """Copy parties, without what regportal knows of them."""
        ours = {"regportal_id": None, "regportal_scores": None}
        return super().copy(parties, {**ours, **(default or {})})

    @classmethod
    def _regportal_set(cls, record: Any, values: dict[str, Any]) -> None:
        """Write values into a party: scores beside those it has, lines in place of the first."""
        lines = {name: values[name] for name in MECHANISMS if name in values}
        plain = {name: value for name, value in values.items() if name not in MECHANISMS}
        if "regportal_scores" in plain:
            plain["regportal_scores"] = {
                **(record.regportal_scores or {}),
                **plain["regportal_scores"],
            }
        if plain:
            cls.write([record], plain)
        mechanisms = Pool().get("party.contact_mechanism")
        for name, value in lines.items():
            there = record.contact_mechanism_get(name)
            if there is None:
                mechanisms.create([{"party": record.id, "type": name, "value": value}])
            elif there.value != value:
                mechanisms.write([there], {"value": value})

    @classmethod
    @told
    def regportal_forget(cls, ids: list[int]) -> None:
        """Take everything of regportal's off parties, and off those that became one of them."""
        Pool().get("ir.model.access").check(cls.__name__, "write")
        with inactive_records():
            parties = cls.search(["OR", ("id", "in", ids), ("replaced_by", "in", ids)])
        with without_check_access():  # people may not change those that are not in use any more
            cls.write(parties, {"regportal_id": None, "regportal_scores": None})
        Pool().get("ir.note").regportal_take_back([str(one) for one in parties])
