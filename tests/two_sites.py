"""A browser on two sites of one company, told apart by each site's own storage."""

import pytest
import sqlalchemy as sa

from regportal.tracking.models import Touch, Visit
from tests.portal import ORIGIN, SITE
from tests.tracking.test_the_collector import event

WWW, SHOP = "https://www.acme.example", "https://shop.acme-tools.example"
CAMPAIGN = {
    "referrer": "https://news.example/article",
    "parameters": {"utm_source": "news"},
}


class Far:
    """A browser on one of the company's sites: its script holds the token."""

    def __init__(self, portal, site, **headers):
        browser = portal.browser()
        self.client = browser.client
        self.headers = {**browser.headers, "Origin": site, "Sec-Fetch-Site": "cross-site"}
        self.headers |= headers
        self.site, self.token, self.network = site, None, "203.0.113.9"

    def ask(self, what, said, **headers):
        """Call the portal as a page's script does; return status and answer."""
        known = {"visitor": self.token} if self.token else {}
        answer = self.client.post(
            f"/api/v1/{what}",
            json=said | known,
            headers=self.headers | headers,
            base_url=ORIGIN,
            environ_overrides={"REMOTE_ADDR": self.network},
        )
        return answer.status_code, answer.get_json()

    def choose(self, *, track=True):
        """Say on the site's banner whether it may be followed; keep what the script keeps."""
        answer = self.client.post(
            "/api/v1/choice",
            json={"recognise": True, "track": track},
            headers={**self.headers, "X-RP-Visitor": ""},
            base_url=ORIGIN,
        )
        self.token = answer.headers["X-RP-Visitor"]
        return self

    def tell(self, **more):
        """Tell of a page view."""
        status, _ = self.ask("interactions", {"events": [event()], **more})
        assert status == 202

    def leave(self, to=SHOP, **headers):
        """Return the token for a link."""
        status, said = self.ask("handover", {"to": to}, **headers)
        assert status == 200
        return said["handover"]

    def arrive(self, handover, came_from=WWW, **headers):
        """Give a token back; return whether the visit goes on."""
        said = {"handover": handover, "came_from": came_from}
        status, answer = self.ask("handover/redeem", said, **headers)
        assert status == 200
        return answer["continued"]


@pytest.fixture
def two(portal):
    """One browser on two sites, followed on both; it came to the first by a campaign."""
    portal.publish(SITE.replace("origins: [", f"origins: [{WWW}, {SHOP}, ", 1))
    www, shop = Far(portal, WWW).choose(), Far(portal, SHOP).choose()
    www.tell(touch=CAMPAIGN)
    portal.work()
    return www, shop


def visits(portal):
    """Return every visit with its touch, oldest first."""
    with portal.store.read() as session:
        both = sa.select(Visit, Touch).join(Touch, Touch.visit_id == Visit.id)
        return [tuple(row) for row in session.execute(both.order_by(Visit.started_at))]
