"""A portal with people in it, and a made CRM that is told of them when a test wants it."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.glossary import vocabulary_of
from regportal.buying.overriding import Word, override
from regportal.connectors.rules import in_full
from regportal.connectors.schema import Connector
from regportal.consent.actions import states_of, subject_of_contact
from regportal.consent.schema import Newsletter
from regportal.identity.actions import find_contact
from regportal.outbox import budget as budgets
from regportal.outbox.actions import News, put
from regportal.outbox.budget import Budget
from regportal.outbox.drain import drain
from regportal.outbox.models import Message, Subject
from regportal.outbox.rules import AWAITED, WITHDRAWAL
from regportal.privacy.erasing import PERSON, erase
from regportal.privacy.whom import find_whom
from regportal.sync.comparing import compare
from regportal.sync.drifting import look_over
from regportal.sync.present import Telling
from tests.connectors.worlds.made import MadeCrm


class Town:
    """The portal, its CRM, and what a test does to both."""

    def __init__(self, portal):
        self.portal, self.crm, self.store = portal, MadeCrm(), portal.store
        self.now = datetime.now(UTC)
        drained = portal._drain
        portal._drain = lambda key, deliver: drained(key, deliver) if key == "mail" else None
        self.document = self.published().one(Connector, "crm")
        for newsletter in self.published().all(Newsletter):
            if newsletter.key != "prices":  # that is there
                self.crm.make_list(newsletter.key)

    def published(self):
        with self.store.read() as session:
            return self.portal.shelf.published(session)

    def visitor(self, email, **fields):
        """Let somebody ask for the prices, and the price alerts, and prove the address."""
        browser = self.portal.browser()
        browser.claim(email, "prices", n_prices="yes", **fields)
        self.understand()
        browser.prove(self.portal)
        self.understand()

    def understand(self):
        """Let the worker do everything but tell the CRM."""
        self.portal.work()

    def opportunity(self, *emails):
        """Let the CRM have an opportunity with these people, and tell of it."""
        deal = self.crm.opportunity(*[self.crm.people(one)[0] for one in emails])
        self.portal.hook("opportunity.upserted", {"external_id": deal, "name": "500 widgets"})
        for one in emails:
            self.portal.hook("contact_role.added", {"opportunity": deal, "email": one})
        self.understand()
        return deal

    def say(self, deal, phase):
        """Let a colleague say in which phase an opportunity is."""
        word = Word(phase, "Bo", "she called", self.now + timedelta(days=9))
        published = self.published()
        self.store.write(
            lambda session: override(session, published, f"crm:{deal}", word, now=datetime.now(UTC))
        )

    def tell(self, clock=None, size=50, **words):
        """Tell the CRM what is owed."""
        document = self.document.model_copy(update=words)
        budget = Budget.of(document)
        deliver = self.crm.connector().deliver
        clock = clock or (lambda: datetime.now(UTC))
        return drain(self.store, "crm", deliver, clock=clock, size=size, budget=budget)

    def erase(self, session, email):
        """Leave nothing of somebody here."""
        pepper, now = self.portal.settings.pepper_text, datetime.now(UTC)
        whom = find_whom(session, email)
        erase(session, self.published(), whom, pepper=pepper, by=PERSON, now=now)

    def key(self, email):
        """Return our key of somebody who is known."""
        with self.store.read() as session:
            return find_contact(session, email).key

    def state(self, email):
        """Return what somebody allows the price alerts here."""
        with self.store.read() as session:
            contact = find_contact(session, email)
            return states_of(session, subject_of_contact(contact.id))["prices"].state.value

    def knows(self, key, email, topic, **fields):
        """Owe the CRM a contact, or what is new of him."""
        values = {
            name: {"value": value, "source": "verified", "at": in_full(self.now)}
            for name, value in fields.items()
        }
        payload = {"contact": {"key": key, "email": email}, "fields": values}
        merges, creates = "contact", topic == "contact.identified"
        self._owe(News(topic, f"contact:{key}", payload, self.now, merges, creates=creates))

    def allows(self, key, email, state):
        """Owe the CRM what a contact allows the price alerts."""
        about = {"newsletter": "prices", "state": state, "wording": "Prices"}
        payload = {"contact": {"key": key, "email": email}, **about}
        lane = WITHDRAWAL if state == "withdrawn" else AWAITED
        self._owe(News("consent.changed", f"contact:{key}", payload, self.now, lane=lane))

    def score(self, email, value):
        """Owe the CRM a score of somebody who is known."""
        self.score_of(self.key(email), email, value)

    def score_of(self, key, email, value):
        """Owe the CRM a score of a contact."""
        about = {"score": "fit", "value": value, "parts": {}}
        payload = {"contact": {"key": key, "email": email}, **about}
        self._owe(News("score.changed", f"contact:{key}", payload, self.now, "score:fit"))

    def _owe(self, news):
        self.store.write(lambda session: put(session, "crm", news, now=datetime.now(UTC)))

    def forget_messages(self):
        """Let it be as if the connector had been published only now."""

        def forget(session):
            for one in (Message, Subject):
                session.execute(sa.delete(one))

        self.store.write(forget)

    def look_over(self):
        """Let the worker look whether the CRM has what we write."""
        vocabulary = vocabulary_of(self.published())
        budget = Budget("crm")
        look_over(self.store, self.crm.connector(), vocabulary, budget, now=self.now)

    def compared(self, *, only_linked=False):
        """Return how everything stands: what, name, stands."""
        telling = Telling(self.published(), self.document, only_linked=only_linked)
        connector = self.crm.connector()
        with self.store.read() as session:
            pages = [*compare(session, telling, connector, now=datetime.now(UTC))]
        return [one for _, some in pages for one in some]

    def stands(self, **how):
        return {(one.what, one.name): one.stands.value for one in self.compared(**how)}


@pytest.fixture
def town(portal, monkeypatch):
    town = Town(portal)
    monkeypatch.setattr(budgets, "connector_for", lambda *_, **__: town.crm.connector())
    return town
