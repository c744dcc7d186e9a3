"""
Sending a visitor's form from another site, or showing our page inside it.

"Claim CSRF": a hostile page makes the visitor's browser claim the attacker's address, and all the
visitor does from then on is told to the CRM as the attacker's contact (or the other way round).
Here a real browser is made to try, from another origin, with a form it fetched itself.
"""

import threading
from contextlib import closing

import pytest
import requests
import sqlalchemy as sa

from regportal.app.server import Server, listen
from regportal.identity.models import Claim
from tests.browsing import go
from tests.patience import PATIENCE
from tests.portal import SECRET, Portal

EVIL = """<!doctype html><form method=post action="{target}"><input name=email value="{email}">
<input name=ask value="{ask}"><input name=csrf_token value="{csrf}"><input name=remember value=yes>
<button>Win</button></form><iframe src="{framed}"></iframe>"""


@pytest.fixture
def served(tmp_path, monkeypatch, database_url):
    """Our portal, really served, and a port where a hostile page is."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    with closing(listen("127.0.0.1", 0)) as here, closing(listen("127.0.0.1", 0)) as there:
        ours, evil = (one.getsockname()[1] for one in (here, there))
        portal = Portal(database_url, tmp_path, limits="off", base_url=f"http://localhost:{ours}")
        portal.publish()
        pages = {}

        def hostile(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/html")])
            return [pages.get("page", "").encode()]

        servers = [
            Server(portal.app, here, portal.settings),
            Server(hostile, there, portal.settings),
        ]
        threads = [threading.Thread(target=server.run) for server in servers]
        for thread in threads:
            thread.start()
        yield portal, f"http://localhost:{ours}", f"http://localhost:{evil}", pages
        for server in servers:
            server.stop()
        for thread in threads:
            thread.join(10)
        portal.close()


def claims(portal):
    """Return the addresses that were claimed."""
    with portal.store.read() as session:
        return session.scalars(sa.select(Claim.email)).all()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("has_cookie", [True, False])
def test_a_hostile_page_cannot_claim_for_its_visitor(served, page, has_cookie):
    portal, ours, evil, pages = served
    attackers = portal.browser().gate("guide")
    pages["page"] = EVIL.format(
        target=f"{ours}/g/guide",
        email="eve@evil.example",
        ask=attackers.fields["ask"],
        csrf=attackers.fields["csrf_token"],
        framed=f"{ours}/g/guide?in=frame&host={evil}",
    )
    if has_cookie:
        go(page, f"{ours}/g/guide")
    go(page, evil)
    with page.expect_navigation() as going:
        page.get_by_role("button", name="Win").click()

    assert going.value.status == 403
    assert claims(portal) == []
    assert all(frame.title() != "The guide" for frame in page.frames[1:])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_our_page_is_not_shown_inside_a_hostile_one(served, page):
    _, ours, evil, pages = served
    pages["page"] = f'<iframe name=x src="{ours}/g/guide?in=frame&amp;host={evil}"></iframe>'
    go(page, evil)
    page.wait_for_timeout(500)

    assert "chrome-error" in page.frame(name="x").url
    policy = requests.get(f"{ours}/g/guide?in=frame&host={evil}", timeout=PATIENCE).headers
    assert evil not in policy["Content-Security-Policy"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_same_press_on_our_own_page_is_taken(served, page):
    portal, ours, _, _ = served
    go(page, f"{ours}/g/guide")
    page.get_by_label("Your e-mail address").fill("ann@widgetworks.example")
    page.get_by_role("button", name="just this once").click()
    page.wait_for_url("**/g/guide/done")

    assert claims(portal) == ["ann@widgetworks.example"]
