"""Stands in the Studio: opened with an address that is shown once, and closed."""

import re

import pytest
from playwright.sync_api import expect

from regportal.accounts.roles import Role
from tests.browsing import go
from tests.portal import SITE, served
from tests.studio.looking import EXTREMES, Watched, faults, is_wider_than_the_window, sign_in
from tests.studio.staff import Company

HALL = "Hannover Messe, hall 7"
ADDRESS = re.compile(r"http://localhost:8000(/kiosk/[0-9a-f-]{36})#(rps_[A-Za-z0-9_-]{43})")


@pytest.fixture
def desk(portal, company):
    """A marketer's desk."""
    portal.publish()
    return company.at_desk("mia@acme.example", "marketer")


def opened(desk, name=HALL):
    """Open a stand; return its path and its key."""
    page = desk.post("/gates/guide/stands", {"name": name})
    assert page.status == 200
    return ADDRESS.search(page.text).groups()


def send(portal, path, key, email="ann@widgetworks.example"):
    """Send a form as a stand's device does; return the status."""
    device = portal.browser()
    sheet = re.search(r'name="sheet" value="([^"]+)"', device.get(path).text)[1]
    fields = {"sheet": sheet, "key": "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b", "email": email}
    return device.post(f"{path}/forms", fields, Authorization=f"Bearer {key}").status


def test_a_stand_is_opened_and_takes_forms(portal, desk):
    path, key = opened(desk)

    assert send(portal, path, key) == 200
    portal.store.catch_up()
    page = desk.get("/gates/guide/stands").text
    assert HALL in page
    assert "1 form taken" in page
    assert "heard of" in page


def test_the_key_is_shown_once_and_kept_nowhere(desk):
    _, key = opened(desk)

    assert key not in desk.get("/gates/guide/stands").text
    assert key not in str(desk.get("/gates/guide").text)


def test_a_closed_stand_takes_nothing(portal, desk):
    path, key = opened(desk)
    sheet = re.search(r'name="sheet" value="([^"]+)"', portal.browser().get(path).text)[1]
    closed = desk.post(f"/gates/guide/stands/{path.rpartition('/')[2]}/close")
    fields = {"sheet": sheet, "key": "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b", "email": "a@b.example"}
    refused = portal.browser().post(f"{path}/forms", fields, Authorization=f"Bearer {key}")

    assert closed.leads_to == "/studio/gates/guide/stands"
    assert refused.status == 401
    assert portal.browser().get(path).status == 410
    assert "closed" in desk.get("/gates/guide/stands").text


def test_who_opened_and_closed_it_is_in_the_log(company, desk):
    path, _ = opened(desk)
    desk.post(f"/gates/guide/stands/{path.rpartition('/')[2]}/close")

    done = [one for one in company.deeds() if one.startswith("stand")]
    assert done == ["stand-open", "stand-close"]


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "two\nlines"])
def test_a_stand_needs_a_name_of_one_line(desk, name):
    refused = desk.post("/gates/guide/stands", {"name": name})

    assert refused.status == 422
    assert refused.errors.keys() == {"name"}


def test_a_stand_of_another_gate_is_not_closed_here(desk):
    path, _ = opened(desk)

    assert desk.post(f"/gates/study/stands/{path.rpartition('/')[2]}/close").status == 404


@pytest.mark.parametrize("role", [Role.ANALYST, Role.SELLER])
def test_others_open_none(portal, company, role):
    portal.publish()
    other = company.at_desk("bo@acme.example", role.value)

    assert other.post("/gates/guide/stands", {"name": HALL}).status == 403


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("theme", "size"), EXTREMES)
def test_its_pages_can_be_read_by_everybody(database_url, tmp_path, page, theme, size):
    with served(database_url, tmp_path, SITE) as (portal, url):
        Company(portal).hire("ann@acme.example", "owner", name="Ann Example")
        address = f"{url}/studio"
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size(size)
        watched, found = Watched(page, address), []
        sign_in(page, address)
        go(page, f"{address}/gates/guide")
        page.get_by_role("link", name="Stands").click()
        expect(page.get_by_text("There is no stand yet.")).to_be_visible()
        found += faults(page)
        page.get_by_label("Name of the event").fill(HALL)
        page.get_by_role("button", name="Open it").click()
        expect(page.get_by_role("img")).to_be_visible()
        assert not is_wider_than_the_window(page)
        found += faults(page)
        page.get_by_role("link", name="To the stands").click()
        expect(page.get_by_text("not heard of yet")).to_be_visible()
        found += faults(page)
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("status")).to_contain_text("The stand is closed.")
        found += faults(page)

        assert found == []
        assert not is_wider_than_the_window(page)
        watched.check()
