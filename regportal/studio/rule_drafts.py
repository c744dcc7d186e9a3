"""Drafts of rules: written sentence by sentence, compared with what holds, and let hold."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.orm import Session

from regportal.accounts.roles import Permission
from regportal.buying.asking import Teller
from regportal.buying.backtest import trials
from regportal.buying.prose import model_told
from regportal.buying.schema import Buying
from regportal.documents import drafts, releasing, rule_drafts
from regportal.documents.actions import Signed
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
    BadRequestError,
    DocumentError,
    ForbiddenError,
    StaleError,
)
from regportal.library.storage import Storage
from regportal.store import current
from regportal.store.documents import Published
from regportal.store.schema import said
from regportal.store.words import N_
from regportal.studio.phases import STATES, bp, done, revision_sent, shelf_of, teller_of
from regportal.studio.policies import may, page

SAVED = N_("Saved in the draft. Nothing holds before it is published.")
LINES = ("enter", "exit")
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
    with current.store().read() as session:
        opened = Opened.of(session, draft_id)
        piece, speaker = opened.piece, opened.teller
        whole, parts = faults_of(opened.look.faults)
        lines = rule_drafts.differences_of(opened.published, piece, speaker)
        advised = advice_on(session, [piece]) if opened.look.plan else []
        tried = trials.newest(session)
        may_decide = releasing.may_decide(session, opened.draft, current_user.email)
    is_told = is_model(piece.body)
    told = [*model_told(Buying.model_validate(piece.body), speaker)] if is_told else []
    return render_template(
        "studio/rule_draft.html",
        draft=opened.draft,
        state=STATES[opened.draft.state],
        phases=[
            (opened.named(one), told[place] if told else None, sum(map(len, faults.values())))
            for place, one in enumerate(opened.phases)
            for faults in [parts.get(place, {})]
        ],
        whole=whole,
        is_sound=opened.look.plan is not None,
        lines=lines,
        advised=advised,
        tried=tried,
        body=piece.body,
        needs_another=not may_decide,
        may_publish=may(Permission.PUBLISH) and may_decide,
        longest=releasing.LONGEST_NOTE,
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


@bp.post("/rules/drafts/<uuid:draft_id>/publish")
@page(Permission.PUBLISH)
def publish(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Let a draft hold."""
    revision, by = revision_sent(), current_user.email
    storage: Storage = current_app.extensions["regportal.storage"]
    signed = Signed(by, request.form.get("note", "").strip() or None)

    def work(session: Session, now: datetime) -> int:
        rules_of(session, draft_called(session, draft_id))
        return releasing.release(session, storage, draft_id, signed, revision, now=now)

    return _decided(draft_id, "publish", work, N_("Published: these rules hold from now on."))


@bp.post("/rules/drafts/<uuid:draft_id>/propose")
@page(Permission.RULES)
def propose(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Ask a colleague to look at a draft."""
    by, note = current_user.email, request.form.get("note", "").strip()
    revision = revision_sent()

    def work(session: Session, now: datetime) -> None:
        rules_of(session, rule_drafts.seen(session, draft_id, revision))
        releasing.propose(session, draft_id, by, note, now=now)

    return _decided(draft_id, "propose", work, N_("Your colleagues can look at it now."))


@bp.post("/rules/drafts/<uuid:draft_id>/shadow")
@page(Permission.RULES)
def begin_shadow(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Let a draft run beside the rules that hold; nobody is told of it."""
    revision, shelf = revision_sent(), shelf_of()

    def work(session: Session, now: datetime) -> None:
        published = shelf.published(session)
        rule_drafts.let_run_in_shadow(session, published, draft_id, revision, now=now)

    says = N_("It runs in shadow: here you see what it has otherwise, and nobody is told.")
    return _decided(draft_id, "shadow-begin", work, says)


@bp.post("/rules/drafts/<uuid:draft_id>/rebase")
@page(Permission.RULES)
def rebase(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Let a draft hold against what somebody published meanwhile."""
    by = current_user.email

    def work(session: Session, now: datetime) -> None:
        found = draft_called(session, draft_id)
        rules_of(session, found)
        drafts.begin_anew(session, found, by, now=now)

    done("rebase", work, lambda _: str(draft_id))
    return redirect(url_for("rules.draft", draft_id=draft_id), 303)


@bp.post("/rules/drafts/<uuid:draft_id>/discard")
@page(Permission.RULES)
def discard(draft_id: uuid.UUID) -> ResponseReturnValue:
    """Throw a draft away."""

    def work(session: Session, _now: datetime) -> None:
        found = draft_called(session, draft_id)
        rules_of(session, found)
        drafts.discard(session, found)

    done("discard", work, lambda _: str(draft_id))
    flash(N_("The draft is thrown away."), "success")
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


def _decided(draft_id: uuid.UUID, deed: str, work: Any, says: str) -> ResponseReturnValue:
    """Decide about a draft; where that cannot be, say why on its page."""
    try:
        done(deed, work, lambda _: str(draft_id))
    except (ForbiddenError, StaleError, BadRequestError) as error:
        flash(str(error), "error")
    except DocumentError:
        flash(N_("It cannot be yet: see below what is wrong with it."), "error")
    else:
        flash(says, "success")
        current.wake("weigh")
        if deed != "propose":
            return redirect(url_for("rules.overview"), 303)
    return redirect(url_for("rules.draft", draft_id=draft_id), 303)
