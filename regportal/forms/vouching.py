"""
Our frame in a page of another site vouches for the page's recorder: they are one person's.

The browser keeps the frame's visitor apart from the page's, and gives the page nothing of his. So
the page has a token made that says who its recorder is (tracking/handover.py), and hands it to the
frame; the frame gives it to us with its own cookie, and tells nobody. docs/decisions/0017
"""

from datetime import UTC, datetime
from typing import Annotated

from flask import request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from regportal.forms.history import join_history
from regportal.identity import browser, wire
from regportal.identity.actions import claim_of
from regportal.identity.api import Api
from regportal.identity.recognising import recognise
from regportal.identity.speaking import let_speak
from regportal.store import current
from regportal.store.strict_json import KIB, Strict
from regportal.tracking.crossing import Origin, Sealed, Token, origin_asking, way_between
from regportal.tracking.handover import unseal, use

bp = Api("vouching", __name__, "frames", "Framed gates, and the recorder of the page around them.")


class Vouching(Strict):
    """Whom the page around the frame names."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"handover": "A" * 70, "came_from": "https://www.acme.example"}
        }
    )

    handover: Sealed
    came_from: Annotated[Origin, Field(description="The origin of the page around the frame.")]
    visitor: Token = None


class Vouched(BaseModel):
    """What became of it."""

    speaks: Annotated[bool, Field(description="Whether the recorder speaks for the visitor.")]


@bp.call(
    "POST /handover/vouch", pages="events", answers=Vouched, most=KIB, also={"text/plain": None}
)
def vouch(body: Vouching) -> Vouched:
    """
    Let what a page's recorder tells be the visitor's of our frame in that page, claimed or proven.

    Asked by the script of the frame alone. Nothing happens, and no reason is given, for a token
    that is forged, old, used, or another browser's or page's, where nobody gave an address in the
    frame, or where the visitor has not allowed to be followed on the page.
    """
    wire.check_own(request)
    now, way = datetime.now(UTC), way_between(body.came_from, origin_asking())
    token = browser.jar().token or body.visitor
    handed = unseal(body.handover, way, current.settings().keys, now=now)
    if handed is None or browser.objects(current.site()):
        return Vouched(speaks=False)

    def work(session: Session) -> bool:
        found = recognise(session, token, way.family, now=now)
        visitor = found.visitor if found.doubt is None else None
        claim = claim_of(session, visitor) if visitor is not None else None
        if visitor is None or claim is None or not use(session, handed):
            return False
        if not let_speak(session, handed.visitor_id, visitor, claim, now=now):
            return False
        join_history(session, claim, visitor, now=now)
        return True

    speaks = current.store().write(work)
    if speaks:
        current.wake("weigh")
    return Vouched(speaks=speaks)
