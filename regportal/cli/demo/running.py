"""Starting the demo and ending it: two servers and the worker, all in one process."""

import base64
import contextlib
import os
import secrets
import shutil
import string
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import click
import sqlalchemy as sa
from filelock import FileLock, Timeout
from sqlalchemy.orm import Session

from regportal.accounts.actions import first_link, is_unowned
from regportal.app import create_app, web_root
from regportal.app.logs import begin_logging
from regportal.app.server import Server, answers, listen
from regportal.app.worker import Worker
from regportal.cli.demo.crm import Crm
from regportal.cli.demo.notebook import Notebook
from regportal.cli.demo.pages import Stage, create_pages
from regportal.cli.demo.papers import draw
from regportal.cli.demo.story import STEPS
from regportal.cli.ending import Ending
from regportal.config import Settings, load
from regportal.documents.actions import apply
from regportal.documents.planning import plan
from regportal.documents.reading import read
from regportal.errors import ConfigError
from regportal.forms.schema import Gate
from regportal.library.storage import open_storage
from regportal.mail.models import Letter
from regportal.store.documents import read_published, said
from regportal.store.migrate import upgrade
from regportal.store.sessions import Store
from regportal.tracking.models import Visit

FOLDER = Path("instance/demo")
HOST = "127.0.0.1"
DAY = timedelta(days=1)


def run(port: int, *, fresh: bool) -> None:
    """Run the demo until Ctrl-C; raise ConfigError where it cannot begin."""
    with (
        contextlib.closing(listen(HOST, port)) as here,
        contextlib.closing(listen(HOST, port + 1)) as there,
        _alone(),
    ):
        if fresh:
            shutil.rmtree(FOLDER, ignore_errors=True)
        site = f"http://localhost:{port + 1}"
        settings = prepare(FOLDER, port)
        begin_logging(settings.log_level)
        portal = create_app(settings)
        store: Store = portal.extensions["regportal.store"]
        worker = Worker(portal)
        try:
            publish(FOLDER, store, settings, port)
            welcome = _welcome(settings, store)
            pages = create_pages(stage_of(FOLDER, settings, store, welcome))
            servers = (Server(portal, here, settings), Server(pages, there, settings))
            threads = [threading.Thread(target=server.run, daemon=True) for server in servers]
            ending = Ending()
            for thread in threads:
                thread.start()
            if answers(HOST, port, settings):
                worker.start()
                _invite(site, settings, welcome or settings.studio_address)
                ending.wait()
                click.echo("\nThe demo has ended; it keeps its place for the next start.")
                worker.stop()
            for server, thread in zip(servers, threads, strict=True):
                server.stop()
                thread.join()
        finally:
            store.close()


def prepare(folder: Path, port: int) -> Settings:
    """Make the folder, its secret, its files and its database; return the demo's settings."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["CRM_SECRET"] = _secret(folder / "crm_secret")
    place = folder.resolve().as_posix()
    settings = load(
        instance=folder,
        database_url=f"sqlite:///{place}/regportal.db",
        storage_url=f"file://{place}/storage",
        mail_url=f"file://{place}/mail",
        base_url=f"http://localhost:{port}",
        trusted_hosts="",
        proxy_hops=0,
        allow_private_targets="127.0.0.0/8",
        log_level="WARNING",
    )
    upgrade(settings.database_url.get_secret_value())
    return settings


def publish(folder: Path, store: Store, settings: Settings, port: int) -> None:
    """Write the sample site into the folder and publish it; the same again changes nothing."""
    draw(folder / "files")
    sample = resources.files("regportal.cli.demo").joinpath("acme.yaml")
    text = string.Template(sample.read_text(encoding="utf-8")).substitute(
        marketing=f"http://localhost:{port + 1}", crm=f"http://{HOST}:{port + 1}/crm/in"
    )
    path = folder / "regportal.yaml"
    path.write_text(text, encoding="utf-8")
    with store.read() as session:
        change = plan(session, read(path))
    apply(store, open_storage(settings.storage_url), change, now=datetime.now(UTC))


def stage_of(folder: Path, settings: Settings, store: Store, welcome: str | None) -> Stage:
    """Return what the windows of the demo look at."""
    notebook = Notebook(folder / "demo.jsonl")
    if not notebook.lines():
        notebook.add("begun")
    crm = Crm(notebook, os.environ["CRM_SECRET"], f"{settings.base_url}/hooks/crm")
    return Stage(
        portal=settings.base_url,
        web=web_root(),
        mail=folder / "mail",
        notebook=notebook,
        crm=crm,
        gates=lambda: gates(store),
        age=lambda: age(store, DAY),
        studio=lambda: _way_in(settings, store, welcome),
    )


def gates(store: Store) -> list[tuple[str, str]]:
    """Return every gate that is published, the newest first: its key and its headline."""
    with store.read() as session:
        published = read_published(session, 0)
    return [(one.key, said(one.headline)) for one in reversed(published.all(Gate))]


def age(store: Store, by: timedelta) -> None:
    """Let regportal take every visit and every mail so far to be this much older."""

    def older(session: Session) -> None:
        for visit in session.scalars(sa.select(Visit)):
            visit.started_at -= by
            visit.last_at -= by
        for letter in session.scalars(sa.select(Letter)):
            letter.sent_at -= by

    store.write(older)


def _welcome(settings: Settings, store: Store) -> str | None:
    """Return the address at which somebody becomes the owner of the Studio, where it has none."""
    token = store.write(lambda session: first_link(session, now=datetime.now(UTC)))
    return f"{settings.studio_address}/welcome/{token}" if token else None


def _way_in(settings: Settings, store: Store, welcome: str | None) -> str:
    """Return where the Studio is entered now: by its first link until that was used."""
    with store.read() as session:
        return welcome if welcome and is_unowned(session) else settings.studio_address


def _invite(site: str, settings: Settings, studio: str) -> None:
    """Print where to begin."""
    click.echo(f"\n  Begin here:  {site}/story\n")
    for name, address in (
        ("Acme's site", f"{site}/"),
        ("Mailbox", f"{site}/mailbox"),
        ("CRM", f"{site}/crm"),
        ("regportal", f"{settings.base_url}/g/buyers-guide"),
        ("Studio", studio),
    ):
        click.echo(f"  {name:<12} {address}")
    click.echo()
    for number, step in enumerate(STEPS, start=1):
        click.echo(f"  {number}. {step.title}")
    click.echo(f"\n  Ctrl-C ends it. `{_command()} --fresh` begins anew.\n")


def _command() -> str:
    """Return how the demo was called: `make demo` leaves no `regportal` on the path."""
    called = Path(sys.argv[0])
    return f"{called if called.name == 'regportal' else 'regportal'} demo"


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Have the demo's folder to ourselves."""
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{FOLDER}.lock", blocking=False)
    try:
        with lock:
            yield
    except Timeout:
        raise ConfigError("the demo is already running in this folder") from None


def _secret(path: Path) -> str:
    """Return the secret the CRM shares with regportal, made at the first start."""
    if not path.exists():
        path.write_text(f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}")
        path.chmod(0o600)
    return path.read_text(encoding="ascii")
