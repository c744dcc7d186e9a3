"""
Two real browsers of two makers: one types an address, the owner of it answers in the other.

On other products the press on "confirm" lets the browser that typed the address in. Here it
proves the browser in which it is pressed, in whatever order things happen.
"""

import random
import re
from contextlib import closing
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.forms.claiming import MAIL
from regportal.identity.actions import claim_of
from regportal.identity.models import VisitorState
from regportal.identity.recognising import recognise
from regportal.outbox.models import Message, MessageState
from regportal.store.sessions import Store, make_engine
from tests.browsing import content, go
from tests.firefox import firefox
from tests.patience import until

FORM = "form[data-rp=gate]"
YES, NO = "button[data-rp=confirm]", "button[data-rp=deny]"
SECRET = "A secret of Vera's"
EVENTS = (
    "mallory types it",
    "mallory types it",
    "mallory answers",
    "mallory asks again",
    "mallory guesses the code",
    "mallory is somebody else",
    "vera says yes",
    "vera says yes",
    "vera says no",
    "vera comes back",
)


class Two:
    """Mallory in Chromium, Vera in Firefox, before the same gates."""

    def __init__(self, installation, store, mallory, vera):
        self.installation, self.store = installation, store
        self.mallory, self.vera = mallory, vera
        self.address = ""

    def play(self, number, events):
        """Let these things happen, in this order; then see who is taken for whom."""
        self.address = f"vera{number}@victim.example"
        self.mallory.context.clear_cookies()
        self.vera.forget()
        for event in events:
            who, _, does = event.partition(" ")
            getattr(self, f"{who}_{does.replace(' ', '_')}")()

    def mallory_types_it(self):
        go(self.mallory, f"{self.installation.url}/g/guide")
        if self.mallory.locator("[name=email]").count():
            self.mallory.fill("[name=email]", self.address)
        self.mallory.locator(f"{FORM} .buttons button").first.click()

    def mallory_answers(self):
        go(self.mallory, f"{self.installation.url}/g/prices")
        if self.mallory.locator("[name=q-country]").count():
            self.mallory.select_option("[name=q-country]", "FR")
        if self.mallory.locator("[name=q-company]").count():
            self.mallory.fill("[name=q-company]", "Mallory Ltd")
        if not self.mallory.locator("[name=email]").count():
            self.mallory.locator(f"{FORM} .buttons button").first.click()

    def mallory_asks_again(self):
        go(self.mallory, f"{self.installation.url}/g/prices/done")
        again = self.mallory.locator("form[action*='/resend'] button")
        if again.count():
            self.mallory.evaluate("document.querySelector('details').open = true")
            again.click()

    def mallory_guesses_the_code(self):
        go(self.mallory, f"{self.installation.url}/g/guide/done")
        if self.mallory.locator("[name=code]").count():
            self.mallory.evaluate(
                "document.querySelectorAll('details').forEach(one => one.open = true)"
            )
            self.mallory.locator("[name=code]").first.fill("123456")
            self.mallory.locator("form[data-rp=code] button").first.click()

    def mallory_is_somebody_else(self):
        go(self.mallory, f"{self.installation.url}/g/guide")
        other = self.mallory.locator("button[data-rp=not-you]")
        if other.count():
            other.first.click()

    def vera_says_yes(self):
        self.vera_presses(YES)

    def vera_says_no(self):
        self.vera_presses(NO)

    def vera_presses(self, button):
        link = self.last_link()
        if link:
            self.vera.open(link)
            if self.vera.has(button):
                self.vera.press(button)

    def vera_comes_back(self):
        self.vera.open(f"{self.installation.url}/g/prices")
        if self.vera.has("[name=q-company]"):
            self.vera.fill("[name=q-company]", SECRET)
        if self.vera.has(FORM) and not self.vera.has("[name=email]"):
            self.vera.press(f"{FORM} .buttons button")

    def last_link(self):
        """Return the link of the last mail to Vera, once none is on its way; None: she has none."""
        until(lambda: not self.waits_for_mail())
        for path in sorted((self.installation.folder / "mail").glob("*.eml"), reverse=True):
            text = path.read_text()
            if f"To: {self.address}" in text:
                return re.search(r"(?m)^(http\S+/m/\S+)\r?$", text)[1]
        return None

    def waits_for_mail(self):
        """Return whether any mail should have left by now, or is just leaving."""
        leaves = sa.or_(Message.due <= datetime.now(UTC), Message.leased_until.is_not(None))
        owed = sa.exists().where(
            Message.connector == MAIL, Message.state == MessageState.DUE, leaves
        )
        with self.store.read() as session:
            return session.scalar(sa.select(owed))

    def taken_for(self, cookies):
        """Return the addresses that these cookies are taken to have proven."""
        with self.store.read() as session:
            visitors = [
                recognise(session, cookie["value"], now=datetime.now(UTC)).visitor
                for cookie in cookies
            ]
            proven = [one for one in visitors if one and one.state == VisitorState.VERIFIED]
            return {claim_of(session, one).email for one in proven}


def orders(many):
    """Return so many orders in which things may happen: always the same ones."""
    chance = random.Random(2)
    return [chance.choices(EVENTS, k=7) for _ in range(many)]


def see(installation, page, many):
    """Play so many orders; after each Mallory is nobody's owner and has learnt nothing."""
    proven = set()
    with (
        closing(Store(make_engine(installation.environment["REGPORTAL_DATABASE_URL"]))) as store,
        firefox() as vera,
    ):
        two = Two(installation, store, page, vera)
        for number, events in enumerate(orders(many)):
            two.play(number, events)

            assert two.taken_for(page.context.cookies()) == set(), events
            for path in ("/g/prices", "/g/guide/done", "/me"):
                go(page, f"{installation.url}{path}")
                assert SECRET not in content(page), events
            proven |= two.taken_for(vera.cookies())
    assert proven, "Vera was never let in herself"


def test_whoever_types_an_address_is_never_let_in_by_its_owner(installation, page):
    see(installation, page, 5)


@pytest.mark.soak
def test_whoever_types_an_address_is_never_let_in_in_a_hundred_orders(installation, page):
    see(installation, page, 100)
