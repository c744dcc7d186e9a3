"""What would hold if a draft were published: for a preview, a simulated visit, a second look."""

import uuid
from collections.abc import Container, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

from itsdangerous import BadSignature
from sqlalchemy.orm import Session

from regportal.buying.worth import worths
from regportal.documents.advising import Advice, advice
from regportal.documents.drafts import Piece, draft_called, judged, pieces_of
from regportal.documents.house import Name
from regportal.documents.planning import KINDS, published_now
from regportal.documents.plans import Body
from regportal.errors import NotHereError
from regportal.forms.forming import next_of
from regportal.forms.planner import Grounds
from regportal.forms.rules import Known
from regportal.forms.schema import Gate
from regportal.store.documents import Published
from regportal.store.tokens import signing

PURPOSE = "regportal.preview"
HOUR = 3600
"""Seconds; a preview may be opened for one to two of them, and keeps its address meanwhile."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A gate at one moment: what it asks, and whom."""

    gate: str
    email: bool
    """Whether it asks for an address."""
    question: str | None
    newsletter: str | None
    known_as: str | None
    """The address this browser is known by."""
    proven: bool
    """Whether its owner proved that it is his."""
    country: str | None = None
    """Where he says he is: regions and telephone numbers are asked accordingly."""


def scene_before(published: Published, key: str, known_as: str | None, *, now: datetime) -> Scene:
    """Return a gate as a stranger finds it, or somebody who proved this address, and no more."""
    gate = published.one(Gate, key)
    known, grounds = Known(addressed=known_as is not None), Grounds(worths(published), seed=key)
    planned = next_of(published, gate, known, grounds, now=now)
    return Scene(
        gate=key,
        email=planned.email,
        question=planned.question.key if planned.question else None,
        newsletter=planned.newsletter.key if planned.newsletter else None,
        known_as=known_as,
        proven=known_as is not None,
    )


def as_if(session: Session, pieces: Sequence[Piece]) -> Published:
    """
    Return the set that would hold if these were published: nothing is written.

    Raises DocumentError where they could not be.
    """
    number, held = published_now(session)
    look = judged(session, pieces, held)
    if look.plan is None:
        raise look.refused()
    changes = {change.name: change for change in (*look.plan.added, *look.plan.changed)}
    rows = []
    for name in look.plan.order:
        if name in changes:
            body: Body = changes[name].as_kept(look.plan.kept)
            rows.append((*name, held[name].number + 1 if name in held else 1, body))
        else:
            rows.append((*name, held[name].number, held[name].body))
    return Published(number, rows)


def advice_on(session: Session, pieces: Sequence[Piece]) -> list[Advice]:
    """
    Return what is worth a second look in these documents, beside which field.

    Raises DocumentError where they could not be published.
    """
    return advice_of(as_if(session, pieces), {piece.name for piece in pieces})


def advice_of(published: Published, names: Container[Name]) -> list[Advice]:
    """Return what is worth a second look in some of these documents, beside which field."""
    documents = {
        (kind.kind, one.key): one for kind in KINDS.values() for one in published.all(kind)
    }
    return [one for one in advice(documents) if one.name in names]


def as_drafted(session: Session, draft_id: uuid.UUID) -> Published:
    """
    Return the set that would hold if a draft were published: nothing is written.

    Raises NotHereError where there is no such draft, DocumentError where it could not be published.
    """
    return as_if(session, pieces_of(session, draft_called(session, draft_id)))


def preview_token(
    scene: Scene, draft_id: uuid.UUID | None, keys: Sequence[bytes], *, now: datetime
) -> str:
    """Return what shows a scene, for an hour or two, to whoever has it; no draft: as published."""
    until = (int(now.timestamp()) // HOUR + 2) * HOUR
    draft = str(draft_id) if draft_id else None
    return signing(keys, PURPOSE).dumps([until, draft, *astuple(scene)])


def read_preview_token(
    token: str, keys: Sequence[bytes], *, now: datetime
) -> tuple[Scene, uuid.UUID | None]:
    """Return what a token shows, and of which draft; raise NotHereError where nothing any more."""
    try:
        until, draft, *told = signing(keys, PURPOSE).loads(token)
        if now.timestamp() < until:
            return Scene(*told), uuid.UUID(draft) if draft else None
    except (BadSignature, TypeError, ValueError, UnicodeError):
        pass
    raise NotHereError("this preview is over")
