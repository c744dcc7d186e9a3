"""Commands for what marketers write down: see the difference, publish it, get it back."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from regportal.cli.installation import Installation, opened
from regportal.cli.overriding import who
from regportal.connectors.base import secrets_of
from regportal.connectors.schema import Connector
from regportal.documents.plans import Plan, called
from regportal.documents.reading import Book
from regportal.errors import ConfigError, DocumentError, Fault, NotHereError, Place
from regportal.store.vault import Vault

DOCUMENT = click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE"
)
PRUNE = click.option("--prune", is_flag=True, help="Archive what the file leaves out.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print what a program may read.")


@click.command()
def schema() -> None:
    """Print the JSON Schema of the file that plan and apply read."""
    from regportal.documents.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@click.command()
@click.argument("name", required=False)
def template(name: str | None) -> None:
    """Print a score to start from, as a section of the file; without NAME, which ones there are."""
    from regportal.buying.scores.templates import TEMPLATES, template_of

    if name is not None and name not in TEMPLATES:
        raise NotHereError(f"there is no template {name!r}; there are {', '.join(TEMPLATES)}")
    if name is not None:
        click.echo(template_of(name), nl=False)
        return
    for each, use in TEMPLATES.items():
        click.echo(f"{each:12}{use}")


@click.command()
@DOCUMENT
@PRUNE
@AS_JSON
def plan(file: Path, *, prune: bool, as_json: bool) -> None:
    """Print what publishing FILE would change; change nothing."""
    with opened() as installation:
        planned = _planned(installation, file, prune=prune)
    click.echo(_json(planned.told()) if as_json else "\n".join(plan_lines(planned)))


@click.command()
@DOCUMENT
@PRUNE
@click.option(
    "--since",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    help="Refuse where another publication than this one holds now.",
)
@click.option("--note", default="", help="Why; it stands in the history.")
@AS_JSON
def apply(file: Path, *, prune: bool, since: int | None, note: str, as_json: bool) -> None:
    """Publish FILE: all of it in one moment, or nothing."""
    with opened() as installation:
        planned = _planned(installation, file, prune=prune)
        if since is not None and since != planned.publication:
            says = f"somebody published since: {planned.publication} holds now, not {since}"
            raise DocumentError(Fault(Place(file.name, 1, "file"), says))
        if not as_json:
            click.echo("\n".join(plan_lines(planned)))
        from regportal.documents import actions
        from regportal.library.storage import open_storage

        storage = open_storage(installation.settings.storage_url)
        signed, now = actions.Signed(who(), note.strip() or None), datetime.now(UTC)
        number = actions.apply(installation.store, storage, planned, signed, now=now)
    if as_json:
        click.echo(_json(planned.told() | {"published": number}))
    elif number is not None:
        click.echo(f"Published as number {number}.")


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
def export(folder: Path | None) -> None:
    """Write what is published to FOLDER (regportal.yaml and files/), or print the YAML."""
    from regportal.documents import actions
    from regportal.library.storage import open_storage

    with opened() as installation:
        with installation.store.read() as session:
            exported = actions.export(session)
        if folder is None:
            click.echo(exported.text, nl=False)
            return
        storage = open_storage(installation.settings.storage_url)
        actions.write_to(folder, exported, storage)
    click.echo(f"Wrote {folder / actions.FILE} and {len(exported.files)} files.")


def _planned(installation: Installation, file: Path, *, prune: bool) -> Plan:
    """Read a file and plan it."""
    from regportal.documents import planning, reading

    book = reading.read(file)
    with installation.store.read() as session:
        planned = planning.plan(session, book, prune=prune)
    return replace(planned, remarks=(*planned.remarks, *_without_secrets(installation, book)))


def _without_secrets(installation: Installation, book: Book) -> Iterator[str]:
    """Yield which connectors of a file have a secret that is not set here."""
    vault = Vault(installation.settings, installation.store)
    for document in book.documents.values():
        if isinstance(document, Connector):
            try:
                secrets_of(document, vault.secret)
            except ConfigError as error:
                yield f"connector {document.key}: {error}, and without it nothing is told"


def _json(value: Any) -> str:
    """Write for programs."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield a plan as people read it."""
    from regportal.documents.telling import told

    yield f"Against publication {plan.publication}:"
    for added in plan.added:
        yield f"  + {called(added.name)}"
    for changed in plan.changed:
        yield f"  ~ {called(changed.name)}"
        yield from (f"      {line}" for line in told(changed))
    for kind in plan.reordered:
        yield f"  ~ {kind}s stand in another order"
    for name in plan.archived:
        yield f"  - {called(name)}: archived"
    for name in plan.absent:
        yield f"  ! {called(name)}: not in the file, and stays (--prune archives it)"
    if plan.unchanged:
        yield f"  = {len(plan.unchanged)} unchanged"
    for remark in plan.remarks:
        yield f"  ? {remark}"
    if plan.is_empty():
        yield "Nothing to publish."
