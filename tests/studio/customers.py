"""Customers of a company in a test: two sellers, each with his own."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from regportal.forms.joining import join_people
from regportal.identity.models import Assurance, Contact
from regportal.identity.rules import ADMINISTRATOR
from regportal.tracking.actions import log
from regportal.tracking.models import Attributed, EntryKind
from tests.buying.scene import PRICES, Scene
from tests.insight.conftest import INTEREST

SAM, KIM = "sam@acme.example", "kim@acme.example"
HOUR = timedelta(hours=1)


class Customers:
    """Ann of Initech, whom Sam looks after, and Eve of Globex, who is Kim's."""

    def __init__(self, portal):
        self.scene = Scene(portal.store, portal.shelf)
        self.scene.publish(PRICES, INTEREST)
        self.now = datetime.now(UTC) - 6 * HOUR
        self.ann, self.bob = self.person("ann@initech.example"), self.person("bob@initech.example")
        self.eve = self.person("eve@globex.example")
        self.mine = self.deal("006", "500 widgets", SAM, "Initech", self.ann, self.bob)
        self.others = self.deal("007", "A press", KIM, "Globex", self.eve)
        self.took = self.did(self.ann)
        self.did(self.bob, type="page_view", category=None, name="/widgets")
        self.secret = self.did(self.eve)
        self.claim = self.scene.claim("ann@initech.example", now=self.now)
        self.did(None, claim=self.claim, attribution=Attributed.CLAIMED, name="/unproven")
        self.scene.weigh(now=self.now + HOUR)

    def person(self, email, assurance=Assurance.VERIFIED):
        """Let somebody be known; return his key."""
        key = self.scene.contact(email)

        def prove(session):
            session.execute(sa.update(Contact).where(Contact.id == key).values(assurance=assurance))
            log(session, EntryKind.ANSWER, key, now=self.now)

        self.scene.store.write(prove)
        return key

    def deal(self, key, name, owner, account, *people):
        """Let the CRM tell of an opportunity, and who has a part in it."""
        deal = self.scene.opportunity(
            key,
            name=name,
            owner={"name": owner.partition("@")[0].title(), "email": owner},
            account={"external_id": f"A-{key}", "name": account},
            amount="12000.00",
            currency="EUR",
            stage="Offer",
            url=f"https://crm.acme.example/deals/{key}",
            now=self.now,
        )
        for one in people:
            self.scene.role(deal, one, role="Decision Maker", now=self.now)
        return deal

    def did(self, whom, **how):
        """Let somebody do something."""
        return self.scene.did(whom, now=self.now, **how)

    def join(self, kept, joined):
        """Let a colleague say that two addresses are one person's; return the second."""

        def work(session):
            pair = [session.get_one(Contact, one) for one in (kept, joined)]
            published = self.scene.shelf.published(session)
            how = {"because": "same phone", "by": ADMINISTRATOR, "now": self.now}
            join_people(session, published, *pair, **how)

        self.scene.store.write(work)
        return joined
