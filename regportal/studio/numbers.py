"""What gates and newsletters bring, in numbers, and what each of them counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, render_template
from sqlalchemy.orm import Session

from regportal.accounts.roles import Permission
from regportal.forms.schema import Gate
from regportal.insight.growth import growth
from regportal.insight.numbers import (
    FUNNEL,
    LEAST,
    MACHINES,
    MOVES,
    NEWSLETTERS,
    Number,
    Span,
    blurred,
    moves_by_phase,
)
from regportal.insight.numbers import NUMBERS as OF_GATES
from regportal.insight.paging import Page
from regportal.insight.stands import STANDS, stands_seen
from regportal.insight.tables import columns_of
from regportal.store import current
from regportal.store.documents import said
from regportal.store.words import N_, translated
from regportal.studio.lists import FORM, List, asked, filters_of
from regportal.studio.policies import may, page
from regportal.studio.saying import Sayer
from regportal.studio.vitals import vitals_of

NUMBERS: Mapping[str, Number] = {**OF_GATES, **{one.key: one for one in STANDS}}
"""Every number, by its name."""
NAME = f"<any({', '.join(NUMBERS)}):name>"
FEW = N_("fewer than %(least)d")
COLUMNS = {
    "at": N_("When"),
    "gate": N_("Gate"),
    "asked": N_("Asked"),
    "newsletter": N_("Newsletter"),
    "outcome": N_("What became of it"),
    "method": N_("How"),
    "name": N_("Opportunity"),
    "from_phase": N_("Phase before"),
    "to_phase": N_("Phase after"),
    "cause": N_("Because of"),
    "stand": N_("Stand"),
    "reached": N_("How far it came"),
}
"""What the columns of rows are called."""
TOLD: Mapping[str, Callable[[Sayer, str], str]] = {
    "gate": Sayer.gate,
    "asked": Sayer.asked,
    "newsletter": Sayer.newsletter,
    "outcome": Sayer.outcome,
    "method": Sayer.method,
    "from_phase": Sayer.phase,
    "to_phase": Sayer.phase,
    "cause": Sayer.cause,
    "stand": lambda _says, name: name,
    "reached": Sayer.reached,
}
"""How people call what stands in them."""

bp = Blueprint("numbers", __name__)


@dataclass(frozen=True, slots=True)
class Told:
    """A number as somebody is told of it."""

    title: str
    means: str
    value: int | None
    """As exactly as he may know it; None: it is too small to be told."""
    key: str | None = None
    """By which its rows are found; None: it has none, or they are not for him."""

    @property
    def shown(self) -> str:
        """Return it as it is written."""
        few = translated(FEW, g.locale) % {"least": LEAST}
        return few if self.value is None else str(self.value)


@bp.get("/numbers")
@page(Permission.NUMBERS)
def shown() -> str:
    """Show every number."""
    span, now, published = filters_of(Span), datetime.now(UTC), current.published()
    says = Sayer(published, g.locale)
    with current.store().read() as session:
        told = {one.key: _told(one, one.count(session, span, now=now)) for one in NUMBERS.values()}
        phases = moves_by_phase(session, span, now=now)
        stands = stands_seen(session, span, now=now)
        grown = growth(session, span.since(now))
        vitals = vitals_of(session, published, now=now)
    waits = [one.waiting.since for one in vitals.owed.values() if one.waiting.since]
    return render_template(
        "studio/numbers.html",
        span=span,
        asked=asked(span),
        gates=[(one.key, said(one.headline, g.locale)) for one in published.all(Gate)],
        funnel=[told[one.key] for one in FUNNEL],
        newsletters=[told[one.key] for one in NEWSLETTERS],
        stands=[
            (one, [_told(number, one.counts[number.key]) for number in STANDS]) for one in stands
        ],
        stand_funnel=[told[one.key] for one in STANDS],
        moves=told[MOVES.key],
        machines=told[MACHINES.key],
        phases=[
            Told(says.phase(name), "", _allowed(count))
            for name, count in sorted(phases.items(), key=lambda one: -one[1])
        ],
        growth=[one for one in grown if _allowed(one.people) is not None],
        allowed=_allowed,
        points=says.points,
        lag=says.ago(min(waits), now) if waits else None,
    )


@bp.get(f"/numbers/{NAME}")
@page(Permission.ROWS)
def rows(name: str) -> str:
    """Show what a number counts."""
    number = NUMBERS[name]
    columns = [one for one in columns_of(number.row) if one not in {"id", "opportunity"}]
    says = Sayer(current.published(), g.locale)
    return _list(number).shown(
        "studio/rows.html",
        title=translated(number.title, g.locale),
        number=number,
        columns=[(one, translated(COLUMNS[one], g.locale)) for one in columns],
        told=lambda name, value: TOLD[name](says, value) if value else "",
    )


@bp.get(f"/numbers/{NAME}.{FORM}")
@page(Permission.ROWS, fresh=True)
def rows_as(name: str, form: str) -> Response:
    """Return what a number counts as a file."""
    return _list(NUMBERS[name]).taken(form)


def _list(number: Number) -> List[Span]:
    """Return the list of what a number counts."""
    now = datetime.now(UTC)

    def read(session: Session, span: Span, at: str | None, size: int) -> Page[Any]:
        return number.page(session, span, at, size, now=now)

    return List(number.key, Span, number.row, read)


def _told(number: Number, count: int) -> Told:
    """Return a number as whoever is signed in may know it."""
    says = partial(translated, locale=g.locale)
    key = number.key if may(Permission.ROWS) else None
    return Told(says(number.title), says(number.means), _allowed(count), key)


def _allowed(count: int) -> int | None:
    """Return a number as exactly as whoever is signed in may know it."""
    return count if may(Permission.ROWS) else blurred(count)
