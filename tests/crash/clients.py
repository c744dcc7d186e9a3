"""Those who go on while everything is killed under their hands: visitors and a CRM."""

import email
import email.policy
import json
import random
import re
import threading
import time
import uuid
from html.parser import HTMLParser

import requests
from standardwebhooks import Webhook

from tests.crash.site import SECRET
from tests.patience import until

JSON = {"Content-Type": "application/json"}


class Forms(HTMLParser):
    """The forms of a page: their hook, and the fields as they were rendered."""

    def __init__(self, page):
        super().__init__()
        self.forms = {}
        self._open = None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            self._open = self.forms.setdefault(given.get("data-rp", ""), {})
        elif tag in {"input", "textarea"} and self._open is not None and "name" in given:
            self._open[given["name"]] = given.get("value") or ""
            if given.get("type") in {"submit", "checkbox", "radio"}:
                del self._open[given["name"]]  # nobody touched it

    def handle_endtag(self, tag):
        if tag == "form":
            self._open = None


class Client(threading.Thread):
    """Somebody who tries again until he is answered."""

    def __init__(self, url, book, clock, ending):
        super().__init__(daemon=True)
        self.url, self.book, self.clock, self.ending = url, book, clock, ending

    def run(self):
        try:
            while not self.ending.is_set():
                self.live()
        except Gone:
            pass
        except Exception as error:  # noqa: BLE001 - a client that breaks is a finding
            self.book.faults.append(f"{type(self).__name__}: {type(error).__name__}: {error}")

    def ask(self, session, method, path, **given):
        """Send this until somebody answers it."""
        while True:
            try:
                answer = session.request(
                    method, self.url + path, timeout=20, allow_redirects=False, **given
                )
            except requests.RequestException:
                self.book.unanswered += 1
            else:
                if answer.status_code < 500:
                    return answer
                self.book.faults.append(f"{method} {path}: {answer.status_code}")
            if self.ending.wait(0.03):
                raise Gone


class Gone(Exception):  # noqa: N818 - it is no error: the run is over
    """Nobody waits for an answer any more."""


class Book:
    """What was acknowledged, as the clients remember it."""

    def __init__(self, mailbox):
        self.mailbox = mailbox
        self.claims = {}
        self.answers = []
        self.confirmed = []
        self.opportunities = []
        self.roles = []
        self.notices = []
        self.faults = []
        self.unanswered = 0
        self._links = {}
        self._opened = set()
        self._turn = threading.Lock()

    @property
    def acknowledged(self):
        return sum(map(len, (self.claims, self.answers, self.confirmed, self.notices)))

    def link(self, address):
        """Return the path of the link in a mail to this address; None while there is none."""
        with self._turn:
            for file in set(self.mailbox.glob("*.eml")) - self._opened:
                self._opened.add(file)
                letter = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
                text = letter.get_body(("plain",)).get_content()
                found = re.search(r"^https?://[^/\s]+(/m/\S+)$", text, re.MULTILINE)
                if found:
                    self._links[letter["To"].addresses[0].addr_spec] = found[1]
        return self._links.get(address)


class Visitor(Client):
    """Gives an address, answers a few questions, perhaps says yes in the mail, and answers more."""

    def live(self):
        address = f"visitor-{uuid.uuid4().hex}@widgets.example"
        session = requests.Session()
        session.headers.update({"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"})
        form = self.form(session)
        self.send(session, form | {"email": address, "remember": random.choice(["yes", "no"])})
        self.book.claims[address] = 1
        self.answer(session, address, random.randrange(4))
        if random.random() < 0.5:
            other = self.confirm(address)
            if other is not None:
                self.answer(other, address, random.randrange(4))

    def answer(self, session, address, times):
        """Answer so many questions, if there are any left."""
        for _ in range(times):
            form = self.form(session)
            question = next((name for name in form if name.startswith("q-")), None)
            if question is None:
                break
            said = uuid.uuid4().hex
            self.send(session, form | {question: said})
            self.book.answers.append((address, question.removeprefix("q-"), said))

    def form(self, session):
        """Return the fields of the gate as they were rendered."""
        page = self.ask(session, "GET", "/g/prices")
        found = Forms(page.text).forms.get("gate")
        assert page.status_code == 200, page.status_code
        assert found is not None, page.text[:500]
        return found

    def send(self, session, fields):
        """Send the form; a second time, too, now and then."""
        if random.random() < 0.2 and "email" in fields:
            fields["n-widget-prices"] = "yes"
        for _ in range(random.choice([1, 1, 1, 2])):
            answer = self.ask(
                session, "POST", "/g/prices", data=fields, headers={"Origin": self.url}
            )
            assert answer.status_code in {200, 303}, (answer.status_code, answer.text[:2000])

    def confirm(self, address):
        """Open the link of the mail in another browser and press yes; return that browser."""
        link = self.link(address)
        if link is None:
            return None
        other = requests.Session()
        page = self.ask(other, "GET", link)
        forms = Forms(page.text).forms
        fields = next(iter(forms.values()), {}) | {"choice": "confirm"}
        answer = self.ask(other, "POST", link, data=fields, headers={"Origin": self.url})
        assert answer.status_code in {200, 303, 409}, (answer.status_code, answer.text[:500])
        self.book.confirmed.append(address)
        return other if answer.status_code == 303 else None

    def link(self, address):
        """Wait for the mail and return the path of its link."""
        end = time.monotonic() + 15
        while time.monotonic() < end and not self.ending.wait(0.1):
            link = self.book.link(address)
            if link:
                return link
        return None


class Crm(Client):
    """Tells of opportunities, and of visitors who have a part in them."""

    def live(self):
        external_id = uuid.uuid4().hex
        self.tell("opportunity.upserted", {"external_id": external_id, "name": "Widgets"})
        self.book.opportunities.append(external_id)
        addresses = list(self.book.claims)[-5:]
        if addresses:
            address = random.choice(addresses)
            self.tell("contact_role.added", {"opportunity": external_id, "email": address})
            self.book.roles.append((external_id, address))
        self.ending.wait(0.05)

    def wake(self):
        """Tell something of no consequence, which lets every worker look for what is due."""
        self.tell("opportunity.upserted", {"external_id": uuid.uuid4().hex, "name": "Widgets"})

    def tell(self, kind, data):
        """Send one notice until it is taken."""
        message_id = f"in_{uuid.uuid4().hex}"
        said = {"type": kind, "timestamp": self.clock.now().isoformat(), "data": data}
        body = json.dumps(said)

        def signed(request):
            """Sign it as of now, every time that it is sent."""
            now = self.clock.now()
            request.headers.update(
                {
                    "webhook-id": message_id,
                    "webhook-timestamp": str(int(now.timestamp())),
                    "webhook-signature": Webhook(SECRET).sign(message_id, now, body),
                }
            )
            return request

        def is_taken():
            """Send it; where the clock is just being turned, there and here differ for a moment."""
            answer = self.ask(
                requests.Session(), "POST", "/hooks/crm", data=body, headers=JSON, auth=signed
            )
            assert answer.status_code in {202, 401}, (answer.status_code, answer.text[:500])
            return answer.status_code == 202

        assert until(is_taken), "a notice was not taken"
        self.book.notices.append(message_id)
