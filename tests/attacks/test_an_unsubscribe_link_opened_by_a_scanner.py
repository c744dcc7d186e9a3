"""
A mail scanner opens every link of a letter, and unsubscribes the reader.

Companies let machines open the links of incoming mail: some fetch them, some run a browser with
scripts, some send HEAD or OPTIONS first. Systems that unsubscribe on GET lose their readers to
them; systems that submit a form by script lose them as well; and those that also subscribe again
on GET win back people who had left.

Here opening the link shows a page and changes nothing, however it is opened; the page has no
script at all. A press of a button does, and so does the one-click POST that mail programs send
(RFC 8058), whose body says one thing exactly. The link never subscribes anybody.
"""

from datetime import UTC, datetime
from itertools import product

import pytest
import sqlalchemy as sa

from regportal.consent.models import ConsentEvent
from regportal.identity.actions import find_contact
from regportal.identity.contact_tokens import UNSUBSCRIBE, contact_token
from tests.portal import ORIGIN

SCANNERS = [
    {"User-Agent": "Mozilla/5.0 (compatible; MSOffice 12)"},
    {"User-Agent": "Barracuda Sentinel (EE)"},
    {"User-Agent": "python-requests/2.33"},
    {"Sec-Purpose": "prefetch", "User-Agent": "Mozilla/5.0 Chrome/156.0"},
    {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"},
]


@pytest.fixture
def link(portal):
    """The way out of the price alerts, as a letter to Ann carries it."""
    browser = portal.browser()
    browser.claim("ann@acme.example", "prices", n_prices="yes")
    portal.work()
    browser.prove(portal)
    portal.work()

    def made(session):
        contact = find_contact(session, "ann@acme.example")
        keys, now = portal.settings.keys, datetime.now(UTC)
        return contact_token(session, keys, contact.id, UNSUBSCRIBE, "prices", now=now)

    return f"/u/{portal.store.write(made)}"


def states(portal):
    with portal.store.read() as session:
        return session.scalars(sa.select(ConsentEvent.state).order_by(ConsentEvent.number)).all()


@pytest.mark.parametrize("scanner", SCANNERS, ids=range(len(SCANNERS)))
def test_however_a_machine_opens_the_link_nothing_changes(portal, link, scanner):
    before = states(portal)
    client = portal.app.test_client()
    for method, query in product(
        ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"),
        ("", "?choice=stop", "?List-Unsubscribe=One-Click", "?undo=x", "?lang=de"),
    ):
        answer = client.open(link + query, method=method, headers=scanner, base_url=ORIGIN)

        assert answer.status_code < 500
        assert states(portal) == before, (method, query)


def test_a_method_in_a_header_or_a_field_is_no_press(portal, link):
    before = states(portal)
    client = portal.app.test_client()
    client.get(f"{link}?_method=POST", headers={"X-HTTP-Method-Override": "POST"}, base_url=ORIGIN)

    assert states(portal) == before


def test_the_page_has_nothing_that_presses_by_itself(portal, link):
    page = portal.browser().get(link)

    assert "<script" not in page.text
    assert "http-equiv" not in page.text
    assert "Refresh" not in page.headers
    assert "script-src" not in page.headers["Content-Security-Policy"]


def test_what_the_page_links_to_changes_nothing_either(portal, link):
    before = states(portal)
    browser = portal.browser()
    page = browser.get(link)
    for address in {part.split('"')[0] for part in page.text.split('href="')[1:]}:
        browser.get(address)

    assert states(portal) == before


def test_the_link_never_subscribes_anybody(portal, link):
    browser = portal.browser()
    browser.post(link, {"choice": "stop"})
    before = states(portal)
    for choice in ("confirm", "want", "resume", "subscribe", "undo", "confirmed"):
        browser.post(link, {"choice": choice})

    assert states(portal) == before
    assert before[-1] == "withdrawn"
