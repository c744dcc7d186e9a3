"""What the benches have in common: options, a folder, a bar, and how a report is printed."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from regportal.cli.bench.report import Report
from regportal.errors import ConfigError

ROUNDS = click.option("--rounds", "count", type=click.IntRange(3, 50), default=3, show_default=True)
BUSY = click.option("--even-if-busy", is_flag=True, help="Count rounds that others disturbed.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print what a program may read.")
DATABASE = click.option(
    "--database",
    metavar="URL",
    help="A PostgreSQL on which databases may be made for the run; without it on SQLite.",
)


def requests(default: int, most: int) -> Callable[..., Any]:
    """Return the option that says how much is sent."""
    kind = click.IntRange(64, most)
    return click.option("--requests", type=kind, default=default, show_default=True)


@contextlib.contextmanager
def folder_of_its_own() -> Iterator[Path]:
    """Give a folder for the run, gone after it."""
    with tempfile.TemporaryDirectory(prefix="regportal-bench-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def progress_bar(steps: int) -> Iterator[Callable[[str], None]]:
    """Show how far it is, on standard error."""
    if not Path("/proc/stat").exists():
        raise ConfigError("the bench reads CPU and memory from /proc, which is not here")
    with Progress(
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("getting ready", total=steps)

        def progress(says: str) -> None:
            bar.update(task, advance=1, description=says)

        yield progress


def print_report(report: Report, *, as_json: bool) -> None:
    """Print a report; that a goal was not reached is no error."""
    click.echo(json.dumps(report.told(), indent=2) if as_json else report.shown())
