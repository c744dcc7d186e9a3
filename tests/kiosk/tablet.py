"""A tablet at a stand, as a test holds it: without a browser, but by the same address and key."""

import json
import re
import uuid
from datetime import UTC, datetime

from regportal.kiosk.actions import close_stand, open_stand
from tests.portal import ORIGIN, SITE

HANNOVER = "Hannover Messe, hall 7"
SPOKEN = SITE.replace(
    "gates:\n",
    """gates:
  - key: tour
    asset: tour
    headline: {en: Round the works, de: Durch das Werk, ar: جولة في المصنع}
""",
).replace(
    "assets:\n",
    """assets:
  - key: tour
    category: paper
    topics: [widgets]
    title: {en: The tour, de: Der Rundgang, ar: الجولة}
    file: tour.txt
""",
)
"""The site, and a gate that is written in three languages."""


class Tablet:
    """One tablet at one stand."""

    def __init__(self, portal, gate="guide", name=HANNOVER):
        now = datetime.now(UTC)
        self.portal, self.gate = portal, gate
        stand, self.key = portal.store.write(
            lambda session: open_stand(session, name, gate, now=now)
        )
        self.id, self.path = stand.id, f"/kiosk/{stand.id}"
        self.browser = portal.browser()

    def page(self, **headers):
        """Open the page."""
        return self.browser.get(self.path, **headers)

    def spoken(self):
        """The languages that the page offers."""
        return re.findall(r'href="\?lang=([^"]+)"', self.page().text)

    def sheet(self, **headers):
        """What the page asks."""
        return re.search(r'name="sheet" value="([^"]+)"', self.page(**headers).text)[1]

    def form(self, email, **fields):
        """A form as the page keeps it until it is sent."""
        named = {re.sub(r"^([qn])_", r"\1-", name): value for name, value in fields.items()}
        return {"sheet": self.sheet(), "key": str(uuid.uuid4()), "email": email, **named}

    def send(self, form, key=None, **headers):
        """Send a form; the answer's ``told`` is what it says."""
        answer = self.browser.post(
            f"{self.path}/forms", form, Authorization=f"Bearer {key or self.key}", **headers
        )
        answer.told = json.loads(answer.text)
        return answer

    def ask(self, email, **fields):
        """Type an address, and send it at once."""
        return self.send(self.form(email, **fields))

    def leave(self, *pages, **headers):
        """Tell of pages whose visitors went: (key, seconds ago, how far)."""
        told = {"waiting": "0", "page": [" ".join(map(str, one)) for one in pages]}
        return self.browser.post(
            f"{self.path}/forms", told, Authorization=f"Bearer {self.key}", **headers
        )

    def close(self):
        """Let the company close the stand."""
        now = datetime.now(UTC)
        self.portal.store.write(lambda session: close_stand(session, self.id, self.gate, now=now))


def path_of(url):
    """The path of an address of ours."""
    assert url.startswith(ORIGIN)
    return url.removeprefix(ORIGIN)
