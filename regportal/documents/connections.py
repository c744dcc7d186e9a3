"""What is wrong with a connector as it is written down: settings its type needs, or cannot use."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from regportal.connectors.schema import Connector
from regportal.documents.house import Finds, Name
from regportal.documents.sentences import one_of, shown, there_is_no

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
    "hubspot": Uses(may=RECORDS | {"version", "inbound_secret", "account"}),
    "dynamics": Uses(frozenset({"client", "token_url"}), RECORDS | {"version", "inbound_secret"}),
}
"""By type; connectors of others say themselves what they need."""
SOME = RECORDS | {
    *("version", "client", "token_url", "database", "account", "inbound_secret", "admin_secret"),
}
"""Settings that not every type has a use for."""
VERSIONS: Mapping[str, tuple[str, str]] = {
    "odoo": (r".*[0-9].*", "19.0"),
    "salesforce": (r"v?[0-9]+(\.[0-9]+)?", "68.0"),
    "hubspot": (r"[0-9]{4}-[0-9]{2}", "2026-09"),
    "dynamics": (r"v?[0-9]+\.[0-9]+", "9.2"),
}
"""What versions of a type look like, and one of them."""


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
    >>> [*connector_faults(Connector(**odoo | {"type": "hubspot"}, version="v3"))]
    [(('version',), "'v3' is no version of hubspot: they are like 2026-09")]
    """
    uses = USES.get(connector.type)
    if uses is None:
        return
    for name in sorted(uses.needs - connector.model_fields_set):
        yield (name,), f"is missing: a connector of type {connector.type} needs it"
    for name in sorted((SOME & connector.model_fields_set) - uses.needs - uses.may):
        yield (name,), f"has no meaning for a connector of type {connector.type}"
    looks, like = VERSIONS.get(connector.type, ("", ""))
    if looks and connector.version and not re.fullmatch(looks, connector.version):
        says = f"{shown(connector.version)} is no version of {connector.type}: they are like {like}"
        yield ("version",), says
    for name in sorted(connector.policies.keys() - {*connector.fields.values()}):
        yield ("policies", name), f"{shown(name)} is none of the fields that `fields` leads to"


def unmeant(connector: Connector, names: Collection[Name]) -> Iterator[str]:
    """
    Yield what a connector leads somewhere and is none of these documents.

    >>> crm = {"key": "crm", "type": "odoo", "url": "https://odoo.example", "secret": "env:ODOO"}
    >>> [*unmeant(Connector(**crm, newsletters={"price": "Prices"}), [("newsletter", "prices")])]
    ["the connector 'crm': there is no newsletter called 'price'; did you mean 'prices'?"]
    """
    for kind, led in (
        ("question", connector.fields),
        ("score", connector.scores),
        ("newsletter", connector.newsletters),
    ):
        there = [key for one, key in names if one == kind]
        for key in led:
            if key not in there:
                yield f"the connector {shown(connector.key)}: {there_is_no(kind, key, there)}"
