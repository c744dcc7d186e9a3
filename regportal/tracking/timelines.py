"""Where other systems find contacts, and read what they did and what led to it."""

import uuid
from typing import Annotated

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from regportal.errors import BadRequestError, NotHereError
from regportal.identity.actions import find_contact
from regportal.identity.addresses import read_address
from regportal.identity.api import Api
from regportal.identity.models import Assurance, Contact
from regportal.store import current
from regportal.store.asked import Asked
from regportal.store.strict_json import AnyMoment
from regportal.tracking.events import Type
from regportal.tracking.models import Judged
from regportal.tracking.series import (
    InteractionRead,
    Mark,
    Wanted,
    as_read,
    page_of,
    read_mark,
    written,
)
from regportal.tracking.visiting import TouchRead, VisitRead, ends_of, touches_of, visits_of

bp = Api("timelines", __name__, "contacts", "What contacts did, and what led to it.")

NOBODY = "There is no such contact."
NEXT = Field(description="Give it as `after`; null: there is no more.")
Next = Annotated[str | None, NEXT]


class WithAddress(Asked):
    """Who is looked for."""

    email: Annotated[str, Field(min_length=1, max_length=400, examples=["ann@initech.example"])]


class ContactRead(BaseModel):
    """A contact, as webhooks name him."""

    key: uuid.UUID
    email: str
    assurance: Assurance


class OfContact(Asked):
    """Whose time series."""

    key: Annotated[uuid.UUID, Field(description="The contact's key.")]


class Span(Asked):
    """Which page of a time series, and of which time."""

    since: Annotated[AnyMoment | None, Field(description="From then on.")] = None
    until: Annotated[AnyMoment | None, Field(description="Before then.")] = None
    after: Annotated[
        str | None, Field(max_length=200, description="The `next` of the page before.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50

    @property
    def mark(self) -> Mark | None:
        """Return where the page begins; raise BadRequestError for a mark that is not ours."""
        try:
            return read_mark(self.after) if self.after else None
        except ValueError as error:
            raise BadRequestError("after: is not the next of a page of ours.", "after") from error


class Page(Span):
    """Which interactions a program wants to read, or visits with such."""

    type: Annotated[tuple[Type, ...], Field(description="Only these.")] = ()
    judged: Annotated[
        Judged | None, Field(description="Only what people did, or machines; else both.")
    ] = None


class Timeline(BaseModel):
    """A page of what was done, newest first."""

    interactions: list[InteractionRead]
    next: Next


class Visits(BaseModel):
    """A page of visits, newest first."""

    visits: list[VisitRead]
    next: Next


class Touches(BaseModel):
    """A page of what led to visits, newest first; and of all of it the first and the last."""

    first: TouchRead | None
    last: TouchRead | None
    touches: list[TouchRead]
    next: Next


@bp.call("GET /contacts", scope="timeline", answers=ContactRead, refuses=(404,))
def contact(query: WithAddress) -> ContactRead:
    """
    Find the contact with an e-mail address, however it is spelled.

    An address that somebody only claimed is nobody's yet: there is no such contact.
    """
    try:
        email = read_address(query.email).email
    except ValueError:
        raise BadRequestError("email: is not an e-mail address.", "email") from None
    with current.store().read() as session:
        found = find_contact(session, email)
        if found is None or found.assurance == Assurance.CLAIMED:
            raise NotHereError(NOBODY)
        return ContactRead(key=found.id, email=found.email, assurance=found.assurance)


@bp.call(
    "GET /contacts/<uuid:key>/interactions", scope="timeline", answers=Timeline, refuses=(404,)
)
def timeline(path: OfContact, query: Page) -> Timeline:
    """
    Return a page of what a contact did, newest first, and where the next one begins.

    What arrives meanwhile moves nothing.
    """
    with current.store().read() as session:
        return timeline_of(session, _known(session, path.key), query)


@bp.call("GET /contacts/<uuid:key>/visits", scope="timeline", answers=Visits, refuses=(404,))
def visits(path: OfContact, query: Page) -> Visits:
    """
    Return a page of a contact's visits, newest first, each with what led to it.

    A visit is his by what he did in it. With ``type`` or ``judged`` only visits with such an
    interaction, and only these are counted.
    """
    with current.store().read() as session:
        return visits_page(session, _known(session, path.key), query)


@bp.call("GET /contacts/<uuid:key>/touches", scope="timeline", answers=Touches, refuses=(404,))
def touches(path: OfContact, query: Span) -> Touches:
    """
    Return what led a contact to his visits, newest first; and of all of it the first and the last.

    Visits that nothing led to, and a machine's, have no part in it.
    """
    with current.store().read() as session:
        wanted = Wanted(_known(session, path.key), since=query.since, until=query.until)
        found, after = touches_of(session, wanted, query.mark, query.limit)
        first, last = ends_of(session, wanted)
    return Touches(first=first, last=last, touches=found, next=written(after) if after else None)


def timeline_of(session: Session, contacts: list[uuid.UUID], query: Page) -> Timeline:
    """Return a page of what some contacts did."""
    found, after = page_of(session, _wanted(contacts, query), query.mark, query.limit)
    read = [as_read(one) for one in found]
    return Timeline(interactions=read, next=written(after) if after else None)


def visits_page(session: Session, contacts: list[uuid.UUID], query: Page) -> Visits:
    """Return a page of some contacts' visits."""
    found, after = visits_of(session, _wanted(contacts, query), query.mark, query.limit)
    return Visits(visits=found, next=written(after) if after else None)


def _wanted(contacts: list[uuid.UUID], query: Page) -> Wanted:
    """Return what is asked for."""
    return Wanted(contacts, frozenset(query.type), query.judged, query.since, query.until)


def _known(session: Session, key: uuid.UUID) -> list[uuid.UUID]:
    """Return whose time series is read; raise NotHereError where there is no such contact."""
    if session.get(Contact, key) is None:
        raise NotHereError(NOBODY)
    return [key]
