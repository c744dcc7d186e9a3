"""Commands for the two ends of a connection to a CRM: what is there, what is missing."""

import click

from regportal.buying.glossary import vocabulary_of
from regportal.cli.installation import Installation, opened
from regportal.connectors.base import Finding
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector as Document
from regportal.errors import RegportalError
from regportal.outbox.budget import calling
from regportal.store.vault import Vault


@click.group()
def sync() -> None:
    """See how a CRM and regportal fit together, and let them."""


@sync.command()
@click.argument("connector", metavar="CONNECTOR")
@click.option("--make", is_flag=True, help="Make what is missing, where the CRM lets us.")
def provision(connector: str, *, make: bool) -> None:
    """
    Show which fields we write into a CRM, and which of them are missing; make them.

    Exit 1 where one is missing, or could not be made.
    """
    with opened() as installation:
        found = _provisioned(installation, connector, make=make)
    if found is None:
        click.echo(f"{connector} makes its own fields: there is nothing to do.")
        return
    for one in found:
        click.echo(f"{'ok ' if one.fine else 'BAD'}  {one.subject}: {one.says}")
    if not all(one.fine for one in found):
        says = "could not be made" if make else "is not there: --make lets the CRM have it"
        raise RegportalError(f"something {says}")


def _provisioned(installation: Installation, key: str, *, make: bool) -> list[Finding] | None:
    """Return what is there and what is missing; None where a CRM looks after itself."""
    with installation.store.read() as session:
        published = installation.shelf.published(session)
        document, vocabulary = published.one(Document, key), vocabulary_of(published)
    vault = Vault(installation.settings, installation.store)
    with calling(installation.store, document, installation.settings, vault.secret) as connector:
        found = connector.provision(vocabulary, dry_run=not make)
    return None if found is Outcome.UNSUPPORTED else found
