"""A gate as somebody would find it at one moment, for the Studio: nothing is taken or counted."""

import uuid
from datetime import UTC, datetime

from flask import Blueprint, Response, url_for

from regportal.consent.schema import Newsletter
from regportal.documents.previewing import Scene, as_drafted, preview_token, read_preview_token
from regportal.errors import DocumentError, NotHereError
from regportal.forms.actions import Around
from regportal.forms.forming import ask_of, form_for
from regportal.forms.pages import Frame, locale_of
from regportal.forms.planner import NO_GROUNDS
from regportal.forms.rules import Known
from regportal.forms.schema import Gate, Question
from regportal.forms.views import page_of
from regportal.forms.visiting import Visiting
from regportal.identity.models import Claim, Visitor, VisitorState
from regportal.library.schema import Asset
from regportal.store import current
from regportal.store.documents import Published, Site
from regportal.store.tokens import fresh_token

bp = Blueprint("preview", __name__)


def address_of(scene: Scene, draft_id: uuid.UUID | None, *, now: datetime) -> str:
    """Return where the portal shows a scene, for an hour or two; no draft: as published."""
    settings = current.settings()
    return f"{settings.base_url}/preview/{preview_token(scene, draft_id, settings.keys, now=now)}"


@bp.get("/preview/<token>")
def shown(token: str) -> Response:
    """Show a gate as it is, or as a draft of it would be, before whom the token tells of."""
    now = datetime.now(UTC)
    scene, draft_id = read_preview_token(token, current.settings().keys, now=now)
    with current.store().read() as session:
        try:
            published = as_drafted(session, draft_id) if draft_id else current.published(session)
        except DocumentError as error:
            raise NotHereError(f"draft {draft_id} cannot be shown yet") from error
    visiting = _before(published, scene, now)
    question = published.one(Question, scene.question) if scene.question else None
    newsletter = published.one(Newsletter, scene.newsletter) if scene.newsletter else None
    ask = ask_of(visiting, email=scene.email, question=question, newsletter=newsletter)
    return page_of(
        visiting, ask, form_for(visiting, ask), action=url_for("preview.shown", token=token)
    )


def _before(published: Published, scene: Scene, now: datetime) -> Visiting:
    """Return somebody who stands before the gate; he is in no database, and never gets there."""
    site, gate = Site.of(published), published.one(Gate, scene.gate)
    state = VisitorState.VERIFIED if scene.proven else VisitorState.ANONYMOUS
    countries = [one.key for one in published.all(Question) if one.type == "country"]
    told = {key: (scene.country, now) for key in countries if scene.country}
    return Visiting(
        around=Around(
            published, site, current.settings().keys, gate, published.one(Asset, gate.asset)
        ),
        visitor=Visitor(state=state) if scene.known_as else None,
        claim=Claim(email=scene.known_as) if scene.known_as else None,
        known=Known(addressed=scene.known_as is not None, answers=told),
        grounds=NO_GROUNDS,
        arms=(),
        token=fresh_token(),
        is_new=False,
        locale=locale_of(site),
        frame=Frame(None),
        now=now,
        may_remember=site.remember == "ask" and not gate.stands_at_kiosk(site),
        by_frame=False,
        by_script=False,
    )
