"""Whom somebody sees, and that what he saw of people is written down."""

from datetime import UTC, datetime
from typing import Any

from flask_security import current_user

from regportal.accounts import audit
from regportal.accounts.roles import EVERYBODYS, roles_of
from regportal.insight.filters import Owners
from regportal.store import current
from regportal.studio.datastore import doer_of_request

READ, TAKEN = "read", "export"
"""What somebody did with what is known of people."""


def owners() -> Owners:
    """
    Return whose opportunities whoever is signed in sees; None: everybody's.

    A seller is known by the address by which he signs in, and by what whoever looks after the
    people says a CRM calls him; what he calls himself is his to choose.
    """
    if roles_of(current_user.role_names) & EVERYBODYS:
        return None
    return frozenset({current_user.email.lower(), *current_user.sells_for})


def note(deed: str, kind: str, key: str, **change: Any) -> None:
    """Write down that what is known of people was read, or taken along; it is told once shown."""
    now, doer = datetime.now(UTC), doer_of_request()
    current.store().write(
        lambda session: audit.write(session, doer, deed, kind, key, change, now=now)
    )
