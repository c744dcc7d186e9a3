"""What an administrator decides about people: who is one with whom."""

from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session

from regportal.cli.installation import opened
from regportal.cli.person import export_contact, forget
from regportal.errors import NotHereError
from regportal.forms.joining import join_people, split_people
from regportal.identity.actions import find_contact
from regportal.identity.models import Contact
from regportal.identity.rules import ADMINISTRATOR

BECAUSE = click.option("--because", required=True, help="Why; it is kept with the decision.")


@click.group()
def contact() -> None:
    """Decide about the people we know."""


contact.add_command(export_contact)
contact.add_command(forget)


@contact.command()
@click.argument("kept")
@click.argument("joined")
@BECAUSE
def join(kept: str, joined: str, because: str) -> None:
    """
    Take JOINED for another address of the person with the address KEPT.

    Nothing is lost, and `regportal contact split` takes it back.
    """
    now = datetime.now(UTC)
    with opened() as here:

        def work(session: Session) -> None:
            published = here.shelf.published(session)
            pair = _known(session, kept), _known(session, joined)
            join_people(session, published, *pair, because=because, by=ADMINISTRATOR, now=now)

        here.store.write(work)
    click.echo(f"{joined} and {kept} are one person now.")


@contact.command()
@click.argument("email")
@BECAUSE
def split(email: str, because: str) -> None:
    """Take back that EMAIL is another person's address."""
    now = datetime.now(UTC)
    with opened() as here:

        def work(session: Session) -> None:
            published = here.shelf.published(session)
            one = _known(session, email)
            split_people(session, published, one, because=because, by=ADMINISTRATOR, now=now)

        here.store.write(work)
    click.echo(f"{email} is a person of its own again.")


def _known(session: Session, email: str) -> Contact:
    """Return the contact of an address; raise NotHereError where we know none."""
    found = find_contact(session, email) if email.isprintable() else None
    if found is None:
        raise NotHereError(f"nobody is known by the address {email!r}")
    return found
