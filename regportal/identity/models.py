"""Visitors, what they claim, and the contacts who proved it."""

import enum
import uuid
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.identity.addresses import Address
from regportal.store.base import Base, Count, Flag, Id, Json, MaybeMoment, Moment, choice


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
    personal: ClassVar = {
        "first_seen": "To end a browser's session in time.",
        "last_seen": "To end a browser's session in time, and to delete what nobody used for long.",
        "remembered": "Your choice whether this browser is recognised later.",
        "tracks": "Your choice whether what you do on several visits is linked.",
        "family": "The rough name of the browser that proved the address, so that its cookie is "
        "worth nothing in another one.",
        "verified_at": "To know that the owner of the address sits at this browser, and for "
        "how long.",
    }
    plain = frozenset({"id", "state", "claim_id", "speaks_for", "ended_at"})
    person: ClassVar = {"id": "visitor.id"}
    clock = "anonymous"
    aged_by = "last_seen"

    id: Mapped[Id]
    first_seen: Mapped[Moment]
    last_seen: Mapped[Moment]
    state: Mapped[VisitorState] = mapped_column(choice(VisitorState))
    remembered: Mapped[Flag]
    tracks: Mapped[Flag]
    """Whether he allowed us to link what he does over several visits; newest :class:`Choice`."""
    claim_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    """The claim he made or proved last; no foreign key, because a claim points back here."""
    speaks_for: Mapped[uuid.UUID | None] = mapped_column(index=True)
    """Whose frame of ours is in the page whose recorder holds this one's token (speaking.py)."""
    verified_at: Mapped[MaybeMoment]
    family: Mapped[str | None]
    """Rough name of the browser in which he proved it: Firefox on Linux."""
    ended_at: Mapped[MaybeMoment]


class Choice(Base):
    """What somebody chose for one browser: may we know it again, may we link visits. Only added."""

    __tablename__ = "choice"
    personal: ClassVar = {
        "recognise": "Your choice whether this browser is recognised later.",
        "track": "Your choice whether what you do on several visits is linked.",
        "at": "When you chose.",
        "signals": "What your browser said of your wishes when you chose (Sec-GPC, DNT).",
    }
    plain = frozenset({"id", "visitor_id"})
    person: ClassVar = {"visitor_id": "visitor.id"}
    clock = "anonymous"

    id: Mapped[Id]
    visitor_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("visitor.id"), index=True)
    recognise: Mapped[Flag]
    track: Mapped[Flag]
    at: Mapped[Moment]
    signals: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class VisitorToken(Base):
    """
    The hash of a token a visitor's cookie may hold.

    A new one replaces the old at every transition. The old one stays good until the new one
    has been seen once, and for 60 s after; using it later is an alarm that ends the visitor.
    """

    __tablename__ = "visitor_token"
    plain = frozenset({"hash", "visitor_id", "made_at", "replaces", "replaced_at"})
    person: ClassVar = {"visitor_id": "visitor.id"}

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
    personal: ClassVar = {
        "typed": "What was typed as an address, to show it as it was.",
        "email": "To ask the owner of the address whether it was them.",
        "match_key": "To find everything about one address, however it is spelled.",
        "browser": "A browser's rough name, so that the owner can tell whether it was them.",
        "gate": "What was asked for.",
        "locale": "To write in the language of the page.",
        "opened_at": "To let an unanswered request end in time.",
        "own_staff": "Whether it was the company's own staff, whose trying out must not count.",
    }
    plain = frozenset({"id", "visitor_id", "state", "decided_at", "settled_at", "contact_id"})
    person: ClassVar = {"id": "claim.id"}
    clock = "claims"
    aged_by = "opened_at"
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

    id: Mapped[Id]
    visitor_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("visitor.id"), index=True)
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
    own_staff: Mapped[Flag]
    """Whether ``site.ignore`` named whoever made it: he may do everything, and it never counts."""

    @property
    def address(self) -> Address:
        """Return the address as it is read from what somebody types."""
        return Address(self.typed, self.email, self.match_key)


class Proof(Base):
    """
    A link we mailed, and a code beside it: whoever has one holds the mailbox.

    One decides one claim. Of the code nothing is kept but how often it may still be tried and
    until when; it is made anew from the keys (identity/codes.py), for one visitor alone.
    """

    __tablename__ = "proof"
    plain = frozenset(
        {"hash", "claim_id", "visitor_id", "gate", "newsletter", "message_id"}
        | {"made_at", "expires_at", "used_at", "tries", "code_until"}
    )
    person: ClassVar = {"claim_id": "claim.id"}

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    claim_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("claim.id"), index=True)
    gate: Mapped[str]
    newsletter: Mapped[str | None]
    """The newsletter it confirms, where that is all it is about."""
    made_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    used_at: Mapped[MaybeMoment]
    visitor_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    """Whose browser may prove itself by the code."""
    tries: Mapped[Count]
    """How many wrong codes were typed."""
    code_until: Mapped[MaybeMoment]
    """Until when the code is good; None: there is none (any more)."""
    message_id: Mapped[str | None]
    """The Message-ID of the letter, for the evidence of what is answered to it."""


class Contact(Base):
    """
    A person we can name, because the owner of an address answered (or the CRM knows them).

    One row is one address. Whoever has several is one person by ``person_id``: the id of the
    contact they were joined to, the contact's own while it is joined to none.
    """

    __tablename__ = "contact"
    personal: ClassVar = {
        "email": "To write to you where you asked for it, and to know you again.",
        "match_key": "To find you again, however the address is spelled.",
        "assurance": "How we know you: you answered our mail, or somebody else named you.",
        "first_seen": "Since when we know you.",
        "locale": "To write to you in your language.",
        "language": "The language you chose for our letters and your page, where you chose one.",
    }
    plain = frozenset({"id", "person_id"})
    person: ClassVar = {"id": "contact.id"}
    clock = "contacts"
    aged_by = "first_seen"

    id: Mapped[Id]
    email: Mapped[str]
    match_key: Mapped[str] = mapped_column(unique=True)
    assurance: Mapped[Assurance] = mapped_column(choice(Assurance))
    first_seen: Mapped[Moment]
    locale: Mapped[str] = mapped_column(server_default="en", default="en")
    """Of the page on which the address was given first."""
    language: Mapped[str | None]
    """What its owner chose since; None where he never did."""
    person_id: Mapped[uuid.UUID] = mapped_column(
        index=True,
        nullable=True,  # for the previous release; a trigger fills what it leaves open
        default=lambda row: row.get_current_parameters()["id"],
    )

    @property
    def address(self) -> Address:
        """Return the address as it is read from what somebody types."""
        return Address(self.email, self.email, self.match_key)

    @property
    def key(self) -> str:
        """Return our key for this contact, as connectors and commands show it."""
        return str(self.id)


class ContactLink(Base):
    """
    That one address is another person's, too: said once, and it can be taken back.

    Nothing is ever fused: both contacts stay, and ``undone_at`` gives each its own again.
    """

    __tablename__ = "contact_link"
    personal: ClassVar = {
        "because": "Why two addresses are taken for one person's.",
        "by": "Who decided that.",
        "made_at": "When it was decided.",
        "undone_at": "When it was taken back.",
    }
    plain = frozenset({"id", "contact_id", "person_id"})
    person: ClassVar = {"contact_id": "contact.id", "person_id": "contact.id"}
    clock = "contacts"
    __table_args__ = (
        sa.Index(
            "ix_contact_link_one",
            "contact_id",
            unique=True,
            sqlite_where=sa.text("undone_at IS NULL"),
            postgresql_where=sa.text("undone_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contact.id"), index=True)
    person_id: Mapped[uuid.UUID] = mapped_column(index=True)
    """The contact it was joined to: the main one of its person at that time."""
    because: Mapped[str]
    by: Mapped[str]
    """``administrator``, ``crm:<connector>``, or ``proof``: its owner proved both."""
    made_at: Mapped[Moment]
    undone_at: Mapped[MaybeMoment]


class Tally(Base):
    """How often something was done from one place within one window, to keep a limit."""

    __tablename__ = "tally"
    personal: ClassVar = {"key": "A keyed hash of the network address, to stop floods."}
    plain = frozenset({"began_at", "number"})
    clock = "security"
    aged_by = "began_at"
    outlives = "Only who asks from that network now could be counted; it is gone within a day."

    key: Mapped[bytes] = mapped_column(primary_key=True)
    began_at: Mapped[Moment] = mapped_column(primary_key=True)
    number: Mapped[int]


class ContactToken(Base):
    """The hash of a link we hand out about one contact: his own page, or one unsubscribe link."""

    __tablename__ = "contact_token"
    plain = frozenset({"hash", "contact_id", "purpose", "newsletter", "made_at", "revoked_at"})
    person: ClassVar = {"contact_id": "contact.id"}

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    contact_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("contact.id"), index=True)
    purpose: Mapped[str]
    """``preferences`` or ``unsubscribe``."""
    newsletter: Mapped[str | None]
    made_at: Mapped[Moment]
    revoked_at: Mapped[MaybeMoment]


class ApiKey(Base):
    """A key by which another system of the company speaks to us."""

    __tablename__ = "api_key"
    plain = frozenset(
        {"id", "name", "scopes", "hash", "made_at", "expires_at", "used_at", "revoked_at"}
    )

    id: Mapped[Id]
    name: Mapped[str]
    scopes: Mapped[list[Any]] = mapped_column(Json)
    hash: Mapped[bytes] = mapped_column(unique=True)
    made_at: Mapped[Moment]
    expires_at: Mapped[MaybeMoment]
    """From when on it opens nothing; None: until it is revoked."""
    used_at: Mapped[MaybeMoment]
    """When it was used last, to the hour."""
    revoked_at: Mapped[MaybeMoment]
