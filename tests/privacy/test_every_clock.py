"""Whatever declares a clock is ended by it: also what is nobody's, or of a browser that comes."""

import itertools
import secrets
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from regportal.privacy.clocks import lengths, tidy
from regportal.privacy.traces import every_model
from regportal.store.base import UtcMoment
from regportal.store.documents import Site
from regportal.store.facts import table_of
from regportal.store.ids import uuid7

BEGAN = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TICKING = {
    name: model
    for name, model in every_model().items()
    if model.clock and (model.aged_by or not model.emptied)
}
"""What its clock ends; an opportunity of nobody's stays, as it would when its person goes."""
ENDED = {
    "claim": {"state": "expired"},
    "consent_event": {"state": "withdrawn"},
    "opportunity": {"is_closed": True},
}
"""What a clock waits for, where it does."""
NOTHING = object()
BROWSERS_OWN = {"visitor", "choice"}
"""What stays as long as a browser comes: that it is this one, and what was chosen in it."""


class Hand:
    """Writes rows as short as they can be, with everything they hang on."""

    def __init__(self, session, *, names_browser, last_seen):
        self._session, self._names_browser = session, names_browser
        self._special = ENDED | {"visitor": {"last_seen": last_seen}}

    def write(self, model):
        """Write one row; return what its columns hold."""
        table = table_of(model)
        held = {column: self._value(model, column) for column in table.columns}
        row = {column.name: value for column, value in held.items() if value is not NOTHING}
        row |= self._special.get(table.name, {})
        self._session.add(model(**row))
        self._session.flush()
        return row

    def _value(self, model, column):
        """Return something that a column can hold; nothing where it may be empty."""
        above = [*(key.target_fullname for key in column.foreign_keys)]
        above += [key for key in [model.person.get(column.name)] if key and "." in key]
        table, _, named = above[0].partition(".") if above else ("", "", "")
        of_contact = model.clock == "contacts"
        is_told = {"visitor": self._names_browser and not of_contact, "contact": of_contact}
        is_owed = is_told.get(table) or not column.nullable
        if is_owed and table not in {"", model.__tablename__, "attribution"}:
            return self.write(every_model()[table])[named]
        if column.primary_key or column.name == model.aged_by:
            return _some(column.type)
        return NOTHING if column.nullable or column.default else _some(column.type)


def _some(kind):
    """Return a value of a column's type."""
    if isinstance(kind, sa.Enum):
        return kind.enum_class(kind.enums[0])
    return next(make() for one, make in MADE.items() if isinstance(kind, one))


MADE = {
    UtcMoment: lambda: BEGAN,
    sa.Uuid: lambda: uuid7(int(BEGAN.timestamp() * 1000)),
    sa.JSON: dict,
    sa.LargeBinary: lambda: secrets.token_bytes(8),
    sa.String: secrets.token_hex,
    sa.Boolean: bool,
    sa.Date: BEGAN.date,
    sa.types.TypeEngine: partial(next, itertools.count(1)),
}
"""What is written into a column of each type."""


def there(portal, tables):
    """Return those of some tables in which something is left."""
    with portal.store.read() as session:
        return {
            name
            for name in tables
            for row in session.scalars(sa.select(TICKING[name]))
            if not row.emptied or any(getattr(row, column) for column in row.person)
        }


@pytest.mark.parametrize(
    ("names_browser", "comes", "stays"),
    [
        pytest.param(False, False, set(), id="nobody"),
        pytest.param(True, False, set(), id="a-browser-that-came"),
        pytest.param(True, True, BROWSERS_OWN, id="a-browser-that-comes"),
    ],
)
def test_every_row_stays_until_its_time_has_come_and_no_longer(portal, names_browser, comes, stays):
    with portal.store.read() as session:
        spans = lengths(Site.of(portal.shelf.published(session)))
    last_seen = BEGAN + max(spans.values()) if comes else BEGAN
    portal.store.write(
        lambda session: [
            Hand(session, names_browser=names_browser, last_seen=last_seen).write(model)
            for model in TICKING.values()
        ]
    )
    for span in sorted({*spans.values()}):
        clocks = {clock for clock, its in spans.items() if its == span}
        tables = {name for name, model in TICKING.items() if model.clock in clocks}
        left = []
        for at in (BEGAN + span - DAY / 2, BEGAN + span + DAY / 2):
            tidy(portal.store, portal.shelf, pepper=portal.settings.pepper_text, now=at)
            left.append(there(portal, tables))

        assert left == [tables, tables & stays]
