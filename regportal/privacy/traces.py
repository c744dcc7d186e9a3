"""Finding everything of a person, in every room, by what the models declare."""

import importlib
import json
import pkgutil
import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

import regportal
from regportal.consent.actions import subject_of_claim, subject_of_contact
from regportal.identity.models import Claim, ClaimState, Contact, Visitor, VisitorState
from regportal.mail.actions import address_hash
from regportal.store.base import Base
from regportal.store.facts import table_of

MENTION = "mention"
SOMEBODY = "somebody"
"""Whom a sentence names once its person is forgotten."""
AT_ONCE = 500
"""How many keys one statement names."""
Keys = list[tuple[Any, ...]]
"""Primary keys of one table."""


@dataclass(frozen=True, slots=True)
class Traces:
    """The keys under which a person's rows are found."""

    contacts: frozenset[uuid.UUID] = frozenset()
    claims: frozenset[uuid.UUID] = frozenset()
    visitors: frozenset[uuid.UUID] = frozenset()
    addresses: frozenset[str] = frozenset()
    """Every spelling, in small letters."""
    hashes: frozenset[bytes] = frozenset()

    @property
    def subjects(self) -> frozenset[str]:
        """Return how the ledger and the outbox name the person."""
        contacts = (subject_of_contact(one) for one in self.contacts)
        return frozenset((*contacts, *(subject_of_claim(one) for one in self.claims)))


@cache
def every_model() -> dict[str, type[Base]]:
    """
    Return every model of the house by its table.

    Also those of rooms that this one may not know: it reads their declarations, nothing else.
    """
    for module in pkgutil.walk_packages(regportal.__path__, "regportal."):
        if module.name.endswith((".models", ".store.documents", ".store.vault")):
            importlib.import_module(module.name)
    return {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}


def own_traces(
    session: Session, contacts: Sequence[Contact], match_keys: Collection[str], *, pepper: str
) -> Traces:
    """
    Return what a person may see: what is under his addresses, and his own browsers.

    A browser is his where the owner of the address proved it, or said "yes, this was me".
    """
    claims = _claims(session, contacts, match_keys)
    his = {claim.id for claim in claims if claim.state != ClaimState.REJECTED}
    browsers = _with_recorders(session, _own_browsers(session, claims))
    return _traces(contacts, claims, his, browsers, pepper, match_keys)


def all_traces(
    session: Session, contacts: Sequence[Contact], match_keys: Collection[str], *, pepper: str
) -> Traces:
    """
    Return what must go with a person: also the browsers that only named his address.

    But for those that named somebody else's, too: of them goes what they did under his.
    """
    claims = _claims(session, contacts, match_keys)
    browsers = {claim.visitor_id for claim in claims} | _own_browsers(session, claims)
    shared = session.scalars(
        sa.select(Claim.visitor_id).where(
            Claim.visitor_id.in_(browsers),
            Claim.id.not_in([claim.id for claim in claims]),
            Claim.state.not_in([ClaimState.REJECTED, ClaimState.EXPIRED]),
        )
    )
    his = {claim.id for claim in claims}
    browsers = _with_recorders(session, browsers - set(shared))
    return _traces(contacts, claims, his, browsers, pepper, match_keys)


def _claims(
    session: Session, contacts: Sequence[Contact], match_keys: Collection[str]
) -> Sequence[Claim]:
    """Return every claim of these addresses, however it was decided."""
    theirs = sa.or_(
        Claim.match_key.in_(match_keys), Claim.contact_id.in_([one.id for one in contacts])
    )
    return session.scalars(sa.select(Claim).where(theirs)).all()


def _own_browsers(session: Session, claims: Iterable[Claim]) -> set[uuid.UUID]:
    """Return the browsers that are proven to be whose these claims are."""
    claims = list(claims)
    confirmed = {one.visitor_id for one in claims if one.state == ClaimState.CONFIRMED}
    proven = sa.select(Visitor.id).where(
        Visitor.state == VisitorState.VERIFIED,
        Visitor.claim_id.in_([claim.id for claim in claims]),
    )
    return confirmed | set(session.scalars(proven))


def _with_recorders(session: Session, browsers: set[uuid.UUID]) -> set[uuid.UUID]:
    """Return these browsers, and what the recorders that speak for them are known by."""
    speaking = sa.select(Visitor.id).where(Visitor.speaks_for.in_(browsers))
    return browsers | set(session.scalars(speaking))


def _traces(
    contacts: Sequence[Contact],
    claims: Sequence[Claim],
    his: Collection[uuid.UUID],
    visitors: Collection[uuid.UUID],
    pepper: str,
    match_keys: Collection[str] = (),
) -> Traces:
    """Put together what was found."""
    keys = {*match_keys, *(contact.match_key for contact in contacts)}
    spelled = {contact.email for contact in contacts}
    for claim in claims:
        spelled |= {claim.email, claim.typed}
    return Traces(
        contacts=frozenset(contact.id for contact in contacts),
        claims=frozenset(his),
        visitors=frozenset(visitors),
        addresses=frozenset(one.lower() for one in keys | spelled),
        hashes=frozenset(address_hash(key, pepper) for key in keys),
    )


def theirs(model: type[Base], traces: Traces, path: tuple[str, ...] = ()) -> sa.ColumnElement[bool]:
    """
    Return the condition for a table's rows that are a person's.

    ``path`` are the tables it was asked from: a table is never found through itself.
    """
    path = (*path, model.__tablename__)
    columns = table_of(model).columns
    found = [
        condition
        for name, key in model.person.items()
        if key != MENTION and (condition := _holds(columns[name], key, traces, path)) is not None
    ]
    return sa.or_(sa.false(), *found)


def _holds(
    column: sa.Column[Any], key: str, traces: Traces, path: tuple[str, ...]
) -> sa.ColumnElement[bool] | None:
    """Return the condition that a column holds something of a person's."""
    known: dict[str, Collection[Any]] = {
        "contact.id": traces.contacts,
        "claim.id": traces.claims,
        "visitor.id": traces.visitors,
        "subject": traces.subjects,
        "address_hash": traces.hashes,
    }
    if key in known:
        return column.in_(known[key])
    if key == "address":
        return sa.func.lower(column).in_(traces.addresses)
    table, _, named = key.partition(".")
    if table in path:
        return None
    other = every_model()[table]
    inner = sa.select(table_of(other).columns[named])
    return column.in_(inner.where(theirs(other, traces, path)))


def keys_of(session: Session, model: type[Base], traces: Traces) -> Keys:
    """Return the primary keys of a table's rows that are a person's."""
    chosen = sa.select(*table_of(model).primary_key).where(theirs(model, traces))
    return [tuple(row) for row in session.execute(chosen)]


def mentions_of(session: Session, model: type[Base], traces: Traces) -> Keys:
    """Return the primary keys of a table's rows that are not a person's, and name him."""
    table = table_of(model)
    columns = [table.columns[name] for name, key in model.person.items() if key == MENTION]
    if not columns or not traces.addresses:
        return []
    dialect = session.get_bind().dialect.name
    may = sa.or_(*(_may_mention(column, traces, dialect) for column in columns))
    rows = session.execute(
        sa.select(*table.primary_key, *columns).where(may, ~theirs(model, traces)),
        execution_options={"yield_per": AT_ONCE},
    )
    width = len(table.primary_key)
    return [tuple(row)[:width] for row in rows if any(names(row[width:], traces))]


def _may_mention(column: sa.Column[Any], traces: Traces, dialect: str) -> sa.ColumnElement[bool]:
    """Return a condition for foreign text that may name one of these addresses."""
    text: sa.ColumnElement[str] = sa.cast(column, sa.Text())
    if dialect == "postgresql" and isinstance(column.type, sa.LargeBinary):
        text = sa.func.encode(column, "escape")  # it need not be UTF-8
    text = sa.func.lower(text)
    locals_ = sorted({address.rpartition("@")[0] for address in traces.addresses})
    named = [text.contains(local, autoescape=True) for local in locals_]
    return sa.or_(*named, text.contains("\\u", autoescape=True))


def names(values: Iterable[Any], traces: Traces) -> Iterator[bool]:
    """Yield of each value whether it names one of a person's addresses."""
    pattern = _pattern(traces.addresses)
    return (bool(pattern.search(_text(value))) for value in values)


def without(value: Any, traces: Traces) -> Any:
    """
    Return a value that no longer names a person: in a sentence he is somebody.

    Of an object the smallest part that names him goes whole, with what stands beside it:

    >>> ann = Traces(addresses=frozenset({"ann@acme.example"}))
    >>> without({"stage": "won", "owner": {"name": "Ann", "email": "ANN@acme.example"}}, ann)
    {'stage': 'won', 'owner': None}
    >>> without({"reason": "ann@acme.example came.", "owner": {"email": "joann@acme.example"}}, ann)
    {'reason': 'somebody came.', 'owner': {'email': 'joann@acme.example'}}
    """
    if isinstance(value, dict):
        is_his = any(
            isinstance(one, str) and one.lower() in traces.addresses for one in value.values()
        )
        return None if is_his else {key: _below(each, traces) for key, each in value.items()}
    return _below(value, traces)


def _below(value: Any, traces: Traces) -> Any:
    """Return the same of a part of a value."""
    if isinstance(value, str):
        return _pattern(traces.addresses).sub(SOMEBODY, value)
    if isinstance(value, list):
        return [_below(each, traces) for each in value]
    if isinstance(value, dict):
        leaves = [each for each in value.values() if not isinstance(each, dict | list)]
        if any(names([*leaves, *value], traces)):
            return None
        return {key: _below(each, traces) for key, each in value.items()}
    return value


def parts_naming(value: Any, traces: Traces) -> Iterator[Any]:
    """
    Yield the smallest parts of a value that name a person.

    >>> somebody = Traces(addresses=frozenset({"ann@acme.example"}))
    >>> list(parts_naming({"id": 7, "owner": {"email": "ann@acme.example"}}, somebody))
    [{'email': 'ann@acme.example'}]
    """
    if isinstance(value, bytes):
        value = _read(value)
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    leaves = [each for each in below if not isinstance(each, dict | list)]
    if isinstance(value, dict) and any(names(leaves, traces)):
        yield value
    elif isinstance(value, dict | list):
        for each in below:
            yield from parts_naming(each, traces)
    elif any(names([value], traces)):
        yield value


@cache
def _pattern(addresses: frozenset[str]) -> re.Pattern[str]:
    """Return what finds one of these addresses, and not a longer one that ends or begins so."""
    either = "|".join(re.escape(address) for address in sorted(addresses)) or r"(?!)"
    sign = r"[\w.!#$%&'*+/=?^`{|}~-]"
    return re.compile(rf"(?<!{sign})(?:{either})(?![\w-]|\.\w)", re.IGNORECASE)


def _text(value: Any) -> str:
    """Return a value as the text that a person would read in it."""
    if isinstance(value, bytes):
        value = _read(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _read(body: bytes) -> Any:
    """Return what a body says: JSON where it is that, else its text."""
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def primary(table: sa.Table, keys: Keys) -> sa.ColumnElement[bool]:
    """Return the condition for the rows with these primary keys."""
    columns = list(table.primary_key)
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return sa.or_(
        *(
            sa.and_(*(column == part for column, part in zip(columns, key, strict=True)))
            for key in keys
        )
    )


def some(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield keys in portions that one statement can name."""
    for start in range(0, len(keys), AT_ONCE):
        yield keys[start : start + AT_ONCE]
