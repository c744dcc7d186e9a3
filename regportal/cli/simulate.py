"""The command that shows what somebody would meet who comes again and again."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regportal.cli.documents import AS_JSON
from regportal.cli.installation import opened
from regportal.cli.lines import printable, second
from regportal.cli.moments import MOMENT
from regportal.connectors.rules import in_full

if TYPE_CHECKING:
    from regportal.documents.scenarios import Scenario
    from regportal.documents.simulating import Met

VISITS = 6
WHO = click.Choice(["anonymous", "known", "on-opportunity"])
COLUMNS = ("", "when", "gate", "asked", "newsletter", "did", "gets", "phase", "scores")


@click.command()
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--visits", type=click.IntRange(1, 60), help="How often; else six times, weekly.")
@click.option("--gate", help="Which gate; else the first of the site.")
@click.option("--who", type=WHO, help="Who comes; else somebody nobody knows.")
@click.option("--from", "begins", type=MOMENT, help="When first; else now.")
@AS_JSON
def simulate(
    file: Path | None,
    visits: int | None,
    gate: str | None,
    who: str | None,
    begins: datetime | None,
    *,
    as_json: bool,
) -> None:
    """
    Print what somebody meets who comes again and again: questions, newsletters, phase and why.

    FILE says who he is and what he does each time (docs/documents.md); without it he answers all.
    Nobody comes, and nothing is kept: the portal's rules are asked, with the documents that hold.
    """
    from regportal.documents.scenarios import read_scenario, usual
    from regportal.documents.simulating import simulate as run
    from regportal.forms.turnouts import counted

    if file is not None and (visits or gate or who):
        raise click.UsageError("FILE says it already: leave out --visits, --gate and --who")
    scenario: Scenario = (
        read_scenario(file)
        if file is not None
        else usual(visits or VISITS, gate, who or "anonymous")  # type: ignore[arg-type] # click.Choice
    )
    with opened() as here, here.store.read() as session:
        published, turnouts = here.shelf.published(session), counted(session)
    met = run(published, scenario, begins=begins or datetime.now(UTC), turnouts=turnouts)
    if as_json:
        told = {"visits": [_told(one) for one in met]}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_lines(met)))


def _told(met: "Met") -> dict[str, Any]:
    """Return one time as programs read it."""
    told = asdict(met) | {"at": in_full(met.at)}
    for name in ("not_asked", "not_offered"):
        told[name] = [{"key": key, "because": because} for key, because in told[name]]
    if met.standing is not None:
        since = met.standing.since
        told["standing"]["since"] = in_full(since) if since else None
    return told


def _lines(met: "list[Met]") -> Iterator[str]:
    """Yield the table, and below it why each time was as it was."""
    rows = [COLUMNS, *(_row(one) for one in met)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    for one in met:
        yield ""
        yield from map(printable, _reasons(one))


def _row(met: "Met") -> tuple[str, ...]:
    """Return one time as the table has it."""
    asked = "e-mail address" if met.email else met.question or "-"
    standing = met.standing
    scores = ", ".join(f"{one.key} {one.value:g}" for one in standing.scores) if standing else ""
    cells = (
        str(met.number),
        second(in_full(met.at)),
        met.gate,
        asked,
        met.newsletter or "-",
        met.did,
        met.gets or "-",
        standing.label if standing else "-",
        scores or "-",
    )
    return tuple(map(printable, cells))


def _reasons(met: "Met") -> Iterator[str]:
    """Yield why one time was as it was."""
    asked = "e-mail address" if met.email else met.question or "nothing asked"
    yield f"{met.number}. {asked}: {met.why}"
    if met.refused:
        yield f"   refused: {met.refused}"
    for key, because in (*met.not_asked, *met.not_offered):
        yield f"   not {key}: {because}"
    if met.standing is not None and met.standing.reason:
        yield f"   {met.standing.reason}"
