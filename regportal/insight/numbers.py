"""What a site's gates bring, in numbers: each has one definition, and opens the rows it counts."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.buying.models import Move, Opportunity
from regportal.consent.models import ConsentEvent, ConsentState
from regportal.forms.models import Shown, Submission
from regportal.identity.models import Claim
from regportal.insight.filters import Filters, Word
from regportal.insight.paging import Page, Query, Run, page_of
from regportal.library.models import Grant
from regportal.store.ids import first_of
from regportal.store.words import N_
from regportal.tracking.models import Judged, Visit

LEAST = 5
"""Whoever sees numbers and no rows is told of no fewer (security.md 2.7)."""


class Span(Filters):
    """Of which time, of which gate, and of which stand before it."""

    days: Literal["7", "30", "90"] = "30"
    gate: Word | None = None
    stand: uuid.UUID | None = None

    def since(self, now: datetime) -> datetime:
        """Return when the time begins that ends now."""
        return now - timedelta(days=int(self.days))


@dataclass(frozen=True, slots=True)
class FormRow:
    """One form that was shown; whom it was shown to is nobody's business here."""

    id: uuid.UUID
    at: datetime
    gate: str
    asked: str | None
    newsletter: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class YesRow:
    """One line of the ledger that allows a newsletter."""

    id: uuid.UUID
    at: datetime
    newsletter: str
    method: str


@dataclass(frozen=True, slots=True)
class MoveRow:
    """One change of a phase."""

    id: uuid.UUID
    at: datetime
    opportunity: uuid.UUID
    name: str
    from_phase: str
    to_phase: str
    cause: str


@dataclass(frozen=True, slots=True)
class Number:
    """One number: what it is called, what it means, and the rows that it counts."""

    key: str
    title: str
    means: str
    row: type[Any]
    query: Callable[[Span, datetime], Query]
    keys: tuple[Any, ...]
    """By which its rows are in order, the newest first."""

    def count(self, session: Session, span: Span, *, now: datetime) -> int:
        """Return the number."""
        rows = self.query(span, now).subquery()
        return session.scalar(sa.select(sa.func.count()).select_from(rows)) or 0

    def page(
        self, session: Session, span: Span, at: str | None = None, size: int = 50, *, now: datetime
    ) -> Page[Any]:
        """Return a page of what it counts; raises BadRequestError for a mark of another list."""
        found = page_of(session, [Run(self.query(span, now), self.keys)], at, size)
        many = len(self.row.__dataclass_fields__)
        return found.of(lambda rows: [self.row(*map(_plain, tuple(row)[:many])) for row in rows])


def blurred(number: int) -> int | None:
    """
    Return a number as whoever may see nobody's rows is told of it; None: too few to be told.

    >>> blurred(4), blurred(5), blurred(12), blurred(13), blurred(0)
    (None, 5, 10, 15, 0)
    """
    if 0 < number < LEAST:
        return None
    return LEAST * round(number / LEAST)


def _plain(value: Any) -> Any:
    """Return a value without its enum."""
    return getattr(value, "value", value)


def _forms(span: Span, now: datetime, judged: Judged = Judged.PERSON) -> Query:
    """Select the forms that were shown to people, or to machines."""
    asked = sa.case((Shown.asked_email, "email"), else_=Shown.question)
    query = sa.select(
        *(Shown.id, Shown.shown_at, Shown.gate, asked, Shown.newsletter, Shown.outcome)
    ).where(Shown.id >= first_of(span.since(now)), Shown.judged == judged)
    return query if span.gate is None else query.where(Shown.gate == span.gate)


def _machines(span: Span, now: datetime) -> Query:
    """Select the forms that were shown to machines."""
    return _forms(span, now, Judged.MACHINE)


def _sent(span: Span, now: datetime) -> Query:
    """Select the forms that were sent."""
    return _forms(span, now).where(sa.exists().where(Submission.id == Shown.id))


def _after(*further: sa.ColumnElement[bool]) -> Callable[[Span, datetime], Query]:
    """Return what selects the forms after which the file was granted, and this was true of it."""
    by_mail = sa.select(Claim.id).where(Claim.visitor_id == Submission.visitor_id)
    theirs = sa.or_(Grant.visitor_id == Submission.visitor_id, Grant.claim_id.in_(by_mail))
    granted = sa.exists().where(
        *(Submission.id == Shown.id, Grant.gate == Shown.gate, theirs),
        *(Grant.issued_at >= Submission.at, *further),
    )
    return lambda span, now: _forms(span, now).where(granted)


def _offered(span: Span, now: datetime) -> Query:
    """Select the forms with a newsletter's box."""
    return _forms(span, now).where(Shown.newsletter.is_not(None))


def _accepted(span: Span, now: datetime) -> Query:
    """Select the forms on which the box was ticked."""
    ticked = sa.exists().where(Submission.id == Shown.id, Submission.newsletter_taken)
    return _offered(span, now).where(ticked)


def _confirmed(span: Span, now: datetime) -> Query:
    """Select the lines of the ledger that allow a newsletter."""
    line = ConsentEvent
    return sa.select(line.id, line.at, line.newsletter, line.method).where(
        line.state == ConsentState.CONFIRMED, line.at >= span.since(now)
    )


def _moved(span: Span, now: datetime) -> Query:
    """Select the changes of phases."""
    return (
        sa.select(
            *(Move.id, Move.at, Opportunity.id.label("opportunity")),
            sa.func.coalesce(Opportunity.name, Opportunity.external_id).label("name"),
            *(Move.from_phase, Move.to_phase, Move.cause),
        )
        .join(Opportunity, Opportunity.id == Move.opportunity_id)
        .where(Move.at >= span.since(now))
    )


_later = aliased(Visit)
CAME_BACK = sa.exists().where(
    _later.visitor_id == Grant.visitor_id, _later.started_at > Grant.issued_at
)
BY_ID, BY_LINE, BY_MOVE = (Shown.id,), (ConsentEvent.number,), (Move.at, Move.id)
FUNNEL = (
    Number(
        "shown",
        N_("Shown"),
        N_("Forms of gates that were shown to people."),
        *(FormRow, _forms, BY_ID),
    ),
    Number("sent", N_("Sent"), N_("Of these, the forms that were sent."), *(FormRow, _sent, BY_ID)),
    Number(
        "passed",
        N_("Let through"),
        N_("Of these, the forms after which the file was handed over, at once or by mail."),
        *(FormRow, _after(), BY_ID),
    ),
    Number(
        "fetched",
        N_("Fetched"),
        N_("Of these, the forms after which the file was really fetched."),
        *(FormRow, _after(Grant.started_at.is_not(None)), BY_ID),
    ),
    Number(
        "returned",
        N_("Came back"),
        N_("Of these, the forms whose sender came again in a later visit, in the same browser."),
        *(FormRow, _after(Grant.started_at.is_not(None), CAME_BACK), BY_ID),
    ),
)
NEWSLETTERS = (
    Number(
        "offered",
        N_("Offered"),
        N_("Forms that were shown to people with the box of a newsletter."),
        *(FormRow, _offered, BY_ID),
    ),
    Number(
        "accepted",
        N_("Ticked"),
        N_("Of these, the forms that were sent with the box ticked."),
        *(FormRow, _accepted, BY_ID),
    ),
    Number(
        "confirmed",
        N_("Confirmed"),
        N_("Newsletters that the owner of an address has allowed: lines of the ledger."),
        *(YesRow, _confirmed, BY_LINE),
    ),
)
MOVES = Number(
    "moves",
    N_("Changes of phase"),
    N_("How often an opportunity came to another phase, in either direction."),
    *(MoveRow, _moved, BY_MOVE),
)
MACHINES = Number(
    "machines",
    N_("Shown to machines"),
    N_("Forms that were shown to crawlers, scanners and the like. No other number counts them."),
    *(FormRow, _machines, BY_ID),
)
NUMBERS: Mapping[str, Number] = {one.key: one for one in (*FUNNEL, *NEWSLETTERS, MOVES, MACHINES)}
"""Every number, by its name."""


def moves_by_phase(session: Session, span: Span, *, now: datetime) -> Mapping[str, int]:
    """Return how often each phase was come to."""
    rows = _moved(span, now).subquery()
    query = sa.select(rows.c.to_phase, sa.func.count()).group_by(rows.c.to_phase)
    return dict(session.execute(query).all())
