"""Commands for API keys: by which other systems of the company speak to us."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import click

from regportal.cli.installation import opened
from regportal.cli.lines import pairs, printable
from regportal.cli.moments import MOMENT
from regportal.cli.reading import AS_JSON
from regportal.connectors.rules import in_full
from regportal.identity.keys import SCOPES
from regportal.identity.models import ApiKey


@click.group()
def key() -> None:
    """Make API keys for other systems, list and revoke them."""


@key.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([*SCOPES]),
    multiple=True,
    required=True,
    help="What it may do; give it several times for several things.",
)
@click.option("--expires", "expires_at", type=MOMENT, help="When it ends by itself.")
@AS_JSON
def add(name: str, scopes: tuple[str, ...], *, expires_at: datetime | None, as_json: bool) -> None:
    """Make a key called NAME and print it: this once, it is kept nowhere."""
    from regportal.identity.keys import add_key

    if not name.isprintable() or not name.strip():
        raise click.UsageError("NAME must be something that can be printed")
    now = datetime.now(UTC)
    if expires_at is not None and expires_at <= now:
        raise click.UsageError("--expires must lie ahead")
    with opened() as here:
        made, secret = here.store.write(
            lambda session: add_key(session, name, set(scopes), expires_at=expires_at, now=now)
        )
    if as_json:
        click.echo(json.dumps(_row(made) | {"secret": secret}))
        return
    click.echo(secret)
    click.echo(f"key {made.id}: keep it safe, it is not shown again", err=True)


@key.command("list")
@AS_JSON
def list_keys(*, as_json: bool) -> None:
    """List the keys, without their secrets."""
    from regportal.identity import keys

    with opened() as here, here.store.read() as session:
        rows = [_row(one) for one in keys.list_keys(session)]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(pairs(row))


@key.command()
@click.argument("key_id", metavar="ID", type=click.UUID)
def revoke(key_id: uuid.UUID) -> None:
    """Let a key open nothing any more, at once."""
    from regportal.identity.keys import revoke_key

    now = datetime.now(UTC)
    with opened() as here:
        revoked = here.store.write(lambda session: revoke_key(session, key_id, now=now))
    click.echo(f"{printable(revoked.name)} is revoked")


def _row(made: ApiKey) -> dict[str, Any]:
    """Return a key as it is listed."""
    return {
        "id": str(made.id),
        "name": made.name,
        "scopes": list(made.scopes),
    } | {
        name: in_full(at) if at else None
        for name, at in (
            ("made_at", made.made_at),
            ("expires_at", made.expires_at),
            ("used_at", made.used_at),
            ("revoked_at", made.revoked_at),
        )
    }
