"""Publishing and exporting what marketers write down."""

import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.shadow import end_where_published
from regportal.documents.planning import digest_of, digest_of_set, published_now
from regportal.documents.plans import Change, Name, Plan
from regportal.documents.writing import Exported, written
from regportal.errors import DocumentError, Fault, NotHereError, Place
from regportal.library.schema import Content
from regportal.library.storage import Storage
from regportal.store.documents import (
    CurrentDocument,
    DocumentVersion,
    Publication,
    read_published,
)
from regportal.store.ids import uuid7
from regportal.store.sessions import Store

FILE = "regportal.yaml"


@dataclass(frozen=True, slots=True)
class Signed:
    """Who publishes, what they say about it, and who asked them to look at it first."""

    by: str | None = None
    note: str | None = None
    proposed_by: str | None = None


NOBODY = Signed()


def apply(
    store: Store, storage: Storage, plan: Plan, signed: Signed = NOBODY, *, now: datetime
) -> int | None:
    """
    Publish a plan; return the number of the publication, or None where nothing changes.

    The files are kept first: bytes that nothing speaks of yet do no harm. Then all documents
    are published in one transaction. Raises DocumentError where somebody published since, or
    a file changed since.
    """
    check_kept(storage, plan)
    contents = {**_take(storage, plan), **plan.kept}
    if plan.is_empty():
        return None
    return store.write(lambda session: publish(session, plan, contents, signed, now=now))


def check_kept(storage: Storage, plan: Plan) -> None:
    """Raise DocumentError where the file of an asset is said to be kept, and is not."""
    lost = [name for name, one in plan.kept.items() if not storage.has(one.sha256)]
    if lost:
        says = "is not kept any more: upload it again"
        places = (Place(plan.file, 1, f"{' '.join(name)}: file") for name in lost)
        raise DocumentError(*(Fault(place, says) for place in places))


def take_turn(session: Session) -> None:
    """Publish one at a time: who waited here sees what the other one published."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.text("LOCK TABLE publication IN SHARE ROW EXCLUSIVE MODE"))


def publish(
    session: Session,
    plan: Plan,
    contents: Mapping[Name, Content],
    signed: Signed = NOBODY,
    *,
    now: datetime,
) -> int:
    """Write the versions of a plan and let them hold; return the number of the publication."""
    take_turn(session)
    number, held = published_now(session)
    if (number, digest_of_set(held)) != (plan.publication, plan.digest):
        raise DocumentError(
            Fault(Place(plan.file, 1, "file"), "somebody published since this plan: plan again")
        )
    publication = Publication(
        at=now, by=signed.by, note=signed.note, proposed_by=signed.proposed_by
    )
    session.add(publication)
    session.flush()
    versions = {
        change.name: _version(session, change, contents, publication)
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
    session.flush()
    end_where_published(session, read_published(session, publication.number))
    return publication.number


def export(session: Session) -> Exported:
    """Return everything that is published as one file; raise NotHereError before the first."""
    _, held = published_now(session)
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


def _version(
    session: Session, change: Change, contents: Mapping[Name, Content], publication: Publication
) -> uuid.UUID:
    """Add the version a change makes; return its id."""
    kind, key = change.name
    body = change.as_kept(contents)
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
        digest=digest_of(body),
        published_at=publication.at,
        publication=publication.number,
    )
    session.add(version)
    return version.id


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
