"""
What a process does that is to be killed, by a clock that a test may turn.

It is `regportal …` as it is, or one act of it, which stops before it begins, to be watched.
"""

import ctypes
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import sqlalchemy as sa
import time_machine

from regportal.app import create_app
from regportal.buying.weigher import weigh
from regportal.cli import main as command
from regportal.config import load
from regportal.connectors.base import connector_for
from regportal.connectors.schema import Connector
from regportal.forms.settling import settle
from regportal.inbox.actions import understand
from regportal.outbox.drain import drain
from regportal.privacy.erasing import erase_as_told
from tests.crash.clock import Clock

GLANCE = 0.02
"""Seconds between two looks at the clock."""
LET_TRACE, ANYBODY = 0x59616D61, -1
"""prctl's PR_SET_PTRACER: not only a parent may watch us, where Linux is so strict."""


def utc_now():
    return datetime.now(UTC)


def by_clock(order):
    """Do what was ordered: a command, or what is to be watched: a command or an act."""
    _follow(Clock(order.pop("clock")))
    if "watched" not in order:
        return command(order["command"])
    return _perform(order["watched"])


def _follow(clock):
    """Let everything in this process go by a clock; what measures a duration stays as it is."""
    travelled = time_machine.travel(datetime.now(UTC) + timedelta(seconds=clock.ahead)).start()
    gone = clock.ahead

    def follow():
        nonlocal gone
        while True:
            time.sleep(GLANCE)
            ahead = clock.ahead
            if ahead != gone:
                travelled.shift(ahead - gone)
                gone = ahead

    threading.Thread(target=follow, name="clock", daemon=True).start()


def _perform(order):
    """Do a command, or one thing in an application that is warm."""
    if "command" in order:
        _stop()
        command(order["command"])
        return
    app = create_app(load(_env_file=None))
    store = app.extensions["regportal.store"]
    store.catch_up()  # connections are open and threads have begun before anybody watches
    with store.read() as session:
        session.scalar(sa.select(1))
    _stop()
    ACTS[order.pop("act")](app, **order)
    print("done", flush=True)  # noqa: T201 - what is written last: whoever dies now has answered nobody
    store.close()


def _stop():
    """Wait until whoever watches lets us go on."""
    ctypes.CDLL(None).prctl(LET_TRACE, ANYBODY)
    os.kill(os.getpid(), signal.SIGSTOP)


def _ask(app, path, data, headers):
    """Answer one request."""
    client = app.test_client(use_cookies=False)
    client.post(path, data=data, headers=headers, base_url=headers["Origin"])


def work(app, task):
    """Let the worker do one of its tasks once; return when to come again, if something waits."""
    now, pepper = utc_now(), app.extensions["regportal.settings"].pepper_text
    erase = partial(erase_as_told, pepper=pepper, now=now)
    tasks = {
        "settle": partial(settle, pepper=pepper),
        "understand": partial(understand, pepper=pepper, erase=erase),
        "weigh": weigh,
    }
    store, shelf = app.extensions["regportal.store"], app.extensions["regportal.shelf"]
    return tasks[task](store, shelf, now=now)


def _deliver(app):
    """Deliver everything that the CRM is owed."""
    deliver(app, clock=utc_now)


def deliver(app, *, clock):
    """Deliver what the CRM is owed by this clock, as the worker does."""
    store, shelf = app.extensions["regportal.store"], app.extensions["regportal.shelf"]
    with store.read() as session:
        document = shelf.published(session).one(Connector, "crm")
    crm = connector_for(document, app.extensions["regportal.settings"])
    drain(store, "crm", crm.deliver, clock=clock, size=crm.capabilities.batch)
    crm.close()


ACTS = {"ask": _ask, "work": work, "deliver": _deliver}
