"""
Registering by machine: to fill a CRM with rubbish, or somebody's mailbox with our letters.

Elsewhere a script that posts the form is a lead, or every visitor has to prove with pictures that
he is none. Here six kinds of scripts get nowhere, what they do is kept as a machine's and told to
nobody, and a person notices nothing: only where very many come from one place at once, the
browser (not the person) does a calculation first.
"""

import hashlib
import random
import re
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine
from playwright.sync_api import expect

from regportal.app.server import Server, listen
from regportal.forms.effort import MOST
from regportal.identity.limits import HOUR, LIMITS, Limit
from regportal.identity.models import Claim
from regportal.tracking.models import Interaction
from tests.attacks.test_floods import from_place
from tests.browsing import go, held_up
from tests.patience import until
from tests.portal import SECRET, SITE, Portal

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
PLACE = "203.0.113.9"


def kept(portal, column):
    """Return a column of everything that is kept."""
    with portal.store.read() as session:
        return list(session.scalars(sa.select(column)))


def machines(portal):
    """Return why downloads were judged a machine's."""
    judged = kept(portal, Interaction.judged_because)
    return [reason for reason in judged if reason]


def effort_of(page):
    """Do the calculation a page asks for, as its script does."""
    salt, goal = (re.search(rf'data-{name}="([^"]+)"', page.text)[1] for name in ("salt", "goal"))
    return next(
        str(number)
        for number in range(MOST)
        if hashlib.sha256(f"{salt}:{number}".encode()).hexdigest() == goal
    )


# --- six kinds of scripts ---


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_script_that_types_addresses_of_own_staff_is_a_script(limited):
    ignored = "ignore: {addresses: ['*@acme-staff.example']}\n  origins:"
    limited.publish(SITE.replace("origins:", ignored))
    with time_machine.travel(NOON, tick=False):
        for number in range(40):
            bot = from_place(limited, PLACE)
            bot.claim(f"p{number}@acme-staff.example")
        limited.work()

    assert len(limited.mails()) == 10
    assert set(machines(limited)) == {"own staff", "burst"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_script_that_never_opened_the_form_is_refused(limited):
    bot = from_place(limited, PLACE)
    fields = {"email": "a@acme.example", "remember": "yes"}
    sent = [
        bot.post("/g/guide", fields),
        bot.post("/g/guide", fields | {"ask": "x", "csrf_token": "x.y"}),
        bot.post("/g/guide", fields | {"ask": bot.gate("study").fields["ask"]}),
    ]

    assert [page.status for page in sent] == [400] * 3
    assert kept(limited, Claim.email) == []


def test_a_script_that_sends_one_form_again_and_again_makes_one_claim(limited):
    with time_machine.travel(NOON, tick=False):
        bot = from_place(limited, PLACE)
        page = bot.gate("guide")
        sent = [
            bot.send("guide", page, email=f"a{n}@acme.example", remember="no").status
            for n in range(30)
        ]

    assert sent == [303] + [409] * 29
    assert kept(limited, Claim.email) == ["a0@acme.example"]


def test_a_script_that_fills_in_every_field_is_a_machine(limited):
    with time_machine.travel(NOON, tick=False):
        bot = from_place(limited, PLACE)
        sent = bot.claim("a@acme.example", website="https://spam.example")
        person = from_place(limited, "203.0.113.10").claim("ann@acme.example")
        limited.work()

    assert sent.status == person.status == 303
    assert machines(limited) == ["honeypot"]
    assert [mail["To"] for mail in limited.mails()] == ["ann@acme.example"]
    assert len(limited.news("contact.claimed")) == 1


def test_a_script_in_a_hurry_is_a_machine_from_the_eleventh_form_on(limited):
    with time_machine.travel(NOON, tick=False):
        answers = [
            from_place(limited, PLACE).claim(f"a{n}@acme.example", "guide").status
            for n in range(25)
        ]
        limited.work()
        quick = len(limited.mails())
    with time_machine.travel(NOON + timedelta(minutes=2), tick=False):
        from_place(limited, PLACE).claim("late@acme.example")
        limited.work()

    assert answers == [303] * 25
    assert machines(limited) == ["burst"] * 15
    assert quick == 10
    assert len(limited.mails()) == 11, "once it slows down, it is believed again"


def test_a_patient_script_gets_thirty_a_minute_and_sixty_an_hour(limited):
    with time_machine.travel(NOON, tick=False) as clock:
        bots = [from_place(limited, PLACE) for _ in range(70)]
        pages = [bot.gate("guide") for bot in bots]
        clock.shift(20)
        answers = [
            bot.send("guide", page, email=f"a{n}@acme.example", remember="no").status
            for n, (bot, page) in enumerate(zip(bots, pages, strict=True))
        ]

    assert answers == [303] * 60 + [429] * 10
    assert machines(limited) == ["burst"] * 30


def test_a_script_in_a_million_addresses_of_one_line_is_one_place(limited):
    with time_machine.travel(NOON, tick=False) as clock:
        answers = []
        for n in range(65):
            address = f"2001:db8:0:7:{random.randrange(2**16):x}:{n:x}::1"
            answers.append(from_place(limited, address).claim(f"a{n}@acme.example").status)
            clock.shift(7)

    assert answers == [303] * 60 + [429] * 5


@pytest.fixture
def crowded(limited, monkeypatch):
    """A place from which nobody gets in without the calculation."""
    monkeypatch.setitem(LIMITS, "claims", Limit(0, HOUR))
    return limited


def test_a_script_that_calculates_has_to_for_every_form(crowded):
    with time_machine.travel(NOON, tick=False):
        bot = from_place(crowded, PLACE)
        page = bot.gate("guide")
        asked = bot.send("guide", page, email="a@acme.example", remember="no")
        found = effort_of(asked)
        done = bot.send("guide", page, email="a@acme.example", remember="no", effort=found)
        again = bot.send("guide", page, email="b@acme.example", remember="no", effort=found)
        other = from_place(crowded, PLACE)
        fresh = other.gate("guide")
        elsewhere = other.send("guide", fresh, email="c@acme.example", effort=found)
        guesses = [
            other.send("guide", fresh, email="c@acme.example", effort=guess).status
            for guess in ("", "0", "-1", "1e5", "NaN", "é", "9" * 4000)
        ]

    assert (asked.status, done.status, again.status, elsewhere.status) == (429, 303, 409, 429)
    assert set(guesses) == {429}
    assert kept(crowded, Claim.email) == ["a@acme.example"]


def test_even_with_the_calculation_there_is_an_end(crowded, monkeypatch):
    monkeypatch.setitem(LIMITS, "claims-with-work", Limit(2, HOUR))
    with time_machine.travel(NOON, tick=False):
        pages = []
        for n in range(3):
            bot = from_place(crowded, PLACE)
            page = bot.gate("guide")
            asked = bot.send("guide", page, email=f"a{n}@acme.example")
            effort = effort_of(asked)
            pages.append(bot.send("guide", page, email=f"a{n}@acme.example", effort=effort))

    assert [page.status for page in pages] == [303, 303, 429]
    assert "data-rp=effort" not in pages[-1].text
    assert pages[-1].headers["Retry-After"] == "3600"


# --- and people ---


def test_two_hundred_people_are_never_held_up(limited):
    chance = random.Random(31)
    with time_machine.travel(NOON, tick=False) as clock:
        answers = []
        for n in range(200):  # offices of eight, who read for 1 to 90 seconds
            person = from_place(limited, f"203.0.113.{n // 8}")
            page = person.gate("guide")
            clock.shift(chance.choice([1, 3, 8, 20, 90]))
            answers.append(person.send("guide", page, email=f"p{n}@acme.example", remember="no"))
        limited.work()

    assert {page.status for page in answers} == {303}
    assert machines(limited) == []
    assert len(limited.mails()) == 200


def test_a_browser_that_fills_in_at_once_is_a_person(limited):
    with time_machine.travel(NOON, tick=False):
        sent = from_place(limited, PLACE).claim("ann@acme.example")
        limited.work()

    assert sent.status == 303
    assert machines(limited) == []
    assert len(limited.mails()) == 1


def test_what_was_typed_is_still_there_while_the_browser_calculates(crowded):
    ann = from_place(crowded, PLACE)
    page = ann.gate("guide")
    asked = ann.send("guide", page, email="ann@acme.example", n_news="yes", remember="yes")

    assert 'value="ann@acme.example"' in asked.text
    assert re.search(r'name="n-news"\s+value="yes"\s+checked', asked.text)
    assert 'data-press="remember=yes"' in asked.text
    assert asked.fields["ask"] == page.fields["ask"]


# --- in a real browser ---


@pytest.fixture
def served(tmp_path, monkeypatch, database_url):
    """Our portal, really served, where every form needs the calculation; and a page around it."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    monkeypatch.setitem(LIMITS, "claims", Limit(0, HOUR))
    with closing(listen("127.0.0.1", 0)) as here, closing(listen("127.0.0.1", 0)) as there:
        ours, site = (f"http://localhost:{one.getsockname()[1]}" for one in (here, there))
        portal = Portal(database_url, tmp_path, base_url=ours)
        portal.publish(SITE.replace("https://www.acme.example]", f"{site}]"))
        around = (
            f'<!doctype html><html lang="en"><title>Acme</title><regportal-gate gate="guide">'
            f'<a href="{ours}/g/guide">The guide</a></regportal-gate>'
            f'<script type="module" src="{ours}/static/js/regportal.js"></script></html>'
        )

        def page(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
            return [around.encode()]

        servers = [Server(portal.app, here, portal.settings), Server(page, there, portal.settings)]
        threads = [threading.Thread(target=server.run) for server in servers]
        for thread in threads:
            thread.start()
        yield portal, ours, site
        for server in servers:
            server.stop()
        for thread in threads:
            thread.join(10)
        portal.close()


def ask_for_it(frame, address="ann@widgetworks.example"):
    """Give an address and press the button, once."""
    frame.locator("input[name=email]").fill(address)
    frame.locator("button[name=remember][value=yes]").click()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_browser_calculates_and_goes_on_by_itself(served, page):
    portal, ours, _ = served
    said = []
    page.on("console", lambda one: said.append(one.text))
    go(page, f"{ours}/g/guide")
    ask_for_it(page)
    page.locator("a[data-rp=download]").wait_for()

    assert kept(portal, Claim.email) == ["ann@widgetworks.example"]
    assert page.context.cookies()[0]["name"] == "rp_v"
    assert [text for text in said if "429" not in text] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_inside_another_page_it_does_too(served, page):
    portal, _, site = served
    go(page, site)
    gate = page.locator("regportal-gate")
    gate.locator("input[name=email]").wait_for()
    ask_for_it(gate)
    gate.locator("a[data-rp=download]").wait_for()

    assert kept(portal, Claim.email) == ["ann@widgetworks.example"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_page_can_be_used_while_it_calculates(served, page):
    _, ours, _ = served
    page.add_init_script(
        """const digest = crypto.subtle.digest.bind(crypto.subtle)
        crypto.subtle.digest = async (...given) => {
          await Promise.all([digest(...given), new Promise(done => setTimeout(done, 20))])
          return new ArrayBuffer(32)  // nothing is ever found
        }"""
    )
    go(page, f"{ours}/g/guide")
    bar = page.locator("[data-rp=effort] progress")
    with held_up(page) as tasks:
        ask_for_it(page)
        expect(bar).to_be_visible()
        expect(page.locator("button[name=remember]").first).to_be_disabled()
        first = bar.evaluate("bar => bar.value")

        assert until(
            lambda: bar.evaluate("bar => bar.value") > first, rest=lambda: page.wait_for_timeout(50)
        )

    assert max(tasks) < 250


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_a_script_a_sentence_says_when_to_come_back(served, new_context):
    _, ours, _ = served
    page = new_context(java_script_enabled=False).new_page()
    go(page, f"{ours}/g/guide")
    ask_for_it(page)

    expect(page.get_by_text("Please try again in an hour.")).to_be_visible()
    expect(page.locator("progress")).to_be_hidden()
    expect(page.locator("input[name=email]")).to_have_value("ann@widgetworks.example")


@pytest.mark.soak
def test_two_hundred_people_with_a_browser_are_never_held_up(served, new_context):
    portal, ours, _ = served
    for number in range(200):
        person = new_context().new_page()
        go(person, f"{ours}/g/guide")
        ask_for_it(person, f"person{number}@widgetworks.example")
        person.locator("a[data-rp=download]").wait_for()
        person.context.close()

    assert len(kept(portal, Claim.email)) == 200
    assert machines(portal) == []
