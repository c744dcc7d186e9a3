"""Whose hands are known: another CRM is proven with its hands, and a line here."""

from collections.abc import Callable, Mapping

from regportal.connectors.egress import Egress
from regportal.connectors.espocrm.asking import Espo
from regportal.connectors.odoo.transport import Odoo
from regportal.connectors.schema import Connector
from regportal.connectors.suitecrm.asking import Suite
from regportal.connectors.tryton.api import Api
from tools.hands import espocrm, odoo, suitecrm, tryton
from tools.hands.base import Hands
from tools.transcripts import Trim

Secret = Callable[[str], str]


def _odoo(document: Connector, secret: Secret, egress: Egress) -> Hands:
    """Return the hands in an Odoo."""
    made = Odoo(document, egress, secret(document.secret))
    return odoo.OdooHands(made, document.phase_field)


def _espocrm(document: Connector, secret: Secret, egress: Egress) -> Hands:
    """Return the hands in an EspoCRM: an administrator's where he is named, else an API user's."""
    word = ":".join(part for part in (document.client, secret(document.secret)) if part)
    return espocrm.EspoHands(Espo.at(document.url, egress, word), document.phase_field)


def _suitecrm(document: Connector, secret: Secret, egress: Egress) -> Hands:
    """Return the hands in a SuiteCRM."""
    made = Suite.at(document.url, egress, document.client or "", secret(document.secret))
    return suitecrm.SuiteHands(made, document.phase_field)


def _tryton(document: Connector, secret: Secret, egress: Egress) -> Hands:
    """Return the hands in a Tryton."""
    base, database = document.url.rstrip("/"), document.database or ""
    made = Api(base, database, secret(document.secret), egress)
    return tryton.TrytonHands(made, document.phase_field, document.fields.get("company", ""))


HANDS: Mapping[str, Callable[[Connector, Secret, Egress], Hands]] = {
    "espocrm": _espocrm,
    "odoo": _odoo,
    "suitecrm": _suitecrm,
    "tryton": _tryton,
}
TRIMS: Mapping[str, Trim] = {"espocrm": espocrm.trimmed, "suitecrm": suitecrm.trimmed}
"""By type: what of its answers is worth keeping, where they tell much that nobody asked for."""
