"""A made HubSpot that calls an installation with its worker, all of it over real HTTP."""

import contextlib
import re
from dataclasses import dataclass
from typing import Any

import requests
import sqlalchemy as sa

from regportal.app.worker import Worker
from regportal.buying.models import ContactRole, Opportunity
from regportal.identity.actions import find_contact
from regportal.inbox.models import Notice
from regportal.outbox.models import Linked, Message, MessageState
from regportal.sandbox.hubspot import CLIENT_SECRET, PORTAL, TOKEN
from tests.connectors.worlds.hubspot import hubspot
from tests.patience import until
from tests.portal import SITE, served
from tests.privacy.people import link

CONNECTOR = re.compile(r"\{key: crm, type: webhook.*\}")
WORDS = (
    '{{key: crm, type: hubspot, url: "{url}", secret: "env:HS_KEY", inbound_secret: "env:HS_APP"'
)


@dataclass
class Called:
    """The installation, and the HubSpot that calls it."""

    portal: Any
    hook: str
    fake: Any

    def visitor(self, email):
        """
        Let somebody prove an address; return the id of his record in HubSpot.

        It has heard all of it then, also what he did: what is told after his record was deleted
        makes another one.
        """
        browser, before = self.portal.browser(), len(self.portal.mails())
        browser.origin["Origin"] = self.hook.removesuffix("/hooks/crm")
        browser.claim(email)
        assert until(lambda: len(self.portal.mails()) > before)
        browser.post(link(self.portal, "/m/"), {"choice": "confirm"})
        assert until(lambda: self.has_heard(email))
        return self.ref(email)

    def has_heard(self, email):
        """Return whether HubSpot was told what somebody did, the last that is told of him."""
        contact = self.contact(email)
        with self.portal.store.read() as session:
            told = sa.select(Message.id).where(
                Message.subject == f"contact:{contact.id if contact else None}",
                Message.topic == "interaction.recorded",
                Message.state == MessageState.SENT,
            )
            return session.scalar(told) is not None

    def call(self):
        """Let HubSpot tell whatever it has not told yet."""
        while (answer := self.fake.call_back(self.hook)) != "0 events: 202":
            assert answer.endswith(": 202")

    def send(self, *events, **changed):
        """Call with these events, and with headers that are changed; return the status."""
        headers, body = self.fake.signed(self.hook, [{"portalId": PORTAL, **one} for one in events])
        given = headers | changed
        return requests.post(self.hook, data=body, headers=given, timeout=10).status_code

    def contact(self, email):
        with self.portal.store.read() as session:
            return find_contact(session, email)

    def ref(self, email):
        """Return as which record somebody is known."""
        contact = self.contact(email)
        with self.portal.store.read() as session:
            subject = f"contact:{contact.id}" if contact else ""
            return session.scalar(sa.select(Linked.ref).where(Linked.subject == subject))

    def parts(self):
        """Return how many parts in opportunities there are."""
        with self.portal.store.read() as session:
            lasting = sa.select(sa.func.count()).where(ContactRole.until.is_(None))
            return session.scalar(lasting)

    def is_closed(self, deal):
        with self.portal.store.read() as session:
            told = sa.select(Opportunity.is_closed).where(Opportunity.external_id == deal)
            return session.scalar(told)

    def notices(self, kind):
        """Return state and reason of what was told of a kind."""
        with self.portal.store.read() as session:
            rows = sa.select(Notice).where(Notice.message_id.startswith(f"{kind}:"))
            rows = session.scalars(rows.order_by(Notice.number)).all()
            return [(one.state.value, one.because) for one in rows]


@contextlib.contextmanager
def called(database_url, folder, monkeypatch, account=str(PORTAL)):
    """Give an installation whose CRM is a made HubSpot, and a worker that works."""
    monkeypatch.setenv("HS_KEY", TOKEN)
    monkeypatch.setenv("HS_APP", CLIENT_SECRET)
    with hubspot() as world:
        words = WORDS.format(url=world.sandbox.url)
        words += f', account: "{account}"}}' if account else "}"
        (site, count), private = CONNECTOR.subn(words, SITE), "127.0.0.0/8"
        assert count == 1
        with served(database_url, folder, site, allow_private_targets=private) as (portal, url):
            worker = Worker(portal.app)
            worker.start()
            try:
                yield Called(portal, f"{url}/hooks/crm", world.fake)
            finally:
                worker.stop()
