"""What stands beside every page of the Studio: only what somebody may open, and what is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from regportal.accounts.roles import Permission
from regportal.store.words import N_
from regportal.studio.policies import may


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu: the first page of a blueprint, whose other pages lie below it."""

    endpoint: str
    title: str
    permission: Permission

    def holds(self, endpoint: str | None) -> bool:
        """Return whether a page lies below this entry, or is its own."""
        return (endpoint or "").partition(".")[0] == self.endpoint.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that belong together."""

    title: str
    """Empty: nothing stands above them."""
    entries: Sequence[Entry]


MENU = (
    Group(
        "",
        (
            Entry("overview.overview", N_("Overview"), Permission.OVERVIEW),
            Entry("numbers.shown", N_("Numbers"), Permission.NUMBERS),
        ),
    ),
    Group(
        N_("Visitors"),
        (
            Entry("gates.everything", N_("Gates"), Permission.GATES),
            Entry("questions.listed", N_("Questions"), Permission.GATES),
            Entry("simulator.simulator", N_("Visit simulator"), Permission.SIMULATE),
        ),
    ),
    Group(
        N_("What it means"),
        (Entry("rules.overview", N_("Phases and scores"), Permission.PHASES),),
    ),
    Group(
        N_("Whom we know"),
        (
            Entry("opportunities.listed", N_("Opportunities"), Permission.CONTACTS),
            Entry("contacts.listed", N_("Contacts"), Permission.CONTACTS),
            Entry("companies.listed", N_("Accounts"), Permission.CONTACTS),
        ),
    ),
    Group(
        N_("What goes out"),
        (
            Entry("connectors.everything", N_("Connectors"), Permission.DELIVERY),
            Entry("outbox.messages", N_("Outbox"), Permission.DELIVERY),
        ),
    ),
    Group(
        N_("Your company"),
        (
            Entry("people.everybody", N_("People of the Studio"), Permission.STAFF),
            Entry("audit.log", N_("Audit log"), Permission.AUDIT),
        ),
    ),
)
"""
In this order; a page that is not in it is reached from one that is.

Questions belong to what visitors meet.
"""


def menu() -> Sequence[Group]:
    """Return what whoever is signed in may open."""
    allowed = (Group(one.title, [e for e in one.entries if may(e.permission)]) for one in MENU)
    return [group for group in allowed if group.entries]


def area(groups: Sequence[Group], endpoint: str | None) -> Entry | None:
    """Return the line of the menu below which a page lies; None: below none of them."""
    entries = (entry for group in groups for entry in group.entries)
    return next((entry for entry in entries if entry.holds(endpoint)), None)
