"""What would hold if a draft were published: for a preview, a simulated visit, a second look."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from itsdangerous import BadSignature
from sqlalchemy.orm import Session

from regportal.documents.advising import Advice, advice
from regportal.documents.drafts import Piece, judged
from regportal.documents.planning import KINDS, published_now
from regportal.documents.plans import Body
from regportal.errors import NotHereError
from regportal.store.documents import Published
from regportal.store.tokens import signing

PURPOSE = "regportal.preview"
LIFE = timedelta(hours=1)


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
    would = as_if(session, pieces)
    documents = {(kind.kind, one.key): one for kind in KINDS.values() for one in would.all(kind)}
    names = {piece.name for piece in pieces}
    return [one for one in advice(documents) if one.name in names]


def preview_token(draft_id: uuid.UUID, keys: Sequence[bytes], *, now: datetime) -> str:
    """Return what opens the preview of a draft, for an hour, to whoever has it."""
    return signing(keys, PURPOSE).dumps([str(draft_id), int((now + LIFE).timestamp())])


def read_preview_token(token: str, keys: Sequence[bytes], *, now: datetime) -> uuid.UUID:
    """Return which draft a token opens; raise NotHereError where it opens none (any more)."""
    try:
        draft_id, until = signing(keys, PURPOSE).loads(token)
        if now.timestamp() < until:
            return uuid.UUID(draft_id)
    except (BadSignature, TypeError, ValueError, UnicodeError):
        pass
    raise NotHereError("this preview is over")
