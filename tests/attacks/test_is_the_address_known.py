"""
Asking a form whether an address is a customer's: by its words, its length, or its time.

Most products answer: another question is asked, a "welcome back" is shown, an error says that
the address is blocked, or the answer merely takes a little longer. A competitor types a list of
addresses and reads off who the customers are. Here a request that claims an address reads nothing
that is kept under addresses; what depends on them the worker finds out, after the answer.
"""

import http.client
import io
import random
import re
import threading
import time
import urllib.parse
import uuid
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine

from regportal.app.server import Server, listen
from regportal.consent.suppression import suppress
from regportal.forms.asking import browser_of, csrf_token, write_ask
from regportal.forms.rules import Ask
from regportal.identity.models import Assurance, Contact
from regportal.mail.actions import address_hash
from regportal.store.ids import uuid7
from regportal.store.tokens import fresh_token
from tests.attacks.telling import auc
from tests.portal import SECRET, SITE, Portal

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ANN = "ann@widgetworks.example"
STAFF = SITE.replace(
    "  origins: [https://www.acme.example]\n",
    "  origins: [https://www.acme.example]\n  ignore: {addresses: ['*@acme-staff.example']}\n",
)


@pytest.fixture
def limited(database_url, tmp_path, monkeypatch):
    """An installation whose limits and caps hold, and that has own staff."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    made = Portal(database_url, tmp_path)
    made.publish(STAFF)
    yield made
    made.close()


# --- what the request reads ---


class Trace:
    """Which tables each statement reads or writes, and what it is asked with."""

    def __init__(self, store):
        self.store, self.seen = store, []

    def __enter__(self):
        sa.event.listen(self.store.engine, "before_cursor_execute", self._see)
        return self

    def __exit__(self, *_):
        self.store.catch_up()
        sa.event.remove(self.store.engine, "before_cursor_execute", self._see)

    def _see(self, connection, cursor, statement, parameters, *_):
        self.seen.append((statement, parameters))

    @property
    def tables(self):
        """Return every table that was named."""
        return {
            name
            for statement, _ in self.seen
            for name in re.findall(
                r'(?:FROM|JOIN|INTO|UPDATE)\s+"?(\w+)"?', re.sub(r"FOR UPDATE", "", statement)
            )
        } - {"pg_catalog"}

    def asked_with(self, *values):
        """Return the statements that look something up by one of these values."""
        return [
            statement
            for statement, parameters in self.seen
            if statement.startswith(("SELECT", "WITH", "DELETE"))
            and any(one in repr(parameters) for one in values)
        ]


NEVER = {
    "contact",
    "contact_link",
    "contact_role",
    "contact_token",
    "erasure",
    "known_interaction",
    "letter",
    "mail_event",
    "move",
    "opportunity",
    "opportunity_snapshot",
    "suppression",
}
"""What is kept under addresses, or about those who proved theirs."""


@pytest.fixture
def known(portal):
    """Ann, of whom we know much."""
    ann = portal.browser()
    ann.claim(ANN, n_news="yes")
    portal.work()
    ann.prove(portal)
    portal.work()
    portal.hook("opportunity.upserted", {"external_id": "006A", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "006A", "email": ANN, "role": "Buyer"})
    portal.work()
    return ann


def claim_typed(portal):
    portal.browser().claim(ANN)


def claim_with_newsletter(portal):
    portal.browser().claim(ANN, "prices", n_prices="yes")


def claim_twice(portal):
    eve = portal.browser()
    page = eve.gate("guide")
    for _ in range(2):
        eve.send("guide", page, email=ANN, remember="yes")


def claimed(portal, gate="prices"):
    eve = portal.browser()
    eve.claim(ANN, gate)
    return eve, eve.get(f"/g/{gate}/done")


def done(portal):
    claimed(portal)


def next_gate(portal):
    eve, _ = claimed(portal, "guide")
    eve.send("study", q_country="FR", n_news="yes")
    eve.gate("must")


def resend(portal):
    eve, page = claimed(portal)
    assert eve.post("/g/prices/resend", page.fields).status == 303


def change(portal):
    eve, page = claimed(portal)
    assert eve.post("/g/prices/change", {**page.fields, "email": f"x{ANN}"}).status == 303


def code(portal):
    eve, page = claimed(portal)
    assert eve.post("/g/prices/code", {**page.fields, "code": "123456"}).status in {303, 422}


def not_you(portal):
    eve, page = claimed(portal)
    assert eve.post("/g/prices/not-you", page.fields).status == 303


def own_page(portal):
    eve = portal.browser()
    page = eve.get("/me")
    assert eve.post("/me", {**page.fields, "email": ANN}).status == 303
    eve.get("/me/asked")


def own_page_code(portal):
    eve = portal.browser()
    page = eve.get("/me")
    eve.post("/me", {**page.fields, "email": ANN})
    fields = eve.get("/me/asked").fields
    assert eve.post("/me/code", {**fields, "code": "000000"}).status == 422


def own_page_of_a_claim(portal):
    eve, _ = claimed(portal)
    eve.get("/me")


REQUESTS = [
    claim_typed,
    claim_with_newsletter,
    claim_twice,
    done,
    next_gate,
    resend,
    change,
    code,
    not_you,
    own_page,
    own_page_code,
    own_page_of_a_claim,
]


def test_no_request_of_a_claim_reads_what_is_kept_under_addresses(portal, known):
    hashed = repr(address_hash(ANN, portal.settings.pepper_text))[2:-1]
    with portal.store.read() as session:
        tables = set(sa.inspect(session.get_bind()).get_table_names())
    read, asked = {}, {}
    for request_of in REQUESTS:
        with Trace(portal.store) as trace:
            request_of(portal)
        assert trace.tables & tables, request_of
        read[request_of.__name__] = trace.tables & NEVER
        asked[request_of.__name__] = trace.asked_with(ANN, hashed, hashed[:20])

    assert tables >= NEVER
    assert read == {request_of.__name__: set() for request_of in REQUESTS}
    assert asked == {request_of.__name__: [] for request_of in REQUESTS}


def test_a_wrong_code_asks_and_writes_the_same_whether_or_not_a_letter_went(portal, known):
    """Known, unknown, suppressed, and known but over the caps."""
    blocked, nobody = "blocked@widgetworks.example", "nobody@widgetworks.example"
    pepper = portal.settings.pepper_text
    portal.store.write(lambda s: suppress(s, blocked, pepper, "complaint", now=NOON))
    said = []
    for address in (ANN, nobody, blocked, ANN):
        eve = portal.browser()
        eve.post("/me", {**eve.get("/me").fields, "email": address})
        portal.work()
        fields = eve.get("/me/asked").fields
        portal.store.catch_up()
        with Trace(portal.store) as trace:
            statuses = [eve.post("/me/code", {**fields, "code": "000000"}).status for _ in range(7)]
        assert statuses == [422] * 7
        said.append([statement for statement, _ in trace.seen])

    assert sum(one.startswith("UPDATE own_link") for one in said[0]) == 5
    assert said[1:] == said[:1] * 3


def test_the_trace_sees_a_leak(portal, known):
    pepper = portal.settings.pepper_text
    with Trace(portal.store) as trace, portal.store.read() as session:
        session.scalars(sa.select(Contact).where(Contact.match_key == ANN)).all()
        session.scalar(
            sa.text("SELECT 1 FROM letter WHERE address_hash = :hash").bindparams(
                hash=address_hash(ANN, pepper)
            )
        )

    assert {"contact", "letter"} <= trace.tables
    assert len(trace.asked_with(ANN)) == 1


# --- what the answer shows ---


def as_nobody(portal):
    del portal
    return "unknown@widgetworks.example"


def as_known(portal):
    return prepared(portal, "known@widgetworks.example", choice="confirm")


def as_refused(portal):
    return prepared(portal, "refused@widgetworks.example", choice="deny")


def as_waiting(portal):
    return prepared(portal, "waiting@widgetworks.example", choice=None)


def as_over_the_caps(portal):
    for _ in range(3):
        address = prepared(portal, "capped@widgetworks.example", choice=None)
        portal.clock.shift(timedelta(minutes=3))
    return address


def as_suppressed(portal):
    address = "blocked@widgetworks.example"
    pepper = portal.settings.pepper_text
    portal.store.write(lambda s: suppress(s, address, pepper, "complaint", now=NOON))
    return address


def as_own_staff(portal):
    del portal
    return "own@acme-staff.example"


def as_disposable(portal):
    del portal
    return "someone@mailinator.com"


def as_contact_of_the_crm(portal):
    address = "crm@widgetworks.example"
    portal.hook("opportunity.upserted", {"external_id": "9", "name": "Widgets"})
    portal.hook("contact_role.added", {"opportunity": "9", "email": address, "role": "Buyer"})
    portal.work()
    return address


KINDS = [
    as_known,
    as_refused,
    as_waiting,
    as_over_the_caps,
    as_suppressed,
    as_own_staff,
    as_disposable,
    as_contact_of_the_crm,
]


def prepared(portal, address, *, choice):
    """Let an address be claimed with a newsletter, and its owner say yes, no or nothing."""
    owner = portal.browser()
    owner.claim(address, "prices", n_prices="yes")
    portal.work()
    if choice:
        owner.post(portal.link(), {"choice": choice})
        portal.work()
    return address


def walk(portal, address):
    """Return everything somebody sees who types this address, from a place of his own."""
    eve, other = portal.browser(), portal.browser()
    for one in (eve, other):
        one.client.environ_base["REMOTE_ADDR"] = f"10.0.0.{random.randrange(1, 255)}"
    seen = [eve.gate("prices")]
    seen.append(eve.send("prices", seen[-1], email=address, n_prices="yes", remember="yes"))
    seen.append(eve.get("/g/prices/done"))
    fields = seen[-1].fields
    seen.append(eve.post("/g/prices/resend", fields))
    seen.append(eve.post("/g/prices/code", {**fields, "code": "000000"}))
    portal.work()
    seen.append(eve.get("/g/prices/done"))
    seen.append(eve.gate("guide"))
    seen.append(eve.send("guide", seen[-1], q_country="FR", n_news="yes"))
    seen.append(eve.get("/g/guide/done"))
    seen.append(eve.gate("study"))
    seen.append(eve.get("/me"))
    asking = other.get("/me")
    seen.append(other.post("/me", {**asking.fields, "email": address}))
    seen.append(other.get("/me/asked"))
    return seen


NONCES = [
    (r'(value|nonce|data-[a-z]+)="[^"]{16,}"', r'\1="…"'),
    (r"nonce-[\w-]+", "nonce-…"),
    (r"/d/[\w-]{43}", "/d/…"),
    (r"\w\*\*\*@\w\*\*\*\.\w+", "…"),
    (r"(rp_[svp]=)[\w-]+", r"\1…"),
    (r"\s+$", ""),
]


def shape(page):
    """Return an answer without what is different in every answer."""
    headers = [(name, value) for name, value in page.headers.items() if name != "Content-Length"]
    texts = [page.text, repr(headers)]
    for pattern, instead in NONCES:
        texts = [re.sub(pattern, instead, text) for text in texts]
    return page.status, len(page.text.encode()), *texts


def test_every_answer_is_the_same_as_for_an_address_nobody_knows(limited):
    with time_machine.travel(NOON, tick=False) as clock:
        limited.clock = clock
        addresses = {kind.__name__: kind(limited) for kind in KINDS}
        clock.move_to(NOON + timedelta(hours=1))
        nobody = [shape(page) for page in walk(limited, as_nobody(limited))]
        different = {}
        for kind, address in addresses.items():
            seen = [shape(page) for page in walk(limited, address)]
            pairs = zip(seen, nobody, strict=True)
            wrong = [n for n, (mine, theirs) in enumerate(pairs) if mine != theirs]
            if wrong:
                different[kind] = [(n, seen[n], nobody[n]) for n in wrong]

    assert different == {}


def test_pages_are_padded_to_whole_kib(portal):
    ann = portal.browser()
    pages = [ann.gate("guide"), ann.claim("a@b.example"), ann.get("/g/guide/done")]
    pages += [ann.get("/g/nothing"), ann.send("study", ann.gate("study"), q_country="nowhere")]

    assert [len(page.text.encode()) % 1024 for page in pages] == [0] * 5


# --- what the clock shows ---


@contextmanager
def serving(app, portal):
    """Serve an application on this machine; give the port."""
    with closing(listen("127.0.0.1", 0)) as listening:
        server = Server(app, listening, portal.settings)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.stop()
            thread.join(10)


def people(portal, count):
    """Let us know so many people; return their addresses, and as many we do not know."""
    numbers = [f"{number:05}" for number in range(2 * count)]
    random.Random(2).shuffle(numbers)
    known, unknown = (
        [f"person{number}@widgetworks.example" for number in half]
        for half in (numbers[:count], numbers[count:])
    )
    pepper = portal.settings.pepper_text

    def learn(session):
        for address in known:
            id = uuid7()
            session.add(
                Contact(
                    id=id,
                    person_id=id,
                    email=address,
                    match_key=address,
                    assurance=Assurance.VERIFIED,
                    first_seen=NOON,
                )
            )
        for address in known[::2]:
            suppress(session, address, pepper, "complaint", now=NOON)

    portal.store.write(learn)
    return known, unknown


def form(portal, address):
    """Return what a browser sends that opened the guide's form."""
    keys, token = portal.settings.keys, fresh_token()
    ask = Ask(
        nonce=str(uuid7()),
        gate="guide",
        email=True,
        question=None,
        required=False,
        wording=None,
        newsletter=None,
        newsletter_wording=None,
        visitor=browser_of(token),
        locale="en",
        expires=int(time.time()) + 86_400 - 30,
    )
    fields = {"email": address, "ask": write_ask(ask, keys), "remember": "yes"}
    fields["csrf_token"] = csrf_token(browser_of(token), keys)
    return urllib.parse.urlencode(fields), token


def measured(portal, port, pairs):
    """Send a form for each address of each pair, in a random order; return what each answer was."""
    chance = random.Random(7)
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    answers = ([], [])
    for number, pair in enumerate(pairs):
        for which in chance.sample((0, 1), 2):
            body, token = form(portal, pair[which])
            headers = {
                "Host": f"localhost:{port}",
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": f"http://localhost:{port}",
                "Cookie": f"rp_s={token}",
                "X-Forwarded-For": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            }
            began = time.perf_counter()
            line.request("POST", "/g/guide", body, headers)
            response = line.getresponse()
            text = response.read()
            took = time.perf_counter() - began
            names = [
                re.sub(r"=[\w-]{43}|Expires=[^;]+", "=…", f"{name}: {value}")
                if name == "Set-Cookie"
                else name
                for name, value in response.getheaders()
            ]
            answers[which].append((took, len(text), (response.status, *names)))
    line.close()
    return answers


def classify(answers):
    """Return the AUC of time and length, and the shapes of the headers of both kinds."""
    known, unknown = answers
    times, sizes = (auc(*([one[n] for one in kind] for kind in answers)) for n in (0, 1))
    return times, sizes, {one[2] for one in known}, {one[2] for one in unknown}


def check_classifier(portal, count, rounds):
    """
    Let the classifier look at so many pairs; where it seems to see something, at more of them.

    Chance makes it see something now and then, but not in pair after pair.
    """
    known, unknown = people(portal, count * rounds)
    pairs = list(zip(known, unknown, strict=True))
    answers = ([], [])
    with serving(portal.app, portal) as port:
        measured(portal, port, [(one, f"{other}.uk") for one, other in pairs[:20]])  # warm
        for part in range(rounds):
            more = measured(portal, port, pairs[part * count : (part + 1) * count])
            for kind in (0, 1):
                answers[kind].extend(more[kind])
            times, sizes, mine, theirs = classify(answers)
            if abs(times - 0.5) <= 0.03:
                break

    assert abs(times - 0.5) <= 0.03
    assert sizes == 0.5
    assert len(mine) == 1
    assert mine == theirs


@pytest.fixture
def reached(database_url, tmp_path, monkeypatch):
    """An installation behind a proxy, so that every form may come from another place."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    made = Portal(database_url, tmp_path, proxy_hops=1)
    made.publish()
    yield made
    made.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_classifier_tells_known_addresses_from_others(reached):
    check_classifier(reached, 700, rounds=4)


@pytest.mark.soak
def test_no_classifier_tells_known_addresses_from_others_in_the_long_run(reached):
    check_classifier(reached, 5_000, rounds=1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_classifier_sees_a_view_that_looks_the_address_up(reached):
    known, unknown = people(reached, 300)

    def leaky(environ, start_response):
        """Do what others do: greet a customer by what is known of him."""
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        address = urllib.parse.parse_qs(body.decode())["email"][0]
        with reached.store.read() as session:
            found = session.scalars(sa.select(Contact).where(Contact.match_key == address)).first()
            for _ in range(40 if found else 0):  # one question each, as a history is often read
                session.scalars(sa.select(Contact).order_by(Contact.first_seen).limit(5)).all()
        return reached.app(environ, start_response)

    with serving(leaky, reached) as port:
        times, *_ = classify(measured(reached, port, list(zip(known, unknown, strict=True))))

    assert times > 0.56


def test_the_rank_statistic_is_what_it_says():
    assert auc([1, 2, 3], [4, 5, 6]) == 0
    assert auc([4, 5, 6], [1, 2, 3]) == 1
    assert auc([1, 2], [1, 2]) == 0.5
    assert auc([uuid.UUID(int=2)], [uuid.UUID(int=1)]) == 1


@pytest.mark.parametrize(
    ("verb", "typed"),
    [
        ("change", {"email": "no address"}),
        ("change", {"email": "other@example.com"}),
        ("change", {"email": "ANN.Canary@example.com"}),
        ("resend", {}),
    ],
)
def test_whoever_typed_an_address_is_not_told_that_its_owner_said_yes(portal, verb, typed):
    """Two browsers type it; the owner says yes to one of them, in a browser of his own."""
    answers = []
    for says_yes in (False, True):
        eve, owner = portal.browser(), portal.browser()
        eve.claim("ann.canary@example.com", "prices")
        portal.work()
        if says_yes:
            owner.prove(portal)
            portal.work()
        fields = {**eve.get("/g/prices/done").fields, **typed}
        before = eve.client.get_cookie("rp_v").value
        answer = eve.post(f"/g/prices/{verb}", fields)
        renewed = (eve.client.get_cookie("rp_v") or eve.client.get_cookie("rp_s")).value != before
        cookies = [name for name, _ in answer.headers if name == "Set-Cookie"]
        after = eve.get("/g/prices/done")
        answers.append(
            (answer.status, answer.headers.get("Location"), len(cookies), renewed, after.status)
        )

    assert answers[0] == answers[1]
