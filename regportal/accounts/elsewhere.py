"""Who of the company comes in by the word of its own provider (single sign-on)."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.accounts import audit
from regportal.accounts.actions import USER, end_sessions, invite, set_roles, user_of
from regportal.accounts.audit import Doer
from regportal.accounts.models import StudioIdentity, StudioInvite, StudioUser
from regportal.accounts.roles import Role, roles_of
from regportal.config import Settings
from regportal.errors import ConfigError
from regportal.store.ids import uuid7
from regportal.store.words import N_

NOT_LET_IN = N_(
    "You may not come in here. Ask somebody who looks after the people of the Studio to invite you."
)
UNPROVEN = N_("Your provider does not say that your e-mail address is proven.")
NO_ROLE = N_("Your provider names no group of yours that has a role here.")
SOMEBODY_ELSE = N_("At your provider you are somebody else than here. Please sign out first.")


@dataclass(frozen=True, slots=True)
class Told:
    """What the provider says of somebody, proven; ``roles`` None: they are given here."""

    issuer: str
    subject: str
    email: str | None = None
    """The address, in small letters; None where the provider does not say that it is proven."""
    name: str = ""
    roles: frozenset[Role] | None = None


def roles_named(settings: Settings, groups: Iterable[str]) -> frozenset[Role] | None:
    """
    Return the roles that somebody's groups give him; None: roles are given in the Studio.

    >>> roles_named(Settings(sso_roles="sales=seller,ops=admin"), ["sales", "choir"])
    frozenset({<Role.SELLER: 'seller'>})
    >>> roles_named(Settings(), ["sales"]) is None
    True
    """
    if not settings.sso_roles:
        return None
    theirs = frozenset(groups)
    return roles_of(role for group, role in settings.roles_of_groups if group in theirs)


def check_settings(settings: Settings) -> None:
    """Raise ConfigError where nobody could sign in so, or a group would have no role, or all."""
    if settings.has_sso and find_spec("authlib") is None:
        raise ConfigError("REGPORTAL_SSO_ISSUER names a provider: install regportal[sso] for that")
    for group, role in settings.roles_of_groups:
        if role == Role.OWNER:
            raise ConfigError(
                "REGPORTAL_SSO_ROLES makes no owners: they are made in the Studio, by an owner"
            )
        if not roles_of([role]):
            raise ConfigError(
                f"REGPORTAL_SSO_ROLES gives {group!r} the role {role!r}, which there is not"
            )


def come_in(
    session: Session,
    told: Told,
    *,
    only: uuid.UUID | None = None,
    doer: Doer,
    now: datetime,
) -> tuple[StudioUser | None, str]:
    """
    Return whom the provider means, or None and the sentence why he does not come in.

    Whoever came in by it before is known by its own name for him, whatever his address is now.
    Whoever did not is known by a proven address, if nobody else has come in as him; without an
    invitation only whoever has a role by his groups. An owner's roles no provider changes.
    ``only`` is who must prove once more that it is he.
    """
    user = _known(session, told)
    if only is not None and (user is None or user.id != only):
        return None, SOMEBODY_ELSE
    if user is None:
        if told.email is None:
            return None, UNPROVEN
        user = _addressed(session, told, doer=doer, now=now)
        if user is None:
            return None, NOT_LET_IN
    if not user.active:
        return None, NOT_LET_IN
    if told.roles is None or Role.OWNER in roles_of(user.roles):
        return user, ""
    user = set_roles(session, user.id, told.roles, doer=doer, now=now)
    return (user, "") if told.roles else (None, NO_ROLE)


def unlink(session: Session, user_id: uuid.UUID, *, doer: Doer, now: datetime) -> StudioUser:
    """Forget whom a provider means by somebody: the next to come with his address is he."""
    user = user_of(session, user_id)
    ended = session.execute(
        sa.delete(StudioIdentity)
        .where(StudioIdentity.user_id == user_id)
        .returning(StudioIdentity.id)
    ).all()
    if ended:
        end_sessions(session, user_id)
        audit.write(session, doer, "sso-unlink", USER, str(user_id), now=now)
    return user


def _known(session: Session, told: Told) -> StudioUser | None:
    """Return who came in as this one before."""
    return session.scalars(
        sa.select(StudioUser)
        .join(StudioIdentity, StudioIdentity.user_id == StudioUser.id)
        .where(StudioIdentity.issuer == told.issuer, StudioIdentity.subject == told.subject)
        .with_for_update(of=StudioUser)
    ).first()


def _addressed(session: Session, told: Told, *, doer: Doer, now: datetime) -> StudioUser | None:
    """Return whose address it is, from now on known by the provider's name for him."""
    email = told.email or ""
    user = session.scalars(
        sa.select(StudioUser).where(StudioUser.email == email).with_for_update()
    ).first()
    if user is None and told.roles:
        user = invite(session, email, told.name or email, told.roles, doer=doer, now=now)
    if user is None or not user.active or _has_another(session, user, told):
        return None
    session.add(
        StudioIdentity(
            id=uuid7(), user_id=user.id, issuer=told.issuer, subject=told.subject, made_at=now
        )
    )
    session.execute(sa.delete(StudioInvite).where(StudioInvite.user_id == user.id))
    session.flush()
    itself = Doer(user.id, doer.request_id)
    audit.write(session, itself, "sso-link", USER, str(user.id), now=now)
    return user


def _has_another(session: Session, user: StudioUser, told: Told) -> bool:
    """Return whether the provider has meant another one by somebody so far."""
    query = sa.select(StudioIdentity.id).where(
        StudioIdentity.user_id == user.id, StudioIdentity.issuer == told.issuer
    )
    return session.scalar(query) is not None
