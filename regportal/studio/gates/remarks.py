"""What is said of a draft, and beside which step of the way it can be mended."""

from collections.abc import Iterable
from dataclasses import dataclass

from flask import g
from sqlalchemy.orm import Session

from regportal.documents.advising import Advice
from regportal.documents.drafts import FieldFault, look_at
from regportal.documents.previewing import advice_on
from regportal.forms.schema import Gate
from regportal.library.schema import Asset
from regportal.store.words import translated
from regportal.studio.gates.steps import Written

STEP_OF = {
    (Asset.kind, "file"): "gates.drafts.file",
    (Asset.kind, "content"): "gates.drafts.file",
    (Asset.kind, "url"): "gates.drafts.file",
    (Asset.kind, "title"): "gates.drafts.about",
    (Asset.kind, "category"): "gates.drafts.about",
    (Gate.kind, "headline"): "gates.drafts.about",
    (Gate.kind, "text"): "gates.drafts.about",
    (Gate.kind, "questions"): "gates.drafts.questions",
    (Gate.kind, "newsletters"): "gates.drafts.newsletters",
}
"""Where each field is written."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One sentence about a draft."""

    says: str
    field: str
    """Empty: about the whole of it."""
    step: str | None
    """The endpoint of the step where it can be mended."""


def remarks_beside(session: Session, written: Written, fields: Iterable[str]) -> dict[str, str]:
    """Return what is worth a second look beside each of these fields, one sentence; or nothing."""
    look = look_at(session, written.pieces)
    found = look.faults or advice_on(session, written.pieces)
    shown = [shown_remark(one) for one in found]
    first = {one.field.partition(".")[0]: one.says for one in reversed(shown)}
    return {field: first.get(field, "") for field in fields}


def shown_remark(one: FieldFault | Advice) -> Remark:
    """Return a fault, or what is worth a second look, as people read it."""
    field = one.field.partition(".")[0].partition("[")[0]
    step = STEP_OF.get((one.name[0], field)) if one.name else None
    return Remark(translated(one.says, g.locale), one.field, step)
