"""Looking at a draft of a gate: as visitors would see it, what it changes, and what is wrong."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from flask import Blueprint, g, render_template, url_for
from sqlalchemy.orm import Session

from regportal.accounts.roles import Permission
from regportal.documents import drafts
from regportal.documents.models import Draft
from regportal.documents.preview import address_of
from regportal.documents.previewing import advice_on, as_if, scene_before
from regportal.documents.scenarios import SOMEBODY
from regportal.forms.schema import Gate
from regportal.store import current
from regportal.store.words import N_, translated
from regportal.studio.deciding import Answer, Sort, add_deeds
from regportal.studio.gates.drafting import STEPS, draft_of, source_shown, written_in
from regportal.studio.gates.remarks import shown_remark
from regportal.studio.gates.steps import Written
from regportal.studio.policies import page

BEFORE: Mapping[str, str | None] = {N_("A stranger"): None, N_("Whoever comes again"): SOMEBODY}
"""Who stands before a gate in its previews, and as whom he is known."""

bp = Blueprint("deciding", __name__)


@bp.get("/drafts/<uuid:draft_id>")
@page(Permission.GATES)
def look(draft_id: uuid.UUID) -> str:
    """Show a draft as visitors would see it, what it changes, and what is wrong with it."""
    return _look_page(draft_id, Answer())


def _look_page(draft_id: uuid.UUID, answer: Answer) -> str:
    """Show a draft, with what could not be decided of it."""
    draft, written = draft_of(draft_id)
    with current.store().read() as reading:
        found = drafts.look_at(reading, written.pieces)
        changes = drafts.changes_of(reading, written.pieces)
        is_new = (Gate.kind, written.gate.key) not in drafts.versions_now(reading)
        advice = advice_on(reading, written.pieces) if found.plan else []
        previews = _previews(reading, draft_id, written) if found.plan else ()
        standing = SORT.standing(reading, draft, found, answer)
    return render_template(
        "studio/gates/look.html",
        standing=standing,
        draft_id=draft_id,
        steps=STEPS,
        written=written,
        source=source_shown(written),
        is_new=is_new,
        faults=[shown_remark(one) for one in found.faults],
        advice=[shown_remark(one) for one in advice],
        changes=_changes(written, changes),
        previews=previews,
    )


def _key_of(session: Session, draft: Draft) -> str:
    """Return the key of a draft's gate."""
    return written_in(session, draft).gate.key


SORT = Sort(
    path="/drafts/<uuid:draft_id>",
    at="gates.deciding",
    permission=Permission.GATES,
    kind=Gate.kind,
    key_of=_key_of,
    look="gates.deciding.look",
    shown=_look_page,
    everything="gates.everything",
    lands=lambda key: url_for("gates.gate", key=key),
    published=N_("Published: your gate holds from now on."),
)
add_deeds(bp, SORT)


def _previews(session: Session, draft_id: uuid.UUID, written: Written) -> list[tuple[str, str]]:
    """Return who would find the gate how, and where the portal shows it."""
    published, now = as_if(session, written.pieces), datetime.now(UTC)
    return [
        (says, address_of(scene, draft_id, now=now))
        for says, known_as in BEFORE.items()
        for scene in [scene_before(published, written.gate.key, known_as, now=now)]
    ]


def _changes(written: Written, changes: dict[tuple[str, str], list[str]]) -> list[str]:
    """Return what is different from what holds, in sentences of this language."""
    names = (written.gate.name, written.asset.name)
    return [translated(one, g.locale) for name in names for one in changes[name]]
