"""Everybody at once, at random: a victim, an attacker, a marketer; and what must never happen."""

import random
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from regportal.consent.models import ConsentEvent
from regportal.forms.models import Answer
from regportal.identity.models import Claim, Contact, Visitor, VisitorState
from regportal.identity.recognising import recognise
from tests.portal import Portal

VERA, EVE = "vera@victim.example", "eve@evil.example"
TEXTS = tuple(f"secret-{number}" for number in range(40))
"""Forty questions, so that Vera can answer each with something nobody else knows."""
GATES = ("open", "mailed", "strict", "second")
EVES = ("eve", "eve's phone")
NEWSLETTERS = ("alerts", "letters")
LINK = re.compile(r"https?://[^\s/]+(/[mpu]/\S+)")
CODE = re.compile(r"^(\d{6})\r?$", re.MULTILINE)


def site(order: int, delivery: str, confirm: str) -> str:
    """Return a site as a marketer may have it: he changes his mind about everything."""
    keys = list(TEXTS)
    random.Random(order).shuffle(keys)
    asked = ", ".join(keys)
    questions = "\n".join(
        f'  - {{key: {key}, label: "What is {key}?", type: text}}' for key in TEXTS
    )
    newsletters = "\n".join(
        f"  - {{key: {key}, title: {key}, topics: [all], wording: Send me {key}.,"
        f" confirm: {confirm}}}"
        for key in NEWSLETTERS
    )
    offered = ", ".join(NEWSLETTERS)
    deliveries = {"open": "instant", "mailed": "mail", "strict": delivery, "second": "instant"}
    gates = "\n".join(
        f"  - {{key: {key}, asset: paper, headline: Gate {key}, questions: [{asked}],"
        f" newsletters: [{offered}], delivery: {way}, per_visit: 9}}"
        for key, way in deliveries.items()
    )
    return f"""
site:
  name: Acme
  controller: Acme Ltd, Leeds
  privacy_notice: https://www.acme.example/privacy
newsletters:
{newsletters}
questions:
{questions}
assets:
  - {{key: paper, title: Paper, category: paper, topics: [all], file: paper.txt}}
gates:
{gates}
connectors:
  - {{key: crm, type: webhook, url: https://crm.acme.example/in, secret: "env:CRM_SECRET"}}
"""


class Everybody(RuleBasedStateMachine):
    """
    Vera has an account of her life with us; Eve knows her address and types it everywhere.

    What only Eve and the marketer do must leave everything that is Vera's as it was, and
    nothing Vera ever told may come back to Eve.
    """

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.portal = Portal(database_url, Path(self.folder.name), limits="off")
        self.browsers = {name: self.portal.browser() for name in ("vera", "eve", "eve's phone")}
        self.canaries: set[str] = set()
        self.read = 0
        self.kept: object = None

    def teardown(self) -> None:
        """Close the installation."""
        self.portal.close()
        self.folder.cleanup()

    # --- Vera, and what she did before ---

    @initialize(answers=st.integers(2, 9))
    def vera_is_known(self, answers: int) -> None:
        """Vera proves her address and answers some questions."""
        self.portal.publish(site(0, "instant", "unless_verified"))
        self.browsers["vera"].claim(VERA, "open")
        self.portal.work()
        self.browsers["vera"].post(self.mailed(VERA)[0], {"choice": "confirm"})
        self.portal.work()
        for _ in range(answers):
            self.vera_answers("open", subscribes=False)
        self.remember()

    @rule(gate=st.sampled_from(GATES), subscribes=st.booleans())
    def vera_answers(self, gate: str, *, subscribes: bool) -> None:
        """Vera answers whatever she is asked with something only she knows."""
        vera = self.browsers["vera"]
        page = vera.gate(gate)
        fields = self.filled(page, subscribes=subscribes, address=VERA)
        if page.question:
            canary = f"canary{len(self.canaries):03}{random.Random(len(self.canaries)).random()}"[
                :24
            ]
            fields[f"q-{page.question}"] = canary
            self.canaries.add(canary)
        self.fine(vera.post(f"/g/{gate}", {**page.fields, **fields}))
        self.portal.work()
        self.remember()

    @rule(choice=st.sampled_from(("confirm", "confirm", "deny")), which=st.sampled_from((0, 0, 1)))
    def vera_presses(self, choice: str, which: int) -> None:
        """Vera presses a button in one of her mails, even in one that Eve caused."""
        links = self.mailed(VERA)
        self.fine(self.browsers["vera"].post(links[which % len(links)], {"choice": choice}))
        self.portal.work()
        self.remember()

    @rule(browser=st.sampled_from(EVES), which=st.sampled_from((0, 0, 1)))
    def vera_leaves_a_browser_to_eve(self, browser: str, which: int) -> None:
        """Vera opens one of her mails where Eve sits, says yes, and leaves the browser to Eve."""
        links = self.mailed(VERA)
        yes = {"choice": "confirm", "browser": "stays"}
        self.seen(self.browsers[browser].post(links[which % len(links)], yes))
        self.portal.work()
        self.remember()

    # --- Eve, who knows the address and nothing else ---

    @rule(browser=st.sampled_from(EVES), gate=st.sampled_from(GATES), again=st.booleans())
    def eve_says_she_is_vera(self, browser: str, gate: str, *, again: bool) -> None:
        """Eve types Vera's address, in a browser of hers or in one that is new."""
        if again:
            self.browsers[browser] = self.portal.browser()
        eve = self.browsers[browser]
        page = eve.gate(gate)
        fields = self.filled(page, subscribes=True, address=VERA)
        self.seen(page, eve.post(f"/g/{gate}", {**page.fields, **fields}))
        self.eve_fills_a_form(browser, gate, VERA, "Evil Ltd", subscribes=True)

    @rule(
        browser=st.sampled_from(EVES),
        gate=st.sampled_from(GATES),
        address=st.sampled_from((VERA, VERA.upper(), EVE)),
        subscribes=st.booleans(),
        text=st.sampled_from(
            ("Evil Ltd", "'; DROP TABLE contact; --", "<script>alert(1)</script>")
        ),
    )
    def eve_fills_a_form(
        self, browser: str, gate: str, address: str, text: str, *, subscribes: bool
    ) -> None:
        """Eve answers what a gate asks, in Vera's name or her own."""
        eve = self.browsers[browser]
        page = eve.gate(gate)
        fields = self.filled(page, subscribes=subscribes, address=address)
        if page.question:
            fields[f"q-{page.question}"] = text
        self.seen(page, eve.post(f"/g/{gate}", {**page.fields, **fields}))
        self.seen(eve.get(f"/g/{gate}/done"), eve.gate(gate))

    @rule(
        browser=st.sampled_from(EVES),
        gate=st.sampled_from(GATES),
        button=st.sampled_from(("not-you", "resend", "change", "code")),
        code=st.sampled_from(("000000", "123456", "", "¹²³⁴⁵⁶", "0" * 400)),
        address=st.sampled_from((VERA, EVE)),
    )
    def eve_presses_a_small_button(
        self, browser: str, gate: str, button: str, code: str, address: str
    ) -> None:
        """Eve uses what lies beside a gate, guesses codes, and changes to Vera's address."""
        eve = self.browsers[browser]
        page = eve.get(f"/g/{gate}/done")
        token = page.fields.get("csrf_token", "")
        fields = {"csrf_token": token, "email": address, "code": code}
        self.seen(page, eve.post(f"/g/{gate}/{button}", fields))

    @rule(
        choice=st.sampled_from(("confirm", "deny")),
        which=st.integers(0, 3),
        swap=st.integers(0, 42),
    )
    @precondition(lambda self: self.mailed(EVE))
    def eve_uses_her_own_mail(self, choice: str, which: int, swap: int) -> None:
        """Eve has real links of her own: she presses them, and changes a letter to forge others."""
        links = self.mailed(EVE)
        eve = self.browsers["eve"]
        link = links[which % len(links)]
        self.seen(eve.get(link), eve.post(link, {"choice": choice}))
        _, kind, token = links[which % len(links)].split("/", 2)
        forged = token[:swap] + ("A" if token[swap : swap + 1] != "A" else "B") + token[swap + 1 :]
        for door in {kind, "m", "p", "u", "d"}:
            path = f"/{door}/{forged}"
            self.seen(eve.get(path), eve.post(path, {"choice": "confirm"}))

    @rule(
        path=st.sampled_from(
            ("/me", "/me/export.json", "/me/export.csv", "/me/receipt", "/api/v1/may-mail")
        ),
        browser=st.sampled_from(EVES),
    )
    def eve_asks_for_everything(self, path: str, browser: str) -> None:
        """Eve asks for the pages on which Vera could see what we know."""
        eve = self.browsers[browser]
        page = eve.get(path, **{"X-RP-Visitor": "A" * 43})
        fields = {**page.fields, "email": VERA}
        self.seen(page, eve.post(path, fields), eve.get(f"{path}?email={VERA}&newsletter=alerts"))

    @rule(gate=st.sampled_from(GATES))
    def eve_sends_a_form_of_the_other_browser(self, gate: str) -> None:
        """Eve swaps forms between her browsers, and adds fields that nobody asked for."""
        eve, phone = self.browsers["eve"], self.browsers["eve's phone"]
        page = eve.gate(gate)
        extra = {"email": VERA, "contact_id": "1", "assurance": "verified", "q-secret-1": "x"}
        self.seen(
            phone.post(f"/g/{gate}", {**page.fields, "email": VERA}),
            eve.post(f"/g/{gate}", {**page.fields, **extra}),
        )

    # --- the marketer, who is in a hurry ---

    @rule(
        order=st.integers(0, 5),
        delivery=st.sampled_from(("instant", "mail")),
        confirm=st.sampled_from(("unless_verified", "always")),
    )
    def the_marketer_publishes(self, order: int, delivery: str, confirm: str) -> None:
        """The marketer changes the order of questions, the delivery and the confirmation."""
        self.portal.publish(site(order, delivery, confirm))

    @rule(topic=st.sampled_from(("contact_role.added", "contact.merged", "opportunity.upserted")))
    def the_crm_says_something(self, topic: str) -> None:
        """The CRM tells what it believes, of Vera too; a flag of consent is nothing to us."""
        data = {
            "opportunity": "7",
            "external_id": "7",
            "email": VERA,
            "role": "buyer",
            "newsletter": "alerts",
            "opt_in": True,
            "consent": "confirmed",
        }
        assert self.portal.hook(topic, data).status_code == 202

    # --- what must hold ---

    @invariant()
    def nothing_of_veras_has_changed(self) -> None:
        """What Eve, the marketer and the CRM do leaves Vera's rows and consents as they were."""
        if self.kept is not None:
            self.portal.work()
            assert self.veras() == self.kept

    @invariant()
    def eve_is_never_vera(self) -> None:
        """No browser but Vera's is the proven owner of her address."""
        with self.portal.store.read() as session:
            proven = session.execute(
                sa.select(Visitor.id)
                .join(Claim, Claim.id == Visitor.claim_id)
                .where(Visitor.state == VisitorState.VERIFIED, Claim.match_key == VERA)
            ).scalars()
            hers = set(proven)
        for name in EVES:
            page = self.browsers[name].gate("open")
            self.seen(page)
        assert not hers & self.visitors_of_eve()

    # --- how it is done ---

    def remember(self) -> None:
        """Take what is Vera's now as what must stay."""
        self.kept = self.veras()

    def veras(self) -> list[tuple]:
        """Return every row that is Vera's: contact, answers, and the ledger's lines."""
        with self.portal.store.read() as session:
            contact = session.scalars(sa.select(Contact).where(Contact.match_key == VERA)).first()
            if contact is None:
                return []
            table = Contact.__table__
            rows = session.execute(sa.select(table).where(table.c.id == contact.id)).all()
            rows += session.execute(
                sa.select(Answer.__table__)
                .where(Answer.contact_id == contact.id)
                .order_by(Answer.id)
            ).all()
            rows += session.execute(
                sa.select(ConsentEvent.__table__)
                .where(ConsentEvent.subject == f"contact:{contact.id}")
                .order_by(ConsentEvent.number)
            ).all()
        return [tuple(row) for row in rows]

    def visitors_of_eve(self) -> set:
        """Return the visitors whose tokens lie in Eve's browsers."""
        found = set()
        with self.portal.store.read() as session:
            for name in EVES:
                for cookie in self.browsers[name].client._cookies.values():
                    whose = recognise(session, cookie.value, now=datetime.now(UTC)).visitor
                    if whose is not None:
                        found.add(whose.id)
        return found

    def mailed(self, address: str) -> list[str]:
        """Return the links in the mails to an address, newest first."""
        found = []
        for mail in reversed(self.portal.mails()):
            if mail["To"] == address:
                text = mail.get_body(("plain",)).get_content()
                found += [one for one in LINK.findall(text) if one.startswith("/m/")]
        return found

    def filled(self, page, *, subscribes: bool, address: str) -> dict[str, str]:
        """Return what a page asks for besides its question."""
        fields = {"remember": "yes"}
        if page.asks_email:
            fields["email"] = address
        if page.newsletter and subscribes:
            fields[f"n-{page.newsletter}"] = "yes"
        return fields

    def seen(self, *pages) -> None:
        """Let Eve read answers: none holds anything of Vera's, none is a fault of ours."""
        for page in pages:
            self.fine(page)
            told = page.text + str(list(page.headers.items()))
            assert not [canary for canary in self.canaries if canary in told]

    def fine(self, page) -> None:
        """See that an answer is no fault of ours."""
        assert page.status < 500, page.text
