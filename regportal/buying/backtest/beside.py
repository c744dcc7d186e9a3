"""
Back-tests in a process beside the one that answers visitors, so that nobody waits for them.

It goes through all that ever happened, which is minutes of thinking. It is given an address of the
database and the key of a back-test, writes what came of it, and ends; it ends, too, when whoever
began it has ended.
"""

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from regportal.buying.backtest import trials
from regportal.buying.backtest.reading import how_many
from regportal.buying.backtest.running import back_test
from regportal.buying.schema import Buying
from regportal.errors import said
from regportal.store.documents import Shelf
from regportal.store.sessions import Store, make_engine

COMMAND = (sys.executable, "-m", "regportal.buying.backtest.beside")
OFTEN = 1.0
"""Seconds after which it says how far it has come."""
LOOKS = 0.3
"""Seconds after which whoever began it looks whether it is still wanted."""
KIND = 10
"""How far behind everybody else it stands in the queue for a processor."""
BROKE = "it ended before it was done"


def try_what_waits(store: Store, url: str, going: Callable[[], bool]) -> None:
    """Run the back-tests that wait, one after the other, as long as we may."""
    while going() and _is_due(store):
        key = store.write(lambda session: trials.take(session, now=datetime.now(UTC)))
        if key is not None:
            _run(store, url, key, going)


def _is_due(store: Store) -> bool:
    """Return whether one waits; costs no writer anything."""
    with store.read() as session:
        return trials.is_due(session, datetime.now(UTC))


def _run(store: Store, url: str, key: uuid.UUID, going: Callable[[], bool]) -> None:
    """Run one in a process of its own; leave it to others where we have to end."""
    with subprocess.Popen(  # noqa: S603 - our own command
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        if child.stdin is not None:
            child.stdin.write(json.dumps([url, str(key)]).encode() + b"\n")
            child.stdin.flush()
        while child.poll() is None and going() and _is_wanted(store, key):
            time.sleep(LOOKS)
        has_ended = child.poll() is not None
        child.kill()
    if has_ended:
        store.write(lambda session: trials.fail(session, key, BROKE, now=datetime.now(UTC)))
    else:
        store.write(partial(trials.give_back, key=key))


def _is_wanted(store: Store, key: uuid.UUID) -> bool:
    """Return whether nobody deleted it."""
    with store.read() as session:
        return trials.is_wanted(session, key)


# --- in that process ---


def main() -> None:
    """Run the back-test that the first line of the input names."""
    os.nice(KIND)
    with open(0, "rb", buffering=0, closefd=False) as given:
        url, key = json.loads(given.readline())
    threading.Thread(target=_end_with_who_began, daemon=True).start()
    store = Store(make_engine(url))
    try:
        run(store, uuid.UUID(key))
    finally:
        store.close()


def _end_with_who_began() -> None:
    """End when nobody holds the other end of the input any more."""
    while os.read(0, 1024):
        pass
    os._exit(1)


def run(store: Store, key: uuid.UUID) -> None:
    """Run a back-test and keep what came of it, or why nothing did."""
    try:
        report = _report(store, key)
    except Exception as error:  # noqa: BLE001 - whatever it was, whoever asked is told
        trouble = said(error)
        store.write(lambda session: trials.fail(session, key, trouble, now=datetime.now(UTC)))
    else:
        store.write(lambda session: trials.finish(session, key, report, now=datetime.now(UTC)))


def _report(store: Store, key: uuid.UUID) -> dict[str, object]:
    """Return what a draft would have done, and say now and then how far that has come."""
    with store.read() as session:
        trial, published = trials.trial_called(session, key), Shelf().published(session)
        many, tried, spoke = how_many(session), 0, time.monotonic()
        draft, since, until = Buying.model_validate(trial.rules), trial.since, trial.until

    def on_page(some: int) -> None:
        nonlocal tried, spoke
        tried += some
        if time.monotonic() - spoke >= OFTEN or tried == some:
            spoke = time.monotonic()
            how_far = partial(trials.come_so_far, key=key, tried=tried, of=max(many, tried))
            store.write(lambda session: how_far(session, now=datetime.now(UTC)), patient=True)

    return back_test(
        store, published, draft, since=since, until=until or datetime.now(UTC), on_page=on_page
    )


if __name__ == "__main__":
    main()
