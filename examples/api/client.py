"""Our CRM asks. Needs requests, and a key with the scopes interactions, timeline, may-mail."""

import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from random import getrandbits

import requests


class Portal:
    """One portal, asked with one key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = f"{url}/api/v1"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key}"

    def ask(self, method: str, path: str, **how) -> dict:
        """Ask; where told to wait, once more; raise with the portal's own sentence."""
        answer = self.session.request(method, f"{self.url}/{path}", timeout=10, **how)
        if answer.status_code in (429, 503):
            time.sleep(int(answer.headers["Retry-After"]))
            answer = self.session.request(method, f"{self.url}/{path}", timeout=10, **how)
        if not answer.ok:
            raise RuntimeError(f"{answer.status_code}: {answer.json()['detail']}")
        return answer.json()

    def tell(self, email: str, type: str, object: str, **properties) -> dict:
        """Tell of an interaction. Its id is made once: asked again, it counts once."""
        now = datetime.now(UTC)
        bits = int(now.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | getrandbits(62)
        event = {"id": str(uuid.UUID(int=bits)), "type": type, "object": object, "contact": email}
        event |= {"properties": properties, "occurred_at": now.isoformat()}
        return self.ask("POST", "interactions", json={"events": [event]})

    def timeline(self, contact: str, **wanted) -> Iterator[dict]:
        """Yield what a contact did, newest first, page after page."""
        while True:
            page = self.ask("GET", f"contacts/{contact}/interactions", params=wanted)
            yield from page["interactions"]
            if page["next"] is None:
                return
            wanted["after"] = page["next"]

    def may_mail(self, email: str, newsletter: str) -> bool:
        """Return whether a newsletter may be sent; ask right before sending."""
        wanted = {"email": email, "newsletter": newsletter}
        return self.ask("GET", "may-mail", params=wanted)["may_mail"]


if __name__ == "__main__":  # python client.py https://… rpk_… ann@… CONTACT newsletter
    url, key, email, contact, newsletter = sys.argv[1:]
    portal = Portal(url, key)
    print(portal.tell(email, "meeting", "fair", subject="Widgets", seconds=1800))
    print([one["type"] for one in portal.timeline(contact, limit=2)])
    print("may mail" if portal.may_mail(email, newsletter) else "may not mail")
