"""How far visitors came at a stand: what its tablet tells of pages that sent nothing, and forms."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import BadRequestError
from regportal.kiosk.models import Reached, Stand, StandForm, StandPage
from regportal.kiosk.rules import given_at
from regportal.store.facts import add_once
from regportal.store.words import N_

MOST = 50
"""Pages that a tablet tells of at once (static/js/src/pages.js has the same)."""
LONGEST = 10
"""Digits of the seconds since a page was touched."""


@dataclass(frozen=True, slots=True)
class Left:
    """A page of a stand whose visitor went without sending anything."""

    key: uuid.UUID
    ago: timedelta
    reached: Reached


def read_left(texts: Iterable[str]) -> list[Left]:
    """
    Return what a tablet tells of its pages; raise BadRequestError for what none of ours says.

    >>> [one] = read_left(["019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b 90 begun"])
    >>> one.ago.seconds, one.reached.value
    (90, 'begun')
    """
    try:
        return [_left(*text.split(" ")) for text in texts]
    except (TypeError, ValueError) as error:
        raise BadRequestError(N_("This form cannot be read.")) from error


def count_left(session: Session, stand: Stand, left: Iterable[Left], *, now: datetime) -> None:
    """Count pages of a stand whose visitors went; what is told again counts once."""
    for one in left:
        page = StandPage(
            id=uuid.uuid5(stand.id, str(one.key)),
            stand_id=stand.id,
            at=given_at(one.ago, stand.made_at, now),
            reached=one.reached,
        )
        add_once(session, page)


def count_given(session: Session, form: StandForm, *, given: datetime) -> None:
    """Count a form that a stand took."""
    add_once(
        session,
        StandPage(id=_of(form), stand_id=form.stand_id, at=given, reached=Reached.GIVEN),
    )


def count_carried(session: Session, form: StandForm) -> None:
    """Count that a telephone took the file of a form."""
    page = sa.update(StandPage).where(StandPage.id == _of(form))
    session.execute(page.values(reached=Reached.CARRIED))


def _left(key: str, ago: str, reached: str) -> Left:
    """Return one page; raise ValueError."""
    if reached not in {Reached.SHOWN, Reached.BEGUN} or not ago.isdecimal() or len(ago) >= LONGEST:
        raise ValueError(reached)
    return Left(uuid.UUID(key), timedelta(seconds=int(ago)), Reached(reached))


def _of(form: StandForm) -> uuid.UUID:
    """Return the page of a form; once the form is deleted, nothing leads from one to the other."""
    return uuid.uuid5(form.stand_id, str(form.id))
