"""A sweep by moments loses nothing that comes late, comes to rest, and does not go in circles."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regportal.connectors.desk import NotTakenError
from regportal.connectors.places import ALL, OVERLAP, SECOND, START, Place, settled
from regportal.connectors.rules import Outcome

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MOST = 100
"""Calls that one poll may make: as many as `inbox/polling.py` lets it."""


class Crm:
    """Records that are changed at a moment, and seen from another one on."""

    def __init__(self, grain, slow):
        self.now, self.grain, self.changes = NOON, grain, []
        self.slow = timedelta(seconds=slow)
        """How long it takes to answer."""

    def change(self, id, delay):
        version = sum(one[0] == id for one in self.changes)
        self.changes.append((id, version, self.now, self.now + delay))

    def seen(self):
        """Return the records as they are seen now: their rounded moments, ids and versions."""
        there = {}
        for id, version, at, from_ in self.changes:
            if from_ <= self.now and there.get(id, (START, "", -1))[2] < version:
                there[id] = (self.rounded(at), id, version, at)
        return [*there.values()]

    def rounded(self, at):
        return at - (at - START) % self.grain

    def settled(self):
        return settled(self.now, self.grain)

    def by_both(self, place, most):
        """Ask as a CRM is asked that sorts by moment and id."""
        rows = sorted(one for one in self.seen() if one[:2] > (place.at, place.tie))[:most]
        self.now += self.slow
        return rows, place.after(*rows[-1][:2], self.settled()) if rows else place

    def by_one(self, place, most):
        """Ask as a CRM is asked that sorts by one column: within a rounded moment anyhow."""
        if place.is_within:
            rows = [one for one in self.seen() if one[0] == place.at and one[1] > place.tie]
            rows = sorted(rows, key=lambda one: one[1])[:most]
        else:
            rows = [one for one in self.seen() if one[0] >= place.begins(self.grain)]
            rows = sorted(rows, key=lambda one: one[3])[:most]
        found = [one[:2] for one in rows]
        self.now += self.slow
        return rows, place.behind(found, is_full=len(rows) == most, settled=self.settled())


def poll(crm, cursor, ask, most, meanwhile):
    """Ask until the cursor stays, as `inbox/polling.py` does; return it, and what was told."""
    told = set()
    for _ in range(MOST):
        place = Place.read(cursor) if cursor else Place()
        rows, place = ask(place.turned(crm.settled()), most)
        told |= {one[1:3] for one in rows}
        if str(place.turned(crm.settled())) == cursor:
            return cursor, told
        cursor = str(place.turned(crm.settled()))
        meanwhile()
    raise AssertionError("the poll goes in circles")


DELAY = st.integers(0, int(OVERLAP.total_seconds()) - 10)
"""Seconds until a change is seen; the clock is read once more after an answer of some seconds."""
STEPS = st.lists(
    st.tuples(
        st.sampled_from("abcdefgh"),
        st.integers(0, 70),  # seconds until the next change: mostly none
        DELAY,  # and until this one is seen
        st.booleans(),  # whether we ask then
    ).map(lambda one: (one[0], one[1] if one[1] > 55 else one[1] // 20, *one[2:])),
    max_size=40,
)


@pytest.mark.parametrize("way", ["by_both", "by_one"])
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=STEPS,
    most=st.integers(1, 4),
    grain=st.sampled_from([0.001, 1, 60]),
    slow=st.sampled_from([0, 0.4, 7]),
    during=st.lists(st.tuples(st.sampled_from("abcdefgh"), DELAY), max_size=20),
)
def test_whatever_comes_late_is_told_and_a_poll_comes_to_rest(
    way, steps, most, grain, slow, during
):
    crm = Crm(timedelta(seconds=grain), slow)
    ask, cursor, told = getattr(crm, way), None, set()
    events = iter(during)

    def works():
        """People work between two calls."""
        for id, delay in itertools.islice(events, 1):
            crm.change(id, timedelta(seconds=delay))

    for id, pause, delay, is_asked in steps:
        crm.change(id, timedelta(seconds=delay))
        crm.now += timedelta(seconds=pause)
        if is_asked:
            cursor, more = poll(crm, cursor, ask, most, works)
            told |= more
    for _ in range(6):  # once a minute, as long as something may come late
        crm.now += timedelta(minutes=1)
        cursor, more = poll(crm, cursor, ask, most, lambda: None)
        told |= more
    crm.now += timedelta(minutes=1)

    assert {one[1:3] for one in crm.seen()} <= told
    assert poll(crm, cursor, ask, most, lambda: pytest.fail("it is to rest")) == (cursor, set())
    assert len(cursor) < 100


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-04 12:00:00/7",
        "1772625600000+100",
        "2026-03-04T12:00:00Z,7",
        "2026-03-04 12:00:00|0|2026-03-04 12:00:00|0|7",
        "",
        "a/b/c",
        "9999-99-99T00:00:00Z//",
    ],
)
def test_a_cursor_that_cannot_be_read_is_asked_from_the_beginning(text):
    with pytest.raises(NotTakenError) as caught:
        Place.read(text)
    assert caught.value.outcome is Outcome.GONE


def test_of_a_moment_that_is_not_over_all_is_read_again():
    page = [(NOON, "a"), (NOON, "b")]
    young = Place().behind(page, is_full=False, settled=NOON - SECOND)
    assert (young.begins(SECOND), young.since) == (NOON, NOON - SECOND)
    assert young.behind(page, is_full=False, settled=NOON).begins(SECOND) == NOON + SECOND


def test_of_a_clock_that_nobody_knows_nothing_is_settled():
    place = Place().after(NOON, "7", settled(None, SECOND))
    assert place == Place(NOON, "7", START)
    assert place.turned(settled(None, SECOND)) == place
    assert place.turned(settled(NOON, SECOND)) == Place()
    assert Place(NOON, ALL, NOON).after(NOON, ALL, settled(None, SECOND)).since == NOON
