"""What is measured: requests a second, how long they took, and what they cost."""

import base64
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from regportal.errors import RegportalError

TICK = os.sysconf("SC_CLK_TCK")
BUSY = 0.25
"""Cores that something else may use in a round that counts."""
IDLE = 0.05
"""Cores that servers at rest use."""
GLANCE = 0.5
"""Seconds we look at them to see whether they rest."""
PATIENCE = 120
"""Seconds they may take to come to rest; a round that is disturbed then does not count."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, as the load saw it."""

    status: int
    seconds: float
    length: int
    checksum: int
    text: str


@dataclass(frozen=True, slots=True)
class Figures:
    """What one contestant did in one round."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    """Of the server, a request."""
    others: float
    """Cores that were used by nobody of ours meanwhile."""

    def shown(self) -> str:
        """Read as one line of the report."""
        return (
            f"{self.per_second:8.0f} /s   p50 {self.p50_ms:7.1f} ms   p99 {self.p99_ms:7.1f} ms"
            f"   cpu {self.cpu_ms:6.2f} ms"
        )


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU that a process used so far."""
    return sum(map(int, _said_of(pid)[11:13])) / TICK


def cpu_of_all(pid: int) -> float:
    """Return the seconds of CPU that a process and its children used, those that ended, too."""
    spent = 0
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended: from now on its parent counts it
            said = _said_of(int(each.name))
            if pid in {int(each.name), int(said[1])}:
                spent += sum(map(int, said[11:15]))
    return spent / TICK


def _said_of(pid: int) -> list[str]:
    """Return what Linux says of a process, after its name."""
    said = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return said.rpartition(") ")[2].split()


def memory_of(pid: int) -> float:
    """Return how many MB of a process are in memory."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _busy() -> float:
    """Return the seconds of CPU that everything on this machine used so far."""
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    user, nice, system, _idle, _wait, irq, soft, steal = map(int, first[1:9])
    return (user + nice + system + irq + soft + steal) / TICK


class Watch:
    """Watches one run: the time, the server's CPU, and whether the machine was ours."""

    def __init__(self, *pids: int, database: int | None = None) -> None:
        """Take the server, and of its database the process that began all its others; begin."""
        self._pids, self._database = pids, database
        self._began = time.perf_counter()
        self._cpu, self._all, self._own = self._used(), _busy(), self._ours()

    def end(self) -> tuple[float, float]:
        """Return the server's CPU seconds, and the cores others used."""
        seconds = time.perf_counter() - self._began
        cpu = self._used() - self._cpu
        others = (_busy() - self._all) - cpu - (self._ours() - self._own)
        return cpu, max(0.0, others / seconds)

    def _used(self) -> float:
        """Return the seconds of CPU that the server used so far."""
        return sum(map(cpu_of, self._pids))

    def _ours(self) -> float:
        """Return the seconds of CPU that we, the load and the database used so far."""
        return sum(os.times()[:4]) + (cpu_of_all(self._database) if self._database else 0.0)


def rest(pids: Sequence[int]) -> None:
    """
    Wait until these servers have done what they were still doing after their answers.

    Ours writes letters by then, which would be somebody else's load in the next run.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        before = sum(map(cpu_of, pids))
        time.sleep(GLANCE)
        if (sum(map(cpu_of, pids)) - before) / GLANCE <= IDLE:
            return


def send(
    port: int, requests: Sequence[bytes], *, rate: float | None = None, keep: bool = False
) -> tuple[float, list[Answer]]:
    """Let the load send these requests; return how long it took, and the answers."""
    asked = {
        "port": port,
        "rate": rate,
        "keep": keep,
        "requests": [base64.b64encode(one).decode("ascii") for one in requests],
    }
    done = subprocess.run(
        [sys.executable, "-m", "regportal.cli.bench.load"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    return told["seconds"], [Answer(*one) for one in told["answers"]]


def figures(
    pid: int,
    port: int,
    requests: Sequence[bytes],
    *,
    rate: float | None = None,
    beside: Sequence[int] = (),
    database: int | None = None,
) -> tuple[Figures, list[Answer]]:
    """
    Send these requests to a server and return what it did, and its answers.

    The CPU of those ``beside`` it is its own. What the ``database`` does meanwhile, a process and
    its children, is not somebody else's work.
    """
    watch = Watch(pid, *beside, database=database)
    seconds, answers = send(port, requests, rate=rate)
    cpu, others = watch.end()
    took = sorted(answer.seconds * 1000 for answer in answers)
    return Figures(
        per_second=len(answers) / seconds,
        p50_ms=took[len(took) // 2],
        p99_ms=took[min(len(took) - 1, len(took) * 99 // 100)],
        cpu_ms=cpu * 1000 / len(answers),
        others=others,
    ), answers


def request(
    method: str,
    path: str,
    port: int,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a request as it goes over the wire."""
    lines = {"Host": f"127.0.0.1:{port}", "User-Agent": "Mozilla/5.0 Firefox/150.0"}
    if body:
        lines |= {
            "Content-Length": str(len(body)),
            "Content-Type": "application/x-www-form-urlencoded",
        }
    lines |= headers or {}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


Measured = dict[str, Figures]
"""The figures of one round, by contestant."""


def rounds(
    count: int,
    one: Callable[[], Measured],
    *,
    even_if_busy: bool,
    progress: Callable[[str], None],
) -> list[Measured]:
    """
    Return so many rounds in which the machine was ours; three times as many are tried.

    Raises BusyError where that was not enough.
    """
    good: list[Measured] = []
    for tried in range(1, 3 * count + 1):
        measured = one()
        others = max(figure.others for figure in measured.values())
        if others <= BUSY or even_if_busy:
            good.append(measured)
        progress(f"round {tried}: {others:.2f} cores used by others, {len(good)}/{count} count")
        if len(good) == count:
            return good
    raise BusyError(
        f"something else used more than {BUSY} core in {3 * count - len(good)} rounds:"
        " try again when this machine is quiet, or with --even-if-busy"
    )


class BusyError(RegportalError):
    """The machine was not ours."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a bench wants to reach, and what it reached: each round, and the median."""

    says: str
    at_least: bool
    wanted: float | None
    """None: it is only told, nobody set a goal."""
    each: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the middle one of the rounds."""
        return statistics.median(self.each)

    @property
    def reached(self) -> bool:
        """Return whether the median is good enough."""
        if self.wanted is None:
            return True
        return self.median >= self.wanted if self.at_least else self.median <= self.wanted

    def shown(self) -> str:
        """Read as one line of the report."""
        each = " ".join(f"{one:.2f}" for one in self.each)
        if self.wanted is None:
            return f"{self.says}: {each}, median {self.median:.2f}"
        sign = ">=" if self.at_least else "<="
        verdict = "reached" if self.reached else "NOT reached"
        return f"{self.says}: {each}, median {self.median:.2f} ({sign} {self.wanted:g}: {verdict})"

    def told(self) -> dict[str, Any]:
        """Read as JSON."""
        return asdict(self) | {"median": self.median, "reached": self.reached}


def cheaper(says: str, measured: Sequence[Measured], one: str, other: str) -> Goal:
    """Return how much of the CPU of one contestant another's request costs, a round."""
    each = tuple(rounded[one].cpu_ms / rounded[other].cpu_ms for rounded in measured)
    return Goal(says, at_least=False, wanted=None, each=each)


def ratio(
    says: str, measured: Sequence[Measured], over: str, under: str, at_least: float | None
) -> Goal:
    """Return how much of one contestant's rate another reached, a round."""
    each = tuple(one[over].per_second / one[under].per_second for one in measured)
    return Goal(says, at_least=True, wanted=at_least, each=each)
