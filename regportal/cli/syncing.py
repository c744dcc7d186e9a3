"""Commands for the two ends of a connection to a CRM: what is there, what is missing."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from regportal.buying.glossary import vocabulary_of
from regportal.cli.installation import Installation, opened
from regportal.cli.lines import finding, printable
from regportal.cli.reading import AS_JSON
from regportal.connectors.base import Finding
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector as Document
from regportal.errors import RegportalError
from regportal.outbox.budget import calling
from regportal.store.documents import Published
from regportal.store.vault import Vault
from regportal.sync.comparing import Compared, Stands
from regportal.sync.looking import Found, look
from regportal.sync.present import Telling


@click.group()
def sync() -> None:
    """See how a CRM and regportal fit together, and let them."""


@sync.command()
@click.argument("connector", metavar="CONNECTOR")
@click.option("--make", is_flag=True, help="Make what is missing, where the CRM lets us.")
@AS_JSON
def provision(connector: str, *, make: bool, as_json: bool) -> None:
    """
    Show which fields we write into a CRM, and which of them are missing; make them.

    Exit 1 where one is missing, or could not be made.
    """
    with opened() as installation:
        found = _provisioned(installation, connector, make=make)
    if as_json:
        looked_at = None if found is None else [asdict(one) for one in found]
        _echo_json({"connector": connector, "found": looked_at})
    elif found is None:
        click.echo(f"{connector} makes its own fields: there is nothing to do.")
    else:
        for one in found:
            click.echo(finding(one.subject, one.says, fine=one.fine))
    if not all(one.fine for one in found or ()):
        says = "could not be made" if make else "is not there: --make lets the CRM have it"
        raise RegportalError(f"something {says}")


@sync.command()
@click.argument("connector", metavar="CONNECTOR")
@AS_JSON
def plan(connector: str, *, as_json: bool) -> None:
    """
    Show what CONNECTOR would make and change, if it were told all there is to tell; write nothing.

    Ctrl-C ends it at any time, with what was found so far.
    """
    with opened() as here:
        found = _compared(here, connector, only_linked=False)
    _say(found, as_json=as_json)


@sync.command()
@click.argument("connector", metavar="CONNECTOR")
@click.option("--everybody", is_flag=True, help="Also tell of whom it was never told of.")
def go(connector: str, *, everybody: bool) -> None:
    """
    Let CONNECTOR go on: after its first run, or where it stopped itself.

    With --everybody it is also told of all who were known before there was such a connector.
    """
    from regportal.sync import deeds, going

    now = datetime.now(UTC)
    with opened() as here:
        document, published = _document(here, connector)
        lifted = here.store.write(lambda session: deeds.go(session, document, now=now))
        says = f"goes on: {'; '.join(lifted)}" if lifted else "was not held"
        click.echo(printable(f"{connector} {says}"))
        if everybody:
            telling, owed = Telling(published, document), 0
            with here.store.read() as session:
                number = telling.number(session)
            with click.progressbar(length=number, label="Owing", file=sys.stderr) as bar:
                for looked_at, more in going.tell_everybody(here.store, telling, now=now):
                    bar.update(looked_at)
                    owed += more
            people = "1 contact" if owed == 1 else f"{owed} contacts"
            click.echo(f"{people} it was never told of will be told")


@click.command()
@click.argument("connector", metavar="CONNECTOR")
@AS_JSON
def reconcile(connector: str, *, as_json: bool) -> None:
    """
    Prove that CONNECTOR has of everybody what it was told; write nothing.

    Looks at every contact whose record we know, and at every open opportunity that was moved.
    Exit 1 where anything differs or is gone.
    """
    with opened() as here:
        found = _compared(here, connector, only_linked=True)
    _say(found, as_json=as_json)
    unlike = sum(one.stands is not Stands.EQUAL for one in found.compared)
    if unlike:
        raise RegportalError(
            "1 thing is not equal" if unlike == 1 else f"{unlike} things are not equal"
        )


def _compared(here: Installation, key: str, *, only_linked: bool) -> Found:
    """Compare a CRM with what it would be told, as far as we come."""
    document, published = _document(here, key)
    vault = Vault(here.settings, here.store)
    telling = Telling(published, document, only_linked=only_linked)
    with (
        here.store.read() as session,
        calling(here.store, document, here.settings, vault.secret) as connector,
    ):
        found = Found(key, only_linked, of=telling.number(session))
        steps = look(session, telling, connector, found, now=datetime.now(UTC))
        with click.progressbar(length=found.of, label="Looking", file=sys.stderr) as bar:
            try:
                for subjects in steps:
                    bar.update(subjects)
            except KeyboardInterrupt:
                found.stopped = "stopped by hand"
    return found


def _say(found: Found, *, as_json: bool) -> None:
    """Print what was found; raise RegportalError where that is not all."""
    counts = found.counts
    if as_json:
        told = {
            "connector": found.connector,
            "stopped": found.stopped,
            "counts": counts,
            "found": [asdict(one) for one in found.unlike],
            "amiss": [{"subject": one.subject, "says": one.says} for one in found.amiss],
        }
        _echo_json(told)
    else:
        for one in found.unlike:
            waits = one.waits and found.only_linked  # before that, everything does
            click.echo(printable(_line(one) + (" (a message waits)" if waits else "")))
        for what, numbers in counts.items():
            each = (f"{numbers[one]} {one}" for one in Stands if numbers[one])
            click.echo(f"{what}: {', '.join(each)}")
        if not found.of and found.stopped is None:
            click.echo("nobody was told of yet" if found.only_linked else "nobody to tell yet")
        for bad in found.amiss:
            click.echo(finding(bad.subject, bad.says, fine=bad.fine))
    if found.stopped is not None:
        begins = f"{found.looked_at} of {found.of} were looked at: " if found.of else ""
        raise RegportalError(f"{begins}{found.stopped}")
    if found.amiss:
        number = len(found.amiss)
        raise RegportalError("1 thing is amiss" if number == 1 else f"{number} things are amiss")


def _echo_json(told: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


def _line(one: Compared) -> str:
    """Return what is to be said of one thing that is not equal."""
    says = f": {one.says}" if one.says else ""
    return f"{one.stands}  {one.what} {one.name}{says}"


def _document(here: Installation, key: str) -> tuple[Document, Published]:
    """Return a connector as it is published; raise NotHereError for another one."""
    with here.store.read() as session:
        published = here.shelf.published(session)
    return published.one(Document, key), published


def _provisioned(installation: Installation, key: str, *, make: bool) -> list[Finding] | None:
    """Return what is there and what is missing; None where a CRM looks after itself."""
    document, published = _document(installation, key)
    vocabulary = vocabulary_of(published)
    vault = Vault(installation.settings, installation.store)
    with calling(installation.store, document, installation.settings, vault.secret) as connector:
        found = connector.provision(vocabulary, dry_run=not make)
    return None if found is Outcome.UNSUPPORTED else found
