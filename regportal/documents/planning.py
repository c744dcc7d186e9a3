"""What publishing a file would change: read, compared with what holds, and nothing written."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pycountry
import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.schema import Buying
from regportal.connectors.base import installed_types
from regportal.connectors.schema import Connector
from regportal.documents.connections import not_installed
from regportal.documents.files import Upload, look_at
from regportal.documents.plans import Body, Change, Name, Plan, differences, new_order
from regportal.documents.reading import MODEL, Book, model_of
from regportal.documents.remarks import remarks_on
from regportal.documents.rules import check
from regportal.documents.schema import SECTION_OF, SECTIONS
from regportal.errors import Fault, Place
from regportal.library.schema import Asset, Content, is_film
from regportal.store.documents import CurrentDocument, DocumentVersion, Publication
from regportal.store.schema import Document

KINDS = {kind.kind: kind for kind in SECTIONS.values()}


@dataclass(frozen=True, slots=True)
class Held:
    """A document as it is published now."""

    body: Body
    digest: str
    number: int
    """Of this version of it."""


def plan(session: Session, book: Book, *, prune: bool = False) -> Plan:
    """
    Return what publishing this book would change; writes nothing.

    Raises DocumentError with every fault of the book, in the order of the file.
    """
    number, held = published_now(session)
    uploads = _uploads(book)
    before = _documents(held)
    kept = {} if prune else {name: one for name, one in before.items() if name not in book.paths}
    documents = kept | book.documents
    for finding in check(documents, {*kept, *book.paths}, _countries()):
        _tell(book, finding.name, finding.path, finding.says)
    types = installed_types()
    for name, document in book.documents.items():
        for path, says in not_installed(document, types) if isinstance(document, Connector) else ():
            _tell(book, name, path, says)
    book.refuse_faults()

    files: Mapping[Name, Upload | Content] = {**uploads, **book.kept}
    bodies = {name: _body(one, files.get(name)) for name, one in book.documents.items()}
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
        digest=digest_of_set(held),
        added=tuple(Change(name, bodies[name]) for name in bodies if name not in before),
        changed=tuple(Change(name, bodies[name], keys) for name, keys in differing.items() if keys),
        unchanged=tuple(name for name, keys in differing.items() if not keys),
        absent=() if prune else absent,
        archived=absent if prune else (),
        reordered=_reordered([*held], order),
        order=tuple(order),
        uploads=uploads,
        kept=book.kept,
        remarks=tuple(remarks_on(session, before, documents)),
    )


def draft_of(session: Session, book: Book) -> Buying:
    """
    Return the buying model of a book as it could be published beside what holds; writes nothing.

    Raises DocumentError where there is none, or it could not be.
    """
    model = model_of(book)
    _, held = published_now(session)
    documents = _documents(held) | book.documents
    for finding in check(documents, {*documents}, _countries()):
        if finding.name == MODEL:
            _tell(book, finding.name, finding.path, finding.says)
    book.refuse_faults()
    return model


# --- what is published ---


def published_now(session: Session) -> tuple[int, dict[Name, Held]]:
    """Return the number of the newest publication, and what holds, in order."""
    number = session.scalar(sa.select(sa.func.max(Publication.number))) or 0
    rows = session.execute(
        sa.select(
            CurrentDocument.kind,
            CurrentDocument.key,
            DocumentVersion.body,
            DocumentVersion.digest,
            DocumentVersion.number,
        )
        .join(DocumentVersion, DocumentVersion.id == CurrentDocument.version_id)
        .order_by(CurrentDocument.position, CurrentDocument.kind, CurrentDocument.key)
    )
    return number, {(kind, key): Held(*held) for kind, key, *held in rows}


def _documents(held: Mapping[Name, Held]) -> dict[Name, Document]:
    """Return what holds as documents."""
    return {name: KINDS[name[0]].model_validate(one.body) for name, one in held.items()}


def digest_of_set(held: Mapping[Name, Held]) -> str:
    """Return one hash of everything that holds, and its order."""
    return digest_of([[kind, key, one.digest] for (kind, key), one in held.items()])


def digest_of(value: Any) -> str:
    """Return the hash of a value; the order of keys is part of it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


# --- what is planned ---


def _body(document: Document, file: Upload | Content | None = None) -> dict[str, Any]:
    """Return a document as it was written, with what its file is now."""
    body = document.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if file is not None:
        body["content"] = {"name": file.name, "sha256": file.sha256}
    return body


def _uploads(book: Book) -> dict[Name, Upload]:
    """Return the file of each asset that has one beside it; note those that cannot be taken."""
    found = {}
    for name, document in book.documents.items():
        if not isinstance(document, Asset) or document.file is None:
            continue
        path = (*book.paths[name], "file")
        if name in book.kept:
            _check_shown(book, name, document, book.kept[name].type)
        elif book.folder is None:
            book.fault(path, "is not there yet: upload it")
        else:
            try:
                found[name] = look_at(book.folder, document.file, book.place(path))
            except ValueError as error:
                book.fault(path, str(error))
            else:
                _check_shown(book, name, document, found[name].type)
    return found


def _check_shown(book: Book, name: Name, asset: Asset, media_type: str) -> None:
    """Note where a file is to be played that no browser plays."""
    if asset.show in {"play", "both"} and not is_film(media_type):
        says = f"{asset.file} is no film that browsers play: no MP4, and no WebM"
        book.fault((*book.paths[name], "show"), says)


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


@cache
def _countries() -> Mapping[str, str]:
    """Return the names of all countries by their codes."""
    return {country.alpha_2: country.name for country in pycountry.countries}
