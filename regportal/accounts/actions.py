"""Inviting people of the company, letting them in once, and changing what they may do."""

import secrets
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.accounts import audit
from regportal.accounts.audit import Doer
from regportal.accounts.models import (
    Purpose,
    StudioIdentity,
    StudioInvite,
    StudioPasskey,
    StudioSession,
    StudioUser,
)
from regportal.accounts.roles import Role, roles_of
from regportal.errors import BadRequestError, NotHereError, StaleError
from regportal.store.ids import uuid7
from regportal.store.tokens import fresh_token, hash_of
from regportal.store.words import N_

LASTS = {Purpose.FIRST: timedelta(hours=24), Purpose.INVITATION: timedelta(days=7)}
"""How long a link may be used."""
USER = "person"
"""What the audit log calls the people of the company."""
LAST_OWNER = N_("There must be an owner who may come in: make somebody else one first.")
TAKEN = N_("Somebody with this address may come in already.")
USED = N_("This link was used, or is too old. Ask for another one.")


def everybody(session: Session) -> Sequence[StudioUser]:
    """Return everybody who may come in or might once, by address."""
    return session.scalars(sa.select(StudioUser).order_by(StudioUser.email)).all()


def user_of(session: Session, user_id: uuid.UUID) -> StudioUser:
    """Return one of them; raise NotHereError where there is none."""
    found = session.get(StudioUser, user_id)
    if found is None:
        raise NotHereError(f"nobody is {user_id}")
    return found


def user_called(session: Session, email: str) -> StudioUser:
    """Return whose address this is; raise NotHereError where nobody has it."""
    found = session.scalars(
        sa.select(StudioUser).where(StudioUser.email == email.casefold())
    ).first()
    if found is None:
        raise NotHereError(f"nobody of the company has the address {email}")
    return found


def is_owner(session: Session, email: str) -> bool:
    """Return whether whoever has this address is an owner who may come in."""
    try:
        user = user_called(session, email.strip())
    except NotHereError:
        return False
    return user.active and Role.OWNER in roles_of(user.roles)


def is_unowned(session: Session) -> bool:
    """Return whether the installation has no owner yet, nor anybody else."""
    return session.scalar(sa.select(StudioUser.id).limit(1)) is None


def first_link(session: Session, *, now: datetime) -> str | None:
    """
    Return the token of a link that makes the first owner; None where there is somebody.

    It takes the place of any such link before.
    """
    if not is_unowned(session):
        return None
    session.execute(sa.delete(StudioInvite).where(StudioInvite.purpose == Purpose.FIRST))
    return _link(session, Purpose.FIRST, None, fresh_token(), now=now)


def invite(
    session: Session,
    email: str,
    name: str,
    roles: Iterable[Role],
    *,
    locale: str | None = None,
    doer: Doer,
    now: datetime,
) -> StudioUser:
    """
    Let somebody in once he has chosen a password by a link (:func:`make_link`).

    ``locale`` is the language in which he sees the Studio at first. Raises BadRequestError where
    somebody has the address.
    """
    email = email.casefold()
    if session.scalar(sa.select(StudioUser.id).where(StudioUser.email == email)) is not None:
        raise BadRequestError(TAKEN, "email")
    user = _new(email, name, roles, now=now)
    user.locale = locale
    session.add(user)
    session.flush()
    audit.write(session, doer, "invite", USER, str(user.id), {"roles": user.roles}, now=now)
    return user


def invite_anew(session: Session, user_id: uuid.UUID, *, doer: Doer, now: datetime) -> StudioUser:
    """
    Let somebody choose a new password by a new link (:func:`make_link`).

    Until he does nothing of his changes; any link before opens nothing any more. Raises
    BadRequestError where he is disabled.
    """
    user = user_of(session, user_id)
    if not user.active:
        raise BadRequestError(N_("Whoever is disabled gets no link."))
    _end_links(session, user.id)
    audit.write(session, doer, "link", USER, str(user.id), now=now)
    return user


def make_link(
    session: Session, user_id: uuid.UUID, token: str | None = None, *, now: datetime
) -> str:
    """
    Return the token of the one link by which somebody comes in; it is kept nowhere.

    Of a token that was given, the same again changes nothing: neither that it was used.
    """
    if token is None or session.get(StudioInvite, hash_of(token)) is None:
        _end_links(session, user_id)
        token = _link(session, Purpose.INVITATION, user_id, token or fresh_token(), now=now)
    return token


def invited(session: Session, token: str, *, now: datetime) -> tuple[Purpose, StudioUser | None]:
    """Return what a link is for, and for whom; raise StaleError where it opens nothing."""
    found = session.get(StudioInvite, hash_of(token))
    if found is None or found.used_at is not None or found.expires_at <= now:
        raise StaleError(USED)
    if found.purpose is Purpose.FIRST:
        if not is_unowned(session):
            raise StaleError(USED)
        return found.purpose, None
    user = session.get(StudioUser, found.user_id)
    if user is None or not user.active:
        raise StaleError(USED)
    return found.purpose, user


def accept(
    session: Session, token: str, password: str, *, email: str, name: str, doer: Doer, now: datetime
) -> StudioUser:
    """
    Use a link, once: whoever has it comes in by this password (hashed) from now on.

    ``email`` and ``name`` are the first owner's; of anybody else they are known. Whoever was
    signed in as him before is not any more, and what he had set up beside a password, passkeys
    and whom a provider means by him too, is gone: a link is for whoever lost it. Raises
    StaleError where it opens nothing.
    """
    purpose, user = invited(session, token, now=now)
    used = session.execute(
        sa.update(StudioInvite)
        .where(StudioInvite.hash == hash_of(token), StudioInvite.used_at.is_(None))
        .values(used_at=now)
        .returning(StudioInvite.hash)
    ).first()
    if used is None:  # somebody else was quicker
        raise StaleError(USED)
    if user is None:
        user = _new(email.casefold(), name, [Role.OWNER], now=now)
        session.add(user)
    end_sessions(session, user.id)
    session.execute(sa.delete(StudioPasskey).where(StudioPasskey.user_id == user.id))
    session.execute(sa.delete(StudioIdentity).where(StudioIdentity.user_id == user.id))
    user.password, user.password_set_at = password, now
    user.uniquifier = secrets.token_hex(16)
    user.tf_method = user.totp_secret = user.totp_counter = user.recovery_codes = None
    session.flush()
    itself = Doer(user.id, doer.request_id)
    audit.write(session, itself, "accept", USER, str(user.id), {"link": purpose.value}, now=now)
    return user


def set_roles(
    session: Session, user_id: uuid.UUID, roles: Iterable[Role], *, doer: Doer, now: datetime
) -> StudioUser:
    """
    Give somebody these roles and no others; he has to sign in again.

    Raises BadRequestError where the last owner who may come in would be none any more.
    """
    users = _held(session)
    user, had_owner = _among(users, user_id), _have_owner(session, users)
    before, user.roles = user.roles, sorted(set(roles))
    if before == user.roles:
        return user
    _require_owner(session, users, had_owner=had_owner)
    _begin_anew(session, user)
    change = {"roles": [before, user.roles]}
    audit.write(session, doer, "roles", USER, str(user.id), change, now=now)
    return user


def set_sells_for(
    session: Session, user_id: uuid.UUID, owners: Iterable[str], *, doer: Doer, now: datetime
) -> StudioUser:
    """
    Let somebody look after what a CRM says is looked after by these, and by no others.

    They are called as the CRM calls them: by address, or by name where it has none. What is
    looked after by somebody's own address is his in any case.
    """
    user = user_of(session, user_id)
    before = list(user.sells_for or ())
    after = sorted({one.strip().lower() for one in owners} - {"", user.email})
    if after != before:
        user.sells_for = after or None
        change = {"owners": [before, after]}
        audit.write(session, doer, "sells-for", USER, str(user.id), change, now=now)
    return user


def set_active(
    session: Session, user_id: uuid.UUID, *, active: bool, doer: Doer, now: datetime
) -> StudioUser:
    """Let somebody in again, or not any more, at once; raises as :func:`set_roles` does."""
    users = _held(session)
    user, had_owner = _among(users, user_id), _have_owner(session, users)
    if user.active == active:
        return user
    user.active = active
    _require_owner(session, users, had_owner=had_owner)
    _begin_anew(session, user)
    _end_links(session, user.id)
    audit.write(session, doer, "enable" if active else "disable", USER, str(user.id), now=now)
    return user


def end_sessions(session: Session, user_id: uuid.UUID | None, *, but: bytes | None = None) -> None:
    """Sign somebody out everywhere, but in one browser where that is named."""
    query = sa.delete(StudioSession).where(StudioSession.user_id == user_id)
    session.execute(query.where(StudioSession.hash != but) if but is not None else query)


def _new(email: str, name: str, roles: Iterable[Role], *, now: datetime) -> StudioUser:
    """Return somebody who cannot come in yet."""
    return StudioUser(
        id=uuid7(),
        email=email,
        name=name,
        roles=sorted(set(roles)),
        active=True,
        uniquifier=secrets.token_hex(16),
        handle=secrets.token_hex(16),
        made_at=now,
    )


def _end_links(session: Session, user_id: uuid.UUID) -> None:
    """Let no link of somebody open anything any more."""
    session.execute(sa.delete(StudioInvite).where(StudioInvite.user_id == user_id))


def _link(
    session: Session, purpose: Purpose, user_id: uuid.UUID | None, token: str, *, now: datetime
) -> str:
    """Make a link and return its token."""
    session.add(
        StudioInvite(
            hash=hash_of(token),
            user_id=user_id,
            purpose=purpose,
            made_at=now,
            expires_at=now + LASTS[purpose],
        )
    )
    session.flush()
    return token


def _held(session: Session) -> Sequence[StudioUser]:
    """Return everybody, held: of two who change each other's roles one waits."""
    return session.scalars(sa.select(StudioUser).order_by(StudioUser.id).with_for_update()).all()


def _among(users: Iterable[StudioUser], user_id: uuid.UUID) -> StudioUser:
    """Return one of these; raise NotHereError where he is none of them."""
    found = next((one for one in users if one.id == user_id), None)
    if found is None:
        raise NotHereError(f"nobody is {user_id}")
    return found


def is_linked(session: Session, user_id: uuid.UUID) -> bool:
    """Return whether somebody has come in by a provider of the company."""
    query = sa.select(StudioIdentity.id).where(StudioIdentity.user_id == user_id)
    return session.scalar(query.limit(1)) is not None


def linked(session: Session) -> frozenset[uuid.UUID]:
    """Return who of all has come in by a provider of the company."""
    return frozenset(session.scalars(sa.select(StudioIdentity.user_id)))


def _have_owner(session: Session, users: Iterable[StudioUser]) -> bool:
    """Return whether an owner may come in."""
    owners = (one for one in users if one.active and Role.OWNER in roles_of(one.roles))
    return any(one.password is not None or is_linked(session, one.id) for one in owners)


def _require_owner(session: Session, users: Iterable[StudioUser], *, had_owner: bool) -> None:
    """Raise BadRequestError where an owner could come in, and none could any more."""
    if had_owner and not _have_owner(session, users):
        raise BadRequestError(LAST_OWNER, "roles")


def _begin_anew(session: Session, user: StudioUser) -> None:
    """Sign somebody out everywhere, and let no half-done sign-in of his come to its end."""
    user.uniquifier = secrets.token_hex(16)
    end_sessions(session, user.id)
    session.flush()
