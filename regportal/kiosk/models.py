"""Stands, and what each of them took."""

import enum
import uuid
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Count, Id, Key, MaybeMoment, Moment, choice


class Reached(enum.StrEnum):
    """How far somebody came at a stand."""

    SHOWN = "shown"
    """The page was touched, and nothing filled in."""
    BEGUN = "begun"
    GIVEN = "given"
    CARRIED = "carried"
    """And a telephone took the file over."""


class Stand(Base):
    """A stand at an event: its name, the gate it shows, and the hash of its tablet's key."""

    __tablename__ = "stand"
    plain = frozenset(
        {"id", "name", "gate", "hash", "made_at", "closed_at", "heard_at", "waiting", "taken"}
    )

    id: Mapped[Id]
    name: Mapped[str]
    """As visitors' deeds and their owners name it: "Hannover Messe, hall 7"."""
    gate: Mapped[str] = mapped_column(index=True)
    hash: Mapped[bytes]
    made_at: Mapped[Moment]
    closed_at: Mapped[MaybeMoment]
    """Since when its key opens nothing; None: it is open."""
    heard_at: Mapped[MaybeMoment]
    """When its tablet was heard of last…"""
    waiting: Mapped[Count]
    """…and how many forms it still kept then."""
    taken: Mapped[Count]
    """How many forms of it were taken."""


class StandForm(Base):
    """A form that a stand took, by the nonce of its ask; and how its file goes to a telephone."""

    __tablename__ = "stand_form"
    plain = frozenset({"id", "stand_id", "claim_id", "hash", "until", "used_at"})
    person: ClassVar = {"claim_id": "claim.id"}

    id: Mapped[uuid.UUID] = mapped_column(Key(), primary_key=True)
    """Of the submission: sent twice, it is taken once."""
    stand_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("stand.id"), index=True)
    claim_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("claim.id"), index=True)
    hash: Mapped[bytes] = mapped_column(unique=True)
    """Of the token in the code that a telephone reads."""
    until: Mapped[MaybeMoment]
    """Until when that is good; None: the file goes by mail only."""
    used_at: Mapped[MaybeMoment]


class StandPage(Base):
    """A measurement: somebody stood before a stand's page, and came so far. It is nobody's."""

    __tablename__ = "stand_page"
    plain = frozenset({"id", "stand_id", "at", "reached"})
    clock = "anonymous"
    aged_by = "at"

    id: Mapped[uuid.UUID] = mapped_column(Key(), primary_key=True)
    """Of the key its tablet made, or of its form: told twice, it counts once."""
    stand_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("stand.id"), index=True)
    at: Mapped[Moment] = mapped_column(index=True)
    reached: Mapped[Reached] = mapped_column(choice(Reached))
