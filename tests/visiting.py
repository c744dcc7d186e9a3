"""People on pages of the site in a real browser, with a collector before the portal."""

import io
import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from werkzeug.wrappers import Request, Response

from tests.browsing import go
from tests.forms.test_in_a_browser import page_of_somebody
from tests.patience import until
from tests.portal import served

YES = {"recognise": True, "track": True}
NO = {"recognise": False, "track": False}
ADDRESS = "/api/v1/interactions"
BY_A_PERSON = "Object.defineProperty(Navigator.prototype, 'webdriver', { get: () => false })"
SITE = """
site:
  name: Acme Products
  controller: Acme Products Ltd, 1 High Street, Leeds
  privacy_notice: https://www.acme.example/privacy
  origins: [{origins}]
assets:
  - {{key: list, title: Price list, category: price-list, file: list.txt}}
gates:
  - {{key: prices, asset: list, headline: All prices}}
"""
POLICY = (
    "default-src 'none'; script-src 'self' {portal}; connect-src {portal}; media-src data:; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@dataclass
class Letter:
    """One request with interactions, as it arrived."""

    headers: dict
    cookies: dict
    said: dict

    @property
    def told(self):
        """Return the interactions in it."""
        return self.said["events"]


@dataclass
class Collector:
    """
    Stands in front of the portal and writes down every interaction that is sent to it.

    The portal's own collector answers, unless a test says how. What a browser of an earlier test
    sent while it was closed may come late: it is answered, and not written down.
    """

    portal: object
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    letters: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    refuses: dict = field(default_factory=dict)

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] != ADDRESS or environ["REQUEST_METHOD"] != "POST":
            return self.portal(environ, start_response)
        request = Request(environ)
        body = request.get_data()
        letter = Letter(dict(request.headers), dict(request.cookies), json.loads(body))
        environ["wsgi.input"] = io.BytesIO(body)
        answer = None
        if datetime.fromisoformat(letter.said["sent_at"]) >= self.began:
            self.letters.append(letter)
            answer = self.answer(request)
        return (answer or self.portal)(environ, start_response)

    def answer(self, request):
        """Return what the test wants to be answered; None leaves it to the portal."""
        headers = {
            "Access-Control-Allow-Origin": request.headers["Origin"],
            "Access-Control-Expose-Headers": "Retry-After, X-RP-Visitor",
        }
        if request.headers["Sec-Fetch-Site"] != "cross-site":
            headers["Access-Control-Allow-Credentials"] = "true"
        if self.answers:
            status, more = self.answers.pop(0)
            return Response("{}", status, {**headers, **more}, mimetype="application/json")
        told = self.letters[-1].told
        refused = [
            {"index": nth, "reason": self.refuses[one["type"]]}
            for nth, one in enumerate(told)
            if one["type"] in self.refuses
        ]
        if not refused:
            return None
        said = {"accepted": len(told) - len(refused), "duplicate": 0, "refused": refused}
        return Response(json.dumps(said), 202, headers, mimetype="application/json")

    @property
    def told(self):
        """Return every interaction once, in the order in which they were made."""
        once = {one["id"]: one for letter in list(self.letters) for one in letter.told}
        return sorted(once.values(), key=lambda one: one["occurred_at"])

    def wait(self, condition):
        """Wait until what arrived is what somebody waits for."""
        assert until(lambda: condition(self)), self.letters

    def of(self, kind, many=1):
        """Wait for so many interactions of a type, and return them."""
        self.wait(lambda one: len(one._of(kind)) >= many)
        return self._of(kind)

    def _of(self, kind):
        return [one for one in self.told if one["type"] == kind]


@dataclass
class Place:
    """The portal, a site of ours near it, and the same site where it is far from it."""

    url: str
    near: str
    far: str
    pages: dict
    portal: object
    collector: Collector


@pytest.fixture(scope="module")
def portal_and_pages(_sqlite_template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("portal")
    shutil.copyfile(_sqlite_template, folder / "regportal.db")
    with ExitStack() as stack:
        near, pages = stack.enter_context(page_of_somebody())
        far = near.replace("localhost", "127.0.0.1")
        site = SITE.format(origins=f"{near}, {far}")
        serving = served(f"sqlite:///{folder}/regportal.db", folder, site)
        portal, url = stack.enter_context(serving)
        yield portal, url, near, far, pages


@pytest.fixture
def place(portal_and_pages):
    """The portal with an empty collector before it."""
    portal, url, near, far, pages = portal_and_pages
    behind = portal.app.wsgi_app
    collector = portal.app.wsgi_app = Collector(behind)
    pages.clear()
    yield Place(url, near, far, pages, portal, collector)
    portal.app.wsgi_app = behind


def page_with(place, body="", head="", script="recorder", policy=POLICY):
    """Return a page with the recorder, under the strictest policy it must live with."""
    policy = policy.format(portal=place.url)
    return f"""<!doctype html><html lang="en"><head><title>Widgets</title>
    <meta http-equiv="Content-Security-Policy" content="{policy}">{head}
    <script type="module" src="{place.url}/static/js/{script}.js"></script>
    </head><body>{body}</body></html>"""


@dataclass
class Visitor:
    """Somebody on our site, in a browser that he steers himself."""

    page: object
    place: Place
    said: list = field(default_factory=list)
    wrong: list = field(default_factory=list)

    def __post_init__(self):
        self.page.on("console", lambda one: self._hear(one.type, one.text))
        self.page.on("pageerror", lambda one: self.wrong.append(str(one)))

    def _hear(self, kind, text):
        (self.said if kind == "info" else self.wrong).append(text)

    def open(self, path="/", *, far=False, **how):
        """Open a page, and wait until the recorder is there."""
        go(self.page, (self.place.far if far else self.place.near) + path, **how)
        self.page.wait_for_function("window.regportal?.choose !== undefined")
        self.page.evaluate("new Promise(done => requestIdleCallback(done, { timeout: 1500 }))")
        return self

    def choose(self, **choice):
        """Choose as a consent banner does; return what holds."""
        return self.page.evaluate("choice => regportal.choose(choice)", choice)

    @property
    def kept(self):
        """Return everything the page keeps."""
        return self.page.evaluate("({ browser: { ...localStorage }, tab: { ...sessionStorage } })")

    @property
    def state(self):
        """Return what the recorder keeps of the visitor."""
        kept = self.kept
        both = [kept["tab"].get("regportal"), kept["browser"].get("regportal")]
        return next((json.loads(one) for one in both if one), None)

    def wait(self, condition):
        """Wait until what the recorder keeps is what somebody waits for."""
        holds = until(lambda: condition(self.state), rest=lambda: self.page.wait_for_timeout(20))
        assert holds, self.state

    def wait_until_all_is_sent(self):
        """Wait until the portal has answered for everything."""
        self.wait(lambda state: not state["queue"])


@pytest.fixture
def visit(new_context, place):
    """Visits of people: each call is a browser of its own."""

    def begin(*scripts, steered=False):
        context = new_context()
        if not steered:
            context.add_init_script(BY_A_PERSON)
        for script in scripts:
            context.add_init_script(script)
        return Visitor(context.new_page(), place)

    return begin


@pytest.fixture
def ann(visit, place):
    """Somebody who allowed both, on a page about widgets."""
    place.pages["/widgets"] = page_with(place)
    visitor = visit().open("/widgets")
    assert visitor.choose(**YES) == YES
    place.collector.of("page_view")
    visitor.wait_until_all_is_sent()
    yield visitor
    assert visitor.wrong == []


def show(visitor, body="", path="/next", **how):
    """Show a page to somebody who allowed it."""
    visitor.place.pages[path] = page_with(visitor.place, body, **how)
    return visitor.open(path)
