"""Grants: who may fetch which bytes, and until when."""

import uuid
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Flag, Id, MaybeMoment, Moment, Sequence


class Grant(Base):
    """
    One visitor's leave to fetch one asset: started within 15 minutes, continued within 24 hours.

    A film that is played can be started for four hours, hence played and wound back.

    The token of the link is derived from the id and the secret key; only its hash is kept.
    ``single`` is the grant of a browser without cookies: started once, within five minutes.
    """

    __tablename__ = "grant"
    personal: ClassVar = {
        "asset": "Which file you may fetch.",
        "gate": "Where you asked for it.",
        "issued_at": "To let the link end in time.",
        "started_at": "Whether the link was used: it can be started for a while only.",
    }
    plain = frozenset(
        {"id", "hash", "visitor_id", "claim_id", "single", "start_by", "finish_by", "ended_at"}
    )
    person: ClassVar = {"claim_id": "claim.id", "visitor_id": "visitor.id"}
    clock = "anonymous"
    aged_by = "id"

    id: Mapped[Id]
    hash: Mapped[bytes] = mapped_column(unique=True)
    gate: Mapped[str]
    asset: Mapped[str]
    visitor_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("visitor.id"), index=True)
    claim_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("claim.id"), index=True)
    single: Mapped[Flag]
    issued_at: Mapped[Moment]
    start_by: Mapped[Moment]
    finish_by: Mapped[Moment]
    started_at: Mapped[MaybeMoment]
    ended_at: Mapped[MaybeMoment]
    """When it was taken back."""


class Serving(Base):
    """A measurement: bytes were sent for a grant. No rule, score or webhook reads it."""

    __tablename__ = "serving"
    personal: ClassVar = {
        "at": "To see whether files arrive whole; no rule reads it.",
    }
    plain = frozenset({"id", "grant_id", "status", "first_byte", "length"})
    person: ClassVar = {"grant_id": "grant.id"}
    clock = "anonymous"

    id: Mapped[Id]
    grant_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("grant.id"), index=True)
    at: Mapped[Moment]
    status: Mapped[int]
    first_byte: Mapped[int] = mapped_column(Sequence)
    length: Mapped[int] = mapped_column(Sequence)
