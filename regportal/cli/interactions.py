"""The command that brings in what was done before: events of contacts, and downloads of a log."""

import contextlib
import csv
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from regportal.cli.installation import opened
from regportal.cli.reading import AS_JSON
from regportal.errors import RegportalError
from regportal.store.tables import safe_cell

if TYPE_CHECKING:
    from regportal.tracking.importing import Refused, Report

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FORMATS = click.Choice(["csv", "jsonl", "access-log"])


@click.command()
@click.argument("file", type=FILE)
@click.option(
    "--format", "kind", type=FORMATS, help="What it is; else its name or first line says."
)
@click.option(
    "--files",
    multiple=True,
    metavar="PATTERN",
    help="Which paths of a log are counted, as '/media/*.pdf'; else every document.",
)
@click.option(
    "--refused",
    "refusals",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every refused row and its reason to this CSV file.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be taken.")
@AS_JSON
def interactions(
    file: Path,
    kind: str | None,
    files: tuple[str, ...],
    refusals: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """
    Import interactions from FILE: events (CSV, JSON Lines), or a web server's log.

    Whatever was taken before is left out. It may be stopped at any time; run again it goes on.
    Where a row was refused it leaves with 1; the others are taken.
    """
    from regportal.store.documents import Site
    from regportal.tracking.access_log import wanted_files
    from regportal.tracking.importing import Report, Terms, bring_in
    from regportal.tracking.lines import Kind, Lines, kind_of

    if refusals is not None and refusals.exists() and refusals.samefile(file):
        raise click.UsageError("--refused would write over the file that is read")
    with opened() as here, _told_to(refusals) as tell, _read(file) as (text, size):
        with here.store.read() as session:
            site = Site.of(here.shelf.published(session))
        pepper = here.settings.pepper_text
        terms = Terms(site, pepper, wanted_files(files), partial(datetime.now, UTC), dry=dry_run)
        report = Report(on_refused=tell)
        with click.progressbar(length=size, label="Importing", file=sys.stderr) as bar:
            lines = Lines(text, bar.update)
            first = lines.peek()
            try:
                which = Kind(kind) if kind else kind_of(file.name, first)
                bring_in(here.store, lines, which, terms, report)
            except KeyboardInterrupt:
                click.echo("\nstopped; run it again to go on. So far:", err=True)
                _say(report, as_json=as_json, dry=dry_run)
                raise
            except OSError as error:
                raise RegportalError(f"{file} cannot be read: {error.strerror}") from error
    _say(report, as_json=as_json, dry=dry_run)
    end_refusing(report.reasons.total(), dry=dry_run)


def end_refusing(rows: int, *, dry: bool = False) -> None:
    """Raise RegportalError where rows were refused, so that an import leaves with 1."""
    if rows:
        counted, were = ("1 row", "was") if rows == 1 else (f"{rows} rows", "were")
        raise RegportalError(f"{counted} {'would be' if dry else were} refused")


@contextlib.contextmanager
def _read(file: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open the file that is read; give its size, too."""
    try:
        opened_file = file.open("rb")
    except OSError as error:
        raise RegportalError(f"{file} cannot be read: {error.strerror}") from error
    with opened_file:
        yield opened_file, file.stat().st_size


@contextlib.contextmanager
def _told_to(file: Path | None) -> Iterator[Callable[["Refused"], object]]:
    """Give what writes refused rows down."""
    if file is None:
        yield lambda _: None
        return
    try:
        text = file.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise RegportalError(f"{file} cannot be written: {error.strerror}") from error
    with text:
        rows = csv.writer(text)
        rows.writerow(["row", "reason"])
        yield lambda one: rows.writerow([one.row, safe_cell(one.reason)])


def _say(report: "Report", *, as_json: bool, dry: bool) -> None:
    """Print what became of a file."""
    refused = report.reasons.total()
    if as_json:
        told = {
            "accepted": report.accepted,
            "duplicate": report.duplicate,
            "not_counted": dict(sorted(report.not_counted.items())),
            "refused": refused,
            "refused_first": [{"row": one.row, "reason": one.reason} for one in report.refused],
            "dry_run": dry,
        }
        click.echo(json.dumps(told))
        return
    would = "would be " if dry else ""
    click.echo(
        f"{report.accepted} {would}accepted, {report.duplicate} duplicate, "
        f"{report.not_counted.total()} not counted, {refused} refused"
    )
    for reason, number in sorted(report.not_counted.items()):
        click.echo(f"not counted, {reason}: {number}")
    for one in report.refused:
        click.echo(f"row {one.row}: {one.reason}", err=True)
    if refused > len(report.refused):
        for reason, number in report.reasons.most_common():
            click.echo(f"refused in all, {reason}: {number}", err=True)
