"""Killing a process when it is about to make its n-th call of one kind to the system (strace)."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from tests.crash.processes import begun
from tests.patience import PATIENCE, until
from tools.ensure_browser import STRACE, ensure

WRITES = {
    "sqlite": ("pwrite64", "fdatasync", "ftruncate", "unlink", "connect", "write"),
    "postgresql": ("sendto", "connect", "write"),
}
"""By what each database is written; on PostgreSQL it is the server that writes, and is told."""
CALLS = re.compile(r"^(\d+)\s+(\w+)\(", re.MULTILINE)
TRACE_ME = "import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(0, 0, 0, 0) != 0)"


def may_trace():
    """Return whether a process may be watched here: some containers forbid it."""
    if sys.platform != "linux":
        return False
    return subprocess.run([sys.executable, "-S", "-c", TRACE_ME], check=False).returncode == 0


MAY_TRACE = may_trace()


@contextlib.contextmanager
def failing(pid, faults, log):
    """
    Let calls of a process fail meanwhile; what was done to them is in the log, a line each.

    ``faults``: how strace is to inject them. It counts each thread's calls by themselves. The
    process must outlive it: strace that is ended while its process dies may wait for ever.
    """
    injects = [part for fault in faults for part in ("-e", f"inject={fault}")]
    calls = ",".join(fault.partition(":")[0] for fault in faults)
    traced = ["-f", "-p", str(pid), "-e", f"trace={calls}", *injects, "-o", str(log)]
    with subprocess.Popen([ensure(STRACE), *traced], stderr=subprocess.PIPE, text=True) as strace:
        said = strace.stderr.readline()
        assert "attached" in said, said
        threading.Thread(target=strace.stderr.read, daemon=True).start()
        try:
            yield
        finally:
            strace.terminate()


class Tracer:
    """Begins acts and watches them."""

    def __init__(self, environment, folder):
        self.environment, self.folder = environment, folder
        self._strace = ensure(STRACE)

    def points(self, order, calls):
        """Do it, and return where one could be killed: each call, and which time it was made."""
        log = self.folder / "calls"
        said = self._run(order, calls, "-o", log)
        assert said == 0, f"it ended with {said}"
        made = Counter(CALLS.findall(log.read_text()))
        most = Counter()
        for (_, call), times in made.items():
            most[call] = max(most[call], times)  # strace counts each thread's by themselves
        return [(call, number) for call in calls for number in range(1, most[call] + 1)]

    def killed(self, order, call, number):
        """Do it, killed at this point; return false where it came to its end all the same."""
        inject = f"inject={call}:signal=KILL:when={number}"
        return self._run(order, (call,), "-o", os.devnull, "-e", inject) == -signal.SIGKILL

    def alone(self, order):
        """Do it, unwatched, and return with which code it ended."""
        child = self._begun(order)
        child.send_signal(signal.SIGCONT)
        return child.wait()

    def _run(self, order, calls, *more):
        child = self._begun(order)
        watching = ["-f", "-p", str(child.pid), "-e", f"trace={','.join(calls)}", *more]
        with subprocess.Popen(
            [self._strace, *watching], stderr=subprocess.PIPE, text=True
        ) as strace:
            said = strace.stderr.readline()
            child.send_signal(signal.SIGCONT)
            code = child.wait()
            strace.communicate(timeout=PATIENCE)
        assert "attached" in said, said
        return code

    def _begun(self, order):
        """Begin it, up to where it stops."""
        clock = str(self.folder / "clock")
        child = begun(self.folder, self.environment, "act", clock=clock, watched=order)
        assert until(lambda: _state(child.pid) in "TZ"), "it did not begin"
        return child


def _state(pid):
    """Return what Linux says a process does: T, it is stopped; Z, it has ended."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
