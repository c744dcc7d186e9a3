"""One person: what is proven, and apart from it what somebody only claims."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Response, g, render_template, request
from sqlalchemy.orm import Session

from regportal.accounts.roles import Permission
from regportal.buying.scores.explaining import explained
from regportal.insight import person, timeline
from regportal.insight.paging import MOST, Page, walk
from regportal.insight.person import AnswerRow, ConsentRow
from regportal.insight.timeline import DeedRow, Deeds
from regportal.store import current
from regportal.studio.contacts import bp
from regportal.studio.lists import FORM, MARK, copied
from regportal.studio.policies import may, page
from regportal.studio.saying import Sayer
from regportal.studio.seeing import READ, note, owners

KIND = "contact"
"""As the audit log names one."""
CLAIMED = "claimed"
"""Under which name an address says which page of what is only claimed is shown."""
DEEDS = 15
"""Of one page of a timeline."""
REASONS = 8
"""Deeds that are shown of why somebody has a score, the weightiest first."""


@bp.get("/contacts/<uuid:contact_id>")
@page(Permission.CONTACTS)
def shown(contact_id: uuid.UUID) -> str:
    """Show one person."""
    published, now = current.published(), datetime.now(UTC)
    at, claimed_at = (request.args.get(name) or None for name in (MARK, CLAIMED))
    with current.store().read() as session:
        whom = person.known(session, published, contact_id, owners=owners())
        why = explained(session, published, whom.main.email, now=now)
        about = {
            "addresses": whom.addresses(),
            "parts": whom.parts(),
            "answers": whom.answers(),
            "claimed_answers": whom.claimed_answers(),
            "consents": whom.consents(),
            "browsers": whom.browsers(),
            "proven": timeline.proven(session, contact_id, Deeds(), at, DEEDS),
            "claimed": timeline.claimed(session, contact_id, Deeds(), claimed_at, DEEDS),
        }
    note(READ, KIND, str(contact_id))
    return render_template(
        "studio/contact.html",
        title=whom.main.address.shown,
        key=contact_id,
        asked={MARK: at, CLAIMED: claimed_at},
        main=whom.main,
        phase=why["phase"],
        scores=why["scores"],
        reasons=REASONS,
        may_correct=may(Permission.CORRECT),
        says=Sayer(published, g.locale),
        **about,
    )


@bp.get(f"/contacts/<uuid:contact_id>/<any(deeds, claimed, consents, answers):name>.{FORM}")
@page(Permission.CONTACTS, fresh=True)
def taken(contact_id: uuid.UUID, name: str, form: str) -> Response:
    """Return one of a person's tables as a file."""
    kind, read = TABLES[name]
    with current.store().read() as session:
        rows = walk(lambda at: read(session, contact_id, at))
        return copied(name, form, kind, rows, of=KIND, key=str(contact_id))


def _deeds(
    what: Callable[..., Page[DeedRow]], session: Session, contact: uuid.UUID, at: str | None
) -> Page[DeedRow]:
    """Return a page of what is proven, or only claimed."""
    return what(session, contact, Deeds(), at, MOST, owners=owners())


def _consents(session: Session, contact: uuid.UUID, _at: str | None) -> Page[ConsentRow]:
    """Return what somebody allowed, at once."""
    whom = person.known(session, current.published(session), contact, owners=owners())
    return Page(whom.consents(), None, None)


def _answers(session: Session, contact: uuid.UUID, _at: str | None) -> Page[AnswerRow]:
    """Return what somebody answered, at once."""
    whom = person.known(session, current.published(session), contact, owners=owners())
    return Page(whom.answers(), None, None)


TABLES: Mapping[str, tuple[type[Any], Callable[[Session, uuid.UUID, str | None], Page[Any]]]] = {
    "deeds": (DeedRow, partial(_deeds, timeline.proven)),
    "claimed": (DeedRow, partial(_deeds, timeline.claimed)),
    "consents": (ConsentRow, _consents),
    "answers": (AnswerRow, _answers),
}
"""What of a person can be taken along."""
