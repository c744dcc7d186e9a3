"""Lists of everything that is known: for people, for spreadsheets, for programs."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import click
from sqlalchemy.orm import Session

from regportal.cli import lines
from regportal.cli.installation import Installation, opened
from regportal.cli.reading import AS_JSON
from regportal.store.tables import cell, records

Row = dict[str, Any]


class Asked(NamedTuple):
    """What a list is asked for."""

    here: Installation
    session: Session
    newsletter: str
    judged: str | None


class Listed(NamedTuple):
    """One list: its rows, and how people read one."""

    rows: Callable[[Asked], Iterable[Row]]
    line: Callable[[Row], str] = lines.pairs


def _alerts(asked: Asked) -> Iterable[Row]:
    """Yield who was told of which move."""
    from regportal.buying.alerts.listing import alerts

    return alerts(asked.session, asked.here.shelf.published(asked.session))


def _contacts(asked: Asked) -> Iterable[Row]:
    """Yield whom we know."""
    from regportal.cli.listed import contacts

    return contacts(asked.session)


def _claims(asked: Asked) -> Iterable[Row]:
    """Yield who said to be somebody."""
    from regportal.cli.listed import claims

    return claims(asked.session)


def _interactions(asked: Asked) -> Iterable[Row]:
    """Yield what was done."""
    from regportal.cli.listed import interactions
    from regportal.tracking.models import Judged

    return interactions(asked.session, judged=Judged(asked.judged) if asked.judged else None)


def _moves(asked: Asked) -> Iterable[Row]:
    """Yield every move of a phase."""
    from regportal.buying.reading import list_moves

    return list_moves(asked.session)


def _overrides(asked: Asked) -> Iterable[Row]:
    """Return what colleagues said over the rules."""
    from regportal.buying.judging import list_overrides

    return [*list_overrides(asked.session)]


def _suggestions(asked: Asked) -> Iterable[Row]:
    """Yield what open claims would move."""
    from regportal.buying.suggesting import suggestions

    published = asked.here.shelf.published(asked.session)
    return suggestions(asked.session, published, now=datetime.now(UTC))


def _subscribers(asked: Asked) -> Iterable[Row]:
    """Yield who may be sent a newsletter now."""
    from regportal.privacy.listing import subscribers

    here, published = asked.here, asked.here.shelf.published(asked.session)
    now = datetime.now(UTC)
    return subscribers(here.store, here.settings, published, asked.newsletter, now=now)


LISTS = {
    "alerts": Listed(_alerts, lines.alert),
    "contacts": Listed(_contacts),
    "claims": Listed(_claims),
    "interactions": Listed(_interactions),
    "moves": Listed(_moves, lines.move),
    "overrides": Listed(_overrides, lines.override),
    "suggestions": Listed(_suggestions, lines.suggestion),
    "subscribers": Listed(_subscribers),
}


@click.command("list")
@click.argument("what", type=click.Choice([*LISTS]))
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
    listed = LISTS[what]
    with opened() as here, here.store.read() as session:
        rows = listed.rows(Asked(here, session, newsletter or "", judged))
        said = _json(rows) if as_json else _csv(rows) if as_csv else map(listed.line, rows)
        for line in said:
            click.echo(line)
        if what == "overrides" and not (as_csv or as_json):
            from regportal.buying.judging import score

            click.echo(score(rows))


def _json(rows: Iterable[Row]) -> Iterator[str]:
    """Yield one JSON array, a row a line, as the rows come."""
    before = "["
    for row in rows:
        yield before + json.dumps(row, ensure_ascii=False)
        before = ","
    yield "[]" if before == "[" else "]"


def _csv(rows: Iterable[Row]) -> Iterator[str]:
    """Yield RFC 4180 records; the first one names the columns."""
    first = True
    for row in rows:
        flat = _flat(row)
        if first:
            yield records([flat]).removesuffix("\n")
            first = False
        yield records([map(cell, flat.values())]).removesuffix("\n")


def _flat(row: Row) -> Row:
    """Give each answer a column of its own."""
    flat: Row = {}
    for key, value in row.items():
        if key == "answers":
            flat |= {f"{key}.{name}": below for name, below in value.items()}
        else:
            flat[key] = value
    return flat
