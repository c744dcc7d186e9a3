"""Commands for the people of the company who may come into the Studio."""

import json
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click
from sqlalchemy.orm import Session

from regportal.accounts.roles import ROLES, Role
from regportal.cli.installation import Installation, opened
from regportal.cli.lines import pairs, printable
from regportal.cli.reading import AS_JSON
from regportal.config import Settings
from regportal.connectors.rules import in_full

ROLE = click.option(
    "--role",
    "names",
    type=click.Choice([role.value for role in Role]),
    multiple=True,
    required=True,
    help="What they may do; give it several times for several roles.",
)


@click.group()
def user() -> None:
    """Invite people into the Studio, give them roles, and disable them."""


@user.command()
@click.argument("email")
@ROLE
@click.option("--name", help="How colleagues call them; the address unless given.")
def add(email: str, names: tuple[str, ...], name: str | None) -> None:
    """Invite EMAIL and print the link by which they come in: this once, it is kept nowhere."""
    from regportal.accounts.actions import invite, make_link
    from regportal.accounts.audit import COMMAND
    from regportal.identity.addresses import read_address

    called = email if name is None else name
    if not called.strip() or not called.isprintable():
        raise click.UsageError("--name must be something that can be printed")
    try:
        address = read_address(email).email
    except ValueError as error:
        raise click.UsageError(f"EMAIL: {error}") from error
    roles, now = [Role(one) for one in names], datetime.now(UTC)

    def come(session: Session) -> tuple[str, str]:
        invited = invite(session, address, called, roles, doer=COMMAND, now=now)
        return invited.email, make_link(session, invited.id, now=now)

    with opened() as here:
        invited, token = here.store.write(come)
    _tell_link(here.settings, invited, token)


@user.command("list")
@AS_JSON
def list_users(*, as_json: bool) -> None:
    """List who may come in, with their roles."""
    from regportal.accounts.actions import everybody, linked

    with opened() as here, here.store.read() as session:
        by_provider = linked(session)
        rows = [
            {
                "email": one.email,
                "name": one.name,
                "roles": list(one.roles),
                "state": _state(
                    active=one.active, came_in=one.password is not None or one.id in by_provider
                ),
                "single_sign_on": one.id in by_provider,
                "second_factor": one.tf_method is not None,
                "last_login": in_full(one.last_login) if one.last_login else None,
            }
            for one in everybody(session)
        ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(pairs(row))


@user.command()
@click.argument("email")
@ROLE
def roles(email: str, names: tuple[str, ...]) -> None:
    """Give EMAIL these roles and no others; they have to sign in again."""
    from regportal.accounts.actions import set_roles

    chosen, now = [Role(one) for one in names], datetime.now(UTC)
    with opened() as here:
        _change(here, email, partial(set_roles, roles=chosen), now)
    click.echo(f"{printable(email)}: {', '.join(ROLES[role] for role in chosen)}")


@user.command()
@click.argument("email")
def disable(email: str) -> None:
    """Let EMAIL in no more, at once."""
    _set_active(email, active=False)


@user.command()
@click.argument("email")
def enable(email: str) -> None:
    """Let EMAIL in again."""
    _set_active(email, active=True)


@user.command()
@click.argument("email")
def link(email: str) -> None:
    """Print a new link for EMAIL, who has lost the password, the phone, or the first link."""
    from regportal.accounts.actions import invite_anew, make_link

    def anew(session: Session, user_id: uuid.UUID, *, doer: Any, now: datetime) -> str:
        invite_anew(session, user_id, doer=doer, now=now)
        return make_link(session, user_id, now=now)

    now = datetime.now(UTC)
    with opened() as here:
        token = _change(here, email, anew, now)
    _tell_link(here.settings, email, token)


def tell_first_link(settings: Settings, token: str) -> None:
    """Print the link that makes the first owner."""
    click.echo("Nobody may come into the Studio yet. Become its owner, within 24 hours, at")
    click.echo(f"  {settings.studio_address}/welcome/{token}")


def _set_active(email: str, *, active: bool) -> None:
    """Let somebody in again, or no more."""
    from regportal.accounts.actions import set_active

    now = datetime.now(UTC)
    with opened() as here:
        _change(here, email, partial(set_active, active=active), now)
    click.echo(f"{printable(email)} is {'enabled' if active else 'disabled'}")


def _change(here: Installation, email: str, change: Any, now: datetime) -> Any:
    """Change something of whoever has an address; refuse one that nobody has."""
    from regportal.accounts.actions import user_called
    from regportal.accounts.audit import COMMAND

    def changed(session: Any) -> Any:
        return change(session, user_called(session, email).id, doer=COMMAND, now=now)

    return here.store.write(changed)


def _tell_link(settings: Settings, email: str, token: str) -> None:
    """Print a link, and beside it whose it is."""
    click.echo(f"{settings.studio_address}/welcome/{token}")
    says = "opens once, within seven days; it is not shown again"
    click.echo(f"for {printable(email)}: it {says}", err=True)


def _state(*, active: bool, came_in: bool) -> str:
    """Return how things stand with somebody."""
    if not active:
        return "disabled"
    return "active" if came_in else "invited"
