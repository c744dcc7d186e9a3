"""Taking along everything we keep of a person: as JSON, or as one CSV table."""

import enum
import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.rules import in_full
from regportal.identity.kin import kin_of
from regportal.identity.models import Contact
from regportal.outbox.models import Message, MessageState
from regportal.privacy.purposes import newsletters_of
from regportal.privacy.traces import (
    MENTION,
    Traces,
    every_model,
    mentions_of,
    own_traces,
    parts_naming,
    primary,
    theirs,
    without,
)
from regportal.privacy.whom import Whom
from regportal.store.base import Base
from regportal.store.documents import Published, Site, Wording
from regportal.store.facts import table_of
from regportal.store.tables import records, safe_cell

FORMAT = "regportal-export-1"
PAGE = 500
"""How many rows are read at a time."""
COLUMNS = ("section", "record", "field", "value", "why")

Row = dict[str, Any]


def export_json(
    session: Session, published: Published, whom: Whom, *, pepper: str, now: datetime
) -> Iterator[str]:
    """Yield everything of a person as one JSON document, a piece at a time."""
    traces = own_traces(session, whom.contacts, whom.match_keys, pepper=pepper)
    head = {
        "format": FORMAT,
        "exported_at": in_full(now),
        "controller": Site.of(published).controller,
        "addresses": [contact.email for contact in whom.contacts] or list(whom.match_keys),
        "recipients": recipients(session, traces),
        "newsletters": list(newsletters_of(session, published, whom.match_keys, now=now)),
    }
    yield json.dumps(head, ensure_ascii=False, indent=2)[:-2] + ',\n  "data": {'
    wordings: set[str] = set()
    others = _others(session, whom.contacts)
    for number, (name, rows) in enumerate(_sections(session, traces, others)):
        yield f"{',' if number else ''}\n    {json.dumps(name)}: ["
        for count, row in enumerate(rows):
            wordings.add(row.get("wording") or "")
            written = json.dumps(row, ensure_ascii=False, default=_plain)
            yield f"{',' if count else ''}\n      {written}"
        yield "\n    ]"
    texts = json.dumps(_texts(session, wordings), ensure_ascii=False, indent=2)
    yield '\n  },\n  "wordings": ' + texts.replace("\n", "\n  ") + "\n}\n"


def export_csv(
    session: Session, published: Published, whom: Whom, *, pepper: str, now: datetime
) -> Iterator[str]:
    """
    Yield everything of a person as one table: a line a value, with why we keep it.

    It opens in any spreadsheet; what looks like a formula is shown as text.
    """
    traces = own_traces(session, whom.contacts, whom.match_keys, pepper=pepper)
    yield "\ufeff" + _line(COLUMNS)
    yield _line(("export", FORMAT, "exported_at", in_full(now), ""))
    yield _line(("export", FORMAT, "controller", Site.of(published).controller, ""))
    for one in recipients(session, traces):
        yield "".join(
            _line(("recipients", one["recipient"], field, value, ""))
            for field, value in one.items()
        )
    held = newsletters_of(session, published, whom.match_keys, now=now)
    for number, row in enumerate(held, start=1):
        yield "".join(
            _line(("newsletters", number, field, value, ""))
            for field, value in row.items()
            if value is not None
        )
    wordings: set[str] = set()
    for name, rows in _sections(session, traces, _others(session, whom.contacts)):
        why = every_model()[name].personal
        for number, row in enumerate(rows, start=1):
            wordings.add(row.get("wording") or "")
            yield "".join(
                _line((name, number, field, value, why.get(field, "")))
                for field, value in row.items()
                if value is not None
            )
    for digest, text in _texts(session, wordings).items():
        yield _line(("wordings", digest, "text", text, ""))


def recipients(session: Session, traces: Traces) -> list[Row]:
    """Return who was sent what of a person, and when first and last: the delivery log."""
    rows = session.execute(
        sa.select(
            Message.connector,
            Message.topic,
            sa.func.count(),
            sa.func.min(Message.sent_at),
            sa.func.max(Message.sent_at),
        )
        .where(Message.subject.in_(traces.subjects), Message.state == MessageState.SENT)
        .group_by(Message.connector, Message.topic)
        .order_by(Message.connector, Message.topic)
    )
    return [
        {
            "recipient": connector,
            "what": topic,
            "times": times,
            "first": in_full(first) if first else None,
            "last": in_full(last) if last else None,
        }
        for connector, topic, times, first, last in rows
    ]


def _others(session: Session, contacts: Sequence[Contact]) -> Traces:
    """Return who was ever taken for this person and is another one: what names him is left out."""
    kin = kin_of(session, [one.id for one in contacts])
    strangers = kin.everybody(()) - {one.id for one in contacts}
    named = session.scalars(sa.select(Contact).where(Contact.id.in_(strangers)))
    both = ((one.email.lower(), one.match_key.lower()) for one in named)
    return Traces(addresses=frozenset(address for pair in both for address in pair))


def _sections(
    session: Session, traces: Traces, others: Traces
) -> Iterator[tuple[str, Iterator[Row]]]:
    """Yield the name of each table that has rows of the person's, with these rows."""
    for table in Base.metadata.sorted_tables:
        model = every_model().get(table.name)
        if model is None or not model.person:
            continue
        rows = (_without(row, others) for row in _rows(session, model, traces))
        first = next(rows, None)
        if first is not None:
            yield table.name, _with(first, rows)


def _rows(session: Session, model: type[Base], traces: Traces) -> Iterator[Row]:
    """Yield a person's rows of a table: every column but hashes of tokens and addresses."""
    columns = [one for one in table_of(model).columns if not isinstance(one.type, sa.LargeBinary)]
    query = sa.select(*columns).where(theirs(model, traces)).order_by(*model.__table__.primary_key)
    for row in session.execute(query, execution_options={"yield_per": PAGE}):
        yield dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's own name, and public
    yield from _named_rows(session, model, traces)


def _named_rows(session: Session, model: type[Base], traces: Traces) -> Iterator[Row]:
    """Yield of each row of foreign text what in it names the person, and nothing around it."""
    table = table_of(model)
    for key in mentions_of(session, model, traces):
        row = session.execute(sa.select(table).where(primary(table, [key]))).one()._mapping  # noqa: SLF001 - as above
        ids = {one.name: row[one.name] for one in table.primary_key}
        named = {
            name: list(parts_naming(row[name], traces))
            for name, kind in model.person.items()
            if kind == MENTION
        }
        yield ids | {name: parts for name, parts in named.items() if parts}


def _without(row: Row, others: Traces) -> Row:
    """Return a row without the parts of its texts that name somebody else who was taken for him."""
    if not others.addresses:
        return row
    told = {
        name: without(value, others) if isinstance(value, dict | list) else value
        for name, value in row.items()
    }
    return {name: value for name, value in told.items() if value != [None]}


def _with(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    """Yield a row and those after it."""
    yield first
    yield from rest


def _texts(session: Session, digests: set[str]) -> dict[str, str]:
    """Return the wordings that the rows name."""
    rows = session.execute(
        sa.select(Wording.digest, Wording.text).where(Wording.digest.in_(digests - {""}))
    )
    return dict(sorted((digest, text) for digest, text in rows))


def _line(values: Sequence[Any]) -> str:
    """Return one line of the table."""
    return records([[safe_cell(_cell(value)) for value in values]])


def _cell(value: Any) -> str:
    """Return a value as a spreadsheet shows it."""
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return value
    return json.dumps(value, ensure_ascii=False, default=_plain).strip('"')


def _plain(value: Any) -> Any:
    """Return what JSON has no word for."""
    if isinstance(value, datetime):
        return in_full(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be exported")
