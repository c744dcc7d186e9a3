"""Where tests take turns, each runs, and both databases have their share."""

from pathlib import Path

import pytest

from tests import turns


class Item:
    """A test as pytest collected it."""

    def __init__(self, room, name, database, *, fixture="database_url", marks=()):
        self.path = Path("tests", room, "test_it.py")
        self.nodeid = f"tests/{room}/test_it.py::{name}[{database}-x]"
        self.callspec = type("Spec", (), {"params": {fixture: database, "other": "x"}})
        self.marks = marks

    def get_closest_marker(self, name):
        return name if name in self.marks else None


class Hook:
    """What pytest hears of what is left out."""

    def __init__(self):
        self.hook, self.left_out = self, []

    def pytest_deselected(self, items):
        self.left_out += items


def pairs(room, **how):
    return [
        Item(room, f"test_{number}", database, **how)
        for number in range(40)
        for database in turns.DATABASES
    ]


@pytest.fixture
def left(monkeypatch):
    """Gives the names of what is left where tests take turns."""

    def taking_turns(items, on="1"):
        monkeypatch.setenv(turns.NAMED, on)
        hook = Hook()
        everything = [item.nodeid for item in items]
        turns.pytest_collection_modifyitems(hook, items)
        names = [item.nodeid for item in items]
        assert sorted(names + [item.nodeid for item in hook.left_out]) == sorted(everything)
        return names

    return taking_turns


@pytest.mark.parametrize("fixture", turns.FIXTURES)
def test_each_runs_on_one_and_both_have_their_share(left, fixture):
    names = left(pairs("forms", fixture=fixture))
    on_sqlite = [name for name in names if "[sqlite" in name]

    assert len({name.partition("[")[0] for name in names}) == len(names) == 40
    assert 10 < len(on_sqlite) < 30
    assert names == left(pairs("forms", fixture=fixture))  # every worker takes the same


def test_what_is_about_databases_runs_on_both(left):
    assert len(left(pairs("outbox"))) == 80
    assert len(left(pairs("forms", marks=("both",)))) == 80


def test_a_test_of_one_database_always_runs(left):
    alone = [one for one in pairs("forms") if "[postgresql" in one.nodeid]

    assert len(left(alone)) == 40


def test_where_nobody_asks_for_it_none_takes_turns(left):
    assert len(left(pairs("forms"), on="")) == 80
