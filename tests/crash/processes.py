"""The processes that are killed."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

from tests.patience import PATIENCE


class Process:
    """One `regportal …` that is started again whenever it was killed."""

    def __init__(self, arguments, says, environment, folder):
        self.arguments, self.says = arguments, says
        self.environment, self.folder = environment, folder
        self._log = (folder / f"{arguments[0]}.log").open("ab")
        self._child = None
        self._ready = None

    def start(self):
        """Start it if it does not run."""
        if self._child is not None and self._child.poll() is None:
            return
        self._forget()
        self._child = subprocess.Popen(
            [sys.executable, "-m", "regportal", *self.arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        self._ready = threading.Event()
        threading.Thread(
            target=self._read, args=(self._child.stdout, self._ready), daemon=True
        ).start()

    def _read(self, out, ready):
        for line in out:
            if self.says in line:
                ready.set()
        out.close()

    def is_ready(self):
        """Wait until it says so, or has ended."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self._child.poll() is None:
            if self._ready.wait(0.05):
                return True
        return False

    def kill(self):
        """End the whole group, at once."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def stop(self):
        """Ask it to end, and return with which code it did."""
        self._child.terminate()
        code = self._child.wait(PATIENCE)
        self._forget()
        self._log.close()
        return code

    def _forget(self):
        if self._child is not None:
            self._child.wait()


class Cast:
    """All processes of one installation, and how they die."""

    def __init__(self, processes):
        self.processes = processes
        self.kills = 0

    def start(self):
        for process in self.processes:
            process.start()
        return all(process.is_ready() for process in self.processes)

    def kill_some(self, kills):
        """Kill one of them or all, at random moments, so many times; starting counts too."""
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
