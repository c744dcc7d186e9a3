"""The consent ledger: append-only, hash-chained, and what it must not hold beside it."""

import enum
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Id, Json, Moment, Ordinal, choice


class ConsentState(enum.StrEnum):
    """What somebody allows one newsletter (design.md 4)."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    PAUSED = "paused"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    IMPORTED = "imported"
    ERASED = "erased"


class ConsentEvent(Base):
    """
    One line of the ledger. Keys, states, times and hashes only: no name, no address.

    ``subject`` is ``claim:<id>`` until the owner of the address confirms, then
    ``contact:<id>``. ``row_hash`` is the SHA-256 of the line's canonical JSON, which includes
    the hash of the line before (security.md R15). The database refuses UPDATE and DELETE.
    """

    __tablename__ = "consent_event"
    __table_args__ = (sa.Index("ix_consent_event_subject", "subject", "newsletter"),)

    number: Mapped[Ordinal]
    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    schema_version: Mapped[int]
    subject: Mapped[str]
    newsletter: Mapped[str]
    state: Mapped[ConsentState] = mapped_column(choice(ConsentState))
    at: Mapped[Moment]
    method: Mapped[str]
    """gate, confirm page, preference page, one-click, mail, admin or crm."""
    entity: Mapped[str]
    """Who did it: ``data subject``, or the key of an administrator."""
    lawful_basis: Mapped[str]
    controller: Mapped[str]
    privacy_notice: Mapped[str]
    wording: Mapped[str] = mapped_column(sa.ForeignKey("wording.digest"))
    locale: Mapped[str]
    form_version: Mapped[str]
    box_default: Mapped[str]
    """How the box stood before the person touched it: always ``unticked``."""
    evidence_hash: Mapped[str]
    previous_hash: Mapped[str]
    row_hash: Mapped[str]


class ConsentEvidence(Base):
    """What shows how a line came about, and may be erased without breaking the chain."""

    __tablename__ = "consent_evidence"
    personal = frozenset({"address", "network", "agent_hash"})

    id: Mapped[Id]
    """The id of the ledger's line."""
    salt: Mapped[bytes]
    address: Mapped[str]
    network: Mapped[str | None]
    """The truncated IP: /24 or /48."""
    agent_hash: Mapped[str | None]
    signals: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """claim_id, proof, Sec-Fetch-User, Sec-GPC."""
