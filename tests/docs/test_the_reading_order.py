"""CONTRIBUTING.md follows one download through the code in the order in which it runs."""

import re
import sys
import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from regportal.app.worker import Worker
from regportal.buying.weigher import weigh
from regportal.connectors.base import connector_for
from regportal.connectors.schema import Connector
from regportal.forms.letters import LETTERS
from regportal.forms.settling import settle
from regportal.mail.post import Post
from regportal.outbox.drain import drain
from tests.portal import SITE

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "regportal"
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\S+\.py)` \| (?:`([\w.]+)`)?", re.MULTILINE)
NOWHERE = "http://127.0.0.1:9/in"  # a private target, refused before anything is sent


def steps():
    """The sections of the page, each with its rows: a file, and perhaps what is called there."""
    _, *parts = re.split(r"^\*\*(.+?)\*\*.*$", TEXT, flags=re.MULTILINE)
    return {title: ROW.findall(rows) for title, rows in zip(parts[::2], parts[1::2], strict=True)}


class Watch:
    """Writes down which of our functions run, in the order in which each was first called."""

    def __init__(self, store):
        self.store, self.calls = store, {}

    def __enter__(self):
        self.store.write(lambda _: sys.setprofile(self.see))  # in the writer's thread
        threading.setprofile(self.see)  # in those that begin now
        sys.setprofile(self.see)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)
        threading.setprofile(None)
        self.store.write(lambda _: sys.setprofile(None))

    def see(self, frame, event, _):
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(HOUSE):
            name = frame.f_code.co_qualname
            file = path.relative_to(HOUSE).as_posix()
            for key in ((file, ""), (file, name), (file, name.rpartition(".")[2])):
                self.calls.setdefault(key, len(self.calls))


def send(portal, key):
    """Let the worker send what one is owed: the mails, or what a CRM is told."""
    post = Post(portal.settings, portal.store, portal.shelf, portal.app.jinja_env, LETTERS)
    with portal.store.read() as session:
        crm = portal.shelf.published(session).one(Connector, "crm")
    to = post if key == "mail" else connector_for(crm, portal.settings)
    drain(portal.store, key, to.deliver, clock=lambda: datetime.now(UTC))


def mean(portal):
    """Let the worker work out what happened."""
    for task in (partial(settle, pepper=portal.settings.pepper_text), weigh):
        task(portal.store, portal.shelf, now=datetime.now(UTC))


def test_the_code_runs_in_the_order_of_the_page(portal):
    portal.publish(re.sub(r"url: https://crm[^,]*", f'url: "{NOWHERE}"', SITE))
    Worker(portal.app)  # so that the pages wake it
    ann = portal.browser()
    portal.hook("opportunity.upserted", {"external_id": "1"})
    portal.hook("contact_role.added", {"opportunity": "1", "email": "ann@widgetworks.example"})
    portal.work()
    play = {
        "The form is shown": lambda: ann.gate("prices"),
        "The form is sent": lambda: ann.claim("ann@widgetworks.example", "prices"),
        "The mail goes out": lambda: send(portal, "mail"),
        "The owner of the address says yes": lambda: ann.prove(portal),
        "What it means": lambda: mean(portal),
        "The CRM is told": lambda: send(portal, "crm"),
        "The file": lambda: ann.get(ann.get("/g/prices/done").download),
    }
    wrong = {}
    for title, act in play.items():
        with Watch(portal.store) as watch:
            act()
        rows = steps()[title]
        ran = sorted(set(rows) & set(watch.calls), key=watch.calls.get)
        if ran != rows:
            wrong[title] = ran

    assert list(steps()) == list(play)
    assert wrong == {}
