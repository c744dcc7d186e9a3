"""What Prometheus reads: what waits and was done, from the database; requests, of this process."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from regportal.app.vitals import Owed, Vitals, Waiting, seconds_since

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
"""What we are asked by; whatever else somebody invents is one more name, not a million."""
SPANS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds by which answers are counted."""
Family = GaugeMetricFamily | CounterMetricFamily


class Requests:
    """Counts the answers of one process; Prometheus adds up those of several."""

    def __init__(self) -> None:
        """Begin to count at nothing."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # theirs - when a count began tells nobody anything
        self.registry = CollectorRegistry()
        self._answers = Counter(
            "regportal_requests",
            "Requests that this process answered.",
            ["method", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "regportal_request_seconds",
            "How long this process took until it began to answer.",
            buckets=SPANS,
            registry=self.registry,
        )

    def counting(self, app: "WSGIApplication") -> "WSGIApplication":
        """Return the application, with its answers counted."""

        def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            began = time.perf_counter()
            method = environ["REQUEST_METHOD"]
            named = method if method in METHODS else "other"

            def started(status: str, *rest: Any) -> Callable[..., Any]:
                self._answers.labels(named, status[:3]).inc()
                self._seconds.observe(time.perf_counter() - began)
                return start_response(status, *rest)

            return app(environ, started)

        return answer


class _Once(Collector):
    """Gives what was read for one answer."""

    def __init__(self, families: Iterable[Family]) -> None:
        """Take it."""
        self._families = [*families]

    def collect(self) -> Iterable[Family]:
        """Return it."""
        return self._families


def exposition(
    requests: Requests, found: Vitals, *, works: bool | None, missing: int, now: datetime
) -> bytes:
    """
    Return everything as Prometheus reads it (text format 0.0.4).

    ``works``: whether this process works, where it is one that may; it is what is said of workers
    on SQLite. ``missing``: how many bytes the ballast lacks.
    """
    registry = CollectorRegistry()
    registry.register(_Once(families(found, works=works, missing=missing, now=now)))
    return generate_latest(registry) + generate_latest(requests.registry)


def families(found: Vitals, *, works: bool | None, missing: int, now: datetime) -> Iterator[Family]:
    """Yield what the database says, each with every connector or task as a label."""
    ago = partial(seconds_since, now=now)
    named = GaugeMetricFamily("regportal_info", "What runs here.", labels=["version"])
    named.add_metric([version("regportal")], 1)
    yield named
    workers = found.workers if found.workers is not None else int(bool(works))
    yield GaugeMetricFamily("regportal_workers", "Processes that work.", workers)
    says = "What the room for withdrawals and erasures on a full disk lacks."
    yield GaugeMetricFamily("regportal_ballast_missing_bytes", says, missing)
    yield from _of_connectors(found.owed, ago)
    yield from _of_tasks(found.work, ago)
    for name, says, number in (
        ("log_lines", "Lines ever written to the log that is weighed.", found.logged),
        ("ledger_lines", "Lines ever written to the consent ledger.", found.ledger),
        ("notices", "Calls of CRMs that were ever taken.", found.told),
    ):
        yield CounterMetricFamily(f"regportal_{name}", says, number)
    if found.tidied is not None:
        says = "When what is too old was last deleted, in seconds since 1970."
        at = found.tidied.timestamp()
        yield GaugeMetricFamily("regportal_tidied_timestamp_seconds", says, at)


def _of_connectors(owed: Mapping[str, Owed], ago: Callable[..., float]) -> Iterator[Family]:
    """Yield what is known of each connector, and of mail."""
    gauges: tuple[tuple[str, str, Callable[[Owed], float]], ...] = (
        ("due", "Messages that wait to be told.", lambda one: one.waiting.number),
        ("parked", "Messages that wait for a person.", lambda one: one.parked),
        (
            "lag_seconds",
            "How long the oldest message that waits has been owed.",
            lambda one: ago(one.waiting.since),
        ),
        (
            "overdue_seconds",
            "For how long a message could have been told that was not.",
            lambda one: ago(one.due),
        ),
        ("failures", "Calls in a row that came to nothing.", lambda one: one.failures),
        (
            "paused",
            "Whether nothing is told at the moment, or one message at a time.",
            lambda one: one.paused is not None,
        ),
        (
            "poll_overdue_seconds",
            "For how long the CRM should have been asked with success.",
            lambda one: ago(one.poll_awaited),
        ),
    )
    for name, says, value in gauges:
        family = GaugeMetricFamily(f"regportal_outbox_{name}", says, labels=["connector"])
        for key, one in owed.items():
            family.add_metric([key], float(value(one)))
        yield family
    told = CounterMetricFamily(
        "regportal_outbox_outcomes",
        "What became of messages, each time one was in hand.",
        labels=["connector", "outcome"],
    )
    for key, one in owed.items():
        for outcome, number in one.outcomes.items():
            told.add_metric([key, outcome], number)
    yield told


def _of_tasks(work: Mapping[str, Waiting], ago: Callable[..., float]) -> Iterator[Family]:
    """Yield what each task of the worker has before it."""
    number = GaugeMetricFamily(
        "regportal_work_waiting", "What waits for a task of the worker.", labels=["task"]
    )
    lag = GaugeMetricFamily(
        "regportal_work_lag_seconds", "How long the oldest of it has waited.", labels=["task"]
    )
    for task, waiting in work.items():
        number.add_metric([task], waiting.number)
        lag.add_metric([task], ago(waiting.since))
    yield number
    yield lag
