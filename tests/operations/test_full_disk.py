"""On a disk that is really full nobody can come in, and whoever wants to go can go (R-12)."""

import email
import email.policy
import json
import re
from contextlib import closing

import pytest
import requests

from tests.commands import REGPORTAL
from tests.operations.conftest import Place
from tests.operations.load import Load, browser
from tests.operations.small_disk import SmallDisk
from tests.operations.test_health import metrics
from tests.patience import PATIENCE, until

BALLAST = {"REGPORTAL_BALLAST": "4", "REGPORTAL_LIMITS": "on"}
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def disk(tmp_path):
    """A disk of 32 MiB."""
    (tmp_path / "disk").mkdir()
    with closing(SmallDisk(tmp_path / "disk", "32m")) as made:
        assert made.is_here
        yield made


@pytest.fixture
def place(tmp_path, disk, crm):
    """An installation of which everything lies on it, served, with whom one knows there."""
    folder = tmp_path / "disk"
    with closing(Place(tmp_path, f"sqlite:///{folder}/regportal.db", crm)) as made:
        made.environment |= {"REGPORTAL_INSTANCE": str(folder)}
        made.program = [*disk.within, *REGPORTAL]
        made.mailbox = disk.folder / "mail"
        made.publish()
        yield made


class Reader:
    """Somebody who is known, gets the newsletter, and has a browser that is proven."""

    def __init__(self, place, name):
        self.place, self.address, self.browser = place, f"{name}@widgets.example", browser()
        self._load = Load(place)
        fields = self._load.fields(self.browser)
        given = {"email": self.address, "remember": "yes", "n-widget-prices": "yes"}
        self._load.send(self.browser, fields, **given)
        pressed = self.press(self._load.link(self.address), choice="confirm")
        assert pressed.status_code == 303, pressed.text

    def may_mail(self):
        """Return what a mailer is told of whether to write."""
        about = {"email": self.address, "newsletter": "widget-prices"}
        answer = requests.get(
            f"{self.place.url}/api/v1/may-mail", about, headers=self.place.key, timeout=PATIENCE
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def preferences(self):
        """Return the link to all newsletters, from a letter that he asks for elsewhere."""
        other = browser()
        self._load.send(other, self._load.fields(other), email=self.address, remember="no")
        return until(self._linked)

    def _linked(self):
        for file in self.place.mailbox.glob("*.eml"):
            letter = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            found = re.search(r"/p/[\w-]+", letter.get_body(("plain",)).get_content())
            if found and self.address in letter["To"]:
                return found[0]
        return None

    def press(self, path, **fields):
        """Open a page in the proven browser and press a button of it; return the answer."""
        page = self.browser.get(self.place.url + path, timeout=PATIENCE)
        assert page.status_code == 200, page.text
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
        data = fields | ({"csrf_token": token[1]} if token else {})
        return self.browser.post(
            self.place.url + path,
            data,
            headers={"Origin": self.place.url},
            timeout=PATIENCE,
            allow_redirects=False,
        )


def come_in(place):
    """Let somebody new send a form, and return what he is answered."""
    load, session = Load(place), browser()
    fields = load.fields(session) | {"email": "eve@widgets.example", "remember": "no"}
    return session.post(
        f"{place.url}/g/prices",
        fields,
        headers={"Origin": place.url},
        timeout=PATIENCE,
        allow_redirects=False,
    )


def missing(place):
    """Return how much the ballast lacks, as it is measured."""
    told = metrics(requests.get(f"{place.url}/metrics", timeout=PATIENCE).text)
    return told["regportal_ballast_missing_bytes",]


def test_on_a_full_disk_whoever_wants_to_go_can_go(place, disk):
    (server,) = place.serve(**BALLAST)
    made = place.run("key", "add", "mailer", "--scope", "may-mail", "--json")
    place.key = {"Authorization": f"Bearer {json.loads(made.stdout)['secret']}"}
    ann, bob, carl, dora = (Reader(place, name) for name in ("ann", "bob", "carl", "dora"))
    assert until(lambda: all(one.may_mail()["may_mail"] for one in (ann, bob, carl, dora)))
    unsubscribe, preferences = ann.may_mail()["unsubscribe"], bob.preferences()
    ballast = disk.folder / "regportal.db.ballast"
    assert until(lambda: ballast.stat().st_size == 4 * 2**20)
    whole = missing(place)
    disk.fill()
    assert until(lambda: disk.fill() or come_in(place).status_code == 503), place.log()

    stopped = requests.post(unsubscribe, ONE_CLICK, timeout=PATIENCE)
    disk.fill()  # it may have made some room
    refused = come_in(place)
    chosen = bob.press(preferences, newsletter="widget-prices", choice="stop")
    erased = carl.press("/me/erase", choice="erase")
    forgotten = place.run("contact", "forget", dora.address, "--json", **BALLAST)
    told = [one.may_mail()["may_mail"] for one in (ann, bob, carl, dora)]
    spent = missing(place)
    ready = requests.get(f"{place.url}/readyz", timeout=PATIENCE)
    doctor = json.loads(place.run("doctor", "--json", **BALLAST).stdout)
    disk.free()

    assert (stopped.status_code, chosen.status_code) == (200, 303), place.log()
    assert (erased.status_code, forgotten.returncode) == (200, 0), (place.log(), forgotten.stderr)
    assert told == [False] * 4
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert whole == 0 < spent < 4 * 2**20
    assert (ready.status_code, ready.text) == (200, "ready: the ballast is spent\n")
    assert [one["fine"] for one in doctor if one["check"] == "ballast"] == [False]
    assert until(lambda: missing(place) == 0), place.log()
    assert come_in(place).status_code == 303
    gone = {"consent.changed", "contact.erased"}
    assert until(lambda: {one.type for one in place.crm.news} >= gone), place.crm.news
    server.terminate()
    assert server.wait(PATIENCE) == 0
    assert place.run("ledger", "verify").returncode == 0


def test_where_nothing_is_served_on_a_full_disk_the_ballast_is_room_to_begin_with(place, disk):
    (server,) = place.serve(**BALLAST)
    dora = Reader(place, "dora")
    ballast = disk.folder / "regportal.db.ballast"
    assert until(lambda: ballast.stat().st_size == 4 * 2**20)
    server.terminate()
    assert server.wait(PATIENCE) == 0
    disk.fill()
    before = place.run("contact", "forget", dora.address)
    ballast.unlink()
    after = place.run("contact", "forget", dora.address)
    (server,) = place.serve(**BALLAST)

    assert before.stderr == "the database does not answer: disk I/O error\n"
    assert after.returncode == 0, after.stderr
    assert come_in(place).status_code == 303
