"""What every row shares: keys, moments, and what it says about people."""

import enum
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, mapped_column

from regportal.store.ids import read_key, uuid7


class UtcMoment(sa.types.TypeDecorator[datetime]):
    """A moment: always aware, always UTC, also on databases that forget the zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """Return what it is here."""
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse a naive moment; it would mean another time on another machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], Any]:
        """Give the zone back; it is read more often than anything else."""
        del coltype
        return _from_text if dialect.name == "sqlite" else _in_utc


def _from_text(text: str | None) -> datetime | None:
    """Return a moment that SQLite kept."""
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


def _in_utc(at: datetime | None) -> datetime | None:
    """Return a moment that PostgreSQL gave in the zone of its session."""
    return None if at is None else at.astimezone(UTC)


class Key(sa.Uuid[uuid.UUID]):
    """A key; SQLite keeps its hexadecimal digits."""

    cache_ok = True

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """Read it; nothing is read more often."""
        if dialect.name == "sqlite":
            return _from_hex
        given: Callable[[Any], Any] | None = super().result_processor(dialect, coltype)  # type: ignore[no-untyped-call] # SQLAlchemy's own
        return given


def _from_hex(text: str | None) -> uuid.UUID | None:
    """Return a key that SQLite kept."""
    return None if text is None else read_key(text)


def choice(values: type[enum.StrEnum]) -> sa.Enum:
    """Return the column type for an enum that is stored by value, as text."""
    return sa.Enum(
        values,
        native_enum=False,
        create_constraint=False,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
Bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""A text that is compared byte by byte on either database, so that an index finds beginnings."""
Sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

Id = Annotated[uuid.UUID, mapped_column(Key(), primary_key=True, default=uuid7)]
Moment = Annotated[datetime, mapped_column(UtcMoment())]
MaybeMoment = Annotated[datetime | None, mapped_column(UtcMoment(), nullable=True)]
Count = Annotated[int, mapped_column(sa.Integer(), default=0, server_default="0")]
Flag = Annotated[bool, mapped_column(sa.Boolean(), default=False, server_default=sa.false())]
Ordinal = Annotated[int, mapped_column(Sequence, primary_key=True, autoincrement=True)]
JsonObject = Annotated[Mapping[str, Any], mapped_column(Json, default=dict)]


Clock = Literal[
    "claims",
    "anonymous",
    "network",
    "contacts",
    "ledger",
    "refusals",
    "letters",
    "webhooks",
    "security",
]
"""Which span of time ends a row; ``site.keep`` and privacy/clocks.py say how long each is."""

SPECIAL_KEYS = frozenset({"subject", "address", "address_hash", "mention"})
"""Ways to find a person's rows other than a column of another table; see ``Base.person``."""


class Base(DeclarativeBase):
    """
    A table, and what a data protection officer must know of it.

    Every column is declared in ``personal`` or in ``plain``; export, erasure, retention and
    docs/privacy.md follow these declarations, so that no column can be overlooked
    (tests/store/test_declarations.py fails for a column in neither).
    """

    personal: ClassVar[Mapping[str, str]] = {}
    """Column → why we keep it, in words for the person it is about."""
    plain: ClassVar[frozenset[str]] = frozenset()
    """Every other column: says nothing of a person by itself."""
    person: ClassVar[Mapping[str, str]] = {}
    """
    How a row is found for a person: column → what of his it holds; one that fits is enough.

    ``contact.id``, ``claim.id``, ``visitor.id``, ``visit.id``, ``interaction.id``… (a column of
    another table that is his); ``subject`` (``contact:<id>`` or ``claim:<id>``); ``address``
    (his match key); ``address_hash`` (as mail/actions.py hashes it); ``mention`` (foreign text
    or JSON that names his address somewhere).
    """
    clock: ClassVar[Clock | None] = None
    """Which clock ends a row, unless it belongs to a contact, which is kept or erased whole."""
    aged_by: ClassVar[str | None] = None
    """
    The column with the moment at which the clock starts; NULL: it has not started.

    A key of version 7 is one: it begins with its moment, and needs no index of its own.
    None: the row hangs on another by a key that is never empty, and goes with that one.
    """
    emptied: ClassVar[str | None] = None
    """Why the row stays when its person goes; its columns that named him are emptied then."""
    when_emptied: ClassVar[Mapping[str, Any]] = {}
    """What other columns hold from then on."""
    outlives: ClassVar[str | None] = None
    """Why the row stays whole when its person goes: keys, states, times and hashes only."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcMoment(),
        uuid.UUID: Key(),
        dict[str, Any]: Json,
        list[Any]: Json,
        bytes: sa.LargeBinary(),
        str: sa.Text(),
    }
