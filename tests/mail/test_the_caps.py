"""How many mails an address gets that nobody answers (design.md 4)."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from regportal.mail.actions import address_hash, answered, stamp
from regportal.mail.models import Letter
from regportal.mail.rules import may_send_at
from regportal.store.ids import uuid7

pytestmark = pytest.mark.both

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ANN = "ann@acme.example"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def owed(store, at, address=ANN, *, id=None, limits=True):
    """Ask when a letter that is owed at this time may go."""
    return store.write(
        lambda session: stamp(
            session, address, "claim", id or uuid7(), pepper="pepper", limits=limits, now=at
        )
    )


def sent(store, *times, address=ANN):
    """Return which of the letters owed at these times go at once."""
    return [owed(store, at, address) == at for at in times]


def test_three_a_day_and_no_more(store):
    times = [NOON + hours * HOUR for hours in (0, 1, 2, 3, 12, 23.9, 24, 24.5, 25, 26)]

    assert sent(store, *times) == [
        *(True, True, True),
        *(False, False, False),
        *(True, False, True, True),
    ]


def test_ten_in_thirty_days_and_no_more(store):
    days = [owed(store, NOON + day * DAY) == NOON + day * DAY for day in range(40)]

    assert days == [True] * 10 + [False] * 20 + [True] * 10


def test_never_means_never_and_counts_nothing(store):
    for hours in range(3):
        owed(store, NOON + hours * HOUR)

    assert owed(store, NOON + 3 * HOUR) is None
    with store.read() as session:
        assert session.query(Letter).count() == 3


def test_two_minutes_later_means_come_back_then(store):
    owed(store, NOON)
    soon = owed(store, NOON + timedelta(seconds=30))

    assert soon == NOON + timedelta(minutes=2)
    assert owed(store, soon) == soon


def test_a_press_clears_the_count(store):
    for hours in range(3):
        owed(store, NOON + hours * HOUR)
    full = owed(store, NOON + 3 * HOUR)
    store.write(lambda session: answered(session, ANN, pepper="pepper", now=NOON + 3 * HOUR))

    assert full is None
    assert sent(store, NOON + 3 * HOUR, NOON + 4 * HOUR, NOON + 5 * HOUR, NOON + 6 * HOUR) == [
        *(True, True, True),
        False,
    ]


def test_addresses_do_not_count_for_each_other(store):
    for hours in range(4):
        owed(store, NOON + hours * HOUR)

    assert sent(store, NOON + 4 * HOUR, address="bob@acme.example") == [True]


def test_the_same_letter_is_counted_once(store):
    id = uuid7()
    tries = [owed(store, NOON + timedelta(minutes=minutes), id=id) for minutes in range(5)]

    assert tries == [NOON + timedelta(minutes=minutes) for minutes in range(5)]
    assert sent(store, NOON + HOUR, NOON + 2 * HOUR, NOON + 3 * HOUR) == [True, True, False]


def test_limits_off_lifts_every_cap(store):
    assert [owed(store, NOON, limits=False) for _ in range(20)] == [NOON] * 20


def test_no_address_is_kept(store):
    owed(store, NOON)
    with store.read() as session:
        [kept] = session.query(Letter.address_hash).one()

    assert kept == address_hash(ANN, "pepper")
    assert kept != address_hash(ANN, "another pepper")
    assert ANN.encode() not in kept


def test_many_at_once_do_not_slip_through_together(store):
    with ThreadPoolExecutor(8) as threads:
        times = list(threads.map(lambda _: owed(store, NOON), range(16)))

    assert times.count(NOON) == 1
    assert set(times) == {NOON, NOON + timedelta(minutes=2)}


def test_a_clock_that_was_set_back_sends_no_flood():
    ahead = [NOON + DAY * 2]

    assert may_send_at(ahead, NOON) == ahead[0] + timedelta(minutes=2)


def test_however_many_type_an_address_it_gets_three_mails_a_day(limited):
    with time_machine.travel(NOON, tick=False) as clock:
        pages = []
        for _ in range(8):
            pages.append(limited.browser().claim(ANN, "prices").status)
            limited.work()
            clock.shift(HOUR)
        first_day = len(limited.mails())
        clock.shift(17 * HOUR)
        limited.browser().claim(ANN, "prices")
        limited.work()

    assert pages == [303] * 8
    assert first_day == 3
    assert len(limited.mails()) == 4


def test_the_page_says_the_same_whether_a_mail_went_or_not(limited):
    with time_machine.travel(NOON, tick=False) as clock:
        texts = []
        for _ in range(5):
            browser = limited.browser()
            browser.claim(ANN, "prices")
            limited.work()
            text = browser.get("/g/prices/done").text
            texts.append(text)
            clock.shift(HOUR)

    assert len(limited.mails()) == 3
    assert all("We send at most three such mails a day" in text for text in texts)
    assert {len(text) for text in texts} == {len(texts[0])}


def test_a_second_mail_within_two_minutes_comes_when_they_are_over(limited):
    with time_machine.travel(NOON, tick=False) as clock:
        ann = limited.browser()
        ann.claim(ANN, "prices")
        limited.work()
        clock.shift(10)
        limited.browser().claim(ANN, "prices")
        limited.work()
        at_once = len(limited.mails())
        clock.shift(109)
        limited.work()
        too_soon = len(limited.mails())
        clock.shift(1)
        limited.work()

    assert (at_once, too_soon, len(limited.mails())) == (1, 1, 2)


def test_a_press_in_one_mail_lets_the_next_one_go(limited):
    with time_machine.travel(NOON, tick=False) as clock:
        for _ in range(3):
            limited.browser().claim(ANN, "prices")
            limited.work()
            clock.shift(HOUR)
        limited.browser().prove(limited)
        limited.browser().claim(ANN, "prices")
        limited.work()

    assert len(limited.mails()) == 4


VICTIM = "victim@widgetworks.example"


def bomb(portal, forms, places):
    """Ask for mail to one address so often, from so many places, a day long."""
    answers = set()
    with time_machine.travel(NOON, tick=False) as clock:
        for n in range(forms):
            bomber = portal.browser()
            bomber.client.environ_base["REMOTE_ADDR"] = f"10.0.{n % places >> 8}.{n % places & 255}"
            sent = bomber.claim(VICTIM, "prices")
            answers.add((sent.status, len(sent.text), tuple(sent.headers.keys())))
            if n % (forms // 6) == forms // 6 - 1:
                portal.work()
                clock.shift(3 * HOUR)
    return answers


def test_a_mailbox_cannot_be_bombed_from_many_places(limited):
    answers = bomb(limited, 180, 36)

    assert len(answers) == 1
    assert [mail["To"] for mail in limited.mails()] == [VICTIM] * 3


@pytest.mark.soak
def test_ten_thousand_forms_from_a_thousand_places_are_three_letters(limited):
    answers = bomb(limited, 10_000, 1_000)

    assert len(answers) == 1
    assert [mail["To"] for mail in limited.mails()] == [VICTIM] * 3


COUNT = """
import sys
from datetime import UTC, datetime
from regportal.mail.actions import stamp
from regportal.store.ids import uuid7
from regportal.store.sessions import Store, make_engine

store = Store(make_engine(sys.argv[1]))
at = datetime(2026, 3, 4, 12, tzinfo=UTC)
ask = lambda s: stamp(s, "ann@acme.example", "claim", uuid7(), pepper="p", limits=True, now=at)
print(sum(store.write(ask) == at for _ in range(40)))
store.close()
"""


def test_two_processes_keep_one_cap(database_url):
    running = [
        subprocess.Popen(
            [sys.executable, "-c", COUNT, database_url], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]

    assert sum(int(one.communicate(timeout=60)[0]) for one in running) == 1
