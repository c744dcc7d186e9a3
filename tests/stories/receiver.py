"""Who takes the webhooks: a CRM that believes only what an independent library verifies."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import requests
from standardwebhooks import Webhook

from tests.patience import PATIENCE, until

SECRET = "whsec_" + "c3RvcnktdGVzdC1zZWNyZXQtMzItYnl0ZXMtbG9uZyE="


@dataclass(frozen=True)
class News:
    """One message, verified."""

    id: str
    type: str
    data: dict

    @property
    def subject(self):
        """Return whom or what it is about: what its sequence counts."""
        about = self.data.get("opportunity") or self.data.get("contact") or self.data["claim"]
        return about.get("external_id") or about.get("key") or about["id"]


class Crm:
    """Everything it was told, and what it tells."""

    def __init__(self):
        self.news, self.forged = [], []
        self.url = ""

    def take(self, headers, body):
        """Believe a message whose signature holds."""
        try:
            told = Webhook(SECRET).verify(body, headers)
        except Exception as error:  # noqa: BLE001 - whatever the library raises is a forgery
            self.forged.append(error)
            return 401
        id = {name.lower(): value for name, value in headers.items()}["webhook-id"]
        self.news.append(News(id, told["type"], told["data"]))
        return 204

    def told(self, topic):
        """Return what it was told of a topic, in the order it came."""
        return [one for one in list(self.news) if one.type == topic]

    def wait_for(self, topic, count=1):
        """Wait until it was told so often, and return what."""
        often = until(lambda: len(self.told(topic)) >= count)
        assert often, f"no {topic}, but {[one.type for one in self.news]}"
        return self.told(topic)

    def tell(self, portal, topic, data):
        """Tell the portal something, signed by the same library; return the status."""
        id, now = f"msg_{uuid4().hex}", datetime.now(UTC)
        body = json.dumps({"type": topic, "timestamp": now.isoformat(), "data": data})
        headers = {
            "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(SECRET).sign(id, now, body),
            "content-type": "application/json",
        }
        url = f"{portal}/hooks/crm"
        return requests.post(url, data=body, headers=headers, timeout=PATIENCE).status_code


@contextmanager
def listening(get=lambda path: None, post=lambda headers, body: 404):
    """Answer on a free port of this machine; give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._answer(200, get(self.path) or "")

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(post(dict(self.headers.items()), body), "")

        def _answer(self, status, text):
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://localhost:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
