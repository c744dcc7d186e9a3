"""
What visitors, the worker and a CRM need costs among many others what it costs among few.

Counted in steps of SQLite's own machine, statement by statement: no clock is looked at.
"""

import itertools
import secrets
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.store.base import Base
from regportal.store.ids import uuid7
from tests.portal import ORIGIN
from tests.privacy.people import Person

OTHERS = 300
"""How many times everything stands in the big house that two people did in the small one."""
AT_ONCE = 50
"""Steps between two times that they are counted."""
FEW = 2_000
"""Steps a statement may take more: less than to look once at every row of a table that grew."""
ALONE = {"document_version", "current_document", "publication", "log_place", "wording"}
"""Tables that grow by no visitor."""


class Steps:
    """Counts the steps of each statement."""

    def __init__(self, engine):
        self.of = Counter()
        self._asked = {}
        sa.event.listen(engine, "before_cursor_execute", self._begin)

    def _begin(self, connection, _cursor, statement, *_):
        raw = connection.connection.dbapi_connection
        if raw not in self._asked:
            raw.set_progress_handler(lambda: self._count(raw), AT_ONCE)
        self._asked[raw] = statement

    def _count(self, raw):
        self.of[self._asked[raw]] += AT_ONCE


def live(portal, name):
    """Let somebody come, be proven, come back and look around, and let a CRM tell of it."""
    person = Person(portal, f"{name}@example.com").arrives()
    portal.hook("opportunity.upserted", {"external_id": name, "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": name, "email": person.email})
    portal.work()
    for gate in ("guide", "prices"):
        page = person.browser.send(gate, q_country="DE", q_company="Acme")
        if page.download:
            person.browser.get(page.download)
    _tell_of_a_page(person.browser)
    portal.work()


def _tell_of_a_page(browser):
    now = datetime.now(UTC).isoformat()
    event = {"type": "page_view", "object": "https://www.acme.example/", "occurred_at": now}
    answer = browser.client.post(
        "/api/v1/interactions",
        json={"events": [{"id": str(uuid7()), **event}], "sent_at": now},
        headers={"User-Agent": browser.headers["User-Agent"], "Origin": ORIGIN},
        base_url=ORIGIN,
    )
    assert answer.status_code == 202


def multiply(session):
    """Let everything stand there many times, each under a key of its own."""
    for table in Base.metadata.sorted_tables:
        own = [column for column in table.columns if _is_own(column)]
        if table.name in ALONE or not own:
            continue
        rows = [dict(row) for row in session.execute(sa.select(table)).mappings()]
        more = [
            row | {column.name: _another(row[column.name]) for column in own}
            for row in rows
            for _ in range(OTHERS)
        ]
        if table.name == "contact":
            more = [row | {"person_id": row["id"]} for row in more]
        if more:
            session.execute(sa.insert(table), more)


def _is_own(column):
    """Return whether no two rows may hold the same there."""
    table = column.table
    alone = [one.columns for one in table.constraints if isinstance(one, sa.UniqueConstraint)]
    alone += [table.primary_key, *(one.columns for one in table.indexes if one.unique)]
    return not column.foreign_keys and any(column.name in columns for columns in alone)


_numbers = itertools.count(-1, -1)  # before all that was read already


def _another(value):
    """Return another value of a kind."""
    if isinstance(value, int):
        return next(_numbers)
    if isinstance(value, bytes):
        return secrets.token_bytes(len(value))
    return f"{value}{secrets.token_hex(8)}" if isinstance(value, str) else uuid7()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_statement_looks_at_more_rows_because_there_are_more(portal, monkeypatch):
    monkeypatch.setattr("tests.portal.expire", lambda *_, **__: None)  # not all the time
    for name in ("bob", "cid"):
        live(portal, name)
    steps = Steps(portal.store.engine)
    live(portal, "ann")
    few, steps.of = steps.of, Counter()
    portal.store.write(multiply)
    steps.of = Counter()
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=1)):
        live(portal, "dan")

    assert {one: (few[one], took) for one, took in steps.of.items() if took > few[one] + FEW} == {}
