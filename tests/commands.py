"""
`regportal …` in a process of its own, begun as quickly as one may.

What a child prints and how it ends is what ``python -m regportal …`` prints and how it ends; only
what it imports was imported before it was born (`tests.nursery`). That the long way works as well
is seen in tests/cli/test_ending.py, and wherever a test has its own reason to go it.
"""

import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[1]
REGPORTAL = [sys.executable, "-m", "regportal"]
"""The same, the long way."""
COMMAND = "regportal.cli:main"
LONGEST = 2**20
"""Bytes of an order to the nursery."""


class Nursery:
    """Whoever begins the processes."""

    def __init__(self):
        self._turn = threading.Lock()
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # it ends when nobody is left who asks
                [sys.executable, "-m", "tests.nursery", str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def ask(self, do, files=(), **order):
        """Let it do something, and return what it says."""
        with self._turn:
            socket.send_fds(self._line, [json.dumps({"do": do, **order}).encode()], files)
            return json.loads(self._line.recv(LONGEST))


@functools.cache
def nursery():
    """Return the nursery of this process, begun when it is first asked for."""
    return Nursery()


class Child:
    """A process that the nursery begins; what `subprocess.Popen` can do with it, as it does it."""

    def __init__(self, call, given, *, files, folder, environment):
        """Let it call the function of this name; the files are its stdin, stdout and stderr."""
        self.returncode = None
        self.pid = nursery().ask(
            "begin",
            [file.fileno() for file in files],
            call=call,
            given=given,
            folder=str(folder),
            environment=environment,
        )["pid"]
        self._ending = os.pidfd_open(self.pid)

    def poll(self):
        """Return with which code it ended; None while it lives."""
        if self.returncode is None:
            self._keep(nursery().ask("poll", pid=self.pid)["code"])
        return self.returncode

    def wait(self, timeout=None):
        """Wait until it has ended, and return with which code; raise TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._ending], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            self._keep(nursery().ask("wait", pid=self.pid)["code"])
        return self.returncode

    def _keep(self, code):
        self.returncode = code
        if code is not None:
            os.close(self._ending)

    def send_signal(self, number):
        """Send a signal, if it lives."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self):
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Command(Child):
    """A `regportal …` that goes on while a test does something else, and says little."""

    def __init__(self, *arguments, folder, environment, stderr=None):
        """Begin it in a folder; its errors go into a file, or are kept until it has ended."""
        reading, writing = os.pipe()
        self.stdout = os.fdopen(reading)
        self.stderr = None if stderr else tempfile.TemporaryFile("w+")  # noqa: SIM115 - while we are
        with Path(os.devnull).open() as stdin, os.fdopen(writing) as stdout:
            files = stdin, stdout, stderr or self.stderr
            super().__init__(
                COMMAND, arguments, files=files, folder=folder, environment=environment
            )

    def communicate(self, timeout=None):
        """Wait until it has ended; return what is left of its output, and all of its errors."""
        self.wait(timeout)
        self.stderr.seek(0)
        return self.stdout.read(), self.stderr.read()

    def close(self):
        """End it if it lives, and hear of it no more."""
        self.kill()
        self.wait(PATIENCE)
        for file in filter(None, (self.stdout, self.stderr)):
            file.close()


def run(*arguments, folder, environment, given="", timeout=PATIENCE):
    """Run a `regportal …` to its end; return what `subprocess.run` would."""
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(tempfile.TemporaryFile("w+")) for _ in range(3)]
        files[0].write(given)
        files[0].seek(0)
        child = Child(COMMAND, arguments, files=files, folder=folder, environment=environment)
        try:
            child.wait(timeout)
        finally:
            child.kill()
            child.wait(PATIENCE)
        for file in files:
            file.seek(0)
        said = [file.read() for file in files[1:]]
    return subprocess.CompletedProcess(arguments, child.returncode, *said)
