"""The processes that are killed."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]


class Nursery:
    """Whoever begins the processes (tests/crash/nursery.py)."""

    def __init__(self):
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, do, **order):
        """Let it do something, and return what it says."""
        with self._turn:
            self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def close(self):
        """End it, and with it whoever of its children still lives."""
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()


class Process:
    """One `regportal …` that is started again whenever it was killed."""

    def __init__(self, arguments, says, place, nursery):
        self.arguments, self.says = arguments, says
        self.place, self.nursery = place, nursery
        self._out = place.folder / f"{arguments[0]}.out"
        self._log = place.folder / f"{arguments[0]}.log"
        self._pid = None

    def start(self):
        """Start it if it does not run."""
        if self._lives():
            return
        self._out.unlink(missing_ok=True)
        self._pid = self.nursery.ask(
            "begin",
            arguments=self.arguments,
            environment=self.place.environment,
            folder=str(self.place.folder),
            clock=self.place.clock.path,
            out=str(self._out),
            log=str(self._log),
        )["pid"]

    def is_ready(self):
        """Wait until it says so, or has ended."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self._lives():
            with contextlib.suppress(FileNotFoundError):
                if self.says in self._out.read_text():
                    return True
            time.sleep(0.02)
        return False

    def kill(self):
        """End the whole group, at once."""
        if self._lives():
            os.kill(self._pid, signal.SIGKILL)  # it may have no group yet
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._pid, signal.SIGKILL)
            self._end()

    def stop(self):
        """Ask it to end, and return with which code it did."""
        if not self._lives():
            return None
        os.kill(self._pid, signal.SIGTERM)
        return self._end()

    def _end(self):
        code = self.nursery.ask("wait", pid=self._pid)["code"]
        self._pid = None
        return code

    def _lives(self):
        if self._pid is not None and self.nursery.ask("poll", pid=self._pid)["code"] is not None:
            self._pid = None
        return self._pid is not None


class Cast:
    """All processes of one installation, and how they die."""

    def __init__(self, processes, clock):
        self.processes, self.clock = processes, clock
        self.kills = 0

    def start(self):
        for process in self.processes:
            process.start()
        return all(process.is_ready() for process in self.processes)

    def kill_some(self, kills, after_each):
        """
        Kill one of them or all, at random moments, so many times; starting counts too.

        With every death the clock goes on, so that what has to wait comes due while others die.
        """
        while self.kills < kills:
            for process in self.processes:
                process.start()
            if random.random() < 0.85:
                for process in self.processes:
                    process.is_ready()
            time.sleep(random.uniform(0, 1.2))
            doomed = random.choice([self.processes, *([one] for one in self.processes)])
            for process in doomed:
                process.kill()
            self.kills += len(doomed)
            self.clock.turn(random.uniform(0, 120))
            after_each()
