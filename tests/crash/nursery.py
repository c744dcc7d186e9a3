"""
Where the processes come from that are killed: forked from one that has imported everything.

To import regportal and DBOS takes longer than anything else when it starts; here it is done once.
Each child is `regportal …` as it is, in a session of its own, by a clock that a test may turn.
``python -m tests.crash.nursery`` reads one JSON a line and answers one.
"""

import ctypes
import json
import os
import random
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import dbos  # noqa: F401 - once, not in each child
import psycopg  # noqa: F401 - the same
import sqlalchemy.dialects.sqlite  # noqa: F401 - the same
import time_machine

import regportal.app.server
import regportal.app.worker
import regportal.cli.serve  # noqa: F401 - the same
from regportal.cli import main as command
from tests.crash.clock import Clock
from tests.crash.performing import perform

GLANCE = 0.02
"""Seconds between two looks at the clock."""
DIE_WITH_PARENT = 1  # prctl's PR_SET_PDEATHSIG


def begin(environment, folder, clock, out, log, arguments=(), act=None):
    """Fork a `regportal …`, or whoever does one act, and return its process id."""
    pid = os.fork()
    if pid:
        return {"pid": pid}
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    ):
        os.dup2(os.open(path, flags, 0o600), number)
    random.seed()
    _follow(Clock(clock))
    sys.exit(perform(act) if act else command(arguments))


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


def end_of(pid, options=0):
    """Return with which code a child ended: negative, the signal; None while it lives."""
    ended, status = os.waitpid(pid, options)
    return {"code": os.waitstatus_to_exitcode(status) if ended else None}


def main():
    """Do what the lines say, one after the other."""
    assert threading.active_count() == 1, "a thread does not live on in a child"
    for line in sys.stdin:
        order = json.loads(line)
        match order.pop("do"):
            case "begin":
                said = begin(**order)
            case "poll":
                said = end_of(order["pid"], os.WNOHANG)
            case "wait":
                said = end_of(order["pid"])
        print(json.dumps(said), flush=True)  # noqa: T201 - it speaks by printing


if __name__ == "__main__":
    main()
