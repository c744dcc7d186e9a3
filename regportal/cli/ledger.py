"""Commands for the consent ledger: whether it is as it was written, and how it ends."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from regportal.cli.installation import opened
from regportal.cli.reading import AS_JSON
from regportal.errors import RegportalError

MOST_LINES = 20


@click.group()
def ledger() -> None:
    """Check the consent ledger."""


@ledger.command()
@click.option(
    "--heads",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Signed heads to check against; otherwise those of this installation.",
)
@AS_JSON
def verify(file: Path | None, *, as_json: bool) -> None:
    """Check every line of the ledger, and its end against the signed heads."""
    from regportal.consent.heads import HEADS, read_heads
    from regportal.consent.ledger import verify as verify_ledger

    with opened() as here, here.store.read() as session:
        heads = read_heads(file or here.settings.instance / HEADS)
        found = verify_ledger(session, heads, here.settings.keys)
    if as_json:
        click.echo(json.dumps(asdict(found) | {"whole": found.whole}))
    faults = [
        f"line {one.number} {one.says}" + (f" ({one.id})" if one.id else "") for one in found.faults
    ]
    if found.unread:
        faults.append(f"heads that are not as we signed them, or not ours: {found.unread}")
    if found.missing:
        faults.append(f"heads that a later one vouches for and that are missing: {found.missing}")
    if len(faults) > MOST_LINES:
        faults[MOST_LINES:] = [f"… and {len(faults) - MOST_LINES} more"]
    if faults:
        raise RegportalError("the ledger is not as it was written: " + "; ".join(faults))
    if not as_json:
        signed = f"and agrees with {found.heads} signed heads" if found.heads else "(no heads)"
        click.echo(f"the ledger is as it was written: {found.lines} lines, {signed}")
        if found.retired:
            click.echo(
                f"signed with a key we no longer have: {found.retired} heads, covered by the next"
            )


@ledger.command()
@AS_JSON
def head(*, as_json: bool) -> None:
    """Print the signed head of the ledger, to keep where nobody of this installation can write."""
    from regportal.consent.ledger import head_of

    with opened() as here, here.store.read() as session:
        signed = head_of(session, here.settings.keys, now=datetime.now(UTC))
    if as_json:
        click.echo(signed.as_json())
        return
    for name, value in asdict(signed).items():
        click.echo(f"{name}: {value}")
