"""When and what: moments that mean the same everywhere, keys that sort by their time."""

import threading
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from regportal.store.documents import Publication
from regportal.store.ids import first_of, uuid7

BERLIN = timezone(timedelta(hours=1))


def test_a_moment_without_a_zone_is_refused(store):
    with pytest.raises(sa.exc.StatementError, match="has no time zone"):
        store.write(lambda session: session.add(Publication(at=datetime(2026, 3, 4, 12))))  # noqa: DTZ001 - that is what is refused


def test_a_moment_comes_back_as_the_same_moment_in_utc(store):
    noon = datetime(2026, 3, 4, 12, 0, 0, 123456, tzinfo=BERLIN)
    store.write(lambda session: session.add(Publication(at=noon)))
    with store.read() as session:
        back = session.scalars(sa.select(Publication.at)).one()

    assert back == noon
    assert back.utcoffset() == timedelta(0)
    assert (back.hour, back.microsecond) == (11, 123456)


def test_moments_of_different_zones_are_compared_as_moments(store):
    early = datetime(2026, 3, 4, 12, tzinfo=BERLIN)
    store.write(lambda session: session.add(Publication(at=early)))
    with store.read() as session:
        count = sa.select(sa.func.count()).where
        before = session.scalar(count(Publication.at < datetime(2026, 3, 4, 11, 30, tzinfo=UTC)))
        after = session.scalar(count(Publication.at > datetime(2026, 3, 4, 11, 30, tzinfo=UTC)))

    assert (before, after) == (1, 0)


def test_keys_of_one_process_sort_in_the_order_they_were_made():
    made = [uuid7() for _ in range(20_000)]

    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)


def test_keys_follow_a_clock_that_was_wrong_and_is_set_right():
    now = datetime.now(UTC)
    with time_machine.travel(now + timedelta(days=800)):
        ahead = uuid7()
    right = [uuid7(), uuid7()]

    assert right == sorted(right)
    assert first_of(now) <= right[0] < first_of(now + timedelta(days=1)) < ahead


def test_keys_of_many_threads_are_all_different():
    made = [[] for _ in range(8)]
    threads = [
        threading.Thread(target=lambda mine=mine: mine.extend(uuid7() for _ in range(2000)))
        for mine in made
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({one for mine in made for one in mine}) == 16_000
    assert all(mine == sorted(mine) for mine in made)


@given(st.integers(min_value=0, max_value=2**48 - 1))
def test_a_key_says_when_it_was_made(milliseconds):
    key = uuid7(milliseconds)

    assert key.int >> 80 == milliseconds
    assert (key.version, key.variant) == (7, uuid.RFC_4122)
