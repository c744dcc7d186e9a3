"""A CRM is asked no faster than it takes calls, whoever of us asks it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from regportal.connectors.calls import Calls
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Answer
from regportal.connectors.pacing import Pace, Rate
from tests.connectors.worlds.hubspot import connected


class Time:
    """A clock that only waiting moves on."""

    def __init__(self):
        self.now = 0.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def pace(time):
    return Pace(Rate(4, 1.0), clock=time.clock, sleep=time.sleep)


def test_no_more_calls_begin_within_a_second_than_the_rate_says(time, pace):
    begun = []
    for _ in range(10):
        pace.wait()
        begun.append(time.now)

    assert begun == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]


def test_whoever_asks_seldom_never_waits(time, pace):
    begun = []
    for _ in range(10):
        time.now += 0.25
        at = time.now
        pace.wait()
        begun.append(time.now - at)

    assert begun == [0] * 10


def test_threads_share_a_pace():
    waited = []
    pace = Pace(Rate(4, 1.0), clock=lambda: 7.0, sleep=waited.append)
    with ThreadPoolExecutor(8) as some:
        for _ in range(12):
            some.submit(pace.wait)

    assert sorted(waited) == [1.0] * 4 + [2.0] * 4


def test_every_time_that_a_call_is_made_it_waits_for_its_turn(time, pace):
    begun = []

    class Line:
        """A CRM that never takes our token."""

        def ask(self, *_, **__):
            begun.append(time.now)
            return Answer(401, {}, b"")

    calls = Calls("https://crm.example", Line(), dict, renew=lambda: None)
    for _ in range(3):
        with pytest.raises(NotTakenError):
            calls.answer("POST", "/search", pace=pace)
    with pytest.raises(NotTakenError):
        calls.answer("POST", "/other")

    assert begun == [0, 0, 0, 0, 1, 1, 1, 1]


def test_all_connectors_to_one_account_share_its_pace():
    url, other = "https://one.example", {"env:KEY": "other", "env:APP": "-"}
    some = connected(url), connected(f"{url}/"), connected(url, other)
    ours, same, theirs = (one._desk._hub.searches for one in some)
    for one in some:
        one.close()

    assert ours is same
    assert ours is not theirs
