"""
The one after you at the same computer.

On a trade fair's tablet, in a library or a family, the next person opens the same page. Products
that remember browsers greet her with the name of the one before, fill in his telephone number, or
file what she does under his contact. Two real people sit down here, one after the other.
"""

import pytest
import sqlalchemy as sa

from regportal.identity.models import Contact
from tests.browsing import go
from tests.portal import SECRET, SITE
from tests.portal import served as serve

ANN, BOB = "ann.canary@widgetworks.example", "bob@gearbox.example"
KIOSK = SITE.replace("controller:", "kiosk: true\n  controller:")
CANARIES = ("ann.canary", "widgetworks", "Canary Company 7f3a", "a***@w***")


@pytest.fixture
def served(tmp_path, monkeypatch, database_url):
    """Our portal, really served."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    with serve(database_url, tmp_path) as serving:
        yield serving


def sees_nothing_of_ann(page):
    """Assert that nothing on this page, or kept by this browser, says who was here before."""
    kept = (
        page.content() + str(page.context.cookies()) + page.evaluate("JSON.stringify(localStorage)")
    )
    assert [canary for canary in CANARIES if canary in kept] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_comes_after_at_a_kiosk_sees_nothing_of_who_was_before(served, page):
    portal, url = served
    portal.publish(KIOSK)
    for address in (ANN, BOB):
        go(page, f"{url}/g/guide")
        sees_nothing_of_ann(page)
        page.fill("input[name=email]", address)
        page.click("form[data-rp=gate] button")
        page.get_by_role("link", name="Next visitor").click()
        page.wait_for_url("**/g/guide")
    page.go_back()
    sees_nothing_of_ann(page)

    assert page.context.cookies() == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_not_you_leaves_nothing_for_the_next_one(served, page):
    portal, url = served
    go(page, f"{url}/g/prices")
    page.fill("input[name=email]", ANN)
    page.get_by_role("button", name="remember me").click()
    page.wait_for_url("**/done")
    go(page, f"{url}/g/study")
    page.click("button[data-rp=not-you]")
    go(page, f"{url}/g/study")
    sees_nothing_of_ann(page)
    page.fill("input[name=email]", BOB)
    page.get_by_role("button", name="just this once").click()
    page.wait_for_url("**/done")
    portal.work()
    for which in (0, 1):
        portal.browser().post(
            _link(portal, url, which), {"choice": "confirm"}, Origin=url, Host=url[7:]
        )
    portal.work()

    sees_nothing_of_ann(page)
    with portal.store.read() as session:
        contacts = session.scalars(sa.select(Contact)).all()
    assert len({one.person_id for one in contacts}) == len(contacts)


def _link(portal, url, which):
    """Return the path of the link in a mail."""
    text = portal.mails()[which].get_body(("plain",)).get_content()
    return next(line for line in text.splitlines() if line.startswith(f"{url}/m/"))[len(url) :]
