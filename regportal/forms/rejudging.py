"""Judging again whom the forms of gates were shown to, by newer rules."""

from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.forms.models import Shown, ShownTo
from regportal.store.sessions import Store
from regportal.tracking.judging import AHEAD, Judgement, by_request
from regportal.tracking.rejudging import AFTER_ALL, Part, Report, Span, go_through

AT_ONCE = 200
"""Forms of one transaction."""


def rejudge_shown(
    store: Store,
    span: Span,
    report: Report,
    on_judged: Callable[[int], object],
    *,
    dry: bool,
) -> None:
    """
    Judge by the present rules every form of which is kept how it was asked for.

    What the form itself betrayed stays a machine's. Nothing is lost where it is broken off.
    """
    go_through(store, partial(_step, span=span, dry=dry), report, on_judged, dry=dry)


def how_many_shown(store: Store, span: Span) -> int:
    """Return how many forms :func:`rejudge_shown` will look at."""
    with store.read() as session:
        return session.scalar(_kept(span, sa.func.count())) or 0


def _kept(span: Span, *columns: Any) -> sa.Select[Any]:
    """Select of the forms that can be judged again."""
    both = sa.select(*columns).select_from(Shown).join(ShownTo, ShownTo.id == Shown.id)
    return both.where(span.covers(Shown.shown_at))


def _step(session: Session, span: Span, after: Any, *, dry: bool) -> Part:
    """Judge some forms again."""
    query = _kept(span, Shown, ShownTo).order_by(Shown.id).limit(AT_ONCE)
    if after is not None:
        query = query.where(Shown.id > after)
    report, shown = Report(), None
    some = session.execute(query).all()
    for shown, asked in some:
        judgement = _anew(shown, asked)
        report.judged += 1
        if judgement.judged is not shown.judged:
            report.changed[judgement.judged, judgement.because or AFTER_ALL] += 1
            if not dry:
                shown.judged, shown.judged_because = judgement.judged, judgement.because
                shown.judged_by = judgement.rules
    return Part(len(some), report, shown.id if shown and len(some) == AT_ONCE else None)


def _anew(shown: Shown, asked: ShownTo) -> Judgement:
    """Return whom a form was shown to; who sent one that was fetched ahead has seen it since."""
    judgement = by_request(asked.agent, asked.purpose or "")
    if shown.outcome is not None and judgement.because in AHEAD.values():
        return by_request(asked.agent)
    return judgement
