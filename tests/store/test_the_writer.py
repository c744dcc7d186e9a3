"""The writer: nothing a write does ends it, and nobody is told of a fact that was not kept."""

import pytest
import sqlalchemy as sa

from regportal.store.facts import add_once
from tests.store.test_writing import NOON, Group, Wording, kept, writes


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_whatever_a_write_raises_the_next_one_is_kept(store, error):
    def bad(session):
        writes("half a fact")(session)
        raise error

    with pytest.raises(error):
        store.write(bad)

    assert store.write(writes("the next")) == "the next"
    assert kept(store) == ["the next"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_write_that_ends_the_transaction_of_its_group_is_heard_by_all(store):
    store.write(writes("known"))

    def ends_it(session):
        session.execute(
            sa.text(
                "INSERT OR ROLLBACK INTO wording (digest, locale, text, first_used) "
                "VALUES ('known', 'en', 'known', '2026-03-04')"
            )
        )

    with Group(store) as group:
        answers = [group.write(work) for work in (writes("one"), ends_it, writes("two"))]

    told = [
        text
        for text, answer in zip(("one", "two"), answers[::2], strict=True)
        if answer.exception() is None
    ]
    assert answers[1].exception() is not None
    assert kept(store) == sorted(["known", *told])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_notes_share_a_commit(store):
    commits = []
    sa.event.listen(store.engine, "commit", commits.append)
    for number in range(20):
        store.note(writes(f"{number:02}"))
    store.catch_up()

    assert len(kept(store)) == 20
    assert len(commits) < 10


def test_what_was_noted_is_there_for_the_write_that_follows(store):
    store.note(writes("noted"))
    seen = store.write(lambda session: session.scalars(sa.select(Wording.text)).all())

    assert store.engine.dialect.name == "postgresql" or seen == ["noted"]


def test_a_closed_store_opens_for_a_late_write(store):
    store.write(writes("in time"))
    store.close()
    store.write(writes("late"))

    assert kept(store) == ["in time", "late"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_writer_goes_on_where_the_database_hung_up_on_it(store):
    def its_connection(session, some):
        return [session.scalar(sa.text("SELECT pg_backend_pid()"))] * len(some)

    before = [store.write_together(its_connection, None) for _ in range(2)]
    with store.engine.begin() as another:
        another.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": before[0]})
    after = store.write_together(its_connection, None)

    assert before[0] == before[1] != after


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_is_read_again_and_again_stays_prepared(store):
    for _ in range(8):
        with store.read() as session:
            session.scalars(sa.select(Wording.text)).all()
    with store.read() as session:
        prepared = session.scalars(sa.text("SELECT statement FROM pg_prepared_statements")).all()

    assert any("wording" in one for one in prepared)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_read_that_failed_hurts_no_other(store):
    for wrong in ("SELECT 1 / 0", "SELECT pg_terminate_backend(pg_backend_pid())"):
        with pytest.raises(sa.exc.DBAPIError), store.read() as session:
            session.execute(sa.text(wrong))
        with store.read() as session:
            assert session.scalar(sa.text("SELECT 1")) == 1


def test_a_row_is_added_once(store):
    def word():
        return Wording(digest="same", locale="en", text="same", first_used=NOON)

    added = [store.write(lambda session: add_once(session, word())) for _ in range(2)]

    assert added == [True, False]
    assert kept(store) == ["same"]
