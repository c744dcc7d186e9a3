"""A list is read page by page: every row once, in order, forwards and back, whatever comes."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regportal.errors import BadRequestError
from regportal.insight.paging import Page, Run, page_of, walk
from regportal.store import marks

METADATA = sa.MetaData()
BOOK = sa.Table(
    "paged_book",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("weight", sa.Double, nullable=True),
    sa.Column("title", sa.Text, nullable=False),
)
C = BOOK.c


@pytest.fixture
def books(store):
    """A table of this test's own."""

    def make(session):
        METADATA.create_all(session.connection())

    store.write(make)
    yield store
    store.write(lambda session: METADATA.drop_all(session.connection()))


def runs():
    """The heavy ones first, the newest of one weight first; then those that have none, from A."""
    every = sa.select(C.id, C.title)
    return [
        Run(every.where(C.weight.is_not(None)), (C.weight, C.id)),
        Run(every.where(C.weight.is_(None)), (C.id,), falls=False),
    ]


def fill(session, weights):
    session.execute(sa.delete(BOOK))
    rows = [
        {"id": number, "weight": weight, "title": f"book {number}"}
        for number, weight in enumerate(weights)
    ]
    if rows:
        session.execute(sa.insert(BOOK), rows)


def in_order(weights):
    heavy = [(weight, number) for number, weight in enumerate(weights) if weight is not None]
    light = [number for number, weight in enumerate(weights) if weight is None]
    return [number for _, number in sorted(heavy, reverse=True)] + light


WEIGHTS = st.lists(st.none() | st.sampled_from([0.1, 1.0, 1 / 3, -7.5, 1e300]), max_size=25)
AGAIN = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)


@AGAIN
@given(weights=WEIGHTS, size=st.integers(1, 7))
def test_every_row_comes_exactly_once_and_in_order_however_long_a_page_is(books, weights, size):
    books.write(lambda session: fill(session, weights))
    with books.read() as session:
        found = [row.id for row in walk(lambda at: page_of(session, runs(), at, size))]

    assert found == in_order(weights)


@AGAIN
@given(weights=WEIGHTS, size=st.integers(1, 7))
def test_the_way_back_shows_the_same_pages_from_the_end(books, weights, size):
    books.write(lambda session: fill(session, weights))
    with books.read() as session:
        pages, at = [], None
        while pages == [] or at is not None:
            pages.append(page_of(session, runs(), at, size))
            at = pages[-1].after
        back, at = [], pages[-1].before
        while at is not None:
            back.append(page_of(session, runs(), at, size))
            at = back[-1].before

    assert [page.rows for page in reversed(back)] == [page.rows for page in pages[:-1]]
    assert all(page.after is not None for page in back)
    assert pages[0].before is None


@AGAIN
@given(
    weights=WEIGHTS.filter(len),
    size=st.integers(1, 5),
    coming=st.lists(st.none() | st.sampled_from([0.1, 1.0, 2.0, 1e300]), max_size=30),
)
def test_what_comes_meanwhile_lets_nothing_be_missed_or_seen_twice(books, weights, size, coming):
    books.write(lambda session: fill(session, weights))
    waiting = list(enumerate(coming, len(weights)))
    found, at = [], None
    while True:
        with books.read() as session:
            page = page_of(session, runs(), at, size)
        found += [row.id for row in page.rows]
        at = page.after
        if at is None:
            break
        if waiting:
            number, weight = waiting.pop()
            new = {"id": number, "weight": weight, "title": f"book {number}"}
            books.write(lambda session, new=new: session.execute(sa.insert(BOOK), new))

    assert [one for one in found if one < len(weights)] == in_order(weights)
    assert len(found) == len(set(found))


def test_a_row_that_goes_meanwhile_moves_nothing(books):
    books.write(lambda session: fill(session, [4.0, 3.0, 2.0, 1.0]))
    with books.read() as session:
        first = page_of(session, runs(), None, 2)
    books.write(lambda session: session.execute(sa.delete(BOOK).where(C.id == 1)))
    with books.read() as session:
        second = page_of(session, runs(), first.after, 2)

    assert [row.id for row in second.rows] == [2, 3]
    assert second.after is None


def test_where_everything_before_a_page_is_gone_its_way_back_leads_to_the_beginning(books):
    books.write(lambda session: fill(session, [4.0, 3.0, 2.0]))
    with books.read() as session:
        first = page_of(session, runs(), None, 1)
        second = page_of(session, runs(), first.after, 1)
    books.write(lambda session: session.execute(sa.delete(BOOK).where(C.id == 0)))
    with books.read() as session:
        back = page_of(session, runs(), second.before, 1)

    assert [row.id for row in back.rows] == [1]
    assert back.before is None


def test_where_everything_after_a_page_is_gone_the_list_ends(books):
    books.write(lambda session: fill(session, [4.0, 3.0]))
    with books.read() as session:
        first = page_of(session, runs(), None, 1)
    books.write(lambda session: session.execute(sa.delete(BOOK).where(C.id == 1)))
    with books.read() as session:
        assert page_of(session, runs(), first.after, 1) == Page([], None, None)


@pytest.mark.parametrize("size", [-1, 0, 10**9])
def test_a_page_has_a_row_at_least_and_some_hundred_at_most(books, size):
    books.write(lambda session: fill(session, [1.0] * 300))
    with books.read() as session:
        assert len(page_of(session, runs(), None, size).rows) in {1, 200}


HOSTILE = [
    "",
    "x",
    "%00",
    "é",
    "A" * 5000,
    "' OR 1=1 --",
    marks.written("n"),
    marks.written("n", 0),
    marks.written("n", 0, 1.0),
    marks.written("n", 0, "nan", 1),
    marks.written("n", 0, "inf", 1),
    marks.written("n", 0, "1", 1),
    marks.written("n", 0, 1.0, 10**30),
    marks.written("n", 0, 1.0, 1, 1),
    marks.written("n", 0, 1.0, "1; DROP TABLE contact"),
    marks.written("n", 0, 1.0, "\N{ARABIC-INDIC DIGIT ONE}"),
    marks.written("n", 2, 1.0, 1),
    marks.written("n", -1, 1),
    marks.written("n", "00", 1.0, 1),
    marks.written("x", 0, 1.0, 1),
    marks.written("n", 0, 1.0, 1) + "=",
    marks.written("n", 0, 1.0, 1) + "\n",
    marks.written("n", 0, 1.0, 1).replace("b", "B", 1),
]


@pytest.mark.parametrize("at", HOSTILE)
def test_a_mark_that_is_none_of_this_list_is_refused_in_one_sentence(books, at):
    with books.read() as session, pytest.raises(BadRequestError) as refused:
        page_of(session, runs(), at, 5)

    assert str(refused.value) == "at: is not the address of a page of this list."
    assert refused.value.field == "at"


@AGAIN
@given(at=st.text(max_size=60) | st.binary(max_size=60).map(lambda some: marks.written(some.hex())))
def test_no_text_at_all_breaks_a_list(books, at):
    with books.read() as session, pytest.raises(BadRequestError):
        page_of(session, runs(), at, 5)
