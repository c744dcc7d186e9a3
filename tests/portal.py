"""The application as a test meets it: browsers, a mailbox, a CRM, a worker that waits for us."""

import contextlib
import email
import email.policy
import html
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from regportal.app import create_app
from regportal.app.letters import LETTERS
from regportal.app.server import Server, listen
from regportal.buying.alerts.actions import tell
from regportal.buying.weigher import weigh
from regportal.config import load
from regportal.connectors.base import Outcome, Result
from regportal.connectors.schema import Connector
from regportal.connectors.signatures import keys_of, signed
from regportal.documents import actions as documents
from regportal.documents import planning, reading
from regportal.forms.settling import expire, settle
from regportal.inbox.actions import understand
from regportal.mail.post import Post
from regportal.outbox.drain import drain
from regportal.privacy.erasing import erase_as_told
from regportal.store.ids import uuid7
from regportal.tracking.unpacking import unpack
from tests import warm
from tests.patience import until

ORIGIN = "http://localhost:8000"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"

UNFILLED = re.compile(r"%\([a-z_]+\)[ds]")
FILLED_LATER = {"text/javascript", "application/json"}
"""The element fills in its own sentences."""

PUBLISHED = warm.Publications()
PEPPER = "what every test puts into its hashes, so that one is worked out once"
SITE = (Path(__file__).parent / "site.yaml").read_text()


def patiently(task: Callable[[], datetime | None]) -> datetime | None:
    """Run a task until it says that nothing holds it back; return what it said last."""
    again = None

    def is_done() -> bool:
        nonlocal again
        again = task()
        return again is None

    until(is_done)
    return again


class Portal:
    """One installation; nothing happens beside the requests until :meth:`work` is called."""

    def __init__(self, database_url: str, folder: Path, **settings: object) -> None:
        instance = folder / "instance"
        instance.mkdir(parents=True, exist_ok=True)
        (instance / "pepper").write_text(PEPPER)
        self.settings = load(
            database_url=database_url, instance=instance, _env_file=None, **settings
        )
        self.app = create_app(self.settings)
        self.store = self.app.extensions["regportal.store"]
        self.shelf = self.app.extensions["regportal.shelf"]
        self.folder = folder
        self.told: list = []
        self._mails: list = []

    def publish(self, text: str = SITE, *, prune: bool = False) -> None:
        """Publish a YAML text; the files it names are made. What it lacks stays, or is pruned."""
        book = self.folder / "regportal.yaml"
        book.write_text(text)
        files = [self.folder / name for name in re.findall(r"file: ([^\s,}]+)", text)]
        for file in files:
            file.write_text(f"This is {file.name}.\n")
        storage, now = self.app.extensions["regportal.storage"], datetime.now(UTC)
        if self.store.write(partial(PUBLISHED.write, text=text, now=now)):
            for file in files:
                storage.take(file, file.name)
            return
        with self.store.read() as session:
            plan = planning.plan(session, reading.read(book), prune=prune)
        documents.apply(self.store, storage, plan, now=now)
        with self.store.read() as session:
            PUBLISHED.keep(session, text)

    def browser(self, **headers: str) -> "Browser":
        """Open a browser that nobody has used."""
        return Browser(self, headers)

    def work(self) -> None:
        """Let the worker do everything that is due."""
        pepper = self.settings.pepper_text
        erase = partial(erase_as_told, pepper=pepper, now=datetime.now(UTC))
        understanding = partial(understand, pepper=pepper, erase=erase)
        settling = partial(settle, pepper=pepper)
        for task in (understanding, settling, expire, unpack, weigh):
            patiently(lambda task=task: self._soon(task))
        self._soon(partial(tell, pepper=pepper))
        post = Post(self.settings, self.store, self.shelf, self.app.jinja_env, LETTERS)
        self._drain("mail", post.deliver)
        with self.store.read() as session:
            for connector in self.shelf.published(session).all(Connector):
                self._drain(connector.key, self._tell)

    def _soon(self, task: Callable) -> datetime | None:
        """Run a task; return when to come again where that is within a second."""
        now = datetime.now(UTC)
        again = task(self.store, self.shelf, now=now)
        return again if again is not None and again - now < timedelta(seconds=1) else None

    def _drain(self, key: str, deliver: object) -> None:
        drain(self.store, key, deliver, clock=lambda: datetime.now(UTC))

    def _tell(self, changes, *, now):
        """Stand in for the CRM: it takes everything."""
        del now
        self.told += changes
        return [Result(change.id, Outcome.DONE) for change in changes]

    def news(self, topic: str) -> list[Mapping]:
        """Return what the CRM was told of a topic."""
        return [change.payload for change in self.told if change.topic == topic]

    def mails(self) -> list[email.message.EmailMessage]:
        """Return the mails that went out, oldest first."""
        for file in sorted((self.settings.instance / "mail").glob("*.eml"))[len(self._mails) :]:
            kept = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            self._mails.append(kept)
        return list(self._mails)

    def link(self, which: int = -1) -> str:
        """Return the path of the link in a mail."""
        text = self.mails()[which].get_body(("plain",)).get_content()
        return re.search(rf"^{ORIGIN}(/m/\S+)\r?$", text, re.MULTILINE)[1]

    def hook(self, topic: str, data: Mapping, *, at: datetime | None = None, id: str = ""):
        """Let the CRM tell us something; return the response."""
        at = at or datetime.now(UTC)
        told = {"type": topic, "timestamp": at.isoformat(), "data": data}
        body = json.dumps(told).encode()
        headers = signed(keys_of(SECRET), id or f"msg_{uuid7().hex}", at, body)
        return self.app.test_client().post("/hooks/crm", data=body, headers=headers)

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()


@contextlib.contextmanager
def served(
    database_url: str, folder: Path, site: str = SITE, *, port: int = 0, **settings: object
) -> Iterator[tuple[Portal, str]]:
    """Serve an installation on a port of its own, without limits; give it and its address."""
    with contextlib.closing(listen("127.0.0.1", port)) as listening:
        url = f"http://localhost:{listening.getsockname()[1]}"
        settings = {"limits": "off", "base_url": url, **settings}
        with contextlib.closing(Portal(database_url, folder, **settings)) as portal:
            portal.publish(site)
            server = Server(portal.app, listening, portal.settings)
            thread = threading.Thread(target=server.run)
            thread.start()
            try:
                yield portal, url
            finally:
                server.stop()
                thread.join(10)


@dataclass
class Page:
    """An answer, as a test reads it."""

    status: int
    text: str
    headers: Mapping[str, str]
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def asks_email(self) -> bool:
        """Whether the form asks for the address."""
        return 'name="email"' in self.text and 'data-rp="gate"' in self.text

    @property
    def question(self) -> str | None:
        """Return the key of the question."""
        return _first(r'data-question="([^"]+)"', self.text)

    @property
    def newsletter(self) -> str | None:
        """Return the newsletter that is offered."""
        return _first(r'name="n-([^"]+)"', self.text)

    @property
    def download(self) -> str | None:
        """Return the path of the file."""
        link = _first(r'href="([^"]*/d/[^"]+)"', self.text)
        return html.unescape(link) if link else None

    @property
    def errors(self) -> list[str]:
        """Return the names of the fields with an error."""
        return re.findall(r'data-rp="error"\s+data-field="([^"]+)"', self.text)


class Browser:
    """A browser: keeps cookies, sends what a page asked."""

    def __init__(self, portal: Portal, headers: Mapping[str, str]) -> None:
        self.client = portal.app.test_client()
        self.headers = {"User-Agent": FIREFOX, "Accept": "text/html", **headers}
        self.origin = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}

    def get(self, path: str, **headers: str) -> Page:
        """Open a page."""
        return _page(self.client.get(path, headers={**self.headers, **headers}, base_url=ORIGIN))

    def post(self, path: str, fields: Mapping[str, object], **headers: str) -> Page:
        """Send a form."""
        return _page(
            self.client.post(
                path,
                data=fields,
                headers={**self.headers, **self.origin, **headers},
                base_url=ORIGIN,
            )
        )

    def gate(self, key: str, **headers: str) -> Page:
        """Open a gate."""
        return self.get(f"/g/{key}", **headers)

    def send(self, key: str, page: Page | None = None, **fields: object) -> Page:
        """Send a gate's form with what it asked for; ``q_country`` stands for ``q-country``."""
        page = page or self.gate(key)
        named = {re.sub(r"^([qn])_", r"\1-", name): value for name, value in fields.items()}
        return self.post(f"/g/{key}", {**page.fields, **named})

    def claim(self, address: str, gate: str = "guide", **fields: object) -> Page:
        """Give an address at a gate, and be remembered."""
        return self.send(gate, email=address, **{"remember": "yes", **fields})

    def prove(self, portal: Portal, which: int = -1) -> Page:
        """Press yes on the page a mail leads to."""
        return self.post(portal.link(which), {"choice": "confirm"})


def _page(response) -> Page:
    text = response.get_data().decode("utf-8", "replace")
    response.close()
    if response.mimetype not in FILLED_LATER:
        assert not UNFILLED.search(text), "a sentence is shown without its values"
    fields = {}
    for name in ("ask", "csrf_token"):
        tag = _first(rf'(<input[^>]*name="{name}"[^>]*>)', text)
        if tag:
            fields[name] = html.unescape(_first(r'value="([^"]*)"', tag) or "")
    return Page(response.status_code, text, response.headers, fields)


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text)
    return found[1] if found else None
