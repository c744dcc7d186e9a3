"""The people of the company who may come in, how they prove it, and what they did."""

import enum
import uuid
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from regportal.store.base import Base, Flag, Id, Json, MaybeMoment, Moment, choice

STAFF = "They are the company's own staff: whoever has the role of an owner disables them."


class StudioUser(Base):
    """One person of the company who may come into the Studio."""

    __tablename__ = "studio_user"
    personal: ClassVar = {
        "email": "By this address somebody of the company signs in.",
        "name": "How colleagues call them.",
        "roles": "What they may do.",
        "sells_for": "Whose opportunities in a CRM are theirs to look after, too.",
        "active": "Whether they may come in at all.",
        "locale": "The language they chose for the Studio.",
        "theme": "Whether they want it light or dark.",
        "made_at": "Since when they have been invited.",
        "last_login": "When they came in last, so that they notice somebody else.",
        "password_set_at": "When they chose their password.",
    }
    plain = frozenset(
        {"id", "password", "uniquifier", "handle", "totp_secret", "totp_counter", "tf_method"}
        | {"recovery_codes"}
    )
    outlives = STAFF

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    """In small letters."""
    name: Mapped[str]
    password: Mapped[str | None]
    """Hashed with argon2id; None until it was chosen."""
    roles: Mapped[list[Any]] = mapped_column(Json)
    sells_for: Mapped[list[Any] | None] = mapped_column(Json)
    """As a CRM calls them who looks after an opportunity, where that is not their address."""
    active: Mapped[bool] = mapped_column(sa.Boolean(), default=True, server_default=sa.true())
    uniquifier: Mapped[str] = mapped_column(unique=True)
    """What a session knows them by; a new one ends every session."""
    handle: Mapped[str] = mapped_column(unique=True)
    """What their passkeys know them by."""
    tf_method: Mapped[str | None]
    """``authenticator`` where a second factor was set up."""
    totp_secret: Mapped[str | None]
    """Sealed with the installation's key, for this person alone."""
    totp_counter: Mapped[int | None] = mapped_column(sa.BigInteger())
    """Of the last code that was taken: none is taken twice."""
    recovery_codes: Mapped[list[Any] | None] = mapped_column(Json)
    """Keyed hashes of those that were not used yet."""
    locale: Mapped[str | None]
    theme: Mapped[str | None]
    """``light``, ``dark``, or None: as the browser has it."""
    made_at: Mapped[Moment]
    password_set_at: Mapped[MaybeMoment]
    last_login: Mapped[MaybeMoment]


class StudioPasskey(Base):
    """One passkey of somebody: a device, or a password manager."""

    __tablename__ = "studio_passkey"
    personal: ClassVar = {
        "name": "How its owner calls it.",
        "made_at": "Since when it has been used here.",
        "used_at": "When it was used last, so that its owner notices somebody else.",
    }
    plain = frozenset(
        {"id", "user_id", "credential_id", "public_key", "sign_count", "usage"}
        | {"device_type", "backed_up", "transports", "extensions"}
    )
    outlives = STAFF

    id: Mapped[Id]
    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("studio_user.id"), index=True)
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    name: Mapped[str]
    sign_count: Mapped[int] = mapped_column(sa.BigInteger())
    usage: Mapped[str]
    """``first``: instead of a password; ``secondary``: beside it."""
    device_type: Mapped[str]
    backed_up: Mapped[Flag]
    transports: Mapped[list[Any] | None] = mapped_column(Json)
    extensions: Mapped[str | None]
    made_at: Mapped[Moment]
    used_at: Mapped[Moment]


class StudioIdentity(Base):
    """Whom a provider of the company means when it says who signs in."""

    __tablename__ = "studio_identity"
    personal: ClassVar = {
        "subject": "What the company's provider calls somebody, so that it stays the same person.",
        "made_at": "Since when they have come in by it.",
    }
    plain = frozenset({"id", "user_id", "issuer"})
    outlives = STAFF
    __table_args__ = (
        sa.UniqueConstraint("issuer", "subject"),
        sa.UniqueConstraint("user_id", "issuer"),
    )

    id: Mapped[Id]
    user_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("studio_user.id"))
    issuer: Mapped[str]
    subject: Mapped[str]
    made_at: Mapped[Moment]


class StudioSession(Base):
    """
    One browser in which somebody signed in, or is about to.

    The cookie holds a token, and here is its hash: a copy of the database lets nobody in.
    """

    __tablename__ = "studio_session"
    personal: ClassVar = {
        "made_at": "To end it after twelve hours.",
        "seen_at": "To end it when nobody is there any more.",
        "network": "So that somebody recognises their own browsers, and notices another one.",
        "browser": "So that somebody recognises their own browsers, and notices another one.",
    }
    plain = frozenset({"hash", "id", "user_id", "sealed"})
    clock = "security"
    aged_by = "seen_at"
    outlives = "It ends by itself within twelve hours."

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    """By which its owner ends it; it opens nothing."""
    user_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("studio_user.id"), index=True)
    """None where a second factor is still awaited."""
    sealed: Mapped[str]
    """What it remembers, sealed with the installation's key for this session alone."""
    made_at: Mapped[Moment]
    seen_at: Mapped[Moment] = mapped_column(index=True)
    network: Mapped[str | None]
    browser: Mapped[str]


class Purpose(enum.StrEnum):
    """What a link that is used once is for."""

    FIRST = "first"
    INVITATION = "invitation"


class StudioInvite(Base):
    """The hash of a link that lets somebody in once: the first owner, or whoever was invited."""

    __tablename__ = "studio_invite"
    plain = frozenset({"hash", "user_id", "purpose", "made_at", "expires_at", "used_at"})

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("studio_user.id"), index=True)
    """Who was invited; None: whoever has it becomes the first owner."""
    purpose: Mapped[Purpose] = mapped_column(choice(Purpose))
    made_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    used_at: Mapped[MaybeMoment]


class Audit(Base):
    """One thing that somebody did in the Studio, or of which personal data was read. Only added."""

    __tablename__ = "audit"
    personal: ClassVar = {
        "user_id": "Who did it.",
        "change": "What was changed: keys, states and roles, and why a connector was paused.",
        "at": "When it was done.",
    }
    plain = frozenset({"id", "action", "kind", "key", "request_id"})
    outlives = "Who did what must stay provable; of contacts it holds nothing but their keys."

    id: Mapped[Id]
    at: Mapped[Moment] = mapped_column(index=True)
    user_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("studio_user.id"), index=True)
    """None: whoever may run commands on the machine."""
    action: Mapped[str]
    kind: Mapped[str]
    key: Mapped[str]
    change: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    request_id: Mapped[str | None]
