"""The consent ledger: append-only, hash-chained, and what it must not hold beside it."""

import enum
import uuid
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Id, Json, MaybeMoment, Moment, Ordinal, choice


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
    Lines of older schema versions lack what may be NULL (consent/hashing.py: content_of).
    """

    __tablename__ = "consent_event"
    __table_args__ = (sa.Index("ix_consent_event_subject", "subject", "newsletter"),)
    plain = frozenset(
        {
            *("number", "id", "schema_version", "subject", "newsletter", "state", "at", "method"),
            *("entity", "lawful_basis", "controller", "privacy_notice", "wording", "locale"),
            *("form_version", "box_default", "evidence_hash", "previous_hash", "row_hash"),
            *("record_id", "purpose", "privacy_notice_version", "privacy_notice_hash"),
            *("valid_for", "valid_until", "until", "rhythm", "evidence_file", "network_hash"),
            "event_type",
        }
    )
    person: ClassVar = {"subject": "subject"}
    outlives: ClassVar = (
        "It proves what was allowed when; with its evidence erased it names nobody."
    )

    number: Mapped[Ordinal]
    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    schema_version: Mapped[int]
    subject: Mapped[str]
    newsletter: Mapped[str]
    state: Mapped[ConsentState] = mapped_column(choice(ConsentState))
    at: Mapped[Moment]
    method: Mapped[str]
    """gate, confirm page, preference page, one-click… (consent/rules.py: WHO)."""
    entity: Mapped[str]
    """Who did it: ``data subject``, ``administrator <name>``, ``connector <key>``…"""
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
    record_id: Mapped[uuid.UUID | None]
    """The record this line belongs to: the id of the first line about one person and newsletter."""
    purpose: Mapped[str | None]
    privacy_notice_version: Mapped[str | None]
    privacy_notice_hash: Mapped[str | None]
    """The SHA-256 of the notice's text, where the marketer gives it."""
    valid_for: Mapped[str | None]
    """How long a yes holds, as it was said when it was asked for."""
    valid_until: Mapped[MaybeMoment]
    """Since when this yes holds no more; None: it has no end."""
    until: Mapped[MaybeMoment]
    """A pause ends by itself at this moment."""
    rhythm: Mapped[str | None]
    """How often the person wants it, where that is less than usual."""
    evidence_file: Mapped[str | None]
    """The SHA-256 of the file that shows where an imported permission comes from."""
    network_hash: Mapped[str | None]
    """The salted hash of what ConsentNetwork holds."""
    event_type: Mapped[str | None]
    """What happened: request, confirmation, withdrawal… (consent/rules.py: event_type)."""


class ConsentEvidence(Base):
    """What shows how a line came about, and may be erased without breaking the chain."""

    __tablename__ = "consent_evidence"
    personal: ClassVar = {
        "address": "To prove whose consent it was.",
        "signals": "To prove how it was given: what your browser said of your wishes.",
        "message_id": "To prove which of our mails asked you.",
        "confirmed_at": "To prove when you pressed the button, or sent the code.",
        "network": "Where older lines came from: your network, as later lines keep it apart.",
        "agent_hash": "With which browser older lines came, as a hash.",
    }
    plain = frozenset({"id", "salt", "claim_id"})
    person: ClassVar = {"id": "consent_event.id", "address": "address"}
    clock: ClassVar = "ledger"

    id: Mapped[Id]
    """The id of the ledger's line."""
    salt: Mapped[bytes]
    """Empty once a part of the evidence was forgotten: then its hash cannot be checked."""
    address: Mapped[str]
    network: Mapped[str | None]
    """The truncated IP: /24 or /48."""
    agent_hash: Mapped[str | None]
    signals: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """Sec-GPC, DNT, Sec-Fetch-User; ``follows``: another line about the same deed."""
    claim_id: Mapped[uuid.UUID | None]
    """The claim it was said under; lines of schema version 2 have it among the signals."""
    message_id: Mapped[str | None]
    """The Message-ID of the mail that proved the mailbox."""
    confirmed_at: Mapped[MaybeMoment]
    """When the owner's yes or no was sent; the line may have been written later."""


class ConsentNetwork(Base):
    """Where a line came from; forgotten long before the rest of its evidence."""

    __tablename__ = "consent_network"
    personal: ClassVar = {
        "network": "The truncated address of your network, to prove where a consent came from.",
        "agent_hash": "A hash of your browser's name, to prove the same.",
    }
    plain = frozenset({"id", "salt", "at"})
    person: ClassVar = {"id": "consent_evidence.id"}
    clock: ClassVar = "network"
    aged_by: ClassVar = "at"

    id: Mapped[Id]
    """The id of the ledger's line."""
    salt: Mapped[bytes]
    network: Mapped[str | None]
    """The truncated IP: /24 or /48."""
    agent_hash: Mapped[str | None]
    at: Mapped[Moment] = mapped_column(index=True)


class Refusal(Base):
    """
    That the owner of an address said "that was not me" to a newsletter; the newest time.

    It keeps strangers from asking again, also once the claim it was said to is deleted, or the
    person erased: so it must not hang on either, and it does not know the address.
    """

    __tablename__ = "refusal"
    personal: ClassVar = {
        "address_hash": "A keyed hash of the address, so that nobody asks again in your name.",
        "newsletter": "Which newsletter you did not ask for.",
        "at": "When you said so, to let it end after 90 days.",
    }
    person: ClassVar = {"address_hash": "address_hash"}
    clock: ClassVar = "refusals"
    aged_by: ClassVar = "at"
    outlives: ClassVar = "It keeps strangers from using an erased address; it ends by itself."

    address_hash: Mapped[bytes] = mapped_column(primary_key=True)
    newsletter: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[Moment] = mapped_column(index=True)


class Suppression(Base):
    """An address that must not be brought back: bounced, complained, opted out, or erased."""

    __tablename__ = "suppression"
    __table_args__ = (sa.Index("ix_suppression_address", "address_hash", "newsletter"),)
    personal: ClassVar = {
        "address_hash": "A keyed hash of the address, so that nobody imports it again."
    }
    plain = frozenset({"id", "newsletter", "because", "at"})
    person: ClassVar = {"address_hash": "address_hash"}
    outlives: ClassVar = "It is what keeps an erased person from being imported again."

    id: Mapped[Id]
    address_hash: Mapped[bytes]
    newsletter: Mapped[str | None]
    """None: every newsletter."""
    because: Mapped[str]
    """``bounce``, ``complaint``, ``withdrawn``, ``erased``…"""
    at: Mapped[Moment]
