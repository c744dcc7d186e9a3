"""What is wrong with a connector as it is written down: settings its type needs, or cannot use."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from regportal.connectors.schema import Connector
from regportal.documents.house import Finds
from regportal.documents.sentences import one_of, shown

RECORDS = frozenset({"scores", "newsletters", "policies"})
"""What a CRM with records uses, and a receiver of messages does not."""


@dataclass(frozen=True, slots=True)
class Uses:
    """Which settings a type of connector needs, and which it may have besides."""

    needs: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()


USES: Mapping[str, Uses] = {
    "webhook": Uses(may=frozenset({"inbound_secret"})),
    "tryton": Uses(frozenset({"database"}), RECORDS),
    "odoo": Uses(frozenset({"database"}), RECORDS | {"version", "client"}),
    "espocrm": Uses(may=RECORDS | {"inbound_secret", "admin_secret"}),
    "suitecrm": Uses(frozenset({"client"}), RECORDS),
    "salesforce": Uses(frozenset({"client"}), RECORDS | {"version"}),
    "hubspot": Uses(may=RECORDS | {"version", "inbound_secret"}),
    "dynamics": Uses(frozenset({"client", "token_url"}), RECORDS | {"version", "inbound_secret"}),
}
"""By type; connectors of others say themselves what they need."""
SOME = RECORDS | {
    *("version", "client", "token_url", "database", "inbound_secret", "admin_secret"),
}
"""Settings that not every type has a use for."""


def not_installed(connector: Connector, types: Collection[str]) -> Finds:
    """Yield that there is no connector of this type, where there is none."""
    if connector.type not in types:
        yield ("type",), one_of(connector.type, sorted(types))


def connector_faults(connector: Connector) -> Finds:
    """
    Yield which settings a connector lacks, and which it has no use for.

    >>> odoo = {"key": "crm", "type": "odoo", "url": "https://odoo.example", "secret": "env:ODOO"}
    >>> [*connector_faults(Connector(**odoo))]
    [(('database',), 'is missing: a connector of type odoo needs it')]
    >>> [*connector_faults(Connector(**odoo, database="acme", inbound_secret="env:IN"))]
    [(('inbound_secret',), 'has no meaning for a connector of type odoo')]
    """
    uses = USES.get(connector.type)
    if uses is None:
        return
    for name in sorted(uses.needs - connector.model_fields_set):
        yield (name,), f"is missing: a connector of type {connector.type} needs it"
    for name in sorted((SOME & connector.model_fields_set) - uses.needs - uses.may):
        yield (name,), f"has no meaning for a connector of type {connector.type}"
    for name in sorted(connector.policies.keys() - {*connector.fields.values()}):
        yield ("policies", name), f"{shown(name)} is none of the fields that `fields` leads to"
