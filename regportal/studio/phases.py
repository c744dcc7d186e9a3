"""Phases and scores as sentences: what moves them now, and drafts of other rules."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import Blueprint, current_app, flash, g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_security import current_user
from sqlalchemy.orm import Session

from regportal.accounts import audit
from regportal.accounts.roles import Permission
from regportal.buying import shadow
from regportal.buying.asking import Teller
from regportal.buying.labels import labels_of, title
from regportal.buying.prose import model_told
from regportal.buying.reading import model_of
from regportal.buying.scores.prose import score_told
from regportal.buying.scores.schema import Score
from regportal.buying.shadows import shadow_shown
from regportal.buying.voice import Voice
from regportal.documents.rule_drafts import begin_rules, open_rule_drafts
from regportal.documents.rule_offers import offer_of
from regportal.store import current
from regportal.store.documents import Published, Shelf
from regportal.store.words import N_
from regportal.studio.datastore import doer_of_request
from regportal.studio.deciding import STATES
from regportal.studio.policies import may, page

T = TypeVar("T")
DRAFT = "draft"
MOST_OTHERWISE = 50
"""Opportunities that are listed of those which the draft in shadow has elsewhere."""

bp = Blueprint("rules", __name__)


@bp.get("/rules")
@page(Permission.PHASES)
def overview() -> str:
    """Show what moves phases and scores, in sentences."""
    with current.store().read() as session:
        published = current.published(session)
        model, version = model_of(published)
        speaker = teller_of(published)
        titles = offer_of(session, published, speaker.voice).titles
        running = shadow.rules_in_shadow(session)
        compared = shadow_shown(session, published) if running and may(Permission.RULES) else None
        drafts = open_rule_drafts(session) if may(Permission.RULES) else []
    return render_template(
        "studio/rules.html",
        phases=[*model_told(model, speaker, titles)],
        forward_only=model.forward_only,
        version=version,
        scores=[score_told(one, speaker) for one in published.all(Score)],
        drafts=drafts,
        states=STATES,
        compared=compared,
        most=MOST_OTHERWISE,
        may_write=may(Permission.RULES),
    )


@bp.post("/rules/drafts")
@page(Permission.RULES)
def begin() -> ResponseReturnValue:
    """Begin a draft of other rules, from those that hold."""
    by, shelf = current_user.email, shelf_of()

    def work(session: Session, now: datetime) -> uuid.UUID:
        return begin_rules(session, shelf.published(session), by, now=now).id

    key = done("draft", work, str, {"kind": "buying"})
    return redirect(url_for("rules.draft", draft_id=key), 303)


@bp.post("/rules/shadow/end")
@page(Permission.RULES)
def end_shadow() -> ResponseReturnValue:
    """Let the draft in shadow run no more, and forget what it said."""
    done("shadow-end", lambda session, _: shadow.end(session), lambda _: "shadow")
    flash(N_("Nothing runs in shadow any more."), "success")
    return redirect(url_for("rules.overview"), 303)


# --- what the other pages of rules use, too ---


def teller_of(published: Published) -> Teller:
    """Return what tells conditions in the language of this answer."""
    voice = Voice(locale=g.locale, labels=labels_of(published))
    return Teller(voice, lambda name: title(published, name))


def done(
    deed: str,
    work: Callable[[Session, datetime], T],
    key: Callable[[T], str],
    change: Mapping[str, Any] | None = None,
) -> T:
    """Do something in one transaction, and write into the audit log who did it."""
    doer, now = doer_of_request(), datetime.now(UTC)

    def both(session: Session) -> T:
        found = work(session, now)
        audit.write(session, doer, deed, DRAFT, key(found), change, now=now)
        return found

    return current.store().write(both)


def shelf_of() -> Shelf:
    """Return what says what is published, for whoever writes: that is not in this thread."""
    found: Shelf = current_app.extensions["regportal.shelf"]
    return found
