"""
What marketers have published: immutable versions, and the set that holds now.

A document is a value (a pydantic model) that belongs to the room that acts on it: a gate is
``forms.schema.Gate``. Here is only how versions are kept and read. Publishing is the business
of the documents room.
"""

import hashlib
import uuid
from collections.abc import Mapping
from collections.abc import Sequence as Rows
from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from regportal.errors import NotHereError
from regportal.store.base import Base, Id, Moment, Ordinal, Sequence
from regportal.store.facts import add_once
from regportal.store.schema import D, Document, Key, Site, Span, Text, said, span

__all__ = [
    "CurrentDocument",
    "Document",
    "DocumentVersion",
    "Key",
    "Publication",
    "Published",
    "Shelf",
    "Site",
    "Span",
    "Text",
    "Wording",
    "keep_wording",
    "read_published",
    "said",
    "span",
]


class DocumentVersion(Base):
    """One published wording of one document; never changed."""

    __tablename__ = "document_version"
    plain = frozenset(
        {"id", "kind", "key", "number", "body", "digest", "published_at", "publication"}
    )
    __table_args__ = (sa.UniqueConstraint("kind", "key", "number"),)

    id: Mapped[Id]
    kind: Mapped[str]
    key: Mapped[str]
    number: Mapped[int]
    body: Mapped[dict[str, Any]] = mapped_column(sa.JSON())
    """In the order it was written, which PostgreSQL's JSONB would not keep."""
    digest: Mapped[str]
    published_at: Mapped[Moment]
    publication: Mapped[int | None] = mapped_column(Sequence)
    """With which it was published; NULL: an older release did so."""


class Publication(Base):
    """One moment at which the published set changed; the newest number names the set."""

    __tablename__ = "publication"
    plain = frozenset({"number", "at"})
    personal: ClassVar = {
        "by": "Which colleague published what is asked, offered and counted.",
        "proposed_by": "Which colleague asked another one to look at it first.",
        "note": "What they said about it.",
    }
    outlives = "Who of the company's own people changed what is part of what was published."

    number: Mapped[Ordinal]
    at: Mapped[Moment]
    by: Mapped[str | None]
    proposed_by: Mapped[str | None]
    note: Mapped[str | None]


class CurrentDocument(Base):
    """The version of a document that holds now; no row when it is archived."""

    __tablename__ = "current_document"
    plain = frozenset({"kind", "key", "position", "version_id"})

    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    version_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("document_version.id"))


class Wording(Base):
    """A text exactly as people saw it, by its hash; never changed (security.md R15)."""

    __tablename__ = "wording"
    plain = frozenset({"digest", "locale", "text", "first_used"})

    digest: Mapped[str] = mapped_column(primary_key=True)
    locale: Mapped[str]
    text: Mapped[str]
    first_used: Mapped[Moment]


class Published:
    """The set of documents that holds now; a value that requests share."""

    def __init__(self, number: int, rows: Rows[tuple[str, str, int, Mapping[str, Any]]]) -> None:
        """Take (kind, key, version number, body) in the order they were written."""
        self.number = number
        self._bodies = {(kind, key): body for kind, key, _, body in rows}
        self._numbers = {(kind, key): version for kind, key, version, _ in rows}
        self._read: dict[tuple[type[Document], str], Document] = {}

    def find(self, kind: type[D], key: str) -> D | None:
        """Return the document, or None where none is published under this key."""
        found = self._read.get((kind, key))
        if found is None:
            body = self._bodies.get((kind.kind, key))
            if body is None:
                return None
            found = self._read[kind, key] = kind.model_validate(body)
        return found if isinstance(found, kind) else None

    def one(self, kind: type[D], key: str) -> D:
        """Return the document; raise NotHereError where none is published under this key."""
        found = self.find(kind, key)
        if found is None:
            raise NotHereError(f"there is no {kind.kind} called {key!r}")
        return found

    def all(self, kind: type[D]) -> tuple[D, ...]:
        """Return every document of a kind, in the order they were written."""
        return tuple(self.one(kind, key) for name, key in self._bodies if name == kind.kind)

    def version(self, kind: type[Document], key: str) -> int:
        """Return the version number of a published document."""
        return self._numbers[kind.kind, key]


NEWEST = sa.select(sa.func.max(Publication.number))


class Shelf:
    """Hands out the published set, reading it anew only after a publication."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._held: Published | None = None

    @property
    def held(self) -> Published | None:
        """Return the set that held when it was last looked for: a newer one may hold by now."""
        return self._held

    def published(self, session: Session) -> Published:
        """Return the set that holds now; one small query when nothing changed."""
        number = session.connection().scalar(NEWEST) or 0
        held = self._held
        if held is None or held.number != number:
            held = self._held = read_published(session, number)
        return held


def read_published(session: Session, number: int) -> Published:
    """Read the whole set that holds now."""
    rows = session.execute(
        sa.select(
            CurrentDocument.kind,
            CurrentDocument.key,
            DocumentVersion.number,
            DocumentVersion.body,
        )
        .join(DocumentVersion, DocumentVersion.id == CurrentDocument.version_id)
        .order_by(CurrentDocument.kind, CurrentDocument.position, CurrentDocument.key)
    ).all()
    return Published(number, [(kind, key, version, body) for kind, key, version, body in rows])


def digest_of(text: str, locale: str) -> str:
    """Return what names a text as people saw it: the SHA-256 of its language and itself."""
    return hashlib.sha256(f"{locale}\n{text}".encode()).hexdigest()


def keep_wording(session: Session, text: str, locale: str, *, now: datetime) -> str:
    """Keep a text as people saw it and return its digest (SHA-256 of locale and text)."""
    digest = digest_of(text, locale)
    add_once(session, Wording(digest=digest, locale=locale, text=text, first_used=now))
    return digest
