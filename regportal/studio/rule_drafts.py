"""Drafts of rules: written sentence by sentence, compared with what holds, and let hold."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.orm import Session

from regportal.accounts.roles import Permission
from regportal.buying.asking import Teller
from regportal.buying.backtest import trials
from regportal.buying.prose import model_told
from regportal.buying.schema import Buying
from regportal.documents import rule_drafts
from regportal.documents.drafts import Look, Piece, draft_called, look_at
from regportal.documents.models import Draft
from regportal.documents.previewing import advice_on
from regportal.documents.rule_drafts import change, phases_in, rules_of
from regportal.documents.rule_editing import phases_done
from regportal.documents.rule_lines import faults_of, is_model
from regportal.documents.rule_offers import (
    Offer,
    offer_of,
)
from regportal.errors import (
    DocumentError,
    StaleError,
)
from regportal.store import current
from regportal.store.documents import Published
from regportal.store.schema import said
from regportal.store.words import N_
from regportal.studio.deciding import WRONG, Answer, Sort, add_deeds, revision_sent
from regportal.studio.phases import bp, done, shelf_of, teller_of
from regportal.studio.policies import page

SAVED = N_("Saved in the draft. Nothing holds before it is published.")
IN_SHADOW = N_("It runs in shadow: here you see what it has otherwise, and nobody is told.")
NAMELESS = N_("Please give the new phase a name.")
LONG_LABEL = 120
"""Characters of what a phase is called."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A draft of rules as its pages read it."""

    draft: Draft
    piece: Piece
    published: Published
    teller: Teller
    offer: Offer
    look: Look

    @classmethod
    def of(cls, session: Session, key: uuid.UUID, piece: Piece | None = None) -> "Opened":
        """Return a draft, or what it would be with another body; raises NotHereError."""
        draft = draft_called(session, key)
        kept = rules_of(session, draft)
        published = current.published(session)
        speaker = teller_of(published)
        offer = offer_of(session, published, speaker.voice)
        piece = piece or kept
        return cls(draft, piece, published, speaker, offer, look_at(session, [piece]))

    @property
    def phases(self) -> list[Mapping[str, Any]]:
        """Return its phases, faults and all."""
        return phases_in(self.piece.body)

    def named(self, phase: Mapping[str, Any]) -> str:
        """Return what people call a phase that may be faulty."""
        label, key = phase.get("label"), str(phase.get("id", ""))
        if isinstance(label, str) and label:
            return self.teller.voice.says(label)
        if isinstance(label, Mapping) and any(label.values()):
            texts = {str(name): str(text) for name, text in label.items()}
            return said(texts, self.teller.voice.locale)
        return key.replace("-", " ").replace("_", " ").capitalize()


@bp.get("/rules/drafts/<uuid:draft_id>")
@page(Permission.RULES)
def draft(draft_id: uuid.UUID) -> str:
    """Show a draft: its phases, what is wrong with it, and what it changes."""
    return _draft_page(draft_id, Answer())


def _draft_page(draft_id: uuid.UUID, answer: Answer) -> str:
    """Show a draft, with what could not be decided of it."""
    with current.store().read() as session:
        opened = Opened.of(session, draft_id)
        piece, speaker = opened.piece, opened.teller
        whole, parts = faults_of(opened.look.faults)
        lines = rule_drafts.differences_of(opened.published, piece, speaker)
        advised = advice_on(session, [piece]) if opened.look.plan else []
        tried = trials.newest(session)
        standing = SORT.standing(session, opened.draft, opened.look, answer)
    is_told = is_model(piece.body)
    told = [*model_told(Buying.model_validate(piece.body), speaker)] if is_told else []
    return render_template(
        "studio/rule_draft.html",
        draft=opened.draft,
        standing=standing,
        phases=[
            (opened.named(one), told[place] if told else None, sum(map(len, faults.values())))
            for place, one in enumerate(opened.phases)
            for faults in [parts.get(place, {})]
        ],
        whole=whole,
        lines=lines,
        advised=advised,
        tried=tried,
        body=piece.body,
        longest_label=LONG_LABEL,
    )


@bp.post("/rules/drafts/<uuid:draft_id>/phases")
@page(Permission.RULES)
def change_phases(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Let a phase come, go, or stand elsewhere; or say what holds for all of them."""
    deed, label = request.form.get("do", ""), request.form.get("label", "").strip()[:LONG_LABEL]
    if deed == "add" and not (label and label.isprintable()):
        flash(NAMELESS, "error")
        return redirect(url_for("rules.draft", draft_id=draft_id), 303)

    def work(body: Mapping[str, Any]) -> Mapping[str, Any]:
        if deed == "settings":
            rest = {name: told for name, told in body.items() if name != "forward_only"}
            return {**rest, "forward_only": True} if "forward_only" in request.form else rest
        return {**body, "phases": phases_done(phases_in(body), deed, label)}

    write_draft(draft_id, work)
    flash(SAVED, "success")
    return redirect(url_for("rules.draft", draft_id=draft_id), 303)


@bp.post("/rules/drafts/<uuid:draft_id>/shadow")
@page(Permission.RULES)
def begin_shadow(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Let a draft run beside the rules that hold; nobody is told of it."""
    revision, shelf = revision_sent(), shelf_of()

    def work(session: Session, now: datetime) -> None:
        published = shelf.published(session)
        rule_drafts.let_run_in_shadow(session, published, draft_id, revision, now=now)

    try:
        done("shadow-begin", work, lambda _: str(draft_id))
    except DocumentError:
        return _draft_page(draft_id, Answer(trouble=WRONG)), 422
    except StaleError as error:
        return _draft_page(draft_id, Answer(trouble=str(error))), error.status
    current.wake("weigh")
    flash(
        N_("It runs in shadow: here you see what it has otherwise, and nobody is told."), "success"
    )
    return redirect(url_for("rules.overview"), 303)


# --- their common steps ---


def write_draft(draft_id: uuid.UUID, work: Any) -> None:
    """Let a draft say something else; raises StaleError where somebody else wrote it meanwhile."""
    revision, by = revision_sent(), current_user.email
    done(
        "write",
        lambda session, now: change(session, draft_id, revision, work, by, now=now).revision,
        lambda _: str(draft_id),
    )


def _key_of(session: Session, draft: Draft) -> str:
    """Return the key of the rules a draft is of."""
    return rules_of(session, draft).key


SORT = Sort(
    path="/rules/drafts/<uuid:draft_id>",
    at="rules",
    permission=Permission.RULES,
    kind=Buying.kind,
    key_of=_key_of,
    look="rules.draft",
    shown=_draft_page,
    everything="rules.overview",
    lands=lambda _: url_for("rules.overview"),
    published=N_("Published: these rules hold from now on."),
    wakes=("weigh",),
)
add_deeds(bp, SORT)
