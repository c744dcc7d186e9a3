"""Grants: who may fetch which bytes, and until when."""

import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Flag, Id, MaybeMoment, Moment, Sequence


class Grant(Base):
    """
    One visitor's leave to fetch one asset: started within 15 minutes, continued within 24 hours.

    The token of the link is derived from the id and the secret key; only its hash is kept.
    ``single`` is the grant of a browser without cookies: started once, within five minutes.
    """

    __tablename__ = "grant"

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

    id: Mapped[Id]
    grant_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("grant.id"), index=True)
    at: Mapped[Moment]
    status: Mapped[int]
    first_byte: Mapped[int] = mapped_column(Sequence)
    length: Mapped[int] = mapped_column(Sequence)
