"""Drafts of the buying model: begun from what holds, changed phase by phase, tried, in shadow."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from regportal.buying import shadow
from regportal.buying.asking import Teller
from regportal.buying.backtest import trials
from regportal.buying.backtest.models import Trial
from regportal.buying.reading import model_of
from regportal.buying.schema import Buying
from regportal.documents.drafts import (
    Piece,
    begin,
    open_drafts,
    pieces_of,
    rewrite,
    versions_now,
)
from regportal.documents.models import Draft
from regportal.documents.previewing import as_if
from regportal.documents.releasing import seen
from regportal.documents.rule_changes import rule_changes
from regportal.documents.telling import between
from regportal.errors import NotHereError
from regportal.store.documents import Published

Body = Mapping[str, Any]
KEY = Buying.model_fields["key"].default


def begin_rules(session: Session, published: Published, by: str, *, now: datetime) -> Draft:
    """Keep a new draft of the model that holds; of the house's own, where none is published."""
    model, _ = model_of(published)
    body = model.as_written()
    piece = Piece(Buying.kind, KEY, body, versions_now(session).get((Buying.kind, KEY)))
    return begin(session, [piece], by, now=now)


def rules_of(session: Session, draft: Draft) -> Piece:
    """Return the model of a draft; raise NotHereError for a draft of anything else."""
    pieces = pieces_of(session, draft)
    if [piece.kind for piece in pieces] != [Buying.kind]:
        raise NotHereError("this is no draft of rules")
    return pieces[0]


def open_rule_drafts(session: Session) -> list[Draft]:
    """Return every draft of a model that is not published, last written first."""
    return [
        draft
        for draft in open_drafts(session)
        if [piece.kind for piece in pieces_of(session, draft)] == [Buying.kind]
    ]


def phases_in(body: Body) -> list[Body]:
    """Return the phases of a model as it is written, faults and all."""
    told = body.get("phases")
    return [one for one in told if isinstance(one, Mapping)] if isinstance(told, list) else []


def change(
    session: Session,
    key: uuid.UUID,
    revision: int,
    work: Callable[[Body], Body],
    by: str,
    *,
    now: datetime,
) -> Draft:
    """
    Let a draft say something else; raises StaleError where it is not the revision that was seen.

    Nothing is judged here: a draft may have faults until it is published.
    """
    draft = seen(session, key, revision)
    piece = rules_of(session, draft)
    body = work(piece.body)
    if body != piece.body:
        rewrite(session, draft, [Piece(piece.kind, piece.key, body)], by, now=now)
    return draft


def differences_of(published: Published, piece: Piece, teller: Teller) -> list[str]:
    """Return what a draft of a model changes of the one that holds, a sentence each."""
    held, _ = model_of(published)
    old, new = held.as_written(), dict(piece.body)
    before, after = old.pop("phases"), phases_in(new)
    new.pop("phases", None)
    return [*between((Buying.kind, KEY), old, new), *rule_changes(before, after, teller)]


def model_in(session: Session, piece: Piece) -> Buying:
    """Return a draft as a model that could be published; raise DocumentError where it cannot."""
    model, _ = model_of(as_if(session, [piece]))
    return model


def let_run_in_shadow(
    session: Session, published: Published, key: uuid.UUID, revision: int, *, now: datetime
) -> None:
    """
    Let a draft hear from now on what the published rules hear; no CRM is told.

    Raises StaleError where one runs already or it is not the revision that was seen, and
    DocumentError where it could not be published.
    """
    draft = seen(session, key, revision)
    shadow.begin(session, published, model_in(session, rules_of(session, draft)), now=now)


def let_try(
    session: Session,
    key: uuid.UUID,
    revision: int,
    since: datetime | None = None,
    *,
    now: datetime,
) -> Trial:
    """
    Ask for a back-test of a draft.

    Raises DocumentError where it could not be published, TooManyError while many wait.
    """
    draft = seen(session, key, revision)
    return trials.ask(session, model_in(session, rules_of(session, draft)), since, None, now=now)
