"""A CRM that verifies what it is told, and remembers what it was told already."""

import contextlib
import hmac
import json
import random
import time
from datetime import UTC, datetime

from flask import Flask, request
from standardwebhooks import Webhook

from regportal.app import web_root
from regportal.sandbox.faults import FAULTS, KINDS
from regportal.sandbox.luck import Odds
from regportal.sandbox.server import serving
from tests.crash.site import SECRET

TOLERANCE = 300
"""Seconds that the time of a message may be off."""
REFUSALS = {"400", "404", "409"}
"""What a person must look at: a message that is refused is told no more by itself."""
HANGING = {"silence", "slow"}
"""What keeps the line busy until our patience ends."""


def odds(fail, *, without=frozenset()):
    """Return that so many calls fail, in all ways but these."""
    names = [one.name for one in FAULTS if one.name not in REFUSALS | without]
    return Odds(fail, tuple(names))


BAD = odds(0.3)
BAD_BUT_BRISK = odds(0.3, without=HANGING)
assert {one.kind for one in BAD.menu} == set(KINDS)
assert len(KINDS) == 14


class Receiver:
    """Every first message by its webhook-id, in the order of their coming."""

    name = "receiver"

    def __init__(self, clock, secret):
        self.clock, self.secret = clock, secret
        self.effects = {}
        self.again = 0
        self.faults = []
        self.app = Flask("receiver")
        self.app.add_url_rule("/in", view_func=self._in, methods=["POST"])

    def tables(self):
        """Nothing that its page shows."""
        return {}

    def deeds(self):
        """Nobody does anything here."""
        return {}

    def _in(self):
        status = self.take(request.headers, request.get_data())
        time.sleep(random.uniform(0, 0.01))  # a kill may fall between effect and answer
        return "", status

    def take(self, headers, body):
        """Verify a message and let it have its effect, once."""
        message_id, stamp = headers["webhook-id"], int(headers["webhook-timestamp"])
        at = datetime.fromtimestamp(stamp, UTC)
        signed = Webhook(self.secret).sign(message_id, at, body.decode())
        if not any(
            hmac.compare_digest(one, signed) for one in headers["webhook-signature"].split()
        ):
            self.faults.append("a message is not signed")
            return 401
        if abs((self.clock.now() - at).total_seconds()) > TOLERANCE:
            self.faults.append(f"a message is of another time: {at}")
        told = json.loads(body)
        first = self.effects.setdefault(message_id, told)
        if first is not told:
            self.again += 1
            if first != told:
                self.faults.append(f"{message_id} says something else the second time")
        return 200


@contextlib.contextmanager
def receiving(clock, secret=SECRET):
    """Give a receiver, and the sandbox between it and us, on which nothing goes wrong yet."""
    receiver = Receiver(clock, secret)
    with serving(receiver, web_root()) as sandbox:
        yield receiver, sandbox
