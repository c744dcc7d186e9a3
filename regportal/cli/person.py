"""What one person may ask an operator for: a copy of everything, or to be forgotten."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy.orm import Session

from regportal.cli.installation import opened
from regportal.connectors.rules import in_full
from regportal.privacy.erasing import ADMINISTRATOR, erase, shown
from regportal.privacy.exporting import export_csv, export_json
from regportal.privacy.whom import find_whom, left_out


@click.command("export")
@click.argument("email")
@click.option("--csv", "as_csv", is_flag=True, help="Print a table for spreadsheets.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as without it.")
def export_contact(email: str, *, as_csv: bool, as_json: bool) -> None:
    """Print everything that is kept of the person with the address EMAIL."""
    del as_json  # it is what is printed anyway
    make = export_csv if as_csv else export_json
    with opened() as here, here.store.read() as session:
        whom = find_whom(session, email)
        _say_left_out(left_out(session, whom))
        for piece in make(
            session,
            here.shelf.published(session),
            whom,
            pepper=here.settings.pepper_text,
            now=datetime.now(UTC),
        ):
            click.echo(piece, nl=False)


@click.command()
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask (nobody is asked where none can answer).")
@click.option("--json", "as_json", is_flag=True, help="Print the report for a program.")
def forget(email: str, *, yes: bool, as_json: bool) -> None:
    """
    Erase the person with the address EMAIL, here and in every system that was told of them.

    It prints the proof of it, which names nobody. It cannot be undone.
    """
    now = datetime.now(UTC)
    with opened() as here:
        with here.store.read() as session:
            whom = find_whom(session, email)
            addresses = ", ".join(whom.match_keys)
            _say_left_out(left_out(session, whom))
        if not yes and sys.stdin.isatty():
            click.confirm(f"Erase everything of {addresses}?", abort=True, err=True)

        def work(session: Session) -> dict[str, Any]:
            report = erase(
                session,
                here.shelf.published(session),
                find_whom(session, email),
                pepper=here.settings.pepper_text,
                by=ADMINISTRATOR,
                now=now,
            )
            return shown(report) | {"sha256": report.digest}

        report = here.store.write(work)
        here.store.sweep()
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    rows = ", ".join(f"{table} {count}" for table, count in report["rows"].items())
    told = ", ".join(report["told"]) or "nobody: nobody else knew"
    at = in_full(datetime.fromisoformat(report["at"]))
    click.echo(f"Erased on {at}. Report {report['id']}, SHA-256 {report['sha256']}.")
    click.echo(f"Rows: {rows}.")
    click.echo(f"Newsletters ended: {', '.join(report['newsletters']) or 'none'}.")
    click.echo(f"To be told: {told}.")


def _say_left_out(addresses: Sequence[str]) -> None:
    """Name on stderr what only a CRM takes for the person's: whoever asks has not proven it."""
    if addresses:
        them = "it is" if len(addresses) == 1 else "they are"
        says = f"Left out: {', '.join(addresses)}. Only a CRM says that {them} this person's, too"
        click.echo(f"{says} (see `regportal contact join`).", err=True)
