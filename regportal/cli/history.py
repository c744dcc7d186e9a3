"""Commands for what was published before: see it, and let it hold once more."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from regportal.cli.documents import AS_JSON, plan_lines
from regportal.cli.installation import opened
from regportal.cli.lines import printable, second
from regportal.cli.overriding import who
from regportal.connectors.rules import in_full
from regportal.documents.plans import called

if TYPE_CHECKING:
    from regportal.documents.history import Release, Version

PAGE = 20


@click.command()
@click.argument("kind", required=False)
@click.argument("key", required=False)
@click.option(
    "--most", type=click.IntRange(1, 1000), default=PAGE, show_default=True, help="How many."
)
@AS_JSON
def history(kind: str | None, key: str | None, *, most: int, as_json: bool) -> None:
    """
    Print what was published when and by whom; of KIND KEY every version, and what changed in it.

    The site and the buying model need no KEY.
    """
    from regportal.documents import history as past
    from regportal.documents.schema import SINGLE

    if kind is not None and key is None and kind not in SINGLE:
        raise click.UsageError(f"which {kind}? give its key as well")
    with opened() as here, here.store.read() as session:
        found: list[Any] = (
            past.releases(session, most)
            if kind is None
            else past.versions(session, kind, key or SINGLE[kind])[:most]
        )
    if as_json:
        told = [{**asdict(one), "at": in_full(one.at)} for one in found]
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        lines = _releases(found) if kind is None else _versions(found)
        click.echo("\n".join(map(printable, lines)) if found else "Nothing is published yet.")


@click.command()
@click.argument("kind")
@click.argument("key")
@click.argument("version", type=click.IntRange(min=1))
@click.option("--note", default="", help="Why; it stands in the history.")
@AS_JSON
def rollback(kind: str, key: str, version: int, note: str, *, as_json: bool) -> None:
    """Publish what VERSION of KIND KEY said once more, as a new version."""
    from regportal.documents import actions
    from regportal.documents import history as past
    from regportal.library.storage import open_storage

    with opened() as here:
        with here.store.read() as session:
            planned = past.back_to(session, kind, key, version)
        storage = open_storage(here.settings.storage_url)
        signed = actions.Signed(who(), note.strip() or f"back to version {version}")
        number = actions.apply(here.store, storage, planned, signed, now=datetime.now(UTC))
    if as_json:
        told = planned.told() | {"published": number}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    click.echo("\n".join(plan_lines(planned)))
    if number is not None:
        click.echo(f"Published as number {number}.")


def _releases(found: "list[Release]") -> Iterator[str]:
    """Yield each publication as people read it."""
    for one in found:
        names = [f"{called(name)} ({number})" for name, number in one.versions]
        said = ", ".join(names) or "archived, or in another order"
        yield f"{one.number}  {second(in_full(one.at))}  {_who(one)}  {said}{_note(one)}"


def _versions(found: "list[Version]") -> Iterator[str]:
    """Yield each version as people read it, and what is different in it."""
    for one in found:
        holds = "  holds now" if one.holds else ""
        yield f"{one.number}  {second(in_full(one.at))}  {_who(one)}{holds}{_note(one)}"
        yield from (f"      {line}" for line in one.changes)


def _who(one: "Release | Version") -> str:
    """Return who published, and who proposed it."""
    by = one.by or "nobody knows who"
    return f"{by}, proposed by {one.proposed_by}" if one.proposed_by else by


def _note(one: "Release | Version") -> str:
    """Return what was said about it."""
    return f"  “{one.note}”" if one.note else ""
