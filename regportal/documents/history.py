"""What was published when, by whom and why; and an older version once more."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.documents.drafts import Piece, look_at, versions_now
from regportal.documents.plans import Body, Name, Plan
from regportal.documents.telling import between
from regportal.errors import NotHereError
from regportal.store.documents import DocumentVersion, Publication


@dataclass(frozen=True, slots=True)
class Release:
    """One publication, and the versions that began to hold with it."""

    number: int
    at: datetime
    by: str | None
    proposed_by: str | None
    note: str | None
    versions: tuple[tuple[Name, int], ...]
    """None: documents were archived, or stand in another order."""


@dataclass(frozen=True, slots=True)
class Version:
    """One published wording of a document."""

    number: int
    at: datetime
    publication: int | None
    by: str | None
    proposed_by: str | None
    note: str | None
    holds: bool
    """Whether it is the one that holds now."""
    changes: tuple[str, ...]
    """What is different from the version before it, a sentence each."""


def releases(session: Session, limit: int, before: int | None = None) -> list[Release]:
    """Return the newest publications, newest first; the next page comes before a number."""
    asked = sa.select(Publication).order_by(Publication.number.desc()).limit(limit)
    if before is not None:
        asked = asked.where(Publication.number < before)
    found = session.scalars(asked).all()
    versions = _versions(session, [one.number for one in found])
    return [
        Release(one.number, one.at, one.by, one.proposed_by, one.note, tuple(versions[one.number]))
        for one in found
    ]


def versions(session: Session, kind: str, key: str) -> list[Version]:
    """Return every version of a document, newest first; raise NotHereError where there is none."""
    rows = session.execute(
        sa.select(DocumentVersion, Publication)
        .outerjoin(Publication, Publication.number == DocumentVersion.publication)
        .where(DocumentVersion.kind == kind, DocumentVersion.key == key)
        .order_by(DocumentVersion.number)
    ).all()
    if not rows:
        raise NotHereError(f"there never was a {kind} called {key!r}")
    held = versions_now(session).get((kind, key))
    found, before = [], None
    for version, publication in rows:
        changes = between((kind, key), before, version.body) if before is not None else ()
        found.append(
            Version(
                version.number,
                version.published_at,
                version.publication,
                *_signed(publication),
                version.number == held,
                tuple(changes),
            )
        )
        before = version.body
    return found[::-1]


def older(session: Session, kind: str, key: str, number: int) -> Piece:
    """
    Return a version as a document to write on from; raise NotHereError where there is none.

    Published, it becomes a new version: nothing that was published is ever changed.
    """
    body = body_of(session, kind, key, number)
    return Piece(kind, key, body, versions_now(session).get((kind, key)))


def body_of(session: Session, kind: str, key: str, number: int) -> Body:
    """Return what a version says; raise NotHereError where there is none."""
    body: Mapping[str, Any] | None = session.scalar(
        sa.select(DocumentVersion.body).where(
            DocumentVersion.kind == kind,
            DocumentVersion.key == key,
            DocumentVersion.number == number,
        )
    )
    if body is None:
        raise NotHereError(f"there is no version {number} of a {kind} called {key!r}")
    return body


def back_to(session: Session, kind: str, key: str, number: int) -> Plan:
    """Return what going back to a version would change; raise DocumentError where it cannot be."""
    look = look_at(session, [older(session, kind, key, number)])
    if look.plan is None:
        raise look.refused()
    return look.plan


def _versions(session: Session, numbers: Sequence[int]) -> dict[int | None, list[tuple[Name, int]]]:
    """Return what began to hold with each publication."""
    found: dict[int | None, list[tuple[Name, int]]] = defaultdict(list)
    rows = session.execute(
        sa.select(
            DocumentVersion.publication,
            DocumentVersion.kind,
            DocumentVersion.key,
            DocumentVersion.number,
        )
        .where(DocumentVersion.publication.in_(numbers))
        .order_by(DocumentVersion.id)
    )
    for publication, kind, key, number in rows:
        found[publication].append(((kind, key), number))
    return found


def _signed(publication: Publication | None) -> tuple[str | None, str | None, str | None]:
    """Return who published, who proposed it, and the note."""
    if publication is None:
        return None, None, None
    return publication.by, publication.proposed_by, publication.note
