"""`regportal bench start`: from the command to the first answer."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from regportal.cli.bench.contestants import first_answer, free_port, install
from regportal.cli.bench.measure import Figures, Goal, Measured, Watch, rounds
from regportal.cli.bench.report import Report
from regportal.cli.bench.visits import WrongAnswerError

BARE = """
import sys
from flask import Flask
from waitress import serve

app = Flask(__name__)
app.add_url_rule("/", view_func=lambda: "hello")
serve(app, listen=f"127.0.0.1:{sys.argv[1]}")
"""


def bench_start(
    folder: Path, count: int, *, even_if_busy: bool, progress: Callable[[str], None]
) -> Report:
    """Measure how long `regportal serve` takes to answer, beside a bare Flask application."""
    place = install(folder)
    ours = [sys.executable, "-m", "regportal", "serve", "--port", str(place.port)]
    port = free_port()
    bare = [sys.executable, "-c", BARE, str(port)]

    def one() -> Measured:
        return {
            "ours": _start(ours, place.port, folder, place.environment),
            "bare flask": _start(bare, port, folder, dict(os.environ)),
        }

    one()
    measured = rounds(count, one, even_if_busy=even_if_busy, progress=progress)
    goals = [
        Goal(
            "serve to first answer, in s",
            at_least=False,
            wanted=2,
            each=tuple(each["ours"].p50_ms / 1000 for each in measured),
        ),
        Goal(
            "ours / bare flask",
            at_least=False,
            wanted=None,
            each=tuple(each["ours"].p50_ms / each["bare flask"].p50_ms for each in measured),
        ),
    ]
    return Report("start", measured, goals, ["the worker begins right after the first answer"])


def _start(command: Sequence[str], port: int, folder: Path, environment: dict[str, str]) -> Figures:
    """Start a server, wait for its first answer, and end it."""
    began = time.perf_counter()
    child = subprocess.Popen(  # noqa: S603 - our own commands
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        watch = Watch(child.pid)
        if not first_answer(port, child):
            raise WrongAnswerError("it did not start")
        took = (time.perf_counter() - began) * 1000
        cpu, others = watch.end()
    finally:
        child.terminate()
        child.wait(15)
    return Figures(1000 / took, took, took, cpu * 1000, others)
