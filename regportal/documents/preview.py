"""A gate as its draft would show it: to whoever has the signed address; nothing is taken there."""

from datetime import UTC, datetime

from flask import Blueprint, Response, request, url_for

from regportal.buying.worth import worths
from regportal.documents.drafts import draft_called, pieces_of
from regportal.documents.previewing import as_if, read_preview_token
from regportal.errors import DocumentError, NotHereError
from regportal.forms.actions import Around
from regportal.forms.forming import form_for, planned_ask
from regportal.forms.pages import frame, locale_of
from regportal.forms.planner import Grounds
from regportal.forms.rules import Known
from regportal.forms.schema import Gate
from regportal.forms.views import page_of
from regportal.forms.visiting import Visiting
from regportal.library.schema import Asset
from regportal.store import current
from regportal.store.documents import Published, Site
from regportal.store.tokens import fresh_token

bp = Blueprint("preview", __name__)


@bp.get("/preview/<token>")
def shown(token: str) -> Response:
    """Show a gate as it would be: before a stranger, or (``?known=yes``) before who comes again."""
    now = datetime.now(UTC)
    draft_id = read_preview_token(token, current.settings().keys, now=now)
    with current.store().read() as session:
        pieces = pieces_of(session, draft_called(session, draft_id))
        try:
            published = as_if(session, pieces)
        except DocumentError as error:
            raise NotHereError(f"draft {draft_id} cannot be shown yet") from error
    key = next((piece.key for piece in pieces if piece.kind == Gate.kind), "")
    visiting = _before(published, key, Known(addressed=request.args.get("known") == "yes"), now)
    ask, _ = planned_ask(visiting)
    here = url_for("preview.shown", token=token)
    return page_of(visiting, ask, form_for(visiting, ask), action=here)


def _before(published: Published, key: str, known: Known, now: datetime) -> Visiting:
    """Return somebody who stands before the gate, of whom no more is known than this."""
    site, gate = Site.of(published), published.one(Gate, key)
    asset = published.one(Asset, gate.asset)
    return Visiting(
        around=Around(published, site, current.settings().keys, gate, asset),
        visitor=None,
        claim=None,
        known=known,
        grounds=Grounds(worths(published), seed=gate.key),
        token=fresh_token(),
        is_new=False,
        locale=locale_of(site),
        frame=frame(site),
        now=now,
        may_remember=site.remember == "ask" and not gate.stands_at_kiosk(site),
        by_frame=False,
        by_script=False,
    )
