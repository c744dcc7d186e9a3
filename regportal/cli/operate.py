"""Commands for operators: bring the database to its shape, look after it, see the settings."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import click

from regportal.config import Settings, load
from regportal.errors import ConfigError

if TYPE_CHECKING:
    from regportal.embedding.seen import Ours

HIDDEN = "***"
SHOWN = frozenset({"from", "host", "hostaddr", "port", "dbname", "sslmode"})
"""What a query of an address may say that is nobody's secret; whatever else there is may be one."""
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print what a program may read.")


@click.command()
def upgrade() -> None:
    """Make the folders and bring the database to the present shape."""
    import sqlalchemy as sa
    from alembic.util import CommandError

    from regportal.store import migrate
    from regportal.store.shape import first_line

    found = load()
    try:
        for folder in _folders(found):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{error.filename} cannot be made: {error.strerror}") from error
    try:
        migrate.upgrade(found.database_url.get_secret_value())
    except CommandError:  # it has a migration that we do not
        click.echo("The database is of a newer release; this one can work on it, too.")
        return
    except sa.exc.DBAPIError as error:
        raise ConfigError(f"the database cannot be upgraded: {first_line(error)}") from error
    click.echo("The database is up to date.")


def _a_page(ctx: click.Context, param: click.Parameter, urls: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse what is no address of a page."""
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise click.BadParameter(f"{url} is not an http address", ctx, param)
    return urls


@click.command()
@click.option(
    "--page",
    "pages",
    metavar="URL",
    multiple=True,
    callback=_a_page,
    help="Look at a page of your site instead: why does its gate not show?",
)
@AS_JSON
def doctor(pages: tuple[str, ...], *, as_json: bool) -> None:
    """Look whether everything needed is there and answers; exit 1 if anything is not."""
    from regportal.cli.health import checks
    from regportal.cli.lines import finding

    if pages:
        _look_at(pages, as_json=as_json)
        return
    found = []
    for check in checks(load(), now=datetime.now(UTC)):
        found.append(check)
        if not as_json:
            click.echo(finding(check.name, check.says, fine=check.fine))
    if as_json:
        told = [{"check": one.name, "fine": one.fine, "says": one.says} for one in found]
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    bad = sum(not check.fine for check in found)
    if bad:
        click.echo(f"{bad} of {len(found)} checks found something wrong.", err=True)
        sys.exit(1)


def _look_at(pages: tuple[str, ...], *, as_json: bool) -> None:
    """Print what is wrong with pages, each with what to do; exit 1 where anything is."""
    from regportal.cli.browsing import look
    from regportal.cli.page import lines
    from regportal.embedding.judging import mode, notes, wrongs

    ours = _ours()
    told = []
    for page, seen in zip(pages, look(pages, ours), strict=True):
        found, noted = wrongs(seen, ours), notes(seen, ours)
        how = mode(seen.url, ours.url, seen.elements)
        told.append({"page": page, "mode": how, "wrong": found, "notes": noted})
        if not as_json:
            click.echo("\n".join(lines(page, how, found, noted)))
    if as_json:
        click.echo(json.dumps(told, default=asdict, indent=2, ensure_ascii=False))
    bad = sum(len(one["wrong"]) for one in told)
    if bad:
        click.echo("1 thing is wrong." if bad == 1 else f"{bad} things are wrong.", err=True)
        sys.exit(1)


def _ours() -> "Ours":
    """Return what this portal knows of itself."""
    from regportal.app import web_root
    from regportal.cli.installation import opened
    from regportal.embedding.ours import ours_of

    with opened() as here, here.store.read() as session:
        published = here.shelf.published(session)
        return ours_of(here.settings.base_url, published, web_root() / "static" / "js")


@click.command()
@AS_JSON
def settings(*, as_json: bool) -> None:
    """Print every setting, where it comes from and what it is for; secrets are masked."""
    found = load()
    told = [
        {
            "name": f"REGPORTAL_{name.upper()}",
            "value": masked(getattr(found, name)),
            "from": origin(name, found, os.environ, _env_file()),
            "what": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for one in told:
        click.echo(f"{one['name']}={one['value']}  ({one['from']})")
        click.echo(f"    {one['what']}")


def masked(value: Any) -> str:
    """
    Return a setting as it may be shown.

    >>> masked("postgresql+psycopg://ann:secret@db/regportal?password=secret")
    'postgresql+psycopg://ann:***@db/regportal?password=***'
    >>> masked("smtp://mail.example?from=a@mail.example")
    'smtp://mail.example?from=a@mail.example'
    >>> masked("postgresql+psycopg:///regportal?host=/run/postgresql")
    'postgresql+psycopg:///regportal?host=/run/postgresql'
    >>> masked("sqlite:////srv/regportal.db")
    'sqlite:////srv/regportal.db'
    >>> from pydantic import SecretStr
    >>> masked((SecretStr("a" * 32), SecretStr("b" * 32)))
    '***,***'
    """
    if isinstance(value, tuple):
        return ",".join(masked(one) for one in value)
    if hasattr(value, "get_secret_value"):
        secret: str = value.get_secret_value()
        return masked_url(secret) if "://" in secret else HIDDEN if secret else ""
    text = str(value)
    return masked_url(text) if "://" in text else text


def origin(
    name: str, found: Settings, environment: Mapping[str, str], env_file: Mapping[str, Any]
) -> str:
    """
    Return where a setting comes from.

    >>> origin("limits", Settings(), {"REGPORTAL_LIMITS": "on"}, {})
    'environment'
    >>> origin("limits", Settings(), {}, {})
    'default'
    """
    written = f"REGPORTAL_{name.upper()}"
    if written in {key.upper() for key, value in environment.items() if value}:
        return "environment"
    if written in {key.upper() for key, value in env_file.items() if value}:
        return ".env"
    if name in {"secret_key", "pepper"}:
        return f"made in {found.instance}"
    return "default"


def has_password(url: str) -> bool:
    """
    Return whether an address has a password in it, wherever one may stand.

    >>> has_password("postgresql+psycopg://ann@db/portal?host=/run"), has_password("x://ann:1@db")
    (False, True)
    >>> has_password("postgresql+psycopg://ann@db/portal?password=1")
    True
    """
    parts = urlsplit(url)
    return ":" in parts.netloc.rpartition("@")[0] or "password" in dict(parse_qsl(parts.query))


def masked_url(url: str) -> str:
    """Hide the password of an address, wherever one may stand in it."""
    scheme, _, rest = url.partition("://")
    place, asks, query = rest.partition("?")
    user, at, address = place.rpartition("@")
    name, colon, _ = user.partition(":")
    shown = [
        (key, value if key in SHOWN else HIDDEN)
        for key, value in parse_qsl(query, keep_blank_values=True)
    ]
    password = HIDDEN if colon else ""
    return f"{scheme}://{name}{colon}{password}{at}{address}{asks}{urlencode(shown, safe='*@/')}"


def _env_file() -> Mapping[str, Any]:
    """Return what the .env file says."""
    from dotenv import dotenv_values

    return dotenv_values(".env")


def _folders(found: Settings) -> list[Path]:
    """Return the folders that must be there."""
    folders = [found.instance]
    for url in (found.storage_url, found.mail_url.get_secret_value()):
        parts = urlsplit(url)
        if parts.scheme == "file":
            folders.append(Path(unquote(parts.path)))
    if found.sqlite:
        place = found.database_url.get_secret_value().partition(":///")[2].partition("?")[0]
        folders.append(Path(place).parent)
    return folders
