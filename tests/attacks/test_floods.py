"""
Sending more than anybody needs: thousands of forms, guesses or letters from one place.

Elsewhere limits live in the memory of one process, or count whole IPv6 addresses, of which every
connection has 2^64. Here they are counted in the database, a /64 is one place and a /48 sixteen,
and what is refused is refused alike for known and unknown addresses.
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.identity import limits
from regportal.identity.limits import HOUR, LIMITS, MINUTE, count, take
from regportal.identity.models import Claim, Tally
from regportal.store.sessions import Store, make_engine
from regportal.tracking.judging import by_pace
from regportal.tracking.models import Judged

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ANN = "ann@widgetworks.example"


def taken(store, key, limit=3, at=NOON):
    return store.write(lambda session: take(session, key, limit, HOUR, at))


def from_place(portal, address, **headers):
    """Open a browser at a network address."""
    browser = portal.browser(**headers)
    browser.client.environ_base["REMOTE_ADDR"] = address
    return browser


def test_so_many_and_no_more_until_the_next_window(store):
    first = [taken(store, b"a") for _ in range(5)]
    late = taken(store, b"a", at=NOON + timedelta(minutes=59))
    other = taken(store, b"b")
    after = taken(store, b"a", at=NOON + HOUR)

    assert first == [True, True, True, False, False]
    assert (late, other, after) == (False, True, True)


def test_several_are_counted_in_one_statement(store):
    seen = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    keys = [(b"a", HOUR), (b"b", MINUTE)]
    counted = [store.write(lambda session: count(session, keys, now=NOON)) for _ in range(3)]

    assert counted == [[1, 1], [2, 2], [3, 3]]
    assert sum(statement.startswith("INSERT INTO tally") for statement in seen) == 3
    assert not [statement for statement in seen if statement.startswith(("SELECT", "UPDATE"))]


def test_many_at_once_do_not_slip_through_together(store):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: taken(store, b"a", 10), range(40)))

    assert answers.count(True) == 10


COUNT = """
import sys
from datetime import UTC, datetime, timedelta
from regportal.identity.limits import HOUR, take
from regportal.store.sessions import Store, make_engine
from regportal.tracking.judging import by_pace
from regportal.tracking.models import Judged

store = Store(make_engine(sys.argv[1]))
at = datetime(2026, 3, 4, 12, tzinfo=UTC)
print(sum(store.write(lambda s: take(s, b"a", 50, HOUR, at)) for _ in range(50)))
store.close()
"""


def test_two_processes_share_one_limit(database_url):
    Store(make_engine(database_url)).close()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", COUNT, database_url], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    each = [int(one.communicate(timeout=60)[0]) for one in running]

    assert sum(each) == 50


def test_no_network_address_is_kept(limited):
    from_place(limited, "203.0.113.9").claim(ANN)
    with limited.store.read() as session:
        keys = session.scalars(sa.select(Tally.key)).all()

    assert keys
    assert all(len(key) == 32 and b"203" not in key for key in keys)


PLACES = [
    (["203.0.113.9"] * 2, 1),
    (["203.0.113.9", "203.0.113.10"], 2),
    (["203.0.113.9", "::ffff:203.0.113.9"], 1),
    (["2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff"], 1),
    (["2001:db8:0:1::1", "2001:db8:0:2::1"], 2),
]


@pytest.mark.parametrize(("addresses", "places"), PLACES)
def test_a_place_is_an_ipv4_address_or_an_ipv6_64(addresses, places):
    assert len({next(iter(limits.places(address))) for address in addresses}) == places


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_whoever_has_65_536_connections_gets_sixteen_times_as_much(limited, monkeypatch):
    monkeypatch.setitem(LIMITS, "decisions", limits.Limit(3, HOUR))
    with time_machine.travel(NOON, tick=False):
        answers = [
            from_place(limited, f"2001:db8:7:{n:x}::1").post("/m/nothing", {"choice": "deny"})
            for n in range(50)
        ]
        elsewhere = from_place(limited, "2001:db8:8::1").post("/m/nothing", {"choice": "deny"})

    assert [answer.status for answer in answers] == [404] * 48 + [429] * 2
    assert elsewhere.status == 404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_where_a_form_comes_from_cannot_be_made_up(limited):
    with time_machine.travel(NOON, tick=False):
        for n in range(5):
            spoofed = {"X-Forwarded-For": f"198.51.100.{n}", "X-Real-IP": f"198.51.100.{n}"}
            from_place(limited, "203.0.113.9", **spoofed).claim(f"ann{n}@acme.example")
    with limited.store.read() as session:
        numbers = session.scalars(sa.select(Tally.number)).all()

    assert set(numbers) == {5}


def test_sixty_addresses_an_hour_and_then_a_calculation(limited):
    with time_machine.travel(NOON, tick=False) as clock:
        pages = []
        for n in range(63):
            page = from_place(limited, "203.0.113.9").claim(f"ann{n}@acme.example")
            pages.append(page)
            clock.shift(5)
        elsewhere = from_place(limited, "203.0.113.10").claim(ANN)
        clock.move_to(NOON + HOUR)
        after = from_place(limited, "203.0.113.9").claim(ANN)
    with limited.store.read() as session:
        claims = session.scalar(sa.select(sa.func.count()).select_from(Claim))

    assert [page.status for page in pages] == [303] * 60 + [429] * 3
    assert (elsewhere.status, after.status, claims) == (303, 303, 62)
    assert pages[-1].headers["Retry-After"] == str(3600 - 62 * 5)
    assert 'data-rp="effort"' in pages[-1].text
    assert "try again in an hour" in pages[-1].text
    assert 'value="ann62@acme.example"' in pages[-1].text


def test_the_same_form_is_answered_the_same_however_many_came_since(limited):
    with time_machine.travel(NOON, tick=False) as clock:
        ann = from_place(limited, "203.0.113.9")
        page = ann.gate("guide")
        first = ann.send("guide", page, email=ANN, remember="yes")
        for n in range(60):
            clock.shift(5)
            from_place(limited, "203.0.113.9").claim(f"ann{n}@acme.example")
        again = ann.send("guide", page, email=ANN, remember="yes")

    assert (first.status, again.status) == (303, 303)
    assert first.headers["Location"] == again.headers["Location"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_refused_is_refused_in_plain_words(limited):
    with time_machine.travel(NOON, tick=False):
        ann = from_place(limited, "203.0.113.9")
        ann.claim(ANN, "prices")
        page = ann.get("/g/prices/done")
        answers = [ann.post("/g/prices/resend", page.fields) for _ in range(61)]
        posts = [
            from_place(limited, "203.0.113.7").post("/m/nothing", {"choice": "deny"})
            for _ in range(LIMITS["decisions"].most + 1)
        ]

    assert [answer.status for answer in answers] == [303] * 59 + [429] * 2
    assert posts[0].status == 404
    for refused in (answers[-1], posts[-1]):
        assert refused.status == 429
        assert refused.headers["Retry-After"] == "3600"
        assert "That was a lot at once. Please try again later." in refused.text
        assert not any(name in refused.text for name in LIMITS)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_program_hears_it_as_problem_json(limited, monkeypatch):
    monkeypatch.setitem(LIMITS, "hooks", limits.Limit(3, HOUR))
    client = limited.app.test_client()
    with time_machine.travel(NOON, tick=False):
        answers = [client.post("/hooks/crm", data=b"{}") for _ in range(5)]
        good = limited.hook("opportunity.upserted", {"external_id": "1"})

    assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 2
    assert answers[-1].content_type == "application/problem+json"
    assert answers[-1].headers["Retry-After"] == "3600"
    assert answers[-1].json["status"] == 429
    assert good.status_code == 202, "who signs is not held up by who does not"


def test_limits_off_lifts_them_all(portal):
    pages = [portal.browser().claim(f"ann{n}@acme.example") for n in range(65)]
    with portal.store.read() as session:
        counted = session.scalar(sa.select(sa.func.count()).select_from(Tally))

    assert {page.status for page in pages} == {303}
    assert counted == 0


def test_a_cookie_does_not_make_mails_free(limited):
    """A gate whose file goes by mail owes one each time, with an address or without."""
    eve = from_place(limited, "203.0.113.9")
    eve.claim(ANN, "prices")
    answers = [eve.send("prices").status for _ in range(LIMITS["claims"].most)]

    assert answers[0] == 303
    assert answers[-1] == 429


def test_one_moment_told_of_without_end_is_judged_in_no_time():
    """When something happened its teller says: a whole flood may lie in the same two seconds."""
    flood = [(NOON, f"/{number % 7}") for number in range(20_000)]
    began = time.process_time()
    verdict = by_pace([*flood, (NOON + timedelta(seconds=3), "/7")])

    assert verdict.judged is Judged.PERSON
    assert time.process_time() - began < 5
