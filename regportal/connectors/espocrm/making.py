"""The fields of EspoCRM: which there are, and making those that are missing."""

from collections.abc import Mapping, Sequence
from typing import Any

from regportal.connectors.base import Finding, Kind
from regportal.connectors.desk import Field, FieldPlan
from regportal.connectors.espocrm.asking import Espo, is_custom
from regportal.connectors.espocrm.people import COMPANY
from regportal.connectors.shapes import shaped, texts, under

SCOPES: Mapping[Kind, str] = {"contact": "Contact", "opportunity": "Opportunity"}
TYPES: Mapping[str, Mapping[str, Any]] = {
    "text": {"type": "text"},
    "moment": {"type": "datetime"},
    "number": {"type": "float"},
    "choice": {"type": "enum", "audited": True},
    "key": {"type": "varchar", "maxLength": 64},
}
BY_HAND = "an administrator must make it: Administration, Entity Manager, {}, Fields"


def fields(espo: Espo, kind: Kind) -> dict[str, Field]:
    """Return which fields there are, by name."""
    there = espo.metadata(f"entityDefs.{SCOPES[kind]}.fields")
    found = {name: _field(name, under(there, name)) for name in there}
    if kind == "contact":
        found[COMPANY] = Field(COMPANY, is_writable=True)
    return found


def _field(name: str, about: Mapping[str, Any]) -> Field:
    """Return a field by what EspoCRM says about it."""
    options = about.get("options") if about.get("type") in {"enum", "multiEnum"} else None
    return Field(
        name,
        is_writable=about.get("readOnly") is not True,
        options=None if options is None else tuple(texts(about, "options")),
    )


def make(espo: Espo, admin: Espo | None, plan: Sequence[FieldPlan]) -> list[Finding]:
    """Make fields, and options that a choice lacks, with the rights of an administrator."""
    found = [_made(espo, admin, field) for field in plan]
    if admin is not None and any(one.fine for one in found):
        admin.do("Admin/rebuild", {})
    return found


def _made(espo: Espo, admin: Espo | None, plan: FieldPlan) -> Finding:
    """Make one field, or widen it, or say who must."""
    scope, about = SCOPES[plan.kind], f"{plan.kind}.{plan.name}"
    if admin is None:
        return Finding(about, fine=False, says=BY_HAND.format(scope))
    if not is_custom(plan.name):
        return Finding(about, fine=False, says="is EspoCRM's own: only it can make it")
    path = f"Admin/fieldManager/{scope}"
    options = [*plan.options]
    there = espo.metadata(f"entityDefs.{scope}.fields.{plan.name}")
    if not there:
        made = {"name": _bare(plan.name), "label": plan.label, **TYPES[plan.type]}
        labels = {"": "", **plan.options}
        more = {"options": ["", *options], "translatedOptions": labels} if options else {}
        admin.do(path, made | more)
        return Finding(about, fine=True, says="made")
    now = shaped(admin.get(f"{path}/{plan.name}"), dict, "EspoCRM answered no field")
    wider = texts(now, "options")
    wider += [one for one in options if one not in wider]
    told = {**now, "options": wider}  # how they are called stays with whoever called them so
    admin.do(f"{path}/{plan.name}", {"name": plan.name, **told}, method="PUT")
    return Finding(about, fine=True, says="has its options now")


def _bare(name: str) -> str:
    """
    Return what a field is called before EspoCRM puts its ``c`` before it.

    >>> _bare("cBuyingPhase")
    'buyingPhase'
    """
    return f"{name[1].lower()}{name[2:]}"
