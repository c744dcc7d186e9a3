"""What a contact did, as notes beside them and beside their opportunities."""

from typing import Any

from trytond.model import Unique, fields
from trytond.pool import Pool, PoolMeta
from trytond.rpc import RPC
from trytond.transaction import inactive_records, without_check_access

from .guarded import told


class Note(metaclass=PoolMeta):
    """A note that may be regportal's."""

    __name__ = "ir.note"

    regportal_id = fields.Char("regportal: Interaction")

    @classmethod
    def __setup__(cls) -> None:
        """Let an interaction be told only once beside each record."""
        super().__setup__()
        table = cls.__table__()
        once = Unique(table, table.regportal_id, table.resource)
        cls._sql_constraints += [("regportal_id_unique", once, "regportal_tryton.msg_told_once")]
        cls.__rpc__["regportal_log"] = RPC(readonly=False)

    @classmethod
    @told
    def regportal_log(cls, activities: list[dict[str, Any]]) -> list[bool]:
        """
        Let the ``message`` of each be seen beside its ``contact`` and its ``opportunities``.

        What is there already, by ``id``, is not written again, and opportunities that are gone
        are left out. Says of each whether its contact is there.
        """
        contacts = _there("party.party", [one["contact"] for one in activities])
        asked = [id for one in activities for id in one["opportunities"]]
        opportunities = _there("sale.opportunity", asked)
        with without_check_access():
            known = {
                (note.regportal_id, str(note.resource))
                for note in cls.search([("regportal_id", "in", [one["id"] for one in activities])])
            }
        new = [
            {"regportal_id": one["id"], "resource": resource, "message": one["message"]}
            for one in activities
            if one["contact"] in contacts
            for resource in (
                f"party.party,{one['contact']}",
                *(f"sale.opportunity,{id}" for id in one["opportunities"] if id in opportunities),
            )
            if (one["id"], resource) not in known
        ]
        cls.create(new)
        return [one["contact"] in contacts for one in activities]

    @classmethod
    def regportal_take_back(cls, resources: list[str]) -> None:
        """Delete what was told beside records, there and wherever else it was told."""
        with without_check_access():
            beside = [("resource", "in", resources), ("regportal_id", "!=", None)]
            ids = {note.regportal_id for note in cls.search(beside)}
            cls.delete(cls.search([("regportal_id", "in", [*ids])]))


def _there(model: str, ids: list[int]) -> set[int]:
    """Return which of these records there are."""
    with inactive_records():
        return {one.id for one in Pool().get(model).search([("id", "in", ids)])}
