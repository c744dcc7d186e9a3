"""Commands for subscribers: bring them in with evidence, list them with proof, prove one."""

import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from regportal.cli.installation import opened
from regportal.cli.interactions import end_refusing, interactions
from regportal.cli.reading import AS_JSON
from regportal.errors import NotHereError, RegportalError

if TYPE_CHECKING:
    from regportal.privacy.importing import Report

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
MOST_LINES = 50


@click.group("import")
def bring() -> None:
    """Bring in what was kept elsewhere."""


bring.add_command(interactions)


@bring.command()
@click.argument("file", type=FILE)
@click.option("--newsletter", metavar="KEY", required=True, help="Which newsletter they get.")
@click.option(
    "--evidence",
    type=FILE,
    required=True,
    help="What shows that they agreed; it is kept, and every line names its hash.",
)
@click.option("--by", default="operator", help="Who vouches for it, for the ledger.")
@AS_JSON
def subscribers(file: Path, newsletter: str, evidence: Path, by: str, *, as_json: bool) -> None:
    """
    Import subscribers of a newsletter from a CSV FILE with a column `email`.

    Nobody who stopped, refused, complained or was erased comes back. Run again it changes nothing.
    Where a row was refused it leaves with 1; the others are taken.
    """
    from regportal.consent.schema import Newsletter
    from regportal.library.storage import open_storage
    from regportal.privacy.importing import Report, Source, bring_in, rows_of
    from regportal.privacy.importing import opened as opened_file

    if not by.isprintable() or not by.strip():
        raise click.UsageError("--by must be a name that can be printed")
    now = datetime.now(UTC)
    report = Report()
    with opened() as here:
        with here.store.read() as session:
            published = here.shelf.published(session)
        wanted = published.find(Newsletter, newsletter)
        if wanted is None:
            raise NotHereError(f"there is no newsletter {newsletter!r}")
        with opened_file(file) as text:
            rows = list(rows_of(text))
        try:
            kept = open_storage(here.settings.storage_url).take(evidence, evidence.name)
        except OSError as error:
            raise RegportalError(f"the evidence cannot be kept: {error.strerror}") from error
        pepper = here.settings.pepper_text
        source = Source(wanted, by, kept.sha256, pepper)
        with click.progressbar(length=len(rows), label="Importing", file=sys.stderr) as bar:
            done = 0
            for report in bring_in(here.store, published, source, rows, now=now):
                counted = report.imported + report.before + len(report.refused)
                bar.update(counted - done)
                done = counted
    _say(report, source.evidence_file, as_json=as_json)
    end_refusing(len(report.refused))


def _say(report: "Report", evidence: str, *, as_json: bool) -> None:
    """Print what became of a file."""
    if as_json:
        told = {
            "imported": report.imported,
            "there_before": report.before,
            "refused": [{"row": one.row, "reason": one.reason} for one in report.refused],
            "evidence": evidence,
        }
        click.echo(json.dumps(told))
        return
    click.echo(f"{report.imported} imported, {report.before} there before")
    for one in report.refused[:MOST_LINES]:
        click.echo(f"row {one.row}: {one.reason}", err=True)
    if len(report.refused) > MOST_LINES:
        for reason, number in report.reasons().most_common():
            click.echo(f"refused in all, {reason}: {number}", err=True)


@click.group()
def consent() -> None:
    """Show what people allowed, and prove it."""


@consent.command()
@click.argument("email")
@click.option("--newsletter", metavar="KEY", help="Only this one.")
@click.option("--pdf", type=click.Path(dir_okay=False, path_type=Path), help="Write it on paper.")
@AS_JSON
def proof(email: str, newsletter: str | None, pdf: Path | None, *, as_json: bool) -> None:
    """Prove what EMAIL allowed: every line with its wording, evidence and hashes."""
    from regportal.identity.actions import find_contact
    from regportal.privacy.receipts import proof_pdf, receipt

    if as_json == (pdf is not None):
        raise click.UsageError("choose one of --pdf FILE and --json")
    now = datetime.now(UTC)
    with opened() as here, here.store.read() as session:
        published = here.shelf.published(session)
        contact = find_contact(session, email) if email.isprintable() else None
        if contact is None:
            raise NotHereError(f"nobody is known by the address {email!r}")
        if pdf is None:
            told = receipt(session, contact, newsletter, published, now=now)
            click.echo(json.dumps(told, indent=2, ensure_ascii=False))
            return
        paper = proof_pdf(session, contact, newsletter, published, now=now)
    try:
        pdf.write_bytes(paper)
    except OSError as error:
        raise RegportalError(f"{pdf} cannot be written: {error.strerror}") from error
    digest = hashlib.sha256(paper).hexdigest()
    click.echo(f"{pdf}: {len(paper)} bytes, SHA-256 {digest}")
