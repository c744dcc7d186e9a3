"""Whether what is kept of phases and scores is what the log says."""

import sys
from datetime import UTC, datetime

import click

from regportal.cli.installation import opened
from regportal.cli.lines import printable

MOST = 100
"""Differences that are printed."""


def check_all() -> None:
    """
    Replay the log and name every difference from what is kept; end with 1 where there is one.

    What is not weighed yet is said, and may be the reason.
    """
    from regportal.buying.checking import Difference, how_many, standing_differences
    from regportal.buying.models import SubjectKind
    from regportal.buying.place import unread
    from regportal.buying.scores.checking import differences
    from regportal.cli.differing import told

    now = datetime.now(UTC)
    with opened() as here, here.store.read() as session:
        published = here.shelf.published(session)
        waiting = unread(session)
        with click.progressbar(
            length=how_many(session, published), label="Replaying", file=sys.stderr
        ) as bar:
            found = [*standing_differences(session, published, now=now, on_step=bar.update)]
        for key, score, what, *both in differences(session, published, now=now):
            found.append(Difference(SubjectKind.PERSON, key, f"{what} of the score {score}", *both))
        for line in told(session, published, found[:MOST]):
            click.echo(printable(line))
    if len(found) > MOST:
        click.echo(f"and {len(found) - MOST} more")
    if waiting:
        click.echo(
            f"{waiting} lines of the log are not weighed yet: is a worker running?", err=True
        )
    if found:
        sys.exit(1)
    click.echo("Everything that is kept is what the log says.")
