"""How Dataverse spells what is ours, and writes values."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

PREFIX = "regp"
"""Of our publisher. Dataverse allows eight letters at most."""
OURS = ("regportal_", "buying_phase")
"""How names begin that are spelled our way; others are an administrator's and stay as they are."""
TRUE = frozenset({True, "true", "yes", "1"})
WHOLE = frozenset({"Integer", "BigInt"})
BROKEN = frozenset({"Decimal", "Double", "Money"})


def spelled(name: str) -> str:
    """
    Return how Dataverse spells a field of ours: the prefix of its publisher comes first.

    >>> spelled("buying_phase_since"), spelled("regportal_id"), spelled("acme_phase_since")
    ('regp_buying_phase_since', 'regp_id', 'acme_phase_since')
    """
    return f"{PREFIX}_{name.removeprefix(OURS[0])}" if name.startswith(OURS) else name


def moment(at: datetime) -> str:
    """
    Return a moment as Dataverse takes it: UTC, whole seconds.

    >>> moment(datetime(2026, 3, 4, 12, 0, 0, 7, tzinfo=UTC))
    '2026-03-04T12:00:00Z'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def written(value: Any, kind: str | None) -> Any:
    """
    Return a value as a column of a type takes it; one that cannot be is for Dataverse to refuse.

    >>> written("12", "Integer"), written("yes", "Boolean"), written(["a", "b"], "String")
    (12, True, 'a; b')
    """
    if isinstance(value, datetime):
        return moment(value)
    if kind == "Boolean":
        return value in TRUE
    if kind in WHOLE or kind in BROKEN:
        return _number(value, int if kind in WHOLE else float)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(str(one) for one in value)
    if kind in {"String", "Memo"} and value is not None:
        return str(value)
    return value


def _number(value: Any, kind: Callable[[Any], Any]) -> Any:
    """Read a number."""
    try:
        return kind(value)
    except (TypeError, ValueError):
        return value


def label(words: str, language: int) -> dict[str, Any]:
    """Return what people read, as metadata has it."""
    about = "Microsoft.Dynamics.CRM.{}"
    local = {
        "@odata.type": about.format("LocalizedLabel"),
        "Label": words,
        "LanguageCode": language,
    }
    return {"@odata.type": about.format("Label"), "LocalizedLabels": [local]}


def key_of(words: str) -> str:
    """
    Return by which key an option is known that has only a label.

    >>> key_of("Comparison")
    'comparison'
    """
    return words.casefold().replace(" ", "_")


def label_of(told: Mapping[str, Any]) -> str:
    """
    Return what people read of something in metadata.

    >>> label_of({"Label": {"UserLocalizedLabel": {"Label": "Comparison"}}})
    'Comparison'
    """
    known = told.get("Label") or {}
    labels = known.get("LocalizedLabels") or [{}]
    one = known.get("UserLocalizedLabel") or labels[0]
    return str(one.get("Label") or "")
