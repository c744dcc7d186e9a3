"""The processes that are killed."""

import contextlib
import os
import random
import signal
import time
from pathlib import Path

from tests.commands import Child
from tests.patience import PATIENCE

BY_CLOCK = "tests.crash.performing:by_clock"


def begun(folder, environment, name, **order):
    """Begin what is ordered of `tests.crash.performing`; what it says is in files of this name."""
    with (
        Path(os.devnull).open() as nothing,
        (folder / f"{name}.out").open("w") as out,
        (folder / f"{name}.log").open("a") as log,
    ):
        files = nothing, out, log
        return Child(BY_CLOCK, order, files=files, folder=folder, environment=environment)


class Process:
    """One `regportal …` that is started again whenever it was killed."""

    def __init__(self, arguments, says, place):
        self.arguments, self.says, self.place = arguments, says, place
        self._out = place.folder / f"{arguments[0]}.out"
        self._child = None

    def start(self):
        """Start it if it does not run."""
        if self._lives():
            return
        self._out.unlink(missing_ok=True)
        order = {"command": self.arguments, "clock": self.place.clock.path}
        name = self.arguments[0]
        self._child = begun(self.place.folder, self.place.environment, name, **order)

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
            self._child.kill()  # it may have no group yet
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def stop(self):
        """Ask it to end, and return with which code it did."""
        if not self._lives():
            return None
        self._child.terminate()
        return self._child.wait()

    def _lives(self):
        return self._child is not None and self._child.poll() is None


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
