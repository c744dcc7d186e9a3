"""A sales office: a CRM with owners, customers who do something, and a mail server."""

import email
import email.policy
import re
from datetime import UTC, datetime, timedelta

from regportal.buying.alerts.listing import alerts
from tests.buying.scene import Scene
from tests.portal import ORIGIN, SITE

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
"""A Wednesday."""
SECOND = timedelta(seconds=1)
ANN = "ann@initech.example"
BO = {"name": "Bo Lind", "email": "bo@acme.example"}
LINK = re.compile(rf"{re.escape(ORIGIN)}(/alerts/(?!wrong)\S+)")
WRONG = re.compile(rf"{re.escape(ORIGIN)}(/alerts/wrong/\S+)")


def site(**alerts):
    """Return the site of the tests with these settings for alerts."""
    told = ", ".join(f"{key}: {value}" for key, value in alerts.items())
    return SITE.replace("newsletters:\n", f"  alerts: {{{told}}}\nnewsletters:\n", 1)


class Office(Scene):
    """An installation whose mails go to a server, by a clock that stands still."""

    def __init__(self, portal, box, clock):
        super().__init__(portal.store, portal.shelf)
        self.portal, self.box, self.clock = portal, box, clock

    @property
    def now(self):
        return datetime.now(UTC)

    def deal(self, external_id, *people, owner=BO, **columns):
        """Let the CRM tell, a while ago, of an open opportunity in which these have a part."""
        key = self.opportunity(
            external_id, now=self.now, owner=owner, **{"name": "500 widgets"} | columns
        )
        for contact in people:
            self.role(key, contact, now=self.now, role="decision_maker")
        self.portal.work()
        self.clock.shift(SECOND)
        return key

    def takes(self, contact, **more):
        """Let somebody take the price list, and the worker do everything that is due."""
        done = self.did(contact, name="list", **{"now": self.now} | more)
        self.portal.work()
        return done

    def passes(self, time):
        """Let time pass, and the worker look."""
        self.clock.shift(time)
        self.weigh(now=self.now)
        self.portal.work()

    def letters(self):
        """Return every letter that arrived, oldest first."""
        return [
            email.message_from_bytes(one.content, policy=email.policy.default)
            for one in self.box.envelopes
        ]

    def listed(self):
        """Return what ``list alerts`` has."""
        with self.store.read() as session:
            return [*alerts(session, self.shelf.published(session))]

    def link(self, which=-1):
        """Return the path of the link by which a letter's reader chooses."""
        return LINK.search(plain(self.letters()[which]))[1]

    def wrong(self, which=-1):
        """Return the paths of the links by which he says of each move that it was not they."""
        return WRONG.findall(plain(self.letters()[which]))


def plain(message):
    """Return the text of a letter."""
    return message.get_body(("plain",)).get_content().replace("\r\n", "\n")


def page(message):
    """Return the page of a letter."""
    return message.get_body(("html",)).get_content()
