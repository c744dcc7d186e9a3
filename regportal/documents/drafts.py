"""What marketers are writing: kept until it is published, faults and all."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.orm import Session

from regportal.documents.models import Draft, DraftDocument, DraftState
from regportal.documents.nodes import path_text
from regportal.documents.planning import KINDS, Held, plan, published_now
from regportal.documents.plans import Body, Change, Name, Plan, called, differences
from regportal.documents.reading import Book, read_text
from regportal.documents.schema import SINGLE
from regportal.documents.telling import told
from regportal.documents.writing import written
from regportal.errors import (
    BadRequestError,
    DocumentError,
    Fault,
    NotHereError,
    Place,
    StaleError,
)
from regportal.library.schema import Asset, Content
from regportal.store.ids import uuid7
from regportal.store.words import N_, Sentence

FILE = "draft"
PUBLISHED = N_("This draft is published already. Begin another one.")


@dataclass(frozen=True, slots=True)
class Piece:
    """One document as somebody writes it, and the version it was written from."""

    kind: str
    key: str
    body: Body
    base: int | None = None

    @property
    def name(self) -> Name:
        """Return its kind and key."""
        return self.kind, self.key


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong with a draft, beside which field of which document."""

    name: Name | None
    """None: of the draft as a whole."""
    field: str
    """As `when.answer.in[0]`; empty: of the whole document."""
    says: str

    @property
    def place(self) -> Place:
        """Return where it is, as a file would say it."""
        name = called(self.name) if self.name else FILE
        return Place(FILE, 1, f"{name}: {self.field}" if self.field else name)

    def __str__(self) -> str:
        """
        Read as one sentence.

        >>> str(FieldFault(("gate", "prices"), "asset", "there is no asset called 'list'"))
        "gate prices: asset: there is no asset called 'list'"
        """
        return f"{self.place.key}: {self.says}"


@dataclass(frozen=True, slots=True)
class Look:
    """What publishing a draft would change, or why it cannot be."""

    plan: Plan | None
    faults: tuple[FieldFault, ...] = ()

    def sentences(self) -> list[str]:
        """Return every fault as one sentence with its document and field."""
        return [str(fault) for fault in self.faults]

    def refused(self) -> DocumentError:
        """Return its faults as an error."""
        return DocumentError(*(Fault(fault.place, fault.says) for fault in self.faults))


# --- writing ---


def begin(session: Session, pieces: Sequence[Piece], by: str, *, now: datetime) -> Draft:
    """Keep a new draft of these documents; raise BadRequestError where one can be none."""
    draft = Draft(
        id=uuid7(),
        state=DraftState.OPEN,
        begun_by=by,
        begun_at=now,
        changed_by=by,
        changed_at=now,
        revision=0,
    )
    session.add(draft)
    session.flush()
    _keep(session, draft, pieces, {})
    return draft


def rewrite(
    session: Session, draft: Draft, pieces: Sequence[Piece], by: str, *, now: datetime
) -> None:
    """
    Let a draft say this from now on; who proposed or scheduled what it said before did not mean it.

    Raises StaleError for one that is published, BadRequestError where a document can be none.
    """
    hold(session, draft)
    bases = {piece.name: piece.base for piece in pieces_of(session, draft)}
    session.execute(sa.delete(DraftDocument).where(DraftDocument.draft_id == draft.id))
    _keep(session, draft, pieces, bases)
    _changed(draft, by, now=now)


def begin_anew(session: Session, draft: Draft, by: str, *, now: datetime) -> None:
    """Let a draft hold against what is published now: whoever wrote it has looked at both."""
    hold(session, draft)
    newest = versions_now(session)
    rows = session.scalars(sa.select(DraftDocument).where(DraftDocument.draft_id == draft.id))
    for row in rows:
        row.base = newest.get((row.kind, row.key))
    _changed(draft, by, now=now)


def discard(session: Session, draft: Draft) -> None:
    """Delete a draft; raise StaleError for one that is published."""
    hold(session, draft)
    session.execute(sa.delete(DraftDocument).where(DraftDocument.draft_id == draft.id))
    session.delete(draft)


def _changed(draft: Draft, by: str, *, now: datetime) -> None:
    """Note who wrote last; what was decided of it before is decided no more."""
    draft.state, draft.changed_by, draft.changed_at = DraftState.OPEN, by, now
    draft.revision += 1
    draft.proposed_by = draft.scheduled_by = draft.due = draft.trouble = None


def _keep(
    session: Session, draft: Draft, pieces: Sequence[Piece], bases: Mapping[Name, int | None]
) -> None:
    """Keep the documents of a draft; those it had keep the version they were written from."""
    newest = versions_now(session)
    for position, piece in enumerate(pieces):
        _check(piece, pieces[:position])
        session.add(
            DraftDocument(
                draft_id=draft.id,
                kind=piece.kind,
                key=piece.key,
                position=position,
                body=dict(piece.body),
                base=bases[piece.name] if piece.name in bases else newest.get(piece.name),
            )
        )
    session.flush()


def _check(piece: Piece, before: Sequence[Piece]) -> None:
    """Refuse what is no document of ours, or is there already."""
    if piece.kind not in KINDS:
        raise BadRequestError(f"there is no kind of document called {piece.kind!r}", "kind")
    if SINGLE.get(piece.kind, piece.key) != piece.key:
        raise BadRequestError(f"there is one {piece.kind}, called {SINGLE[piece.kind]!r}", "key")
    if not piece.key.isprintable():
        raise BadRequestError("a key has no control characters", "key")
    if any(other.name == piece.name for other in before):
        raise BadRequestError(f"{piece.kind} {piece.key!r} is in this draft already", "key")


def hold(session: Session, draft: Draft) -> None:
    """Let nobody else write or publish a draft meanwhile; raise StaleError for a published one."""
    session.refresh(draft, with_for_update=True)
    if draft.state is DraftState.PUBLISHED:
        raise StaleError(PUBLISHED)


# --- reading ---


def draft_called(session: Session, key: uuid.UUID) -> Draft:
    """Return a draft; raise NotHereError where there is none, or none any more."""
    found = session.get(Draft, key)
    if found is None:
        raise NotHereError(f"there is no draft {key}")
    return found


def open_drafts(session: Session) -> list[Draft]:
    """Return every draft that is not published, last written first."""
    unpublished = sa.select(Draft).where(Draft.state != DraftState.PUBLISHED)
    return [*session.scalars(unpublished.order_by(Draft.changed_at.desc(), Draft.id))]


def pieces_of(session: Session, draft: Draft) -> list[Piece]:
    """Return the documents of a draft, in the order in which they were given."""
    rows = session.scalars(
        sa.select(DraftDocument)
        .where(DraftDocument.draft_id == draft.id)
        .order_by(DraftDocument.position)
    )
    return [Piece(row.kind, row.key, row.body, row.base) for row in rows]


def versions_now(session: Session) -> dict[Name, int]:
    """Return the number of the version that holds now, of every document."""
    _, held = published_now(session)
    return {name: one.number for name, one in held.items()}


# --- judging ---


def look_at(session: Session, pieces: Sequence[Piece]) -> Look:
    """
    Return what publishing these documents would change, or everything that is wrong with them.

    They are judged as a file is, by the same rules; each fault names its document and field. What
    somebody published since they were begun is a fault, too.
    """
    _, held = published_now(session)
    overtaken = tuple(_overtaken(pieces, held))
    found = judged(session, pieces, held)
    return Look(None, (*overtaken, *found.faults)) if overtaken else found


def judged(session: Session, pieces: Sequence[Piece], held: Mapping[Name, Held]) -> Look:
    """Return what publishing documents would change, whatever they were written from."""
    try:
        book, faults = _book(pieces, held)
    except DocumentError as error:  # they cannot even be read on: too large, or too much is wrong
        return Look(None, tuple(FieldFault(None, "", fault.says) for fault in error.faults))
    try:
        planned = plan(session, book)
    except DocumentError as error:
        faults += (_located(book, fault) for fault in error.faults)
        return Look(None, tuple(dict.fromkeys(faults)))
    if faults:
        return Look(None, tuple(faults))
    return Look(replace(planned, absent=()))  # nobody expects of a draft to have all there is


def changes_of(session: Session, pieces: Sequence[Piece]) -> dict[Name, list[str]]:
    """Return what is different from what is published, in sentences; faults do not matter here."""
    _, held = published_now(session)
    before: Mapping[Name, Body] = {name: one.body for name, one in held.items()}
    return {
        piece.name: [*told(Change(piece.name, piece.body, _between(piece, before)))]
        for piece in pieces
    }


def _between(piece: Piece, before: Mapping[Name, Body]) -> tuple[Any, ...]:
    """Return what is different in one document; of a new one every key."""
    return differences(before.get(piece.name, {}), _plain(piece))


def _plain(piece: Piece) -> dict[str, Any]:
    """Return a document as it would stand in a file; a field that was left empty is not there."""
    own = {} if piece.kind in SINGLE else {"key": piece.key}
    return own | {
        name: value for name, value in _filled(piece.body).items() if name != "key" or not own
    }


def _filled(value: Any) -> Any:
    """Leave out what nobody wrote, at every depth."""
    if isinstance(value, Mapping):
        return {str(name): _filled(below) for name, below in value.items() if below is not None}
    return [_filled(one) for one in value] if isinstance(value, list | tuple) else value


def _book(pieces: Sequence[Piece], held: Mapping[Name, Held]) -> tuple[Book, list[FieldFault]]:
    """Return documents as the reader of files returns them, and faults only drafts have."""
    places = {name: place for place, name in enumerate(held)}
    ordered = sorted(pieces, key=lambda piece: places.get(piece.name, len(places)))
    documents, kept, faults = [], {}, []
    for piece in ordered:
        body = _plain(piece)
        content = body.pop("content", None)
        if content is not None and piece.kind == Asset.kind:
            try:
                kept[piece.name] = Content.model_validate(content)
                body["file"] = kept[piece.name].name
            except ValidationError:
                faults.append(FieldFault(piece.name, "file", "is no file that was uploaded"))
        documents.append((piece.name, body))
    text = written(documents).text or "{}"
    book = read_text(text.encode("utf-8", "surrogatepass"), FILE, None)
    book.kept.update(kept)
    return book, faults


def _overtaken(pieces: Sequence[Piece], held: Mapping[Name, Held]) -> Iterator[FieldFault]:
    """Yield each document that somebody published since this draft of it was begun."""
    for piece in pieces:
        now = held[piece.name].number if piece.name in held else None
        if now != piece.base:
            says = Sentence(
                N_("somebody published it since: version %(now)s holds, this began with %(then)s"),
                now=now or 0,
                then=piece.base or 0,
            )
            yield FieldFault(piece.name, "", says)


def _located(book: Book, fault: Fault) -> FieldFault:
    """Return a fault with its document and field, where it has one."""
    key = fault.place.key
    for name, path in book.paths.items():
        begins = path_text(path)
        if key == begins or key.startswith((f"{begins}.", f"{begins}[")):
            return FieldFault(name, key.removeprefix(begins).removeprefix("."), fault.says)
    says = fault.says if key == "file" else f"{key}: {fault.says}"
    return FieldFault(None, "", says)
