"""The command that takes back whose an interaction is."""

import uuid
from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session

from regportal.cli.installation import opened
from regportal.cli.lines import printable


@click.group()
def revert() -> None:
    """Take back what was put down wrongly; what rests on it is worked out anew."""


@revert.command("interaction")
@click.argument("interaction_id", metavar="ID", type=click.UUID)
@click.option("--because", required=True, help="Why; it is kept, and told to the CRM.")
def interaction(interaction_id: uuid.UUID, because: str) -> None:
    """Let the interaction ID be nobody's: it was not the contact whose it was taken for."""
    from regportal.identity.models import Contact
    from regportal.tracking import reverting

    now = datetime.now(UTC)

    def work(session: Session) -> str:
        contact = reverting.revert(session, interaction_id, because, now=now)
        return session.get_one(Contact, contact).address.shown

    with opened() as here:
        whose = here.store.write(work)
    click.echo(printable(f"{interaction_id} is nobody's, no longer {whose}'s"))
