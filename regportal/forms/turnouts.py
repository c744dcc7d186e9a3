"""What became of the forms that asked: answered, declined, or never sent."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.forms.models import Counted, Outcome, Shown
from regportal.forms.planner import Turnout
from regportal.forms.rules import ASK_LIFE
from regportal.store.sessions import Store
from regportal.tracking.models import Judged

COUNTED = sa.select(
    Counted.gate, Counted.question, Counted.shown, Counted.answered, Counted.declined
)
AT_GATE = COUNTED.where(Counted.gate == sa.bindparam("gate"))


def counted(session: Session) -> Mapping[tuple[str, str], Turnout]:
    """Return what became of each question at each gate, as it was counted last."""
    rows = session.execute(COUNTED)
    return {(gate, question): Turnout(*counts) for gate, question, *counts in rows}


def counted_at(session: Session, gate: str) -> Mapping[str, Turnout]:
    """Return the same of the questions at one gate."""
    rows = session.connection().execute(AT_GATE, {"gate": gate})
    return {question: Turnout(*counts) for _, question, *counts in rows}


def turnouts(
    session: Session, *conditions: sa.ColumnElement[bool]
) -> dict[tuple[str, str], Turnout]:
    """
    Return what became of the forms people were shown, by gate and question.

    ``conditions`` say which forms count; a machine's never do.
    """
    query = (
        sa.select(Shown.gate, Shown.question, Shown.outcome, sa.func.count())
        .where(Shown.question.is_not(None), Shown.judged == Judged.PERSON, *conditions)
        .group_by(Shown.gate, Shown.question, Shown.outcome)
    )
    found: defaultdict[tuple[str, str], dict[Any, int]] = defaultdict(dict)
    for gate, question, outcome, many in session.execute(query):
        found[gate, str(question)][outcome] = many
    return {
        name: Turnout(sum(by.values()), by.get(Outcome.ANSWERED, 0), by.get(Outcome.DECLINED, 0))
        for name, by in found.items()
    }


def is_final(now: datetime) -> sa.ColumnElement[bool]:
    """Return which forms can no longer be sent: what became of them stays so."""
    return Shown.shown_at <= now - ASK_LIFE


def count_anew(store: Store, *, now: datetime) -> None:
    """Count for the planners what became of every form that can no longer be sent."""
    with store.read() as session:
        found = turnouts(session, is_final(now))
    rows = [
        {"gate": gate, "question": question, "counted_at": now}
        | {"shown": one.shown, "answered": one.answered, "declined": one.declined}
        for (gate, question), one in found.items()
    ]

    def keep(session: Session) -> None:
        session.execute(sa.delete(Counted))
        if rows:
            session.execute(sa.insert(Counted), rows)

    store.write(keep, patient=True)
