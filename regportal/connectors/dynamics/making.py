"""Making columns, options and the alternate key, as parts of a solution of our own."""

from collections.abc import Iterator, Sequence
from typing import Any

from regportal.connectors.base import Finding
from regportal.connectors.desk import FieldPlan, NotTakenError
from regportal.connectors.dynamics.dataverse import Dataverse, query, text
from regportal.connectors.dynamics.shape import TABLES, Shape
from regportal.connectors.dynamics.spelling import PREFIX, key_of, label

SOLUTION = "regportal"
VALUES = 72700
"""Of our publisher: with these digits the values of its options begin."""
FIRST_VALUE = VALUES * 10_000
CAST = "Microsoft.Dynamics.CRM."
TYPES: dict[str, dict[str, Any]] = {
    "text": {"@odata.type": f"{CAST}MemoAttributeMetadata", "MaxLength": 4000},
    "key": {"@odata.type": f"{CAST}StringAttributeMetadata", "MaxLength": 100},
    "number": {
        "@odata.type": f"{CAST}DoubleAttributeMetadata",
        "MinValue": -1e9,
        "MaxValue": 1e9,
        "Precision": 5,
    },
    "moment": {"@odata.type": f"{CAST}DateTimeAttributeMetadata", "Format": "DateAndTime"},
    "choice": {"@odata.type": f"{CAST}PicklistAttributeMetadata"},
}
MEMO = {"Format": "TextArea", "ImeMode": "Auto"}
NOT_OURS = "is no column of ours: whoever administers Dynamics makes it"


def make(dataverse: Dataverse, shape: Shape, plan: Sequence[FieldPlan]) -> list[Finding]:
    """Make what is missing of a plan, and publish it; needs the role System Customizer."""
    language = _prepared(dataverse)
    found = []
    for field in plan:
        about = f"{field.kind}.{field.name}"
        try:
            says = _made(dataverse, shape, field, language)
            found.append(Finding(about, fine=says != NOT_OURS, says=says))
        except NotTakenError as error:
            found.append(Finding(about, fine=False, says=str(error)))
    if any(one.fine for one in found):
        tables = "".join(f"<entity>{one}</entity>" for one in TABLES.values())
        xml = f"<importexportxml><entities>{tables}</entities></importexportxml>"
        dataverse.post("PublishXml", {"ParameterXml": xml})
    return found


def _prepared(dataverse: Dataverse) -> int:
    """Let our publisher and our solution be there; return the language of the environment."""
    publishers, solutions = dataverse.rows(
        [
            query("publishers", ["publisherid"], f"customizationprefix eq {text(PREFIX)}"),
            query("solutions", ["solutionid"], f"uniquename eq {text(SOLUTION)}"),
        ]
    )
    if not publishers:
        dataverse.post(
            "publishers",
            {
                "uniquename": SOLUTION,
                "friendlyname": SOLUTION,
                "customizationprefix": PREFIX,
                "customizationoptionvalueprefix": VALUES,
            },
        )
        return _prepared(dataverse)
    if not solutions:
        told = {"uniquename": SOLUTION, "friendlyname": SOLUTION, "version": "1.0.0.0"}
        led = {"publisherid@odata.bind": f"/publishers({publishers[0]['publisherid']})"}
        dataverse.post("solutions", told | led)
    (organizations,) = dataverse.rows([query("organizations", ["languagecode"])])
    return int(organizations[0]["languagecode"])


def _made(dataverse: Dataverse, shape: Shape, field: FieldPlan, language: int) -> str:
    """Make one column, its alternate key, or the options it lacks; say what was done."""
    about = f"EntityDefinitions(LogicalName='{TABLES[field.kind]}')"
    column = shape.about(field.kind, field.name)
    if column is None and not field.name.startswith(f"{PREFIX}_"):
        return NOT_OURS
    ours = {"MSCRM.SolutionUniqueName": SOLUTION}
    if column is None:
        dataverse.post(f"{about}/Attributes", _column(field, language), ours)
        says = "made"
    else:
        says = "has its options now"
    if column is not None and field.type == "choice":
        taken = [*column.options.values()]
        for number, key in _numbered(
            [one for one in field.options if one not in column.options], taken
        ):
            dataverse.post("InsertOptionValue", _inserted(field, key, number, language))
    if field.type == "key" and not shape.has_key:
        told = {"SchemaName": f"{field.name}_key", "KeyAttributes": [field.name]}
        dataverse.post(f"{about}/Keys", told | {"DisplayName": label(field.label, language)}, ours)
        says = "made; Dynamics builds its index in the background"
    return says


def _column(field: FieldPlan, language: int) -> dict[str, Any]:
    """Return a column as it is told to be made."""
    told = {
        **TYPES[field.type],
        "SchemaName": field.name,
        "DisplayName": label(field.label, language),
        "RequiredLevel": {"Value": "None"},
    }
    if field.type == "text":
        return told | MEMO
    if field.type == "key":
        return told | {"FormatName": {"Value": "Text"}}
    if field.type == "choice":
        options = [
            _option(field, key, number, language) for number, key in _numbered([*field.options], [])
        ]
        kind = f"{CAST}OptionSetMetadata"
        set_ = {"@odata.type": kind, "IsGlobal": False, "OptionSetType": "Picklist"}
        return told | {"OptionSet": set_ | {"Options": options}}
    return told


def _numbered(keys: Sequence[str], taken: Sequence[int]) -> Iterator[tuple[int, str]]:
    """
    Yield options with the values they get: those after the ones that are taken.

    >>> [*_numbered(["a", "b"], [727000000, 727000004])]
    [(727000005, 'a'), (727000006, 'b')]
    """
    first = max([FIRST_VALUE - 1, *taken]) + 1
    yield from enumerate(keys, first)


def _option(field: FieldPlan, key: str, number: int, language: int) -> dict[str, Any]:
    """Return an option of a new choice."""
    return {
        "@odata.type": f"{CAST}OptionMetadata",
        "Value": number,
        "ExternalValue": key,
        "Label": label(field.options[key], language),
    }


def _inserted(field: FieldPlan, key: str, number: int, language: int) -> dict[str, Any]:
    """Return an option that a choice gets besides those it has."""
    words = field.options[key]
    external = {} if key_of(words) == key else {"ExternalValue": key}
    return external | {
        "EntityLogicalName": TABLES[field.kind],
        "AttributeLogicalName": field.name,
        "Value": number,
        "Label": label(words, language),
        "SolutionUniqueName": SOLUTION,
    }
