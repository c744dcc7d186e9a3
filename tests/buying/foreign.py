"""A world as files of a foreign log, and what `regportal replay` makes of them."""

import csv
import io
import json
from collections.abc import Iterable
from contextlib import redirect_stderr
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

from regportal.cli import main
from tests.buying.log import (
    Answered,
    Closed,
    Described,
    Did,
    Reopened,
    RoleBegins,
    RoleEnds,
    Row,
    Scored,
    Staged,
)
from tests.buying.oracle import Move
from tests.buying.worlds import World

KINDS = {
    Answered: ("answer", "question"),
    Scored: ("score", "score"),
    Described: ("field", "field"),
}


class RefusedError(Exception):
    """The rules of this world may not be published."""


def replayed(world: World, folder: Path, until: datetime | None = None) -> list[Move]:
    """Return the moves that `regportal replay` writes down; raise RefusedError with its reason."""
    rules = folder / "rules.yaml"
    rules.write_text(json.dumps(world.model))
    tables = {
        "interactions": _table(_did(row) for row in world.log if isinstance(row, Did)),
        "roles": _table(_parts(world.log)),
        "opportunities": _table(_told(world.log)),
        "facts": _table(_facts(world.log)),
    }
    if len(world.log) % 3 == 0:  # files need not be in order, but for rows of one moment
        for name in ("interactions", "opportunities", "facts"):
            tables[name][1].sort(key=itemgetter("time"), reverse=True)
    arguments = ["replay", "--rules", str(rules), "--out", str(folder / "moves.csv")]
    for name, (columns, rows) in tables.items():
        if rows or name in {"interactions", "roles"}:
            with (folder / f"{name}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, columns or HEADINGS[name])
                writer.writeheader()
                writer.writerows(rows)
            arguments += [f"--{name}", str(folder / f"{name}.csv")]
    if until is not None:
        arguments += ["--until", until.isoformat()]
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            main(arguments)
    except SystemExit as left:
        if left.code == 1:
            raise RefusedError(said.getvalue()) from left
        if left.code:
            raise
    return [*_moves(folder / "moves.csv")]


HEADINGS = {
    "interactions": ["time", "contact", "type", "category", "object", "id", "properties"],
    "roles": ["opportunity", "contact", "role", "from", "to"],
}


def _table(rows: Iterable[dict[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return rows, and the columns they have."""
    listed = [*rows]
    return [*(listed[0] if listed else ())], listed


def _did(row: Did) -> dict[str, Any]:
    """Return a deed as a row of a file."""
    return {
        "time": row.at.isoformat(),
        "contact": row.contact,
        "type": row.type,
        "category": row.category or "",
        "object": row.object or "",
        "id": row.id,
        "properties": json.dumps(film_of(row)) if row.watched else "",
    }


def film_of(row: Did) -> dict[str, Any]:
    """Return what a row tells of a film, as an interaction has it."""
    whole = {"duration": row.length} if row.length else {}
    return {"watched": [[*stretch] for stretch in row.watched], **whole}


def _parts(log: Iterable[Row]) -> Iterable[dict[str, Any]]:
    """Yield each part with its beginning and its end."""
    rows = [*log]
    ends = {row.part: row.at for row in rows if isinstance(row, RoleEnds)}
    begun = [row for row in rows if isinstance(row, RoleBegins)]
    for row in sorted(begun, key=lambda row: str(row.part)):
        yield {
            "opportunity": row.opportunity,
            "contact": row.contact,
            "role": row.role or "",
            "from": row.at.isoformat(),
            "to": ends[row.part].isoformat() if row.part in ends else "",
        }


def _told(log: Iterable[Row]) -> Iterable[dict[str, Any]]:
    """Yield what the CRM said of opportunities; it tells the state of things each time."""
    closed: dict[str, bool] = {}
    for row in log:
        if isinstance(row, Staged | Closed | Reopened):
            if not isinstance(row, Staged):
                closed[row.opportunity] = isinstance(row, Closed)
            yield {
                "time": row.at.isoformat(),
                "opportunity": row.opportunity,
                "stage": row.stage if isinstance(row, Staged) else "",
                "is_closed": str(closed.get(row.opportunity, False)).lower(),
            }


def _facts(log: Iterable[Row]) -> Iterable[dict[str, Any]]:
    """Yield what became known of contacts."""
    for row in log:
        if isinstance(row, Answered | Scored | Described):
            kind, name = KINDS[type(row)]
            yield {
                "time": row.at.isoformat(),
                "contact": row.contact,
                "kind": kind,
                "name": getattr(row, name),
                "value": row.value,
            }


def _moves(file: Path) -> Iterable[Move]:
    """Yield the moves of a file."""
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            at = datetime.fromisoformat(row["at"])
            yield Move(
                ("opportunity", row["opportunity"]), row["from"], row["to"], at, row["cause"]
            )
