"""The commands by which a colleague says over the rules in which phase an opportunity is."""

import getpass
from datetime import UTC, datetime

import click

from regportal.cli.installation import opened
from regportal.cli.lines import printable
from regportal.cli.moments import MOMENT
from regportal.connectors.rules import in_full


@click.group()
def override() -> None:
    """Say over the rules in which phase an opportunity is, and take it back."""


@override.command("phase")
@click.argument("name", metavar="OPPORTUNITY")
@click.argument("phase")
@click.option("--because", required=True, help="Why; it is kept, and told to the CRM.")
@click.option("--by", help="Who says so; else whoever is logged in here.")
@click.option("--until", type=MOMENT, help="Until when it holds; else for 30 days.")
@click.option("--for", "how_long", metavar="SPAN", help="How long it holds, as 14d; at most 180d.")
def override_phase(
    name: str,
    phase: str,
    because: str,
    by: str | None,
    until: datetime | None,
    how_long: str | None,
) -> None:
    """
    Let OPPORTUNITY be in PHASE because a colleague says so, whatever the rules say.

    OPPORTUNITY is our key, or <connector>:<external id>.
    """
    from regportal.buying import overriding
    from regportal.store.schema import span

    if until is not None and how_long is not None:
        raise click.UsageError("choose one of --until and --for")
    now = datetime.now(UTC)
    try:
        until = until or now + (span(how_long) if how_long else overriding.USUAL)
    except (ValueError, OverflowError):
        raise click.UsageError(f"--for is a length of time like 14d, not {how_long!r}") from None
    word = overriding.Word(
        phase,
        by if by is not None else who(),
        because,
        until,
    )
    with opened() as here:
        said = here.store.write(
            lambda session: overriding.override(
                session, here.shelf.published(session), name, word, now=now
            )
        )
    click.echo(printable(f"{name} is in {phase} until {in_full(said.until)}"))


@override.command("end")
@click.argument("name", metavar="OPPORTUNITY")
def end(name: str) -> None:
    """Take back what was said of OPPORTUNITY: it is where the rules are."""
    from regportal.buying import overriding

    now = datetime.now(UTC)
    with opened() as here:
        said = here.store.write(
            lambda session: overriding.end_override(
                session, here.shelf.published(session), name, now=now
            )
        )
    click.echo(printable(f"what {said.by} said of {name} holds no more"))


def who() -> str:
    """Return who is logged in; raise UsageError where nobody can tell."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise click.UsageError("say with --by who says so") from None
