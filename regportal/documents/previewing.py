"""What would hold if a draft were published: for a preview, a simulated visit, a second look."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from regportal.documents.advising import Advice, advice
from regportal.documents.drafts import Piece, judged
from regportal.documents.planning import KINDS, published_now
from regportal.documents.plans import Body
from regportal.store.documents import Published


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
