"""A CRM on the other side of the line: it signs, calls, and sometimes calls again."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa
from flask import Flask

from regportal.config import load
from regportal.inbox import actions
from regportal.inbox.models import Notice
from regportal.inbox.views import bp
from regportal.privacy.erasing import erase_as_told
from regportal.store.vault import Vault
from tests.buying.scene import NOON, Scene

KEY = b"a key of four and twenty."


def signature(key, message_id, stamp, body):
    """Sign as the specification says, without our own code."""
    signed = f"{message_id}.{stamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


@dataclass
class Crm(Scene):
    secret: str = "whsec_" + base64.b64encode(KEY).decode()
    woken: list[str] = field(default_factory=list)
    number: int = 0
    client: Any = None

    def __post_init__(self):
        app = Flask("portal")
        settings = load(secret_key="k" * 32, pepper="p" * 32)
        app.extensions["regportal.settings"] = settings
        app.extensions["regportal.store"] = self.store
        app.extensions["regportal.vault"] = Vault(settings, self.store)
        app.extensions["regportal.shelf"] = self.shelf
        app.extensions["regportal.wake"] = self.woken.append
        app.register_blueprint(bp)
        self.client = app.test_client()

    def headers(self, body, *, message_id=None, key=KEY, late=0):
        """Return the headers of a genuine call."""
        self.number += 1
        message_id = message_id or f"msg_{self.number}"
        stamp = str(int(time.time()) + late)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": stamp,
            "webhook-signature": signature(key, message_id, stamp, body),
            "content-type": "application/json",
        }

    def send(self, body, *, to="crm", **how):
        """Call the hook with these bytes."""
        return self.client.post(f"/hooks/{to}", data=body, headers=self.headers(body, **how))

    def tell(self, kind, data, *, timestamp=None, **how):
        """Say something and see it taken."""
        said = {"type": kind, "data": data} | ({"timestamp": timestamp} if timestamp else {})
        answer = self.send(json.dumps(said).encode(), **how)

        assert answer.status_code == 202

    def understand(self, now=NOON):
        """Let the portal understand what it was told."""
        erase = partial(erase_as_told, pepper="pepper", now=now)
        assert not actions.understand(self.store, self.shelf, pepper="pepper", erase=erase, now=now)

    def notices(self):
        """Return every notice, oldest first."""
        with self.store.read() as session:
            return session.scalars(sa.select(Notice).order_by(Notice.number)).all()
