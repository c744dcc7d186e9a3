"""`regportal serve` and `regportal worker`: what runs."""

import contextlib
import gc
import logging
import sqlite3
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click
import sqlalchemy as sa
from filelock import FileLock, Timeout

from regportal.cli.ending import Ending, on_signals
from regportal.config import Settings, load
from regportal.errors import ConfigError
from regportal.store.sessions import Store

PORT = 8000
PART_OF_SERVE = "on SQLite the worker is part of `regportal serve`"

logger = logging.getLogger("regportal.serve")


@click.command()
@click.option("--host", help="Where to listen; this machine only unless given.")
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes any that is free.")
@click.option(
    "--with-worker/--without-worker",
    default=True,
    help="Whether this process also settles, weighs and delivers (on SQLite it must).",
)
def serve(host: str | None, port: int | None, with_worker: bool) -> None:  # noqa: FBT001 - click calls it
    """Answer visitors, and do what follows from it."""
    from regportal.app import create_app
    from regportal.app.logs import begin_logging
    from regportal.app.server import Server, answers, listen, refuse_debugging
    from regportal.app.worker import Worker

    on_signals(sys.exit)  # until there is something to finish
    refuse_debugging()
    settings = load()
    if settings.sqlite and not with_worker:
        raise ConfigError(PART_OF_SERVE)
    host, port = host or "127.0.0.1", _port(settings) if port is None else port
    with contextlib.closing(listen(host, port)) as here, _alone(settings):
        port = here.getsockname()[1]
        if "base_url" not in settings.model_fields_set:
            settings = load(base_url=f"http://localhost:{port}")
        begin_logging(settings.log_level)
        if settings.limits == "off":
            logger.warning("REGPORTAL_LIMITS is off: no cap holds, which is for tests only")
        app = create_app(settings)
        store = app.extensions["regportal.store"]
        try:
            _require_current(store.engine)
            worker = Worker(app)
            if with_worker:
                app.extensions["regportal.works"] = worker.is_running
            settle_down()
            server = Server(app, here, settings, store.gathering)
            on_signals(server.stop)

            def begin() -> None:
                if not answers(host, port, settings):
                    server.stop()
                    return
                if with_worker:
                    worker.start()
                click.echo(f"regportal is ready at {settings.base_url}")
                welcome_the_first(settings, store)

            threading.Thread(target=begin, name="begin", daemon=True).start()
            server.run()
            worker.stop()
        finally:
            store.close()


@click.command()
def worker() -> None:
    """Settle, weigh and deliver, beside any number of `regportal serve --without-worker`."""
    from regportal.app import create_app
    from regportal.app.logs import begin_logging
    from regportal.app.worker import Worker

    ending = Ending()
    settings = load()
    if settings.sqlite:
        raise ConfigError(PART_OF_SERVE)
    begin_logging(settings.log_level)
    app = create_app(settings)
    store = app.extensions["regportal.store"]
    try:
        _require_current(store.engine)
        runs = Worker(app)
        settle_down()
        runs.start()
        click.echo("regportal works")
        ending.wait()
        runs.stop()
    finally:
        store.close()


def welcome_the_first(settings: Settings, store: Store) -> None:
    """Print a link for the first owner of the Studio; a new one at each start, until there is."""
    from regportal.accounts.actions import first_link
    from regportal.cli.users import tell_first_link

    now = datetime.now(UTC)
    token = store.write(lambda session: first_link(session, now=now))
    if token is not None:
        tell_first_link(settings, token)


def settle_down() -> None:
    """
    Let Python not look again and again through what stays until the end.

    What is loaded by now is not looked through any more, and the rest after every 20,000 new
    things instead of 700: a batch of interactions is some thousand, and no cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _port(settings: Settings) -> int:
    """Return the port to listen on where none was given: the one people see, on this machine."""
    return (settings.development and urlsplit(settings.base_url).port) or PORT


def _require_current(engine: sa.Engine) -> None:
    """Refuse a database of another shape."""
    from regportal.store.shape import is_current

    if not is_current(engine):
        raise ConfigError("the database is not up to date: run `regportal upgrade` first")


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """
    Have the SQLite file to ourselves, and look it over if the last process did not end well.

    The lock is the operating system's: it is gone with the process that held it.
    """
    path = sa.make_url(settings.database_url.get_secret_value()).database
    if not settings.sqlite or not path:
        yield
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    running, moved = Path(f"{path}.running"), Path(f"{path}.moved")
    with not_served(path):
        if moved.exists():
            where = moved.read_text(encoding="utf-8").strip()
            raise ConfigError(f"{path} was moved to {where}: serve that, or delete {moved}")
        if running.exists():
            _look_over(path)
        running.touch()
        yield
        running.unlink()


@contextlib.contextmanager
def not_served(path: str) -> Iterator[None]:
    """Let no `regportal serve` run on this SQLite file until the end; refuse where one does."""
    lock = FileLock(f"{path}.serving", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise ConfigError(f"another `regportal serve` already uses {path}") from None
    try:
        yield
    finally:
        lock.release()


def _look_over(path: str) -> None:
    """Raise ConfigError where the file is damaged; what was half written SQLite takes back."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        says = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if says != "ok":
        raise ConfigError(f"{path} is damaged ({says}): restore a backup")
    logger.warning("recovered after an unclean stop")
