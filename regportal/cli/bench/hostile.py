"""`regportal bench hostile`: what one bad CRM costs those who tell another one."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from flask import Flask, request
from flask.typing import ResponseReturnValue

from regportal.app import web_root
from regportal.cli.bench.contestants import Place, install, serving_and_working
from regportal.cli.bench.databases import process_of, scratch
from regportal.cli.bench.measure import Figures, Goal, Measured, figures, rounds, send
from regportal.cli.bench.report import Report
from regportal.cli.bench.visits import WrongAnswerError, sent, shown
from regportal.outbox.models import Message
from regportal.sandbox.luck import GOOD, Odds
from regportal.sandbox.server import serving
from regportal.store.sessions import make_engine

WELL, OTHER = "crm", "other"
"""The connector that is measured, and the one that is bad."""
BAD = {
    "dead": "reset-before",
    "silent": "silence",
    "slow loris": "slow",
    "endless": "endless",
    "to loopback": "redirect",
    "gzip bomb": "bomb",
}
"""How a CRM is bad, and the fault of the sandbox that is it."""
BOTH_WELL = "both well"
SECRET = "whsec_" + "YmVuY2gtc2VjcmV0LW9mLTMyLWJ5dGVzLWxvbmchIQ=="
CONNECTORS = """
connectors:
  - {{key: crm, type: webhook, url: "{well}/in", secret: "env:BENCH_SECRET", sends: [contact]}}
  - {{key: other, type: webhook, url: "{other}/in", secret: "env:BENCH_SECRET", sends: [contact]}}
"""
RATE = 20.0
"""Forms a second."""
WARM = 16
MOST = 2.0
"""Times as long as beside a CRM that is well."""
PATIENCE = 60.0


class Heard:
    """A CRM that takes everything, and remembers how late it came."""

    name = "heard"

    def __init__(self) -> None:
        """Have heard nothing yet."""
        self.late: list[float] = []
        self.app = Flask("heard")
        self.app.add_url_rule("/in", view_func=self._take, methods=["POST"])

    def tables(self) -> dict[str, list[dict[str, object]]]:
        """Return no records."""
        return {}

    def deeds(self) -> dict[str, Callable[..., object]]:
        """Return that nobody does anything here."""
        return {}

    def _take(self) -> ResponseReturnValue:
        """Take a message."""
        happened = datetime.fromisoformat(request.get_json()["timestamp"])
        self.late.append((datetime.now(UTC) - happened).total_seconds())
        return "", 204


def bench_hostile(
    folder: Path,
    count: int,
    requests: int,
    server: str | None,
    *,
    even_if_busy: bool,
    progress: Callable[[str], None],
) -> Report:
    """Measure how late one CRM is told, beside another that is well and that is bad."""
    well = Heard()
    with (
        scratch(server, folder, "ours") as url,
        serving(well, web_root()) as there,
        serving(Heard(), web_root()) as other,
        _secret(),
    ):
        more = CONNECTORS.format(well=there.url, other=other.url)
        place = install(folder, url, more)

        def beside(odds: Odds) -> Figures:
            other.luck.turn(odds)
            return _told(place, url, well, requests)

        def one() -> Measured:
            bad = {name: beside(Odds(1.0, (fault,))) for name, fault in BAD.items()}
            return {BOTH_WELL: beside(GOOD), **bad}

        measured = rounds(count, one, even_if_busy=even_if_busy, progress=progress)
    return Report(
        "hostile",
        measured,
        [_later(measured, name) for name in BAD],
        [
            f"{requests} forms, {RATE:.0f} a second; two CRMs are told of each, by one worker",
            "p50 and p99: from the form to the CRM that is well, beside one that is as named",
        ],
    )


def _later(measured: list[Measured], name: str) -> Goal:
    """Return how many times as late the p99 is beside a bad one."""
    each = tuple(one[name].p99_ms / one[BOTH_WELL].p99_ms for one in measured)
    return Goal(f"p99, {name} / {BOTH_WELL}", at_least=False, wanted=MOST, each=each)


@contextlib.contextmanager
def _secret() -> Iterator[None]:
    """Let our processes find the secret."""
    os.environ["BENCH_SECRET"] = SECRET
    try:
        yield
    finally:
        del os.environ["BENCH_SECRET"]


def _told(place: Place, url: str, well: Heard, requests: int) -> Figures:
    """Let forms be sent; return how late the CRM that is well was told of them."""
    _forget(url)
    with serving_and_working(place) as ours:
        warm = send(ours.port, shown(ours.port, "prices", WARM), keep=True)[1]
        send(ours.port, sent(ours.port, "prices", warm))
        pages = send(ours.port, shown(ours.port, "prices", requests), keep=True)[1]
        _wait(well, WARM)
        well.late.clear()
        database = process_of(url)
        forms = sent(ours.port, "prices", pages)
        found, _ = figures(
            ours.pid, ours.port, forms, rate=RATE, beside=ours.beside, database=database
        )
        _wait(well, requests)
    late = sorted(1000 * seconds for seconds in well.late)
    well.late.clear()
    p50, p99 = (late[len(late) * part // 100] for part in (50, 99))
    return Figures(found.per_second, p50, p99, found.cpu_ms, found.others)


def _wait(well: Heard, messages: int) -> None:
    """Wait until so many messages came."""
    until = time.monotonic() + PATIENCE
    while len(well.late) < messages:
        if time.monotonic() > until:
            raise WrongAnswerError(f"{len(well.late)} messages came instead of {messages}")
        time.sleep(0.05)


def _forget(url: str) -> None:
    """Owe nothing any more: what the bad one was not told would come again."""
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.delete(Message))
    engine.dispose()
