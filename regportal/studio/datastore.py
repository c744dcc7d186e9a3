"""How Flask-Security finds our people, and hands back what it changed of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from flask import g, session
from flask_security import RoleMixin
from flask_security.datastore import UserDatastore
from sqlalchemy.orm import Session

from regportal.accounts.audit import Doer
from regportal.accounts.models import StudioPasskey, StudioUser
from regportal.store import current
from regportal.store.ids import uuid7
from regportal.store.problem import request_id
from regportal.studio.keeping import add_passkey, delete_passkey, keep_account, keep_passkey
from regportal.studio.known import Account, Passkey, account_of, opened_on_its_way, passkey_of


class Accounts(UserDatastore):
    """
    The people of the installation, for Flask-Security.

    What is found belongs to nobody's session. :meth:`put` notes what is to be kept, and
    :meth:`commit` writes what really changed of it, in one transaction; it raises StaleError
    where somebody else changed the same meanwhile, so nothing that is used once is used twice.
    """

    def __init__(self) -> None:
        """Take nothing: which installation it is says the application."""
        super().__init__(Account, RoleMixin, Passkey)

    def find_user(self, case_insensitive: bool = False, **by: Any) -> Account | None:  # noqa: FBT001, FBT002 - Flask-Security calls it
        """Return who has this ``email``, ``fs_uniquifier``, ``id`` or handle; or None."""
        del case_insensitive  # addresses are kept in small letters
        [(name, value)] = by.items()
        if name == "email":
            where = StudioUser.email == str(value).casefold()
        elif name == "fs_uniquifier":
            where = StudioUser.uniquifier == value
        elif name == "fs_webauthn_user_handle":
            where = StudioUser.handle == value
        else:
            where = StudioUser.id == value
        with current.store().read() as reading:
            found = reading.scalars(sa.select(StudioUser).where(where)).first()
            return None if found is None else account_of(reading, found, current.settings().keys)

    def find_user_from_webauthn(self, webauthn: Any) -> Account | None:
        """Return whose passkey it is, where he may come in."""
        found = self.find_user(id=webauthn.user_id)
        return found if found is not None and found.active else None

    def find_webauthn(self, credential_id: bytes) -> Passkey | None:
        """Return the passkey of an id, or None."""
        with current.store().read() as reading:
            found = reading.scalars(
                sa.select(StudioPasskey).where(StudioPasskey.credential_id == credential_id)
            ).first()
            return None if found is None else passkey_of(found)

    def create_webauthn(self, user: Any, **given: Any) -> None:  # type: ignore[override] # by name
        """Let somebody come in by one more passkey; nothing is kept before :meth:`commit`."""
        now = datetime.now(UTC)
        made = Passkey(id=uuid7(), user_id=user.id, made_at=now, lastuse_datetime=now, **given)
        _pending().added.append(made)

    def tf_set(
        self,
        user: Any,
        primary_method: str,
        totp_secret: str | None = None,
        phone: str | None = None,
    ) -> None:
        """Ask somebody for a code from now on; its secret is kept for him alone."""
        opened = totp_secret and opened_on_its_way(totp_secret, current.settings().keys)
        super().tf_set(user, primary_method, opened, phone)

    def put(self, model: Any) -> Any:
        """Note that something is to be kept."""
        model = getattr(model, "_get_current_object", lambda: model)()
        if all(model is not one for one in _pending().changed):
            _pending().changed.append(model)
        return model

    def delete(self, model: Any) -> None:
        """Note that a passkey is to be deleted."""
        _pending().deleted.append(model)

    def commit(self) -> None:
        """Keep what was noted; raises StaleError where it was changed meanwhile."""
        pending = g.pop("studio_pending", None)
        if pending is None:
            return
        now, doer, here = datetime.now(UTC), doer_of_request(), getattr(session, "key", None)

        keys = current.settings().keys

        def keep(writing: Session) -> None:
            for one in pending.changed:
                if isinstance(one, Account):
                    keep_account(writing, one, doer, here, keys, now=now)
                else:
                    keep_passkey(writing, one)
            for one in pending.added:
                add_passkey(writing, one, doer, here, now=now)
            for one in pending.deleted:
                delete_passkey(writing, one, doer, here, now=now)

        current.store().write(keep)


@dataclass(eq=False)
class _Pending:
    """What one request wants to be kept."""

    changed: list[Any] = field(default_factory=list)
    added: list[Passkey] = field(default_factory=list)
    deleted: list[Passkey] = field(default_factory=list)


def doer_of_request() -> Doer:
    """Return who does what this request does."""
    from flask_security import current_user  # noqa: PLC0415 - a proxy of this request

    return Doer(getattr(current_user, "id", None), request_id())


def _pending() -> _Pending:
    """Return what this request wants to be kept so far."""
    if "studio_pending" not in g:
        g.studio_pending = _Pending()
    found: _Pending = g.studio_pending
    return found
