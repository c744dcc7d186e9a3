"""Commands that keep copies: a hot backup, its return, and the move from SQLite to PostgreSQL."""

import contextlib
import json
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from regportal.cli.installation import opened
from regportal.cli.reading import AS_JSON
from regportal.config import load
from regportal.errors import ConfigError, RegportalError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from regportal.app.keeping import Backup, Copied, OnRows, Owing

HELD = "restored from a backup: look at what is owed, then `regportal outbox resume`"
"""Why a connector that is told twice what it is told twice waits after a restore."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@AS_JSON
def backup(file: Path, *, as_json: bool) -> None:
    """Write everything the database says now into FILE, while everybody goes on working."""
    from regportal.app.keeping import as_of_now, back_up, rows_in

    with opened() as here, _in_one_sentence():
        with as_of_now(here.store.engine) as source:
            rows = rows_in(source)
        with _progress(rows, "Backing up") as on_rows:
            now = datetime.now(UTC)
            copied = back_up(here.store.engine, file, on_rows=on_rows, now=now)
    _say(copied, as_json=as_json)
    if not as_json:
        click.echo(f"{file} has {copied.rows} rows, as of {now:%Y-%m-%dT%H:%M:%SZ}.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only look whether FILE can be restored.")
@click.option("--hold", is_flag=True, help="Tell no CRM anything until `outbox resume`.")
@AS_JSON
def restore(file: Path, *, check: bool, hold: bool, as_json: bool) -> None:
    """
    Bring FILE back, made by `backup`, into a database that has nothing yet.

    The ledger and what is owed are checked first, and everything is compared afterwards.
    """
    from regportal.app.keeping import (
        copy,
        new_database,
        opened_backup,
        owing,
        rows_in,
        wrong_with_ledger,
        wrong_with_outbox,
    )
    from regportal.consent.heads import HEADS, read_heads

    settings = load()
    heads = read_heads(settings.instance / HEADS)
    with _in_one_sentence(), opened_backup(file) as (about, source):
        wrong = wrong_with_outbox(source)
        ledger = wrong_with_ledger(source, heads, settings.keys)
        later = [one for one in ledger.faults if one.number > _lines(source)]
        wrong += [f"line {one.number} {one.says}" for one in ledger.faults if one not in later]
        if wrong:
            raise RegportalError(f"{file} is not restored: {'; '.join(wrong[:3])}")
        owed = owing(source)
        if not as_json:
            _warn(about, owed, lost=len(later))
        if check:
            click.echo(f"{file} is as it was written, and can be restored.")
            return
        with new_database(settings.database_url.get_secret_value()) as target:
            with _progress(rows_in(source), "Restoring") as on_rows:
                copied = copy(source, target, on_rows)
            held = _hold(target)
    still = dict.fromkeys(held, "--hold") if hold else _let_go(held)
    _say(copied, as_json=as_json)
    if not as_json:
        for key, because in still.items():
            click.echo(f"{key} is told nothing until `regportal outbox resume {key}`: {because}")
        click.echo(f"{copied.rows} rows are back.")


@click.command("move-db")
@click.argument("url")
@AS_JSON
def move_db(url: str, *, as_json: bool) -> None:
    """
    Move from SQLite to the empty PostgreSQL at URL, and prove that both say the same.

    An address with a password stays off the command line as env:NAME, the name of the environment
    variable that holds it. Nothing may be serving meanwhile. Where it is interrupted nothing has
    changed.
    """
    from regportal.app.keeping import as_of_now, copy, new_database, rows_in
    from regportal.cli.operate import has_password, masked_url
    from regportal.cli.serve import not_served

    settings = load()
    if not settings.sqlite:
        raise ConfigError("REGPORTAL_DATABASE_URL must be the SQLite that is moved")
    if url.startswith("env:"):
        url = settings.secret(url)
    elif has_password(url):
        click.echo("Others saw this password in the list of processes: write env:NAME.", err=True)
    if not url.startswith("postgresql+psycopg://"):
        raise ConfigError("URL must begin with postgresql+psycopg://")
    with opened() as here, _in_one_sentence():
        path = str(here.store.engine.url.database)
        moved = Path(f"{path}.moved")
        with (
            not_served(path),
            as_of_now(here.store.engine, alone=True) as source,
            new_database(url) as target,
        ):
            with _progress(rows_in(source), "Moving") as on_rows:
                copied = copy(source, target, on_rows)
            moved.write_text(f"{masked_url(url)}\n", encoding="utf-8")
    _say(copied, as_json=as_json)
    if not as_json:
        click.echo(f"{copied.rows} rows are there, and say the same. Now set:")
        click.echo(f"REGPORTAL_DATABASE_URL={masked_url(url)}")


@contextlib.contextmanager
def _in_one_sentence() -> Iterator[None]:
    """Let what a database or a disk refuses be said in one sentence."""
    import psycopg
    import sqlalchemy as sa

    from regportal.store.shape import first_line

    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, psycopg.Error) as error:
        raise RegportalError(f"nothing was kept: {first_line(error)}") from error
    except OSError as error:
        raise RegportalError(f"nothing was kept: {error.strerror or error}") from error


@contextlib.contextmanager
def _progress(rows: int, label: str) -> "Iterator[OnRows]":
    """Show how far it is: each row is written, and read back."""
    with click.progressbar(length=2 * rows, label=label, file=sys.stderr) as bar:
        yield bar.update


def _lines(source: "sa.Connection") -> int:
    """Return the number of the last line that a copy has of the ledger."""
    import sqlalchemy as sa

    from regportal.consent.models import ConsentEvent

    return source.scalar(sa.select(sa.func.max(ConsentEvent.number))) or 0


def _say(copied: "Copied", *, as_json: bool) -> None:
    """Print the proof: of each table how many rows, and what they say."""
    if as_json:
        tables = {
            name: {"rows": one.rows, "digest": one.text} for name, one in copied.tables.items()
        }
        click.echo(json.dumps({"tables": tables, "numbers": dict(copied.numbers)}))
        return
    for name, one in copied.tables.items():
        if one.rows:
            click.echo(f"{name}: {one.rows} rows, {one.text[:16]}")


def _warn(about: "Backup", owed: "list[Owing]", *, lost: int) -> None:
    """Say what comes back, and what becomes of what happened after it was copied."""
    made = f"{about.at:%Y-%m-%dT%H:%M:%SZ}, of {about.kind}, by regportal {about.release}"
    click.echo(f"The backup was made {made}. What came later is not in it:")
    click.echo("answers and interactions, permissions, withdrawals and erasures, too.")
    if lost:
        click.echo(f"At least {lost} later heads of the ledger were signed; their lines are lost.")
    for one in owed:
        click.echo(
            f"{one.connector} was owed {one.waiting} messages then. They are told again, each"
            " under its own id, also where they were told after the backup."
        )


def _hold(target: "sa.Connection") -> list[str]:
    """Pause every connector that nobody paused already; return their keys."""
    from sqlalchemy.orm import Session

    from regportal.connectors.schema import Connector
    from regportal.outbox.operating import pause, pauses
    from regportal.store.documents import Shelf

    with Session(target, join_transaction_mode="create_savepoint") as session:
        now = datetime.now(UTC)
        paused = {one.connector for one in pauses(session, now=now) if one.until is None}
        keys = {one.key for one in Shelf().published(session).all(Connector)} - paused
        for key in sorted(keys):
            pause(session, key, HELD)
        session.commit()
    return sorted(keys)


def _let_go(held: list[str]) -> dict[str, str]:
    """Resume those for whom being told twice is being told once; return who is still held."""
    from regportal.connectors.base import connector_for
    from regportal.connectors.schema import Connector
    from regportal.outbox.operating import resume
    from regportal.store.vault import Vault

    still: dict[str, str] = {}
    with opened() as here:
        vault = Vault(here.settings, here.store)
        with here.store.read() as session:
            documents = here.shelf.published(session).all(Connector)
        for document in documents:
            if document.key not in held:
                continue
            try:
                connector = connector_for(document, here.settings, vault.secret)
            except RegportalError as error:
                still[document.key] = str(error)
                continue
            if connector.capabilities.idempotent:
                here.store.write(partial(resume, connector=document.key, now=datetime.now(UTC)))
            else:
                still[document.key] = "what it is told twice it does twice"
            connector.close()
    return still
