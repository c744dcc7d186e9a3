"""Taking everything along from the own page, or having it erased."""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, stream_with_context
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from regportal.errors import BadRequestError, NotHereError
from regportal.identity import browser, limits, wire
from regportal.identity.models import Contact
from regportal.privacy.erasing import PERSON, erase
from regportal.privacy.exporting import export_csv, export_json
from regportal.privacy.models import Erasure
from regportal.privacy.owner import here, page, sent
from regportal.privacy.reader import Reader
from regportal.privacy.reading import to_erase
from regportal.privacy.whom import Whom, whom_of
from regportal.store import current
from regportal.store.words import N_

bp = Blueprint("taking", __name__)


@bp.get("/me/export.json")
def as_json() -> BaseResponse:
    """Hand over everything as JSON."""
    return _export("json", "application/json")


@bp.get("/me/export.csv")
def as_csv() -> BaseResponse:
    """Hand over everything as one table."""
    return _export("csv", "text/csv")


@bp.get("/me/receipt")
def as_receipt() -> BaseResponse:
    """Hand over what was allowed, an address a record, as consent receipts (JSON-LD)."""
    from regportal.privacy.receipts import CONTEXT, receipt  # noqa: PLC0415 - it loads fonts

    with current.store().read() as session:
        asking = here(session)
        published = current.published(session)
        graph = [
            receipt(session, contact, None, published, now=asking.now)
            for contact in asking.fresh.contacts
        ]
    told = graph[0] if len(graph) == 1 else {"@context": CONTEXT, "@graph": graph}
    response = Response(json.dumps(told, ensure_ascii=False, indent=2))
    response.content_type = "application/ld+json; charset=utf-8"
    response.headers["Content-Disposition"] = 'attachment; filename="receipt.jsonld"'
    return response


@bp.get("/me/erase")
def erase_page() -> BaseResponse:
    """Say what will happen, and ask once."""
    with current.store().read() as session:
        asking = here(session)
        owner = asking.fresh
        reader = Reader(
            session,
            current.published(session),
            owner.contacts,
            owner.contact,
            asking.locale,
            current.settings().pepper_text,
            asking.now,
        )
        about = to_erase(reader)
    return page("erase", N_("Delete everything"), asking, email=owner.contact.email, **about)


@bp.post("/me/erase")
def erase_me() -> BaseResponse:
    """
    Forget this person, and let everybody who was told of him do the same.

    Pressed twice at once it is done once, and both get the same page.
    """
    with current.store().read() as session:
        asking, fields = sent(session)
        whom = whom_of(asking.fresh.contacts)
        published = current.published(session)
    if wire.only(fields, "choice") != "erase":
        raise BadRequestError(N_("Please press one of the buttons."))
    limits.check("changes")
    pepper = current.settings().pepper_text

    def work(session: Session) -> dict[str, Any]:
        try:
            report = erase(session, published, whom, pepper=pepper, by=PERSON, now=asking.now)
        except NotHereError:
            report = _report_of(session, whom)
        return {"id": str(report.id), "at": report.at, "told": dict(report.told)}

    report = current.store().write(work)
    current.store().sweep()
    current.wake("weigh", "deliver")
    response = page("erased", N_("Deleted"), asking, report=report)
    browser.forget(response)
    return response


def _report_of(session: Session, whom: Whom) -> Erasure:
    """Return the proof that somebody is erased; raise NoResultFound where there is none."""
    reports = sa.select(Erasure).where(Erasure.key == whom.key).order_by(Erasure.at.desc())
    return session.scalars(reports.limit(1)).one()


def _export(kind: str, media_type: str) -> BaseResponse:
    """Stream the export, while the database is read."""
    with current.store().read() as session:
        asking = here(session)
        contacts = [one.id for one in asking.fresh.contacts]
        published = current.published(session)
    limits.check("changes")
    make = export_json if kind == "json" else export_csv
    pepper = current.settings().pepper_text

    def pieces() -> Iterator[str]:
        with current.store().read() as session:
            theirs = [session.get_one(Contact, one) for one in contacts]
            yield from make(session, published, whom_of(theirs), pepper=pepper, now=asking.now)

    name = f"my-data-{asking.now:%Y-%m-%d}.{kind}"
    return Response(
        stream_with_context(pieces()),
        content_type=f"{media_type}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
