"""The buying phase of an opportunity, beside the stage of the sale."""

from typing import Any

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.rpc import RPC

from .guarded import Guarded


class Opportunity(Guarded, metaclass=PoolMeta):
    """An opportunity with the buying phase its customer is in."""

    __name__ = "sale.opportunity"

    buying_phase = fields.Selection("get_buying_phases", "Buying Phase", sort=False)
    buying_phase_since = fields.DateTime("Buying Phase Since")
    buying_phase_reason = fields.Text("Buying Phase: Why")

    @classmethod
    def __setup__(cls) -> None:
        """Let what the field may hold be asked from outside."""
        super().__setup__()
        cls.__rpc__.setdefault("get_buying_phases", RPC())

    @classmethod
    def get_buying_phases(cls) -> list[tuple[str | None, str]]:
        """Return what the field may hold."""
        phases = Pool().get("regportal.phase").search([])
        return [(None, ""), *((phase.key, phase.name) for phase in phases)]

    @classmethod
    def copy(cls, opportunities: list[Any], default: dict[str, Any] | None = None) -> list[Any]:
        """Copy opportunities, without their buying phases."""
        ours = ("buying_phase", "buying_phase_since", "buying_phase_reason")
        return super().copy(opportunities, {**dict.fromkeys(ours), **(default or {})})
