"""Commands for the series of interactions: judging again who did something."""

import json
import sys
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from regportal.cli.exporting import export_interactions
from regportal.cli.installation import opened
from regportal.cli.moments import FROM, TO
from regportal.cli.parts import divide, drop, parts
from regportal.cli.reading import AS_JSON

if TYPE_CHECKING:
    from regportal.tracking.rejudging import Report

LONGEST = 300
"""Signs of a reason."""


@click.group()
def interactions() -> None:
    """Judge again whether a person did something or a machine; take the series along."""


for command in (export_interactions, divide, parts, drop):
    interactions.add_command(command)


@interactions.command()
@click.argument("interaction_id", metavar="ID", type=click.UUID)
@click.argument("judged", type=click.Choice(["person", "machine"]))
@click.option("--because", required=True, help="Why; it is kept, and shown with it.")
def judge(interaction_id: uuid.UUID, judged: str, because: str) -> None:
    """Say that a person, or a machine, did the interaction ID; no rule says otherwise again."""
    from regportal.tracking.models import Judged
    from regportal.tracking.rejudging import judge_by_hand

    because = because.strip()
    if not because or not because.isprintable() or len(because) > LONGEST:
        raise click.UsageError(f"--because is a reason on one line, of up to {LONGEST} signs")
    now = datetime.now(UTC)
    with opened() as here:
        before = here.store.write(
            lambda session: judge_by_hand(session, interaction_id, Judged(judged), because, now=now)
        )
    was = "as before" if before == judged else f"no longer a {before}'s"
    click.echo(f"{interaction_id} is a {judged}'s, {was}")


@interactions.command()
@FROM
@TO
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@AS_JSON
def rejudge(
    since: datetime | None, until: datetime | None, *, dry_run: bool, as_json: bool
) -> None:
    """
    Judge again by the present rules, from what is still kept of each call and each form shown.

    What was judged by hand stays so. It may be stopped at any time; run again it goes on.
    """
    from regportal.forms.rejudging import how_many_shown, rejudge_shown
    from regportal.store.documents import Site
    from regportal.tracking.rejudging import Report, Span, how_many
    from regportal.tracking.rejudging import rejudge as judge_again

    span, report, shown, now = Span(since, until), Report(), Report(), datetime.now(UTC)
    with opened() as here:
        with here.store.read() as session:
            site = Site.of(here.shelf.published(session))
        size = how_many(here.store, span) + how_many_shown(here.store, span)
        with click.progressbar(length=size, label="Judging", file=sys.stderr) as bar:
            try:
                judge_again(here.store, site, span, report, bar.update, dry=dry_run, now=now)
                rejudge_shown(here.store, span, shown, bar.update, dry=dry_run)
            except KeyboardInterrupt:
                click.echo("\nstopped; run it again to go on. So far:", err=True)
                _say(report, shown, as_json=as_json, dry=dry_run)
                raise
    _say(report, shown, as_json=as_json, dry=dry_run)


def _say(report: "Report", shown: "Report", *, as_json: bool, dry: bool) -> None:
    """Print what became of judging again."""
    changed, changed_shown = _changes(report, "interactions"), _changes(shown, "forms")
    if as_json:
        told = {
            "judged": report.judged,
            "changed": report.changed.total(),
            "changes": changed,
            "by_hand": report.by_hand,
            "cannot": report.cannot,
            "shown": {
                "judged": shown.judged,
                "changed": shown.changed.total(),
                "changes": changed_shown,
            },
            "dry_run": dry,
        }
        click.echo(json.dumps(told))
        return
    would = "would change" if dry else "changed"
    click.echo(
        f"{report.judged} judged again, {report.changed.total()} {would}, "
        f"{report.by_hand} judged by hand stay so"
    )
    if report.cannot:
        click.echo(f"{report.cannot} cannot be judged: nothing is kept to judge them by")
    for one in changed:
        click.echo(f"a {one['judged']}'s now, {one['because']}: {one['interactions']}")
    if shown.judged:
        click.echo(f"forms shown: {shown.judged} judged again, {shown.changed.total()} {would}")
    for one in changed_shown:
        click.echo(f"shown to a {one['judged']}, {one['because']}: {one['forms']}")


def _changes(report: "Report", of: str) -> list[dict[str, Any]]:
    """Return what is somebody else's now, by whose and why; the most first."""
    return [
        {"judged": judged.value, "because": because, of: number}
        for (judged, because), number in report.changed.most_common()
    ]
