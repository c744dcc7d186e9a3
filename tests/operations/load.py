"""Those who come and go while an operator is at work, and note what they are answered."""

import email
import email.policy
import html
import itertools
import re
import secrets
import threading
import uuid
from collections import Counter
from contextlib import contextmanager

import requests

from tests.patience import PATIENCE

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
PAUSE = 0.03  # seconds before somebody who got no answer asks again


class Load:
    """Everything that was acknowledged, and with what all calls were answered."""

    def __init__(self, place):
        self.place = place
        self.claims, self.confirmed, self.answers, self.opportunities = [], [], [], []
        self.statuses, self.unanswered, self.faults = Counter(), 0, []
        self.tokens = set()
        self.ending = threading.Event()
        self._links, self._opened = {}, set()
        self._turn = threading.Lock()

    @property
    def acknowledged(self):
        """How much was."""
        return sum(map(len, (self.claims, self.confirmed, self.answers, self.opportunities)))

    def figures(self):
        """Return what is worth a row of a table."""
        return {
            "database": "SQLite" if self.place.sqlite else "PostgreSQL",
            "acknowledged": self.acknowledged,
            "told to come again": self.statuses[503],
            "not answered": self.unanswered,
            "messages told": len({one.id for one in self.place.crm.news}),
        }

    def ask(self, session, method, path, **given):
        """Ask until somebody answers; who is cut off, or told to come again, comes again."""
        while not self.ending.is_set():
            try:
                answer = session.request(
                    method, self.place.url + path, timeout=PATIENCE, allow_redirects=False, **given
                )
            except requests.RequestException:
                self.unanswered += 1
            else:
                self.statuses[answer.status_code] += 1
                self.tokens |= {cookie.value for cookie in session.cookies}
                self.tokens |= set(re.findall(r"/(?:d|m|p|u)/([\w.-]{20,})", answer.text))
                if answer.status_code < 500:
                    return answer
            self.ending.wait(PAUSE)
        raise Gone

    def visit(self):
        """Give an address, say yes in the mail, and answer a question in that browser."""
        address = f"visitor-{uuid.uuid4().hex}@widgets.example"
        session = browser()
        self.send(session, self.fields(session), email=address, remember="yes")
        self.claims.append(address)
        link = self.link(address)
        if link is None:
            return
        self.tokens.add(link.removeprefix("/m/"))
        other = browser()
        fields = fields_of(self.ask(other, "GET", link).text)
        answer = self.ask(
            other, "POST", link, data=fields | {"choice": "confirm"}, headers=self.origin
        )
        if answer.status_code != 303:
            return
        self.confirmed.append(address)
        fields = self.fields(other, "second")
        question = next((name for name in fields if name.startswith("q-")), None)
        if question is not None:
            said = f"Werk {uuid.uuid4().hex}"
            self.send(other, fields, "second", **{question: said})
            self.answers.append(said)

    def tell(self):
        """Let the CRM tell of an opportunity, and of somebody who has a part in it."""
        id = uuid.uuid4().hex
        owner = {"name": "Wilhelmina Featherstonehaugh", "email": "wilhelmina@acme.example"}
        told = {"external_id": id, "name": "Widgets", "owner": owner}
        self.hook("opportunity.upserted", told)
        self.opportunities.append(id)
        for address in self.claims[-1:]:
            self.hook("contact_role.added", {"opportunity": id, "email": address})
        self.ending.wait(PAUSE)

    def hook(self, topic, data):
        """Tell something until it is taken."""
        while not self.ending.is_set():
            try:
                status = self.place.crm.tell(self.place.url, topic, data)
            except requests.RequestException:
                self.unanswered += 1
            else:
                self.statuses[status] += 1
                if status == 202:
                    return
            self.ending.wait(PAUSE)
        raise Gone

    def fields(self, session, gate="prices"):
        """Return the fields of a gate as they were rendered."""
        page = self.ask(session, "GET", f"/g/{gate}")
        assert page.status_code == 200, page.status_code
        return fields_of(page.text)

    def send(self, session, fields, gate="prices", **given):
        """Send a gate's form."""
        data = fields | given
        answer = self.ask(session, "POST", f"/g/{gate}", data=data, headers=self.origin)
        assert answer.status_code in {200, 303}, (answer.status_code, answer.text[:2000])

    @property
    def origin(self):
        """The headers of a form of ours."""
        return {"Origin": self.place.url}

    def link(self, address):
        """Wait for the mail and return the path of its link."""
        for _ in range(int(PATIENCE / PAUSE)):
            with self._turn:
                for file in set(self.place.mailbox.glob("*.eml")) - self._opened:
                    self._opened.add(file)
                    letter = email.message_from_bytes(
                        file.read_bytes(), policy=email.policy.default
                    )
                    text = letter.get_body(("plain",)).get_content()
                    found = re.search(r"^https?://[^/\s]+(/m/\S+)\r?$", text, re.MULTILINE)
                    if found:
                        self._links[letter["To"].addresses[0].addr_spec] = found[1]
            if address in self._links or self.ending.wait(PAUSE):
                break
        return self._links.get(address)

    def go_on(self, live):
        """Live again and again, until the end."""
        try:
            while not self.ending.is_set():
                live()
        except Gone:
            pass
        except Exception as error:  # noqa: BLE001 - whoever breaks is a finding
            self.faults.append(f"{live.__name__}: {type(error).__name__}: {error}")


class Gone(Exception):  # noqa: N818 - it is no error: the run is over
    """Nobody waits for an answer any more."""


@contextmanager
def under_load(place, visitors=2, crms=1):
    """Let people come and go beside a test; give what they note."""
    load = Load(place)
    lives = itertools.chain([load.visit] * visitors, [load.tell] * crms)
    threads = [threading.Thread(target=load.go_on, args=(live,), daemon=True) for live in lives]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.ending.set()
        for thread in threads:
            thread.join(PATIENCE)


def browser():
    """Return a browser that nobody has used."""
    session = requests.Session()
    session.headers.update({"User-Agent": FIREFOX, "X-Test": secrets.token_hex(4)})
    return session


def fields_of(page):
    """Return what the first form of a page would send untouched, and its open question."""
    fields = {}
    for tag in re.findall(r"<(?:input|textarea)\b[^>]*>", page):
        given = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if "name" in given and given.get("type") not in {"submit", "checkbox", "radio"}:
            fields.setdefault(given["name"], html.unescape(given.get("value", "")))
    return fields
