"""What stands beside every page of the Studio: only what somebody may open, and what is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from regportal.accounts.roles import Permission
from regportal.store.words import N_
from regportal.studio.policies import may


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu."""

    endpoint: str
    title: str
    permission: Permission


MENU = (
    Entry("overview.overview", N_("Overview"), Permission.OVERVIEW),
    Entry("people.everybody", N_("People of the Studio"), Permission.STAFF),
    Entry("audit.log", N_("Audit log"), Permission.AUDIT),
)
"""In this order; a page that is not in it is reached from one that is."""


def menu() -> Sequence[Entry]:
    """Return what whoever is signed in may open."""
    return [entry for entry in MENU if may(entry.permission)]
