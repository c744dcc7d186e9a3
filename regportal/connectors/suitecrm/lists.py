"""
Newsletters: whoever may be sent one is on a target list, whoever may not on a list of exemptions.

So SuiteCRM has them itself: a campaign of the type newsletter has both lists, and mails to whoever
is on the one and not on the other. A newsletter without a campaign has two lists by its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from regportal.connectors.desk import Allowing, NotTakenError, Written
from regportal.connectors.judging import Subscription
from regportal.connectors.rules import Outcome
from regportal.connectors.suitecrm.asking import Row, Suite
from regportal.connectors.suitecrm.notes import Notes
from regportal.connectors.suitecrm.values import text

YES, NO = "default", "exempt"
"""Types of target lists."""
OUT = " (unsubscribed)"
"""How the name of a list ends on which those are who do not want what the other one is for."""
OURS = "[regportal:list]"
"""By which a list is known that we made."""
LISTS = "prospect_lists"


@dataclass(frozen=True, slots=True)
class Pair:
    """The two lists of a newsletter; None: it is not there yet."""

    yes: str | None
    no: str | None


class Lists:
    """The target lists of one SuiteCRM."""

    def __init__(self, suite: Suite, notes: Notes, newsletters: Mapping[str, str]) -> None:
        """Take where to ask, where to say why, and how newsletters are called there, by our key."""
        self._suite, self._notes, self._newsletters = suite, notes, newsletters

    def of(self, contacts: Mapping[str, str]) -> dict[str, dict[str, Subscription]]:
        """Return what contacts allow, by newsletter; since when SuiteCRM does not say."""
        known = {
            id: (name, id == pair.yes)
            for name, pair in self._campaigns().items()
            for id in (pair.yes, pair.no)
            if id is not None
        }
        return {contact: self._stands(contact, known) for contact in contacts}

    def _stands(
        self, contact: str, known: Mapping[str, tuple[str, bool]]
    ) -> dict[str, Subscription]:
        """Return what a contact allows: where he is on both lists of a newsletter, he does not."""
        ours = {name.casefold(): name for name in self._newsletters.values()}
        found: dict[str, Subscription] = {}
        for row in self._suite.linked("Contacts", contact, LISTS):
            if row["list_type"] not in {YES, NO}:
                continue
            name, is_yes = known.get(row["id"]) or _named(row)
            name = ours.get(name.casefold(), name)
            before = found.get(name, Subscription(is_allowed=True))
            found[name] = Subscription(bool(before.is_allowed) and is_yes)
        return found

    def allow(self, wanted: Allowing) -> Written:
        """Put a contact on the one list of a newsletter, and take him off the other."""
        pair = self._campaign(wanted.list) or self._by_name(wanted.list)
        contact = wanted.contact
        if wanted.is_allowed:
            on, off = pair.yes or self._made(wanted.list, YES), pair.no
        else:
            on, off = pair.no or self._made(wanted.list, NO), pair.yes
        there = {row["id"] for row in self._suite.linked("Contacts", contact, LISTS)}
        if wanted.is_allowed and off in there:
            self._notes.say_again(wanted.key, contact, wanted.list, wanted.because, wanted.at)
        if on not in there:
            self._suite.link("ProspectLists", on, "contacts", "Contacts", contact)
        if off is not None and off in there:
            self._suite.unlink("ProspectLists", off, "contacts", contact)
        return Written(contact)

    def watched(self) -> dict[str, str]:
        """Return of which lists it is told who is on them: id → the newsletter it ends, our key."""
        keys = {name.casefold(): key for key, name in self._newsletters.items()}
        found = {
            pair.no: keys[name.casefold()]
            for name, pair in self._campaigns().items()
            if pair.no is not None
        }
        where = {"description": {"like": f"%{OURS}"}, "list_type": {"eq": NO}}
        for row in self._suite.all("ProspectLists", where, ["name", "list_type"]):
            name, _ = _named(row)
            found.setdefault(row["id"], keys.get(name.casefold(), name))
        return found

    def called(self, newsletter: str) -> str:
        """Return how a newsletter is called there."""
        return self._newsletters.get(newsletter, newsletter)

    def _campaigns(self) -> dict[str, Pair]:
        """Return the lists of newsletters that are campaigns, by what they are called there."""
        found = {name: self._campaign(name) for name in self._newsletters.values()}
        return {name: pair for name, pair in found.items() if pair is not None}

    def _campaign(self, newsletter: str) -> Pair | None:
        """Return the lists of a campaign that is a newsletter and has both."""
        where = {"name": {"eq": text(newsletter)}, "campaign_type": {"eq": "NewsLetter"}}
        there, _ = self._suite.page("Campaigns", where, ["name"])
        lists = self._suite.linked("Campaigns", there[0]["id"], "prospectlists") if there else ()
        types = {row["list_type"]: row["id"] for row in lists}
        return Pair(types[YES], types[NO]) if {YES, NO} <= types.keys() else None

    def _by_name(self, newsletter: str) -> Pair:
        """Return the lists of a newsletter that bear its name; the eldest of each."""
        return Pair(self._list(newsletter, YES), self._list(newsletter, NO))

    def _list(self, newsletter: str, type_: str) -> str | None:
        """Return a list of a newsletter; None where there is none."""
        where = {"name": {"eq": text(_name(newsletter, type_))}, "list_type": {"eq": type_}}
        there, _ = self._suite.page("ProspectLists", where, ["name"])
        return there[0]["id"] if there else None

    def _made(self, newsletter: str, type_: str) -> str:
        """Make a list of a newsletter; return its id."""
        may = "may" if type_ == YES else "may not"
        says = f"Whom regportal {may} send “{text(newsletter)}”.\n{OURS}"
        told = {"name": text(_name(newsletter, type_)), "list_type": type_, "description": says}
        made = self._suite.make("ProspectLists", [newsletter, type_], told)
        if made.id is None:
            raise NotTakenError(Outcome.REJECTED, made.says)
        return made.id


def _name(newsletter: str, type_: str) -> str:
    """Return what a list of a newsletter is called."""
    return newsletter if type_ == YES else f"{newsletter}{OUT}"


def _named(row: Row) -> tuple[str, bool]:
    """
    Return of which newsletter a list is, and whether it is that of those who want it.

    >>> _named({"name": "Prices (unsubscribed)", "list_type": "exempt"})
    ('Prices', False)
    """
    name = str(row["name"])
    if row["list_type"] == NO:
        return name.removesuffix(OUT), False
    return name, True
