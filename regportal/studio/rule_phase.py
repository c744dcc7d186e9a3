"""One phase of a draft: sentences whose parts are controls, and what is wrong as one types."""

import uuid
from collections.abc import Mapping
from typing import Any

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from regportal.accounts.roles import Permission
from regportal.buying.prose import example
from regportal.buying.schema import Buying
from regportal.documents.drafts import Piece, draft_called
from regportal.documents.rule_controls import (
    KINDS_CHOSEN,
    language_of,
    phase_written,
    span_parts,
)
from regportal.documents.rule_drafts import phases_in, rules_of
from regportal.documents.rule_editing import NOT_THERE, part_done
from regportal.documents.rule_lines import block_of, faults_of, is_model
from regportal.documents.rule_offers import (
    BY,
    HOWS,
    KIND_NAMES,
    SMALL_UNITS,
    UNITS,
    WAYS,
    with_chosen,
)
from regportal.documents.rule_sent import Sent
from regportal.errors import BadRequestError, NotHereError, StaleError
from regportal.store import current
from regportal.studio.phases import bp
from regportal.studio.policies import page
from regportal.studio.rule_drafts import LONG_LABEL, SAVED, Opened, write_draft

LINES = ("enter", "exit")


@bp.route("/rules/drafts/<uuid:draft_id>/phase", methods=["GET", "POST"])
@page(Permission.RULES)
def phase(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Show one phase of a draft as sentences whose parts are controls, and take what they say."""
    place = _place()
    if request.method == "GET":
        with current.store().read() as session:
            return _phase_shown(Opened.of(session, draft_id), place)
    deed = request.form.get("do", "save")
    sent, locale = _sent(), g.locale

    def work(body: Mapping[str, Any]) -> Mapping[str, Any]:
        return _with_phase(body, place, sent, deed, locale)

    try:
        write_draft(draft_id, work)
    except StaleError as error:
        return _typed_shown(draft_id, place, sent, error)
    if deed == "save":
        flash(SAVED, "success")
        return redirect(url_for("rules.draft", draft_id=draft_id), 303)
    anchor = deed.partition(":")[2].partition(".")[0] or "enter"
    return redirect(url_for("rules.phase", draft_id=draft_id, place=place, _anchor=anchor), 303)


@bp.post("/rules/drafts/<uuid:draft_id>/check")
@page(Permission.RULES)
def check(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Say what is wrong with what is typed, and how it reads, by part; nothing is kept."""
    place, sent = _place(), _sent()
    with current.store().read() as session:
        kept = rules_of(session, draft_called(session, draft_id))
        body = _with_phase(kept.body, place, sent, "save", g.locale)
        opened = Opened.of(session, draft_id, Piece(kept.kind, kept.key, body, kept.base))
    _, parts = faults_of(opened.look.faults)
    says = {}
    for name in LINES:
        stack = [block_of(opened.phases[place].get(name), name, {}, opened.teller)]
        while stack:
            block = stack.pop()
            for line in (*block.lines, *block.none):
                says[line.path] = line.says
                stack += [line.below] if line.below else []
    return {"faults": parts.get(place, {}), "says": says}


# --- their common steps ---


def _place() -> int:
    """Return which phase of a draft is meant; raise NotHereError where it is none."""
    text = request.args.get("place", "")
    if not (text.isascii() and text.isdigit() and len(text) < 4):  # noqa: PLR2004 - of 32 phases
        raise NotHereError("a draft has no such phase")
    return int(text)


def _sent() -> Sent:
    """Return what the controls of a phase say; raises BadRequestError."""
    return Sent(request.form.items(multi=True))


def _with_phase(
    body: Mapping[str, Any], place: int, sent: Sent, deed: str, locale: str
) -> Mapping[str, Any]:
    """Return a model in which one phase says this; raises BadRequestError."""
    phases = phases_in(body)
    if place >= len(phases):
        raise BadRequestError(NOT_THERE)
    new = phase_written(sent, phases[place], locale)
    if deed != "save":
        new = part_done(new, deed)
    return {**body, "phases": [*phases[:place], new, *phases[place + 1 :]]}


def _typed_shown(
    draft_id: uuid.UUID, place: int, sent: Sent, error: StaleError
) -> ResponseReturnValue:
    """Show what somebody typed into a draft that a colleague, or another tab, changed meanwhile."""
    with current.store().read() as session:
        kept = rules_of(session, draft_called(session, draft_id))
        body = _with_phase(kept.body, place, sent, "save", g.locale)
        opened = Opened.of(session, draft_id, Piece(kept.kind, kept.key, body, kept.base))
    return _phase_shown(opened, place, str(error)), 409


def _phase_shown(opened: Opened, place: int, trouble: str = "") -> str:
    """Return the page of one phase."""
    phases = opened.phases
    if place >= len(phases):
        raise NotHereError("a draft has no such phase")
    told = phases[place]
    _, parts = faults_of(opened.look.faults)
    faults, speaker = parts.get(place, {}), opened.teller
    model = Buying.model_validate(opened.piece.body) if is_model(opened.piece.body) else None
    label = told.get("label", "")
    group = told.get("group")
    return render_template(
        "studio/rule_phase.html",
        draft=opened.draft,
        place=place,
        name=opened.named(told),
        label=label.get(language_of(label, g.locale), "") if isinstance(label, Mapping) else label,
        blocks=[block_of(told.get(name), name, faults, speaker) for name in LINES],
        falls_to=str(told.get("falls_to") or ""),
        before=[(str(one.get("id")), opened.named(one)) for one in phases[:place]],
        stay=span_parts(told.get("min_stay") or "0d"),
        group=group if isinstance(group, Mapping) else {},
        faults=faults,
        example=example(model, model.phases[place], speaker, opened.offer.titles) if model else "",
        offer=opened.offer,
        kinds=[one for one in KIND_NAMES if one[0] in KINDS_CHOSEN],
        by=BY,
        hows=HOWS,
        ways=WAYS,
        units=UNITS,
        small_units=SMALL_UNITS,
        with_chosen=with_chosen,
        trouble=trouble,
        longest_label=LONG_LABEL,
    )
