"""Commands for reading what is known: one contact, one opportunity, or lists of everything."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click
from sqlalchemy.orm import Session

from regportal.cli.installation import Installation, opened
from regportal.cli.moments import MOMENT
from regportal.store.tables import safe_cell

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print what a program may read.")

Row = dict[str, Any]


@click.group()
def show() -> None:
    """Show everything known of one contact or one opportunity."""


@show.command("contact")
@click.argument("email")
@AS_JSON
def contact(email: str, *, as_json: bool) -> None:
    """Show a contact by the address: answers, claims, consents, interactions, opportunities."""
    from regportal.cli.known import contact_shown, hints_shown

    with opened() as installation, installation.store.read() as session:
        known = contact_shown(session, email)
        hints = {} if as_json else hints_shown(session, known["email"])
        _show(known | hints, as_json=as_json)


@show.command("opportunity")
@click.argument("name", metavar="KEY")
@click.option("--on", type=MOMENT, help="As it was believed then, whatever became known later.")
@AS_JSON
def opportunity(name: str, on: datetime | None, *, as_json: bool) -> None:
    """Show an opportunity by our key, or by <connector>:<external id>."""
    from regportal.buying.believed import opportunity_on
    from regportal.buying.reading import BESIDE, opportunity_shown

    if on is not None and on > datetime.now(UTC):
        raise click.UsageError("--on lies ahead: nobody knows yet what will be believed")
    with opened() as installation, installation.store.read() as session:
        told = opportunity_on(session, name, on) if on else opportunity_shown(session, name)
        beside = {name: told.pop(name) for name in BESIDE}
        if not as_json:
            override = beside["override"]
            told |= {"stage": beside["stage"], "override": override["text"] if override else None}
        _show(told, as_json=as_json)


@click.command("list")
@click.argument(
    "what",
    type=click.Choice(
        [
            *("alerts", "contacts", "claims", "interactions", "moves", "overrides"),
            *("suggestions", "subscribers"),
        ]
    ),
)
@click.argument("newsletter", required=False)
@click.option(
    "--judged",
    type=click.Choice(["person", "machine"]),
    help="Of interactions, only what people did, or machines.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print a table for spreadsheets.")
@AS_JSON
def listing(
    what: str, newsletter: str | None, judged: str | None, *, as_csv: bool, as_json: bool
) -> None:
    """
    List contacts, claims, interactions or moves of phase, oldest first.

    Or overrides: what colleagues said over the rules, and whether it was right. Or suggestions:
    what nobody has proven yet, and would move the phase of an opportunity. Or alerts: which moves
    somebody was told of by mail, and why nobody of others. Or the subscribers of a NEWSLETTER: who
    may be written to now, and what proves it.
    """
    if as_csv and as_json:
        raise click.UsageError("choose one of --csv and --json")
    if (what == "subscribers") != (newsletter is not None):
        raise click.UsageError("a newsletter's key belongs to `list subscribers`")
    if judged is not None and what != "interactions":
        raise click.UsageError("--judged belongs to `list interactions`")
    from regportal.buying.judging import list_overrides, score
    from regportal.buying.reading import list_moves
    from regportal.cli import known
    from regportal.tracking.models import Judged

    lists: dict[str, Callable[[Session], Iterable[Row]]] = {
        "contacts": known.contacts,
        "claims": known.claims,
        "interactions": partial(known.interactions, judged=Judged(judged) if judged else None),
        "moves": list_moves,
        "overrides": list_overrides,
    }
    with opened() as installation, installation.store.read() as session:
        if newsletter is not None:
            rows = _subscribers(installation, session, newsletter)
        elif what == "suggestions":
            rows = _suggestions(installation, session)
        elif what == "alerts":
            rows = _alerts(installation, session)
        else:
            rows = [*lists[what](session)] if what == "overrides" else lists[what](session)
        lines = _json_lines(rows) if as_json else _csv_lines(rows) if as_csv else _lines(rows)
        for line in lines:
            click.echo(line)
        if what == "overrides" and not (as_csv or as_json):
            click.echo(score(rows))


def _subscribers(here: Installation, session: Session, newsletter: str) -> Iterable[Row]:
    """Yield who may be sent a newsletter now."""
    from regportal.privacy.listing import subscribers

    published, now = here.shelf.published(session), datetime.now(UTC)
    return subscribers(here.store, here.settings, published, newsletter, now=now)


def _suggestions(here: Installation, session: Session) -> Iterable[Row]:
    """Yield what open claims would move."""
    from regportal.buying.suggesting import suggestions

    return suggestions(session, here.shelf.published(session), now=datetime.now(UTC))


def _alerts(here: Installation, session: Session) -> Iterable[Row]:
    """Yield who was told of which move."""
    from regportal.buying.alerts.listing import alerts

    return alerts(session, here.shelf.published(session))


def cell(value: Any) -> str:
    """
    Return a value as a cell that no spreadsheet computes.

    >>> cell("=cmd|'/c calc'!A1"), cell(None), cell(True), cell(["a", "b"]), cell([])
    ("'=cmd|'/c calc'!A1", '', 'true', '["a", "b"]', '')
    """
    if value is None or value == []:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return safe_cell(text)


def printable(value: Any) -> str:
    r"""
    Return a value on one line that no terminal obeys.

    >>> printable("a\x1b[2Jb\n")
    'a·[2Jb·'
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else "·" for sign in text)


def _show(told: Row, *, as_json: bool) -> None:
    """Print one thing."""
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for line in _told(told):
        click.echo(line)


def _told(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of one thing."""
    for key, value in told.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{key}:"
            for one in value:
                yield "  - " + _pairs(one)
        else:
            yield f"{key}: {_word(value)}"


def _pairs(row: Mapping[str, Any]) -> str:
    """Return the cells of a row that hold something, with their names."""
    return "  ".join(
        f"{key}={_word(value)}" for key, value in row.items() if value not in (None, [], {}, "")
    )


def _word(value: Any) -> str:
    """Return a value as people read it."""
    return "-" if value in (None, [], {}, "") else printable(value)


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield one line a row."""
    for row in rows:
        yield _pairs(row)


def _json_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield one JSON array, a row a line, as the rows come."""
    before = "["
    for row in rows:
        yield before + json.dumps(row, ensure_ascii=False)
        before = ","
    yield "[]" if before == "[" else "]"


def _csv_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield RFC 4180 records; the first one names the columns."""
    first = True
    for row in rows:
        flat = _flat(row)
        if first:
            yield _record(flat)
            first = False
        yield _record([cell(value) for value in flat.values()])


def _flat(row: Row) -> Row:
    """Give each answer a column of its own."""
    flat: Row = {}
    for key, value in row.items():
        if key == "answers":
            flat |= {f"{key}.{name}": below for name, below in value.items()}
        else:
            flat[key] = value
    return flat


def _record(cells: Iterable[Any]) -> str:
    """Write one record, without its end."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r").writerow(cells)
    return text.getvalue()
