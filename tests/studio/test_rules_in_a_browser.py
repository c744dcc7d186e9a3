"""Rules in a real browser: read, typed by the keyboard alone, checked as one types, and charts."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from regportal.buying.backtest.models import Trial, TrialState
from regportal.buying.schema import Buying
from regportal.store.ids import uuid7
from tests.browsing import go
from tests.portal import SITE, served
from tests.studio.looking import PHONE, WIDE, Watched, faults, is_wider_than_the_window, sign_in
from tests.studio.staff import Company
from tests.studio.test_rules import BUYING

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HOSTILE = "</script><img src=x onerror=alert(1)>{{7*7}}"


def phase(key, label, many, share):
    return {
        "phase": key,
        "label": label,
        "open_now": many,
        "stays": 9,
        "half_left_after_days": 4.5,
        "won_that_were_here": {"of": 3, "share": 0.5, "lead_days": 3},
        "win_rate": {
            "won": 3,
            "decided": 12,
            "rate": share,
            "low": 0.1,
            "high": 0.4,
            "too_few": False,
        },
    }


def side(moves, label, weeks, many):
    return {
        "moves": moves,
        "again_within_a_week": 1,
        "writes": {"all": 9, "a_day": 0.5, "most": 2, "on": None},
        "weeks": weeks,
        "phases": [phase("cold", "Cold", many, 0.25), phase("warm", label, 3, 0.5)],
    }


REPORT = {
    "from": "2026-01-05T00:00:00Z",
    "to": "2026-03-01T00:00:00Z",
    "opportunities": {"open": 10, "won": 3, "lost": 9},
    "moves": {"added": 4, "removed": 2, "opportunities": 5},
    "moved_at_once": 3,
    "stands": [
        {"published": "cold", "draft": "cold", "open": 5},
        {"published": "cold", "draft": "warm", "open": 3},
        {"published": "warm", "draft": "warm", "open": 2},
    ],
    "published": side(40, HOSTILE, {"2026-01-05": 4, "2026-01-12": 9}, 8),
    "draft": side(42, HOSTILE, {"2026-01-05": 6, "2026-01-19": 3}, 5),
    "forecasts": {"too_few": True, "says": ["Too few to say who forecasts better."]},
    "notes": [],
}


@pytest.fixture
def studio(database_url, tmp_path):
    """An installation that is served, with phases, and a marketer."""
    with served(database_url, tmp_path, f"{SITE}\n{BUYING}") as (portal, url):
        company = Company(portal)
        company.hire("ann@acme.example", "owner", "marketer", name="Ann Example")
        yield company, f"{url}/studio"


def tried(company, state, **values):
    """Keep a back-test as the worker left it; return its key."""

    def keep(session):
        rules = Buying.model_validate({"phases": [{"id": "cold"}]}).as_written()
        one = Trial(id=uuid7(), rules=rules, state=state, asked_at=datetime.now(UTC), **values)
        session.add(one)
        session.flush()
        return one.id

    return company.store.write(keep)


def open_phase(page, address):
    go(page, f"{address}/rules")
    page.get_by_role("button", name="Change the phases").click()
    page.get_by_role("link", name="Change Warm").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Warm")


def test_every_page_of_rules_can_be_read_by_everybody(studio, page, tmp_path):
    company, address = studio
    watched, found, wide = Watched(page, address), {}, {}

    def look(name):
        for theme, size in (("dark", PHONE), ("light", WIDE)):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.set_viewport_size(size)
            found[name, theme], wide[name, theme] = faults(page), is_wider_than_the_window(page)
            page.screenshot(path=tmp_path / f"{name}-{theme}.png", full_page=True)

    sign_in(page, address)
    go(page, f"{address}/rules")
    look("rules")
    open_phase(page, address)
    look("phase")
    page.locator("#enter .pick summary").first.click()
    page.get_by_label("How often at least").first.fill("many")
    expect(page.locator("[data-lint='enter.any[0]']")).to_contain_text("number")
    look("fault")
    page.get_by_role("button", name="Save in the draft").first.click()
    look("draft")
    running = tried(company, TrialState.RUNNING, tried=40, of=100)
    go(page, f"{address}/rules/trials/{running}")
    look("progress")
    done = tried(company, TrialState.DONE, tried=22, of=22, report=REPORT)
    go(page, f"{address}/rules/trials/{done}")
    expect(page.locator(".chart svg")).to_have_count(3)
    look("report")

    assert {name: one for name, one in found.items() if one} == {}
    assert [name for name, one in wide.items() if one] == []
    assert page.locator("img[src=x]").count() == 0
    watched.check()


def test_a_condition_is_written_with_the_keyboard_alone(studio, page):
    _, address = studio
    sign_in(page, address)
    open_phase(page, address)
    page.get_by_label("How often at least").first.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("3")
    expect(page.locator("[data-says='enter.any[0]']")).to_contain_text("3 downloads")
    page.keyboard.press("Enter")

    expect(page.locator("main")).to_contain_text("3 downloads of a price list within 45 days")
    expect(page.locator("[data-rp=changes]")).to_contain_text("3 downloads")


def test_a_condition_is_written_without_scripts(studio, browser):
    _, address = studio
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, address)
    open_phase(page, address)
    page.locator("#exit").get_by_role("button", name="Add a condition").click()
    page.locator("[name='exit.any[1].kind']").select_option("event")
    page.get_by_role("button", name="Save in the draft").first.click()
    expect(page.locator("[data-rp=changes] li")).to_contain_text(["exit: + any: a download"])
    context.close()


def test_a_page_that_waits_sees_a_back_test_come_on_and_end(studio, page):
    company, address = studio
    sign_in(page, address)
    key = tried(company, TrialState.RUNNING, tried=40, of=100)
    go(page, f"{address}/rules/trials/{key}")
    tell = sa.update(Trial).where(Trial.id == key)
    company.store.write(lambda session: session.execute(tell.values(tried=60)) and None)
    expect(page.locator("[data-rp=so-far]")).to_have_text("60 / 100")
    done = tell.values(tried=100, state=TrialState.DONE, report=REPORT)
    company.store.write(lambda session: session.execute(done) and None)

    expect(page.get_by_role("heading", name="Moves by week")).to_be_visible()
