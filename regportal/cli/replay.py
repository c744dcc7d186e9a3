"""The command that tries rules on a foreign log: any log in, phases out."""

import csv
import gzip
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from regportal.cli.checking import check_all
from regportal.cli.exporting import check_writable, written
from regportal.cli.moments import MOMENT
from regportal.store.tables import safe_cell

if TYPE_CHECKING:
    from regportal.buying.compiled import Model
    from regportal.buying.foreign import FactRow
    from regportal.buying.replaying import Moved
    from regportal.buying.schema import Buying

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
COLUMNS = ("opportunity", "from", "to", "at", "cause", "reason")
OFTEN = 1000
"""Rows after which the bar moves."""


@click.command()
@click.option("--rules", "model", type=FILE, help="The buying model, as YAML.")
@click.option("--interactions", "done", type=FILE, help="What contacts did.")
@click.option("--roles", "parts", type=FILE, help="Who had a part in what.")
@click.option("--opportunities", "told", type=FILE, help="What the seller did, and when.")
@click.option("--facts", "known", type=FILE, help="Answers, scores and fields of contacts.")
@click.option("--until", type=MOMENT, help="The last moment; else the last one in the files.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where every move is written: CSV, or JSON Lines by its name; .gz packs it.",
)
@click.option(
    "--check", is_flag=True, help="Compare what this installation keeps with a replay of its log."
)
def replay(  # noqa: PLR0913 - as many as the command has options
    model: Path | None,
    done: Path | None,
    parts: Path | None,
    told: Path | None,
    known: Path | None,
    until: datetime | None,
    out: Path | None,
    *,
    check: bool,
) -> None:
    """
    Run rules over the log of another system, and write down every move.

    No server is needed, and nothing is kept. The files are CSV or JSON Lines, and may be packed by
    gzip; the manual (docs/commands.md) names their columns.

    With --check it replays the log of this installation instead, and names whatever phases and
    scores are kept otherwise; nothing is written, and a difference ends it with 1.
    """
    if check:
        if any((model, done, parts, told, known, until, out)):
            raise click.UsageError("--check takes no file and no moment")
        check_all()
        return
    if model is None or done is None or parts is None or out is None:
        raise click.UsageError("--rules, --interactions, --roles and --out are needed, or --check")
    from regportal.documents.reading import read_model

    given = [file for file in (model, done, parts, told, known) if file is not None]
    if out.exists() and any(out.samefile(file) for file in given):
        raise click.UsageError("--out would write over a file that is read")
    buying = read_model(model)
    check_writable(out)
    moves, notes = _replayed(buying, done, parts, told, known, until)
    _write(out, moves)
    click.echo(f"Wrote {len(moves)} moves to {out}.", err=True)
    for note in notes:
        click.echo(note, err=True)


def _replayed(
    buying: "Buying",
    done: Path,
    parts: Path,
    told: Path | None,
    known: Path | None,
    until: datetime | None,
) -> tuple[list[dict[str, str]], list[str]]:
    """Return every move as it is written, and what is worth knowing of rows that moved nothing."""
    from regportal.buying import rows
    from regportal.buying.compiled import compiled
    from regportal.buying.facts import moment
    from regportal.buying.replaying import Replay

    given = [file for file in (done, parts, told, known) if file is not None]
    size = sum(file.stat().st_size for file in given)
    with click.progressbar(length=size, label="Reading", file=sys.stderr) as bar:
        facts = rows.interactions(done, bar.update)
        roles = rows.roles(parts, bar.update)
        seller = rows.opportunities(told, bar.update) if told else []
        facts += rows.facts(known, bar.update) if known else []
    replaying = Replay(compiled(buying))
    end = None if until is None else moment(until)
    with click.progressbar(length=len(facts), label="Replaying", file=sys.stderr) as bar:
        for number in replaying.run(roles, seller, facts, end):
            if number % OFTEN == 0:
                bar.update(OFTEN)
    notes = [*_of_no_use(replaying.model, facts, {row.contact for row in roles})]
    return [*_told(buying, replaying.moves, facts)], notes


def _of_no_use(
    model: "Model", facts: Iterable["FactRow"], people: Collection[str]
) -> Iterator[str]:
    """Yield how many rows no condition counts, by type, and how many are of nobody with a part."""
    from regportal.buying.facts import Sign

    listed = [*facts]
    signs = [row.fact for row in listed if isinstance(row.fact, Sign)]
    types = Counter(
        sign.type for sign in signs if not model.touched(sign.type, sign.category, sign.object)
    )
    if types:
        each = ", ".join(f"{kind} {count}" for kind, count in types.most_common())
        yield f"No condition counts {types.total()} of {len(signs)} interactions: {each}."
    strangers = sum(row.contact not in people for row in listed)
    if strangers:
        yield f"{strangers} of {len(listed)} rows are of contacts who never have a part."


def _told(
    buying: "Buying", moves: Iterable["Moved"], facts: Iterable["FactRow"]
) -> Iterator[dict[str, str]]:
    """Yield each move as it is written, with its reason."""
    from regportal.buying.facts import Sign, when
    from regportal.buying.replaying import reason_of
    from regportal.buying.words import Deed
    from regportal.connectors.rules import in_full

    def deed_of(key: object) -> Deed:
        sign = signs[key]
        return Deed(str(sign.contact), sign.type, sign.object or sign.category or "something")

    signs = {row.fact.id: row.fact for row in facts if isinstance(row.fact, Sign)}
    for move in moves:
        yield {
            "opportunity": move.opportunity,
            "from": move.step.came_from,
            "to": move.step.to,
            "at": in_full(when(move.at)),
            "cause": move.cause,
            "reason": reason_of(buying, move.at, move.step, deed_of, move.gone),
        }


def _write(out: Path, moves: list[dict[str, str]]) -> None:
    """Write every move, or leave what was there."""
    name = out.name.lower()
    write = _json if name.removesuffix(".gz").endswith((".jsonl", ".ndjson")) else _csv
    with written(out) as file:
        if name.endswith(".gz"):
            with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                _text(packed, moves, write)
        else:
            _text(file, moves, write)


def _text(
    file: IO[bytes] | gzip.GzipFile,
    moves: list[dict[str, str]],
    write: Callable[[IO[str], list[dict[str, str]]], None],
) -> None:
    """Write moves as a text."""
    text = io.StringIO(newline="")
    write(text, moves)
    file.write(text.getvalue().encode())


def _csv(text: IO[str], moves: list[dict[str, str]]) -> None:
    """Write a table; no spreadsheet runs what somebody else called something."""
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([safe_cell(move[name]) for name in COLUMNS] for move in moves)


def _json(text: IO[str], moves: list[dict[str, str]]) -> None:
    """Write one JSON object a line."""
    text.writelines(json.dumps(move, ensure_ascii=False) + "\n" for move in moves)
