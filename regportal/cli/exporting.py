"""Commands that write the time series to a file: interactions, and visits."""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from regportal.cli.installation import opened
from regportal.cli.moments import FROM, TO
from regportal.errors import NotHereError, RegportalError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from sqlalchemy.orm import Session

    from regportal.tracking.series import Wanted

C = TypeVar("C", bound=Callable[..., Any])
Rows = Callable[["Session", "Wanted"], Iterator[Sequence["BaseModel"]]]
FORMATS = ("csv", "jsonl", "parquet")
OUT = click.Path(dir_okay=False, path_type=Path)


def asked(command: C) -> C:
    """Add the options that every export has."""
    for option in (
        click.option("--out", type=OUT, help="Write to this file, whole or not at all."),
        click.option("--contact", metavar="EMAIL", help="Only what is this contact's."),
        TO,
        FROM,
        click.option("--format", "kind", type=click.Choice(FORMATS), help="Else FILE's name says."),
    ):
        command = option(command)
    return command


@click.command("export")
@asked
def export_interactions(
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    contact: str | None,
    out: Path | None,
) -> None:
    """Write every interaction as the API tells of it: CSV, JSON Lines or Parquet."""
    from regportal.tracking.exporting import interactions
    from regportal.tracking.series import InteractionRead

    _export(interactions, InteractionRead, _kind(kind, out), (since, until), contact, out)


@click.group()
def visits() -> None:
    """Write down in which visits things were done, and what led to them."""


@visits.command("export")
@asked
def export_visits(
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    contact: str | None,
    out: Path | None,
) -> None:
    """Write every visit as the API tells of it: CSV, JSON Lines or Parquet."""
    from regportal.tracking.exporting import visits as every_visit
    from regportal.tracking.visiting import VisitRead

    _export(every_visit, VisitRead, _kind(kind, out), (since, until), contact, out)


def _kind(kind: str | None, out: Path | None) -> str:
    """Return how it is written: as asked for, else as the file is called, else CSV."""
    suffix = out.suffix.removeprefix(".").lower() if out else ""
    chosen = kind or (suffix if suffix in FORMATS else "csv")
    if chosen == "parquet" and out is None:
        raise click.UsageError("Parquet is no text: name a file with --out")
    return chosen


def _export(
    rows: Rows,
    model: type["BaseModel"],
    kind: str,
    span: tuple[datetime | None, datetime | None],
    contact: str | None,
    out: Path | None,
) -> None:
    """Write a series, some rows at a time."""
    from regportal.tracking.exporting import WRITERS, how_many
    from regportal.tracking.series import Wanted

    with opened() as here, here.store.read() as session:
        contacts = [_contact(session, contact)] if contact is not None else None
        wanted = Wanted(contacts, since=span[0], until=span[1])
        size = how_many(session, model, wanted)
        with written(out) as file:
            writer = WRITERS[kind](file, model)
            with click.progressbar(length=size, label="Exporting", file=sys.stderr) as bar:
                for some in rows(session, wanted):
                    writer.write(some)
                    bar.update(len(some))
            writer.close()
    if out is not None:
        told = "1 row" if size == 1 else f"{size} rows"
        click.echo(f"Wrote {told} to {out}.", err=True)


def _contact(session: "Session", email: str) -> Any:
    """Return whose series it is; raise NotHereError where nobody has the address."""
    from regportal.identity.actions import find_contact

    found = find_contact(session, email) if email.isprintable() else None
    if found is None:
        raise NotHereError(f"nobody is known by the address {email!r}")
    return found.id


def check_writable(out: Path) -> None:
    """Raise RegportalError where no file could be written there, before it takes long to make."""
    try:
        tempfile.TemporaryFile(dir=out.parent).close()
    except OSError as error:
        raise RegportalError(f"{out} cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def written(out: Path | None) -> Iterator[IO[bytes]]:
    """Give a file that is there when all of it is, for nobody else to read; or standard output."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        part = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed below, before it is moved
            dir=out.parent, prefix=f".{out.name}.", suffix=".part", delete=False
        )
    except OSError as error:
        raise RegportalError(f"{out} cannot be written: {error.strerror}") from error
    try:
        with part:
            yield part
        Path(part.name).replace(out)
    except OSError as error:
        raise RegportalError(f"{out} cannot be written: {error.strerror}") from error
    finally:
        Path(part.name).unlink(missing_ok=True)
