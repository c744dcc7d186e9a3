"""
Where the processes of tests come from: forked from one that has imported everything.

To import regportal and DBOS takes longer than anything else when it starts; here it is done once.
``python -m tests.nursery FD`` gets one order a message from the socket FD and answers each with one
JSON. Whoever gives the orders is `tests.commands`.
"""

import ctypes
import json
import os
import random
import signal
import socket
import sys
import threading
from pkgutil import resolve_name

import dbos  # noqa: F401 - once, not in each child
import psycopg  # noqa: F401 - the same
import sqlalchemy.dialects.postgresql
import sqlalchemy.dialects.sqlite  # noqa: F401 - the same

import regportal.app.server
import regportal.app.worker
import regportal.cli.serve  # noqa: F401 - the same
from tests.commands import LONGEST

DIE_WITH_PARENT = 1  # prctl's PR_SET_PDEATHSIG


def begin(ours, files, environment, folder, call, given):
    """Fork whoever calls the function of this name with what is given; return its process id."""
    pid = os.fork()
    if pid:
        return {"pid": pid}
    ours.close()
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(len(files), max(files) + 1)
    random.seed()
    sys.argv = ["regportal"]
    sys.exit(resolve_name(call)(given))


def end_of(pid, options=0):
    """Return with which code a child ended: negative, the signal; None while it lives."""
    ended, status = os.waitpid(pid, options)
    return {"code": os.waitstatus_to_exitcode(status) if ended else None}


def main(number):
    """Do what is ordered, one after the other, until nobody is left who orders."""
    assert threading.active_count() == 1, "a thread does not live on in a child"
    with socket.socket(fileno=number) as ours:
        while True:
            said, files, _, _ = socket.recv_fds(ours, LONGEST, 3)
            if not said:
                return
            order = json.loads(said)
            match order.pop("do"):
                case "begin":
                    answer = begin(ours, files, **order)
                case "poll":
                    answer = end_of(order["pid"], os.WNOHANG)
                case "wait":
                    answer = end_of(order["pid"])
            for file in files:
                os.close(file)
            ours.send(json.dumps(answer).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
