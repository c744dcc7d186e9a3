"""The commands that let a draft of rules run in shadow: live, and nobody is told."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from regportal.cli.installation import opened
from regportal.cli.lines import outside, printable, second
from regportal.cli.reading import AS_JSON

Row = dict[str, Any]
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
MOST = 50
"""Opportunities that are printed; all of them are in --json."""


@click.group()
def shadow() -> None:
    """Let a draft of rules run beside those that are published; nobody is told of it."""


@shadow.command("begin")
@click.argument("file", type=FILE)
def begin(file: Path) -> None:
    """
    Let the buying model of FILE hear from now on what the published one hears.

    No CRM is told where it has opportunities, and nothing else changes.
    """
    from regportal.buying import shadow
    from regportal.documents.planning import draft_of
    from regportal.documents.reading import read

    book, now = read(file, alone="buying"), datetime.now(UTC)
    with opened() as here:
        with here.store.read() as session:
            draft = draft_of(session, book)
        here.store.write(
            lambda session: shadow.begin(session, here.shelf.published(session), draft, now=now)
        )
    click.echo("It runs in shadow; `regportal shadow show` says where it has what otherwise.")


@shadow.command("show")
@AS_JSON
def show(*, as_json: bool) -> None:
    """Say of which open opportunities the draft in shadow says something else."""
    from regportal.buying.shadows import shadow_shown

    with opened() as here, here.store.read() as session:
        told = shadow_shown(session, here.shelf.published(session))
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for line in _lines(told):
        click.echo(printable(line))


@shadow.command("end")
def end() -> None:
    """Let the draft run no longer, and forget where it had what."""
    from regportal.buying import shadow

    with opened() as here:
        here.store.write(shadow.end)
    click.echo("Nothing runs in shadow any more.")


def _lines(told: Row) -> Iterator[str]:
    """Yield what the draft says otherwise, as people read it."""
    moves, apart = told["moves"], told["opportunities"]
    yield f"in shadow since {second(told['since'])}: {', '.join(told['phases'])}"
    yield f"moves since then: published {moves['published']}, draft {moves['draft']}"
    yield f"open opportunities: {told['open']}, of which {len(apart)} are in another phase"
    if told["waiting"]:
        yield f"not worked out yet: {told['waiting']} (is a worker running?)"
    for one in apart[:MOST]:
        yield f"  {outside(one)}: {_stay(one['published'])}; draft: {_stay(one['draft'])}"
    if len(apart) > MOST:
        yield f"  and {len(apart) - MOST} more: --json has them all"


def _stay(one: Row) -> str:
    """Return a phase, and since when."""
    return one["label"] if one["since"] is None else f"{one['label']} since {second(one['since'])}"
