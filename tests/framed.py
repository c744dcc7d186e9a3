"""Our frame in a page of another site, and the page's own recorder: one browser, two jars."""

import uuid
from datetime import UTC, datetime

import pytest

from regportal.identity.models import Contact
from regportal.identity.recognising import recognise
from regportal.tracking.actions import seen
from tests.identity.test_codes import code_in, type_code
from tests.portal import ORIGIN, SITE
from tests.tracking.test_the_collector import event
from tests.two_sites import SHOP, WWW, Far

ANN = "ann@widgetworks.example"
INSIDE = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


class Framed:
    """Somebody on a page with a framed gate; ``frame`` and ``page`` share a browser, not a jar."""

    def __init__(self, portal, site=WWW):
        self.portal, self.site = portal, site
        self.frame = portal.browser()
        self.page = Far(portal, site)

    def ask(self, handover, came_from=None, **headers):
        """Let the frame give a token to the portal; return status and answer."""
        answer = self.frame.client.post(
            "/api/v1/handover/vouch?in=frame",
            json={"handover": handover, "came_from": came_from or self.site},
            headers={**self.frame.headers, **INSIDE, **headers},
            base_url=ORIGIN,
            environ_overrides={"REMOTE_ADDR": self.page.network},
        )
        return answer.status_code, answer.get_json()

    def vouch(self, **headers):
        """Let the page hand its token to the frame; return whether it speaks for the frame now."""
        handover = self.page.leave(ORIGIN)
        if handover is None:
            return False
        status, said = self.ask(handover, **headers)
        assert status == 200
        return said["speaks"]

    def tell(self, about="widget-9", **headers):
        """Let the recorder tell; return the id of what it told."""
        told = event("price_lookup", about)
        status, _ = self.page.ask("interactions", {"events": [told]}, **headers)
        assert status == 202
        self.portal.work()
        return told["id"]

    def prove_here(self):
        """Type the code of the last mail into the frame."""
        assert type_code(self.frame, code_in(self.portal)).status == 303
        self.portal.work()


def published_for(portal):
    """Publish a site whose pages are far from the portal."""
    portal.publish(SITE.replace("origins: [", f"origins: [{WWW}, {SHOP}, ", 1))


def whose(portal, told):
    """Return what is known now of an interaction: its attribution, and its contact's address."""
    with portal.store.read() as session:
        one = seen(session, uuid.UUID(told))
        contact = session.get(Contact, one.contact_id) if one.contact_id else None
        return one.attribution.value, contact.email if contact else None


def token_means(portal, framed):
    """Return whether the recorder's token still means somebody."""
    now = datetime.now(UTC)
    with portal.store.read() as session:
        return recognise(session, framed.page.token, now=now).visitor is not None


@pytest.fixture
def ann(portal):
    """Somebody who is followed on a site far from the portal, and gave her address in its frame."""
    published_for(portal)
    framed = Framed(portal)
    framed.page.choose()
    framed.frame.claim(ANN)
    portal.work()
    return framed
