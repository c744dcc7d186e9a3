"""Commands for secrets kept encrypted: they go in, and never come out again."""

import json
import re
import sys
from datetime import UTC, datetime
from functools import partial

import click

from regportal.cli.installation import Installation, opened
from regportal.cli.reading import AS_JSON
from regportal.connectors.rules import in_full
from regportal.connectors.schema import Connector
from regportal.errors import ConfigError
from regportal.store import vault

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@click.group()
def secret() -> None:
    """Keep what connectors prove themselves with, encrypted; a document says vault:KEY."""


@secret.command("set")
@click.argument("key")
@click.argument("value", nargs=-1, metavar="")
def set_secret(key: str, value: tuple[str, ...]) -> None:
    """
    Keep a secret under KEY, in the place of what was there.

    It is asked for, or read from standard input: never from the command line, which other
    users of the machine can see.
    """
    if value:  # never repeated: it may be the secret itself
        raise click.UsageError("the secret is asked for, or piped in; do not write it after KEY")
    given = _given(key)
    with opened() as installation:
        keys, now = installation.settings.keys, datetime.now(UTC)
        keep = partial(vault.keep, key=key, value=given, keys=keys, now=now)
        installation.store.write(keep)
    click.echo(f"vault:{key} is kept. It cannot be shown again.")


@secret.command("list")
@AS_JSON
def list_secrets(*, as_json: bool) -> None:
    """List the names of the secrets, when each was changed, and whether its key is the newest."""
    with opened() as installation, installation.store.read() as session:
        kept = vault.names(session, installation.settings.keys)
    if as_json:
        told = [
            {"key": key, "changed_at": in_full(at), "newest_key": newest}
            for key, at, newest in kept
        ]
        click.echo(json.dumps(told, indent=2))
        return
    for key, at, newest in kept:
        old = "" if newest else "  (older key: run `regportal secret rotate`)"
        click.echo(f"vault:{key}  {in_full(at)}{old}")


@secret.command("rotate")
def rotate_secrets() -> None:
    """Seal every secret with the newest key of REGPORTAL_SECRET_KEY; may run under load."""
    bad: list[str] = []
    done = 0
    with opened() as installation:
        keys = installation.settings.keys
        with installation.store.read() as session:
            kept = [key for key, _, _ in vault.names(session, keys)]
        for key in kept:
            try:
                done += installation.store.write(partial(vault.rotate, key=key, keys=keys))
            except ConfigError as error:
                bad.append(str(error))
    click.echo(f"{done} of {len(kept)} secrets were sealed anew; the others were already.")
    if bad:
        raise ConfigError("\n".join(bad))


@secret.command("delete")
@click.argument("key")
def delete_secret(key: str) -> None:
    """Delete the secret KEY; refused while a connector uses it."""
    with opened() as installation:
        users = _users(installation, key)
        if users:
            raise ConfigError(f"vault:{key} is used by the connector {', '.join(users)}")
        if not installation.store.write(lambda session: vault.forget(session, key)):
            raise ConfigError(f"there is no secret vault:{key}")
    click.echo(f"vault:{key} is deleted.")


def _given(key: str) -> str:
    """Return what was typed or piped in; refuse what cannot be a secret."""
    if not NAME.fullmatch(key):
        raise ConfigError("a secret's name has small letters, digits, - and _, at most 64")
    if sys.stdin.isatty():
        value: str = click.prompt(f"vault:{key}", hide_input=True, confirmation_prompt=True)
    else:
        try:
            value = sys.stdin.read(vault.LONGEST + 2)
        except UnicodeDecodeError as error:
            raise ConfigError("a secret is text, and this is not") from error
    value = value.removesuffix("\n").removesuffix("\r")
    if not value.strip():
        raise ConfigError("there was nothing to keep")
    if len(value) > vault.LONGEST:
        raise ConfigError(f"a secret has at most {vault.LONGEST} characters")
    return value


def _users(installation: Installation, key: str) -> list[str]:
    """Return the connectors that name a secret."""
    with installation.store.read() as session:
        connectors = installation.shelf.published(session).all(Connector)
    return [one.key for one in connectors if f"vault:{key}" in one.secrets]
