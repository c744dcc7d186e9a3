"""Room is kept where there is enough of it, and goes to whoever says that he must not wait."""

from contextlib import closing

import pytest
import sqlalchemy as sa

from regportal.store import ballast
from regportal.store.ballast import MIB, Ballast, may_use_ballast
from regportal.store.sessions import Store, make_engine


@pytest.fixture
def file(tmp_path):
    return tmp_path / "x.db.ballast"


@pytest.fixture
def room(monkeypatch):
    """Let the disk seem to have so much room."""
    return lambda size: monkeypatch.setattr(ballast, "_room_in", lambda _folder: size)


@pytest.mark.parametrize(("free", "held"), [(2 * MIB, MIB), (2 * MIB - 1, 0)])
def test_it_is_made_where_it_leaves_as_much_room_again(file, room, free, held):
    room(free)
    kept = Ballast(file, 1)
    kept.keep()

    assert file.stat().st_size == held
    assert kept.missing == MIB - held
    assert kept.is_whole == (held == MIB)


def test_it_has_the_size_that_is_wanted_now(file):
    for size in (3, 1, 2):
        Ballast(file, size).keep()
        assert file.stat().st_size == size * MIB
    Ballast(file, 0).keep()

    assert not file.exists()
    assert Ballast(file, 0).is_whole


def test_what_was_never_made_lacks_nothing(file):
    assert Ballast(file, 1).missing == 0
    assert not Ballast(file, 1).is_whole


def test_its_room_is_given_away_and_taken_back(file):
    kept = Ballast(file, 1)
    kept.keep()
    with kept.released():
        given = file.stat().st_size

    assert (given, file.stat().st_size) == (0, MIB)


@pytest.mark.parametrize("urgent", [True, False])
def test_only_who_says_so_has_the_room_and_only_where_the_disk_is_full(tmp_path, urgent):
    """The disk is full the first time that a transaction ends; the file tells who had its room."""
    url, sizes = f"sqlite:///{tmp_path}/x.db", []
    with closing(Store(make_engine(url), ballast=1)) as store:
        store.keep_ballast()
        file = tmp_path / "x.db.ballast"

        def work(session):
            if urgent:
                may_use_ballast(session)
            sizes.append(file.stat().st_size)
            pages = 1 if len(sizes) == 1 else 2**30
            session.execute(sa.text(f"PRAGMA max_page_count = {pages}"))
            session.execute(sa.text("CREATE TABLE t (a)"))

        store.write(work)

    assert sizes == [MIB, 0 if urgent else MIB]
    assert file.stat().st_size == MIB
