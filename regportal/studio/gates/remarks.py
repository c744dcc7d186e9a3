"""What is said of a draft, and beside which step of the way it can be mended."""

from dataclasses import dataclass

from flask import g

from regportal.documents.advising import Advice
from regportal.documents.drafts import FieldFault
from regportal.forms.schema import Gate
from regportal.library.schema import Asset
from regportal.store.words import translated

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


def shown_remark(one: FieldFault | Advice) -> Remark:
    """Return a fault, or what is worth a second look, as people read it."""
    field = one.field.partition(".")[0].partition("[")[0]
    step = STEP_OF.get((one.name[0], field)) if one.name else None
    return Remark(translated(one.says, g.locale), one.field, step)
