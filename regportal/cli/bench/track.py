"""`regportal bench track-1`, `track-20`: what browsers tell, durably."""

import contextlib
import json
import statistics
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from regportal.cli.bench.contestants import install, reference, serving_and_working
from regportal.cli.bench.databases import (
    asked,
    bare_inserts,
    copied,
    counted,
    process_of,
    scratch,
)
from regportal.cli.bench.measure import (
    Figures,
    Goal,
    Measured,
    cheaper,
    figures,
    ratio,
    request,
    rest,
    rounds,
    send,
)
from regportal.cli.bench.report import Report
from regportal.cli.bench.visits import WrongAnswerError, cookies_of, sent, shown
from regportal.store.ids import uuid7

ACCEPTED, OK = 202, 200
WARM = 128
VISITORS = 512
PATH = "/api/v1/interactions"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
GOALS = {1: (0.40, 4.0), 20: (0.25, 6.0)}
"""Of hello, and times the naive collector, by events of a call."""
MATOMO = 956
"""Events a second in calls of 20 that Matomo took on a machine like ours (docs/performance.md)."""
CLOSE = 0.1
"""Seconds between two looks at how far behind the worker is."""
OLDEST = """
SELECT min(at) FROM (
  SELECT (SELECT line.at FROM log_entry AS line
           WHERE line.shard = place.shard AND line.number > place.number
           ORDER BY line."transaction", line.number LIMIT 1) AS at FROM log_place AS place) AS every
"""
BEHIND = (
    "SELECT min(received_at) FROM parcel WHERE unpacked_at IS NULL",
    OLDEST,
)
"""Since when a call waits to be unpacked, and a line of the log to be weighed."""


def bench_track(
    folder: Path,
    count: int,
    requests: int,
    each: int,
    server: str | None,
    *,
    even_if_busy: bool,
    progress: Callable[[str], None],
) -> Report:
    """Measure calls of so many events beside hello, a naive collector, and the bare database."""
    kept = {"ours": 0, "naive orm": 0}
    with (
        scratch(server, folder, "ours") as url,
        scratch(server, folder, "naive") as naive,
        serving_and_working(install(folder, url)) as ours,
        reference("hello", folder) as hello,
        reference("events", folder, naive) as orm,
    ):
        running = {"ours": ours, "hello": hello, "naive orm": orm}
        cookies = identified(ours.port, VISITORS)
        database = process_of(url)

        def measure(name: str, calls: int, rate: float | None = None) -> Figures:
            one = running[name]
            told = _calls(one.port, cookies, calls, each)
            found, answers = figures(
                one.pid, one.port, told, rate=rate, beside=one.beside, database=database
            )
            wrong = {answer.status for answer in answers} - {ACCEPTED, OK}
            if wrong:
                raise WrongAnswerError(f"{name} answered {wrong}")
            if name in kept:
                kept[name] += calls * each
            return found

        def in_turn() -> Measured:
            measured: Measured = {}
            for name in running:
                rest([pid for one in running.values() for pid in one.pids])
                measured[name] = measure(name, requests)
            measured["bare inserts"] = bare_inserts(naive, requests, each)
            if server is not None:
                measured["copy"] = copied(naive, requests, each)
            return measured

        for name in running:
            measure(name, WARM)
        measured = rounds(count, in_turn, even_if_busy=even_if_busy, progress=progress)
        half = statistics.median(one["ours"].per_second for one in measured) / 2
        with _watching(url) as lags:
            open_loop = measure("ours", max(requests, int(half * 5)), rate=half)
        rest(ours.pids)
        _check_kept({"ours": (url, "told"), "naive orm": (naive, "event")}, kept)
        _check_kept({"ours": (url, "interaction WHERE type = 'page_view'")}, kept)
    return Report(
        f"track-{each}",
        measured,
        _goals(measured, each, lags),
        [
            "on SQLite, the worker in the same process"
            if server is None
            else "on PostgreSQL, the worker in a process of its own, and included",
            f"open loop at half of it, {half:.0f} calls/s: {open_loop.shown()}",
            f"{kept['ours']:,} events of {VISITORS} visitors who gave an address, each found again",
            "bare inserts and copy: rows as calls of so many, without web server or questions",
        ],
    )


def _goals(measured: Sequence[Measured], each: int, lags: Sequence[float]) -> list[Goal]:
    """Return what was wanted, and what was reached."""
    of_hello, of_orm = GOALS[each]
    goals = [
        ratio("ours / hello", measured, "ours", "hello", of_hello),
        cheaper("CPU a call, ours / hello", measured, "ours", "hello"),
        ratio("ours / naive orm", measured, "ours", "naive orm", of_orm),
        ratio("ours / bare inserts", measured, "ours", "bare inserts", None),
    ]
    events = tuple(one["ours"].per_second * each for one in measured)
    if each == 1:
        p99 = tuple(one["ours"].p99_ms for one in measured)
        goals.append(Goal("p99 in ms, 16 at once", at_least=False, wanted=10, each=p99))
    else:
        if "copy" in measured[0]:
            goals.append(ratio("ours / copy by thousands", measured, "ours", "copy", 0.5))
        goals.append(Goal("events a second", at_least=True, wanted=80 * MATOMO, each=events))
    late = sorted(lags)[len(lags) * 99 // 100] if lags else 0.0
    says = "worker behind at half of it, p99 in s"
    goals.append(Goal(says, at_least=False, wanted=1.0, each=(late,)))
    return goals


def identified(port: int, count: int) -> list[str]:
    """Return the cookies of visitors who gave an address and allowed us to follow them."""
    pages = send(port, shown(port, "prices", count), keep=True)[1]
    forms = send(port, sent(port, "prices", pages), keep=True)[1]
    cookies = [cookies_of(one) for one in forms]
    headers = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/json"}
    body = b'{"recognise": true, "track": true}'
    chosen = send(
        port,
        [
            request("POST", "/api/v1/choice", port, body=body, headers={**headers, "Cookie": one})
            for one in cookies
        ],
        keep=True,
    )[1]
    if any(one.status != OK for one in chosen):
        raise WrongAnswerError("a choice was not taken")
    return [cookies_of(one) or before for one, before in zip(chosen, cookies, strict=True)]


def _calls(port: int, cookies: Sequence[str], count: int, each: int) -> list[bytes]:
    """Return so many calls, one visitor's after another's, as the recorder sends them."""
    return [_call(port, cookies[place % len(cookies)], each) for place in range(count)]


def _call(port: int, cookie: str, each: int) -> bytes:
    """Return one call: page views of the last minutes."""
    now = datetime.now(UTC)
    events = [
        {
            "id": str(uuid7()),
            "type": "page_view",
            "object": f"https://www.bench.example/widgets/{place % 5}",
            "properties": {"title": f"Widgets, page {place % 5}"},
            "occurred_at": _iso(now - timedelta(seconds=5 * place)),
        }
        for place in range(each)
    ]
    headers = {
        "Origin": f"http://127.0.0.1:{port}",
        "Content-Type": "text/plain;charset=UTF-8",
        "User-Agent": FIREFOX,
        "Cookie": cookie,
    }
    body = json.dumps({"events": events, "sent_at": _iso(now)}).encode()
    return request("POST", PATH, port, body=body, headers=headers)


def _iso(at: datetime) -> str:
    """Return a moment as a browser writes it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextlib.contextmanager
def _watching(url: str) -> Iterator[list[float]]:
    """Look now and then by how many seconds the worker is behind."""
    lags: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(CLOSE):
            lags.append(max(_waits(asked(url, query)[0]) for query in BEHIND))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lags
    finally:
        over.set()
        thread.join()


def _waits(since: datetime | str | None) -> float:
    """Return for how many seconds something waits since a moment, as a database gave it."""
    if since is None:
        return 0.0
    at = datetime.fromisoformat(since) if isinstance(since, str) else since
    at = at.replace(tzinfo=at.tzinfo or UTC)
    return (datetime.now(UTC) - at).total_seconds()


def _check_kept(tables: dict[str, tuple[str, str]], kept: dict[str, int]) -> None:
    """Raise WrongAnswerError unless every event that was taken is in the database."""
    for name, (url, table) in tables.items():
        found = counted(url, table)
        if found != kept[name]:
            raise WrongAnswerError(f"{name} took {kept[name]} events and kept {found}")
