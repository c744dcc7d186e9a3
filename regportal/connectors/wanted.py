"""Which fields we write into a CRM, and what of them is not there."""

from collections.abc import Mapping, Sequence
from os.path import commonprefix

from regportal.connectors.base import Finding, Kind, Vocabulary
from regportal.connectors.desk import Desk, Field, FieldPlan
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector as Document

PHASE = {"phase": "", "since": "_since", "reason": "_reason"}
"""The fields of an opportunity that we write, by what they say, and how their names end."""
KEY = "regportal_id"
"""What we call the field with our key; each CRM spells it its own way."""
KEYS: Mapping[Kind, str] = {"contact": KEY, "lead": KEY, "activity": "regportal_event_id"}
"""The same, by what the record is."""


def phase_field(document: Document, desk: Desk, part: str) -> str:
    """Return what a CRM calls the buying phase, or ``since`` when and for what ``reason``."""
    return desk.spell(f"{document.phase_field}{PHASE[part]}")


def score_field(document: Document, desk: Desk, score: str) -> str:
    """Return what a CRM calls a score."""
    return document.scores.get(score) or desk.spell(f"regportal_{score}")


def our_fields(document: Document, desk: Desk) -> list[str]:
    """
    Return the fields of a CRM's contacts that nobody but us writes: our key and the scores.

    Also of scores that are no longer kept: they begin as the CRM spells what is ours.
    """
    there = desk.fields("contact")
    if there is Outcome.UNSUPPORTED:
        return []
    begins = commonprefix([desk.spell(KEY), desk.spell("regportal_score")])  # noqa: RUF071 - no paths
    scores = {*document.scores.values()}
    return [
        name
        for name, one in there.items()
        if one.is_writable and (name.startswith(begins) or name in scores)
    ]


def planned(document: Document, desk: Desk, vocabulary: Vocabulary) -> list[FieldPlan]:
    """Return the fields we write: our own, and those to which the document leads answers."""
    phase, since, reason = (phase_field(document, desk, part) for part in PHASE)
    unused = set() if "interaction" in document.sends else {"activity"}
    unused |= {"lead"} if document.claimed == "off" else set()
    plan = [
        FieldPlan(kind, desk.spell(KEYS[kind]), "regportal: key", "key")
        for kind in desk.capabilities.keyed
        if kind not in unused
    ]
    if "score" in document.sends:
        plan += [
            FieldPlan("contact", score_field(document, desk, key), label, "number")
            for key, label in vocabulary.scores.items()
        ]
    plan += [FieldPlan("contact", name, name, "text") for name in document.fields.values()]
    if "phase" in document.sends:
        plan += [
            FieldPlan("opportunity", phase, "Buying phase", "choice", vocabulary.phases),
            FieldPlan("opportunity", since, "Buying phase since", "moment"),
            FieldPlan("opportunity", reason, "Buying phase: why", "text"),
        ]
    return plan


def compared(desk: Desk, plan: Sequence[FieldPlan]) -> list[tuple[FieldPlan, Finding]]:
    """Return of each field of a plan whether it is there, may be written, and has its options."""
    there = {kind: desk.fields(kind) for kind in sorted({field.kind for field in plan})}
    found = []
    for field in plan:
        known = there[field.kind]
        if known is not Outcome.UNSUPPORTED:
            found.append((field, _looked_at(field, known)))
    return found


def _looked_at(field: FieldPlan, known: Mapping[str, Field]) -> Finding:
    """Return what is to be said of one field."""
    about, there = f"{field.kind}.{field.name}", known.get(field.name)
    if there is None:
        return Finding(about, fine=False, says="is not there")
    if not there.is_writable:
        return Finding(about, fine=False, says="is there, but we may not write it")
    options = field.options if there.options is None else there.options
    lacks = [one for one in field.options if one not in options]
    if lacks:
        return Finding(about, fine=False, says=f"lacks the options {', '.join(lacks)}")
    return Finding(about, fine=True, says="is there")
