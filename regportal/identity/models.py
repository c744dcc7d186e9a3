"""Visitors, what they claim, and the contacts who proved it."""

import enum
import uuid

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Flag, Id, MaybeMoment, Moment, choice


class VisitorState(enum.StrEnum):
    """How much we know of who sits at a browser (design.md 4)."""

    ANONYMOUS = "anonymous"
    CLAIMED = "claimed"
    VERIFIED = "verified"


class ClaimState(enum.StrEnum):
    """What became of "my address is this"."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Assurance(enum.StrEnum):
    """How we know a contact or an answer."""

    CLAIMED = "claimed"
    VERIFIED = "verified"
    IMPORTED = "imported"
    CRM = "crm"


class Visitor(Base):
    """One browser, as long as it is the same person's: "Not you?" begins a new one."""

    __tablename__ = "visitor"

    id: Mapped[Id]
    first_seen: Mapped[Moment]
    last_seen: Mapped[Moment]
    state: Mapped[VisitorState] = mapped_column(choice(VisitorState))
    remembered: Mapped[Flag]
    claim_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    """The claim he made or proved last; no foreign key, because a claim points back here."""
    verified_at: Mapped[MaybeMoment]
    ended_at: Mapped[MaybeMoment]


class VisitorToken(Base):
    """
    The hash of a token a visitor's cookie may hold.

    A new one replaces the old at every transition. The old one stays good until the new one
    has been seen once, and for 60 s after; using it later is an alarm that ends the visitor.
    """

    __tablename__ = "visitor_token"

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    visitor_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("visitor.id"), index=True)
    made_at: Mapped[Moment]
    replaces: Mapped[bytes | None]
    """The token before, until this one has been seen."""
    replaced_at: Mapped[MaybeMoment]
    """When the token after this one was first seen."""


class Claim(Base):
    """
    One visitor's statement of one address, gathering what he answers and does.

    At most one is open a visitor. ``settled_at`` is set by the worker once what a decision
    means (contact, answers, attributions, news) is committed.
    """

    __tablename__ = "claim"
    __table_args__ = (
        sa.Index(
            "ix_claim_one_open",
            "visitor_id",
            unique=True,
            sqlite_where=sa.text("state = 'open'"),
            postgresql_where=sa.text("state = 'open'"),
        ),
        sa.Index(
            "ix_claim_unsettled",
            "decided_at",
            sqlite_where=sa.text("settled_at IS NULL"),
            postgresql_where=sa.text("settled_at IS NULL"),
        ),
    )
    personal = frozenset({"typed", "email", "match_key", "browser"})

    id: Mapped[Id]
    visitor_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("visitor.id"))
    typed: Mapped[str]
    email: Mapped[str]
    match_key: Mapped[str] = mapped_column(index=True)
    gate: Mapped[str]
    browser: Mapped[str]
    """Rough name of the browser, for "was this you?": Firefox on Linux."""
    locale: Mapped[str]
    state: Mapped[ClaimState] = mapped_column(choice(ClaimState), default=ClaimState.OPEN)
    opened_at: Mapped[Moment]
    decided_at: Mapped[MaybeMoment]
    settled_at: Mapped[MaybeMoment]
    contact_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("contact.id"), index=True)


class Proof(Base):
    """A link we mailed: whoever opens it holds the mailbox. One decides one claim."""

    __tablename__ = "proof"

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    claim_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("claim.id"), index=True)
    gate: Mapped[str]
    newsletter: Mapped[str | None]
    """The newsletter it confirms, where that is all it is about."""
    made_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    used_at: Mapped[MaybeMoment]


class Contact(Base):
    """A person we can name, because the owner of an address answered (or the CRM knows them)."""

    __tablename__ = "contact"
    personal = frozenset({"email", "match_key"})

    id: Mapped[Id]
    email: Mapped[str]
    match_key: Mapped[str] = mapped_column(unique=True)
    assurance: Mapped[Assurance] = mapped_column(choice(Assurance))
    first_seen: Mapped[Moment]
    locale: Mapped[str] = mapped_column(server_default="en", default="en")

    @property
    def key(self) -> str:
        """Return our key for this contact, as connectors and commands show it."""
        return str(self.id)
