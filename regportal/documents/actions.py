"""Planning, publishing and exporting what marketers write down."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pycountry
import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.schema import Buying
from regportal.buying.shadow import end_where_published
from regportal.documents.files import Upload, look_at
from regportal.documents.plans import Body, Change, Name, Plan, differences, new_order
from regportal.documents.reading import MODEL, Book, model_of
from regportal.documents.remarks import remarks_on
from regportal.documents.rules import check
from regportal.documents.schema import SECTION_OF, SECTIONS
from regportal.documents.writing import Exported, written
from regportal.errors import DocumentError, Fault, NotHereError, Place
from regportal.library.schema import Asset, Content, is_film
from regportal.library.storage import Storage
from regportal.store.documents import (
    CurrentDocument,
    DocumentVersion,
    Publication,
    read_published,
)
from regportal.store.ids import uuid7
from regportal.store.schema import Document
from regportal.store.sessions import Store

KINDS = {kind.kind: kind for kind in SECTIONS.values()}
FILE = "regportal.yaml"


@dataclass(frozen=True, slots=True)
class Held:
    """A document as it is published now."""

    body: Body
    digest: str


def plan(session: Session, book: Book, *, prune: bool = False) -> Plan:
    """
    Return what publishing this book would change; writes nothing.

    Raises DocumentError with every fault of the book, in the order of the file.
    """
    number, held = _published(session)
    uploads = _uploads(book)
    before = _documents(held)
    kept = {} if prune else {name: one for name, one in before.items() if name not in book.paths}
    documents = kept | book.documents
    for finding in check(documents, {*kept, *book.paths}, _countries()):
        _tell(book, finding.name, finding.path, finding.says)
    book.refuse_faults()

    bodies = {name: _body(one, uploads.get(name)) for name, one in book.documents.items()}
    differing = {
        name: differences(_body(before[name]), body)
        for name, body in bodies.items()
        if name in before
    }
    absent = tuple(name for name in held if name not in bodies)
    order = _order([*held], [*bodies], archived=absent if prune else ())
    return Plan(
        file=book.file,
        publication=number,
        digest=_digest_of_set(held),
        added=tuple(Change(name, bodies[name]) for name in bodies if name not in before),
        changed=tuple(Change(name, bodies[name], keys) for name, keys in differing.items() if keys),
        unchanged=tuple(name for name, keys in differing.items() if not keys),
        absent=() if prune else absent,
        archived=absent if prune else (),
        reordered=_reordered([*held], order),
        order=tuple(order),
        uploads=uploads,
        remarks=tuple(remarks_on(session, before, documents)),
    )


def draft_of(session: Session, book: Book) -> Buying:
    """
    Return the buying model of a book as it could be published beside what holds; writes nothing.

    Raises DocumentError where there is none, or it could not be.
    """
    model = model_of(book)
    _, held = _published(session)
    documents = _documents(held) | book.documents
    for finding in check(documents, {*documents}, _countries()):
        if finding.name == MODEL:
            _tell(book, finding.name, finding.path, finding.says)
    book.refuse_faults()
    return model


def apply(store: Store, storage: Storage, plan: Plan, *, now: datetime) -> int | None:
    """
    Publish a plan; return the number of the publication, or None where nothing changes.

    The files are kept first: bytes that nothing speaks of yet do no harm. Then all documents
    are published in one transaction. Raises DocumentError where somebody published since, or
    a file changed since.
    """
    contents = _take(storage, plan)
    if plan.is_empty():
        return None
    return store.write(lambda session: publish(session, plan, contents, now=now))


def publish(
    session: Session, plan: Plan, contents: Mapping[Name, Content], *, now: datetime
) -> int:
    """Write the versions of a plan and let them hold; return the number of the publication."""
    if session.get_bind().dialect.name == "postgresql":
        # One at a time: who waited here sees what the other one published.
        session.execute(sa.text("LOCK TABLE publication IN SHARE ROW EXCLUSIVE MODE"))
    number, held = _published(session)
    if (number, _digest_of_set(held)) != (plan.publication, plan.digest):
        raise DocumentError(
            Fault(Place(plan.file, 1, "file"), "somebody published since this plan: plan again")
        )
    versions = {
        change.name: _version(session, change, contents, now=now)
        for change in (*plan.added, *plan.changed)
    }
    session.flush()
    rows = {(row.kind, row.key): row for row in session.scalars(sa.select(CurrentDocument))}
    for name in plan.archived:
        session.delete(rows[name])
    for position, name in enumerate(plan.order):
        row = rows.get(name)
        if row is None:
            kind, key = name
            session.add(
                CurrentDocument(kind=kind, key=key, position=position, version_id=versions[name])
            )
            continue
        row.position = position
        row.version_id = versions.get(name, row.version_id)
    publication = Publication(at=now)
    session.add(publication)
    session.flush()
    end_where_published(session, read_published(session, publication.number))
    return publication.number


def export(session: Session) -> Exported:
    """Return everything that is published as one file; raise NotHereError before the first."""
    _, held = _published(session)
    if not held:
        raise NotHereError("nothing is published yet")
    return written((name, one.body) for name, one in held.items())


def write_to(folder: Path, exported: Exported, storage: Storage) -> None:
    """Write regportal.yaml and its files below a folder, each complete when it appears."""
    for path, sha256 in exported.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        arriving = target.with_name(f".{uuid7()}")
        try:
            with storage.open(sha256) as source, arriving.open("wb") as file:
                shutil.copyfileobj(source, file)
            arriving.replace(target)
        finally:
            arriving.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    arriving = folder / f".{uuid7()}"
    try:
        arriving.write_text(exported.text, encoding="utf-8")
        arriving.replace(folder / FILE)
    finally:
        arriving.unlink(missing_ok=True)


# --- what is published ---


def _published(session: Session) -> tuple[int, dict[Name, Held]]:
    """Return the number of the newest publication, and what holds, in order."""
    number = session.scalar(sa.select(sa.func.max(Publication.number))) or 0
    rows = session.execute(
        sa.select(
            CurrentDocument.kind,
            CurrentDocument.key,
            DocumentVersion.body,
            DocumentVersion.digest,
        )
        .join(DocumentVersion, DocumentVersion.id == CurrentDocument.version_id)
        .order_by(CurrentDocument.position, CurrentDocument.kind, CurrentDocument.key)
    )
    return number, {(kind, key): Held(body, digest) for kind, key, body, digest in rows}


def _documents(held: Mapping[Name, Held]) -> dict[Name, Document]:
    """Return what holds as documents."""
    return {name: KINDS[name[0]].model_validate(one.body) for name, one in held.items()}


def _digest_of_set(held: Mapping[Name, Held]) -> str:
    """Return one hash of everything that holds, and its order."""
    return _digest([[kind, key, one.digest] for (kind, key), one in held.items()])


def _digest(value: Any) -> str:
    """Return the hash of a value; the order of keys is part of it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _version(
    session: Session, change: Change, contents: Mapping[Name, Content], *, now: datetime
) -> uuid.UUID:
    """Add the version a change makes; return its id."""
    kind, key = change.name
    body = dict(change.body)
    if "content" in body:
        body["content"] = contents[change.name].model_dump(mode="json")
    last = session.scalar(
        sa.select(sa.func.max(DocumentVersion.number)).where(
            DocumentVersion.kind == kind, DocumentVersion.key == key
        )
    )
    version = DocumentVersion(
        id=uuid7(),
        kind=kind,
        key=key,
        number=(last or 0) + 1,
        body=body,
        digest=_digest(body),
        published_at=now,
    )
    session.add(version)
    return version.id


# --- what is planned ---


def _body(document: Document, upload: Upload | None = None) -> dict[str, Any]:
    """Return a document as it was written, with what its file is now."""
    body = document.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if upload is not None:
        body["content"] = {"name": upload.name, "sha256": upload.sha256}
    return body


def _uploads(book: Book) -> dict[Name, Upload]:
    """Return the file of each asset that has one; note those that cannot be taken."""
    found = {}
    for name, document in book.documents.items():
        if isinstance(document, Asset) and document.file is not None:
            path = (*book.paths[name], "file")
            try:
                found[name] = upload = look_at(book.folder, document.file, book.place(path))
                if document.show in {"play", "both"} and not is_film(upload.type):
                    says = f"{document.file} is no film that browsers play: no MP4, and no WebM"
                    book.fault((*book.paths[name], "show"), says)
            except ValueError as error:
                book.fault(path, str(error))
    return found


def _tell(book: Book, name: Name, path: tuple[str | int, ...], says: str) -> None:
    """Note what a rule found: in the file, or in what was published before."""
    begins = book.paths.get(name)
    if begins is not None or name == ("site", "site"):
        book.fault((*(begins or ("site",)), *path), says)
    else:
        key = f"{SECTION_OF[name[0]]}: {name[1]} (published before)"
        book.faults.append(Fault(Place(book.file, 1, key), says))


def _order(before: list[Name], listed: list[Name], *, archived: tuple[Name, ...]) -> list[Name]:
    """Return every document in the order in which it will stand."""
    return [
        (kind, key)
        for kind in KINDS
        for key in new_order(
            [key for name, key in before if name == kind and (name, key) not in archived],
            [key for name, key in listed if name == kind],
        )
    ]


def _reordered(before: list[Name], after: list[Name]) -> tuple[str, ...]:
    """Return the kinds of which those that stay stand in another order."""
    staying = {*before} & {*after}
    return tuple(
        kind
        for kind in KINDS
        if [name for name in before if name in staying and name[0] == kind]
        != [name for name in after if name in staying and name[0] == kind]
    )


def _take(storage: Storage, plan: Plan) -> dict[Name, Content]:
    """Keep the bytes that are not kept yet; raise DocumentError for a file that changed since."""
    new = {change.name for change in (*plan.added, *plan.changed)}
    taken = {}
    for name, upload in plan.uploads.items():
        if name not in new and storage.has(upload.sha256):
            continue
        try:
            content = storage.take(upload.path, upload.name)
        except OSError as error:
            says = f"could not be kept: {error.strerror or os.strerror(error.errno or 0)}"
            raise DocumentError(Fault(upload.place, says)) from error
        if content.sha256 != upload.sha256:
            says = "the file changed while it was read: plan again"
            raise DocumentError(Fault(upload.place, says))
        taken[name] = content
    return taken


@cache
def _countries() -> Mapping[str, str]:
    """Return the names of all countries by their codes."""
    return {country.alpha_2: country.name for country in pycountry.countries}
