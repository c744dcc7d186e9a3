"""Commands for reading what is known of one contact, or of one opportunity."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from regportal.cli.installation import opened
from regportal.cli.lines import pairs, role, word
from regportal.cli.moments import MOMENT

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print what a program may read.")


@click.group()
def show() -> None:
    """Show everything known of one contact or one opportunity."""


@show.command("contact")
@click.argument("email")
@AS_JSON
def contact(email: str, *, as_json: bool) -> None:
    """Show a contact by the address: answers, claims, consents, interactions, opportunities."""
    from regportal.cli.known import contact_shown, hints_shown

    with opened() as installation, installation.store.read() as session:
        known = contact_shown(session, email)
        hints = {} if as_json else hints_shown(session, known["email"])
        _show(known | hints, as_json=as_json)


@show.command("opportunity")
@click.argument("name", metavar="KEY")
@click.option("--on", type=MOMENT, help="As it was believed then, whatever became known later.")
@AS_JSON
def opportunity(name: str, on: datetime | None, *, as_json: bool) -> None:
    """Show an opportunity by our key, or by <connector>:<external id>."""
    from regportal.buying.believed import opportunity_on
    from regportal.buying.reading import BESIDE, opportunity_shown

    if on is not None and on > datetime.now(UTC):
        raise click.UsageError("--on lies ahead: nobody knows yet what will be believed")
    with opened() as installation, installation.store.read() as session:
        told = opportunity_on(session, name, on) if on else opportunity_shown(session, name)
        beside = {name: told.pop(name) for name in BESIDE}
        if not as_json:
            override = beside["override"]
            told |= {"stage": beside["stage"], "override": override["text"] if override else None}
        _show(told, as_json=as_json)


def _show(told: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one thing."""
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for line in _told(told):
        click.echo(line)


def _told(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of one thing."""
    for key, value in told.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{key}:"
            for one in value:
                yield "  - " + pairs(one | {"role": role(one["role"])} if one.get("role") else one)
        else:
            yield f"{key}: {word(value)}"
