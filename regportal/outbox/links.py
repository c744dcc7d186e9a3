"""Which record of a CRM a contact, a claim or an opportunity is, as its connector told us."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.base import Link
from regportal.outbox.models import Linked, LinkedBefore
from regportal.store.among import among
from regportal.store.facts import insert_in, table_of

TABLE, BEFORE = table_of(Linked), table_of(LinkedBefore)
KNOWN = sa.select(TABLE.c.subject, TABLE.c.ref, TABLE.c.wrote).where(
    TABLE.c.connector == sa.bindparam("connector"), among(TABLE.c.subject, "subjects")
)


def links_of(session: Session, connector: str, subjects: Collection[str]) -> dict[str, Link]:
    """Return which records subjects are in a CRM; without those of which nothing is known."""
    rows = session.execute(KNOWN, {"connector": connector, "subjects": list(subjects)})
    return {subject: Link(ref, wrote) for subject, ref, wrote in rows}


def keep_links(
    session: Session,
    connector: str,
    before: Mapping[str, Link],
    learned: Mapping[str, Link],
    *,
    now: datetime,
) -> None:
    """
    Keep what a connector ``learned`` of subjects, added to what was known ``before``.

    A record that is gone is forgotten. Of a subject that is another record now it stays known for
    a while which one it was.
    """
    gone = [subject for subject, link in learned.items() if link.ref is None]
    rows = [
        {"connector": connector, "subject": subject, "ref": link.ref, "wrote": dict(link.wrote)}
        for subject, one in learned.items()
        if (link := _beside(before.get(subject), one)).ref and link != before.get(subject)
    ]
    if gone:
        theirs = TABLE.c.connector == connector, TABLE.c.subject.in_(gone)
        session.execute(sa.delete(TABLE).where(*theirs))
    for subject, link in learned.items():
        was = before[subject].ref if subject in before else None
        if was and link.ref not in {None, was}:
            _keep_before(session, connector, was, subject, now=now)
    if rows:
        insert = insert_in(session.get_bind().dialect.name)(TABLE)
        over = {"ref": insert.excluded.ref, "wrote": insert.excluded.wrote}
        keys = ["connector", "subject"]
        session.execute(insert.on_conflict_do_update(index_elements=keys, set_=over), rows)


def _beside(before: Link | None, learned: Link) -> Link:
    """Return what is known now; what was known of another record before is left out."""
    if before is None or before.ref != learned.ref:
        return learned
    return replace(learned, wrote={**before.wrote, **learned.wrote})


def unlink(session: Session, connector: str, subject: str, *, now: datetime) -> None:
    """
    Forget which record a subject is: it is looked for anew, and made where the CRM has none.

    Which one it was stays known for a while, to :func:`subjects_of`.
    """
    is_it = TABLE.c.connector == connector, TABLE.c.subject == subject
    for ref in session.scalars(sa.delete(TABLE).where(*is_it).returning(TABLE.c.ref)).all():
        _keep_before(session, connector, ref, subject, now=now)


def _keep_before(
    session: Session, connector: str, ref: str, subject: str, *, now: datetime
) -> None:
    """Keep which record a subject was until now."""
    row = {"connector": connector, "ref": ref, "subject": subject, "until": now}
    insert = insert_in(session.get_bind().dialect.name)(BEFORE)
    over = {"until": insert.excluded.until}
    keys = [*BEFORE.primary_key]
    session.execute(insert.on_conflict_do_update(index_elements=keys, set_=over), row)


def subjects_of(session: Session, connector: str, ref: str) -> list[str]:
    """Return the subjects that a record of a CRM stands for, or stood for until a while ago."""
    found = [
        sa.select(table.c.subject).where(table.c.connector == connector, table.c.ref == ref)
        for table in (TABLE, BEFORE)
    ]
    return [*session.scalars(sa.union(*found).order_by("subject"))]


def linked_after(
    session: Session, connector: str, kind: str, limit: int
) -> Iterator[dict[str, str]]:
    """Yield pages of subject → record, of the subjects whose names begin with ``kind``."""
    chosen = (
        sa.select(TABLE.c.subject, TABLE.c.ref)
        .where(TABLE.c.connector == connector, TABLE.c.subject.startswith(kind))
        .order_by(TABLE.c.subject)
        .limit(limit)
    )
    last = ""
    while rows := session.execute(chosen.where(TABLE.c.subject > last)).all():
        last = rows[-1].subject
        yield {row.subject: row.ref for row in rows}
