"""The people we know, as lists: everybody, and those who have not proven it."""

from datetime import UTC, datetime

from flask import Blueprint, Response, g
from sqlalchemy.orm import Session

from regportal.accounts.roles import Permission
from regportal.buying.scores.schema import Score
from regportal.identity.models import Assurance
from regportal.insight import people
from regportal.insight.paging import Page
from regportal.insight.people import ClaimRow, Claims, People, PersonRow
from regportal.store import current
from regportal.studio.lists import FORM, List, filters_of
from regportal.studio.policies import page
from regportal.studio.saying import Sayer
from regportal.studio.seeing import owners

bp = Blueprint("contacts", __name__)


def _people(session: Session, filters: People, at: str | None, size: int) -> Page[PersonRow]:
    """Return a page of whom somebody sees."""
    published, now = current.published(session), datetime.now(UTC)
    return people.page(session, published, filters, at, size, owners=owners(), now=now)


def _claims(session: Session, filters: Claims, at: str | None, size: int) -> Page[ClaimRow]:
    """Return a page of claims about whom somebody sees."""
    return people.unconfirmed(session, filters, at, size, owners=owners())


CONTACTS = List("contacts", People, PersonRow, _people)
CLAIMS = List("unconfirmed", Claims, ClaimRow, _claims)


@bp.get("/contacts")
@page(Permission.CONTACTS)
def listed() -> str:
    """List the people we know."""
    filters, published = filters_of(People), current.published()
    says = Sayer(published, g.locale)
    scores = {one.key: one for one in published.all(Score)}
    first = next(iter(scores), "")
    score = scores.get(filters.score or first)
    return CONTACTS.shown(
        "studio/contacts.html",
        says=says,
        scores=[(key, says.score(key)) for key in scores],
        levels=[(name, name) for name, _ in score.levels] if score else [],
        assurances=[(one, says.sure(one)) for one in Assurance if one is not Assurance.CLAIMED],
    )


@bp.get(f"/contacts.{FORM}")
@page(Permission.CONTACTS, fresh=True)
def listed_as(form: str) -> Response:
    """Return the list as a file."""
    return CONTACTS.taken(form)


@bp.get("/contacts/unconfirmed")
@page(Permission.CONTACTS)
def unconfirmed() -> str:
    """List who says that an address is his, and has not shown it."""
    says = Sayer(current.published(), g.locale)
    return CLAIMS.shown("studio/unconfirmed.html", says=says)


@bp.get(f"/contacts/unconfirmed.{FORM}")
@page(Permission.CONTACTS, fresh=True)
def unconfirmed_as(form: str) -> Response:
    """Return the list as a file."""
    return CLAIMS.taken(form)
