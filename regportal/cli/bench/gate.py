"""`regportal bench gate`: showing a form, and taking what was sent."""

import contextlib
import sqlite3
import statistics
from collections.abc import Callable
from pathlib import Path

from regportal.cli.bench.contestants import Contestant, Place, install, reference, serving
from regportal.cli.bench.measure import Figures, Goal, Measured, figures, ratio, rest, rounds, send
from regportal.cli.bench.report import Report
from regportal.cli.bench.visits import WrongAnswerError, sent, shown

SEE_OTHER = 303
OK = 200
WARM = 32


def bench_gate(
    folder: Path, count: int, requests: int, *, even_if_busy: bool, progress: Callable[[str], None]
) -> Report:
    """Measure our gate beside the same form without a database, and as one writes it first."""
    place = install(folder)
    kept: dict[str, int] = {}
    with (
        serving(place) as ours,
        reference("none", folder) as without,
        reference("orm", folder) as orm,
    ):
        running = {"ours": ours, "no database": without, "naive orm": orm}

        def one() -> Measured:
            measured: Measured = {}
            for name, contestant in running.items():
                rest([each.pid for each in running.values()])
                show, take = _measure(contestant, requests)
                measured |= {f"GET {name}": show, f"POST {name}": take}
                kept[name] = kept.get(name, 0) + requests
            return measured

        for name, contestant in running.items():
            _measure(contestant, WARM)
            kept[name] = WARM
        measured = rounds(count, one, even_if_busy=even_if_busy, progress=progress)
        half = statistics.median(each["POST ours"].per_second for each in measured) / 2
        open_loop = _measure(ours, requests, rate=half)[1]
        kept["ours"] += requests
    _check_kept(place, folder, kept)
    p99 = tuple(each["POST ours"].p99_ms for each in measured)
    goals = [
        ratio("POST ours / no database", measured, "POST ours", "POST no database", 0.30),
        ratio("POST ours / naive orm", measured, "POST ours", "POST naive orm", 2.5),
        Goal("POST ours, p99 in ms", at_least=False, wanted=60, each=p99),
    ]
    notes = [
        f"open loop at half of it, {half:.0f} /s: {open_loop.shown()}",
        "every POST was a new visitor's address and newsletter; all rows were found again",
    ]
    return Report("gate", measured, goals, notes)


def _measure(
    contestant: Contestant, requests: int, *, rate: float | None = None
) -> tuple[Figures, Figures]:
    """Measure one contestant: the pages of so many visitors, then what they send."""
    pid, port = contestant.pid, contestant.port
    show, pages = figures(pid, port, shown(port, "prices", requests))
    if any(page.status != OK for page in pages):
        raise WrongAnswerError("a form was not shown")
    prepared = send(port, shown(port, "prices", requests), keep=True)[1]
    take, answers = figures(pid, port, sent(port, "prices", prepared), rate=rate)
    wrong = {answer.status for answer in answers} - {SEE_OTHER}
    if wrong:
        raise WrongAnswerError(f"a form was answered {wrong} instead of {SEE_OTHER}")
    return show, take


def _check_kept(place: Place, folder: Path, kept: dict[str, int]) -> None:
    """Raise WrongAnswerError unless every form that was taken is in the database."""
    for name, file, table in (
        ("ours", place.database, "submission"),
        ("naive orm", folder / "orm.db", "download"),
    ):
        with contextlib.closing(sqlite3.connect(file)) as connection:
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - ours
        if found != kept[name]:
            raise WrongAnswerError(f"{name}: {kept[name]} forms were taken, {found} are kept")
