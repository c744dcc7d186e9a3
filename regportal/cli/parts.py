"""Commands for a log that PostgreSQL divides by month."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from regportal.cli.installation import opened
from regportal.cli.moments import MOMENT
from regportal.cli.reading import AS_JSON
from regportal.errors import RegportalError

if TYPE_CHECKING:
    from regportal.tracking.dividing import Part


@click.command()
def divide() -> None:
    """Divide the log by month (PostgreSQL); others wait meanwhile."""
    from regportal.tracking import dividing

    now = datetime.now(UTC)
    with opened() as here:
        with _in_one_sentence():
            here.store.write(partial(dividing.divide, now=now))
        with here.store.read() as session:
            found = dividing.parts(session)
    _say(found, as_json=False)


@click.command()
@AS_JSON
def parts(*, as_json: bool) -> None:
    """List the parts of a divided log, the oldest first, and about how much is in each."""
    from regportal.tracking import dividing

    with opened() as here, here.store.read() as session:
        found = dividing.parts(session) if dividing.is_divided(session) else []
    _say(found, as_json=as_json)
    if not found:
        click.echo("the log is not divided", err=True)


@click.command()
@click.option("--before", type=MOMENT, required=True, help="The month before which all goes.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def drop(before: datetime, *, dry_run: bool) -> None:
    """Drop the parts of a divided log before a month, with everything in them, whosever it is."""
    from regportal.tracking import dividing

    now = datetime.now(UTC)
    with opened() as here:
        with here.store.read() as session:
            found = dividing.to_drop(session, before, now=now)
        for part in found:
            if not dry_run:
                with _in_one_sentence():
                    here.store.write(partial(dividing.drop, part=part, now=now))
            click.echo(f"{part.name} {'would be' if dry_run else 'is'} dropped")
    if not found:
        click.echo("nothing is that old")


@contextlib.contextmanager
def _in_one_sentence() -> Iterator[None]:
    """Let what the database refuses be said in one sentence."""
    import sqlalchemy as sa

    from regportal.store.shape import first_line

    try:
        yield
    except sa.exc.DBAPIError as error:
        raise RegportalError(f"the database refuses: {first_line(error)}") from error


def _say(found: "list[Part]", *, as_json: bool) -> None:
    """Print the parts."""
    from regportal.connectors.rules import in_full

    rows: list[dict[str, Any]] = [
        {
            "name": one.name,
            "since": in_full(one.since) if one.since else None,
            "until": in_full(one.until),
            "rows": one.rows,
        }
        for one in found
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['name']}: until {row['until'][:10]}, about {row['rows']}")
