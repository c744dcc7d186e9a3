"""The question bank: every question, where it is asked, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.worth import worths
from regportal.forms.arms import running
from regportal.forms.models import Shown
from regportal.forms.planner import Turnout
from regportal.forms.rules import LEEWAY
from regportal.forms.schema import Gate, Question, QuestionType
from regportal.forms.turnouts import is_final, turnouts
from regportal.insight.filters import Filters, Word
from regportal.insight.paging import Page
from regportal.store.documents import Published
from regportal.store.ids import first_of
from regportal.store.schema import Site, said


class Questions(Filters):
    """Which questions are listed, and of which time their forms are counted."""

    days: Literal["7", "30", "90"] = "90"
    gate: Word | None = None
    type: QuestionType | None = None


class Shares:
    """Counts of forms as shares of those that were shown."""

    __slots__ = ()
    shown: int

    def share(self, of: int) -> int | None:
        """Return how many of a hundred forms so many are; None where none was shown."""
        return round(100 * of / self.shown) if self.shown else None


@dataclass(frozen=True, slots=True)
class QuestionRow(Shares):
    """One question, and what became of the forms that asked people."""

    key: str
    label: str
    type: str
    gates: Sequence[str]
    """At which it is asked now."""
    shown: int
    answered: int
    declined: int
    abandoned: int
    worth: float
    """Of an answer, for routing and phase: from 0.2 to 1."""
    sensitive: bool
    crm_field: str
    experiment: str | None
    """Which compares its wording now."""


@dataclass(frozen=True, slots=True)
class AskedAt(Shares):
    """What became of the forms that asked people one question at one gate."""

    gate: str
    place: int | None
    """As which of its questions it is asked; None: it is asked there no more."""
    of: int
    """How many questions the gate has."""
    shown: int
    answered: int
    declined: int
    abandoned: int


def page(
    session: Session,
    published: Published,
    filters: Questions,
    locale: str | None = None,
    *,
    now: datetime,
) -> Page[QuestionRow]:
    """
    Return all questions, in the order they were written: they are few.

    Counted are forms that can no longer be sent, at one gate or at all.
    """
    counted: dict[str, list[Turnout]] = {}
    for (gate, key), one in turnouts(session, _of(int(filters.days), now)).items():
        if filters.gate in {None, gate}:
            counted.setdefault(key, []).append(one)
    gates, worth = published.all(Gate), worths(published)
    tried = {one.question: one.key for one in running(published) if one.question}
    rows = []
    for question in published.all(Question):
        asking = [one.key for one in gates if question.key in one.questions]
        if filters.type not in {None, question.type}:
            continue
        if filters.gate is not None and filters.gate not in asking:
            continue
        found = counted.get(question.key, [])
        rows.append(
            QuestionRow(
                key=question.key,
                label=said(question.label, locale or Site.of(published).locale),
                type=question.type,
                gates=asking,
                shown=sum(one.shown for one in found),
                answered=sum(one.answered for one in found),
                declined=sum(one.declined for one in found),
                abandoned=sum(one.abandoned for one in found),
                worth=round(worth[question.key], 2),
                sensitive=question.sensitive,
                crm_field=question.crm_field or question.key,
                experiment=tried.get(question.key),
            )
        )
    return Page(rows, None, None)


def asked_at(
    session: Session, published: Published, key: str, *, days: int = 90, now: datetime
) -> list[AskedAt]:
    """
    Return where a question is asked, and what became of it there in so many days.

    A gate that asks it no more is named where it did in that time.
    """
    counted = turnouts(session, _of(days, now), Shown.question == key)
    rows = []
    for gate in published.all(Gate):
        found, asks = counted.get((gate.key, key)), key in gate.questions
        if not asks and found is None:
            continue
        place = gate.questions.index(key) + 1 if asks else None
        told = found or Turnout()
        counts = (told.shown, told.answered, told.declined, told.abandoned)
        rows.append(AskedAt(gate.key, place, len(gate.questions), *counts))
    return rows


def _of(days: int, now: datetime) -> sa.ColumnElement[bool]:
    """
    Return which forms are counted: those of so many days that can no longer be sent.

    Their keys begin with their moments, so that older ones are not even looked at.
    """
    since = now - timedelta(days=days)
    return sa.and_(Shown.id >= first_of(since - LEEWAY), Shown.shown_at >= since, is_final(now))
