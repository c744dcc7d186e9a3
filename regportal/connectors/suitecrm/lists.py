"""
Newsletters: whoever may be sent one is on a target list, whoever may not on a list of exemptions.

So SuiteCRM has them itself: a campaign of the type newsletter has both lists, and mails to whoever
is on the one and not on the other. A newsletter without a campaign has two lists by its name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from regportal.connectors.desk import Allowing, NotTakenError, Written
from regportal.connectors.judging import EVERY, Subscription, joined
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Row
from regportal.connectors.suitecrm.asking import Suite
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

    yes: str | None = None
    no: str | None = None

    @property
    def id(self) -> str:
        """
        Return by what it is known: SuiteCRM has no id for two lists.

        >>> Pair.of(Pair("a1", None).id)
        Pair(yes='a1', no=None)
        """
        return f"{self.yes or ''} {self.no or ''}"

    @classmethod
    def of(cls, id: str) -> "Pair":
        """Return what is known by an id."""
        yes, _, no = id.partition(" ")
        return cls(yes or None, no or None)


class Lists:
    """The target lists of one SuiteCRM."""

    def __init__(self, suite: Suite, notes: Notes, newsletters: Mapping[str, str]) -> None:
        """Take where to ask, where to say why, and how newsletters are called there, by our key."""
        self._suite, self._notes, self._newsletters = suite, notes, newsletters

    def of(self, contacts: Mapping[str, str]) -> dict[str, dict[str, Subscription]]:
        """Return what contacts allow, by newsletter; since when SuiteCRM does not say."""
        known = {
            id: (name, id == pair.yes)
            for name, pair in self._campaigns()
            for id in (pair.yes, pair.no)
            if id is not None
        }
        none = {EVERY: Subscription(is_allowed=False)}
        return {
            contact: self._stands(contact, known) | (none if self._is_out(email) else {})
            for contact, email in contacts.items()
        }

    def _is_out(self, email: str) -> bool:
        """Return whether an address is one that wants no mail at all."""
        where = {"email_address": {"eq": email}, "opt_out": {"eq": "1"}}
        asked = ["email_address"]
        rows, _ = self._suite.page("EmailAddresses", where, asked, sort="date_modified")
        return any(str(row["email_address"]).casefold() == email.casefold() for row in rows)

    def _stands(
        self, contact: str, known: Mapping[str, tuple[str, bool]]
    ) -> dict[str, Subscription]:
        """Return what a contact allows: where he is on both lists of a newsletter, he does not."""
        ours = {name.casefold(): name for name in self._newsletters.values()}
        found: dict[str, Subscription] = {}
        for row in self._suite.linked("Contacts", contact, LISTS):
            if not _is_list(row):
                continue
            name, is_yes = known.get(row["id"]) or _named(row)
            name = ours.get(name.casefold(), name)
            found[name] = joined(found.get(name), Subscription(is_yes))
        return found

    def named(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Return the ids of all pairs of each newsletter; of one that has no list, nothing."""
        there = {name: self._campaign(name) or self._by_name(name) for name in names}
        return {name: [pair.id for pair in pairs] for name, pairs in there.items() if pairs}

    def allow(self, wanted: Allowing) -> Written:
        """Put a contact on the one list of a newsletter, and take him off the others."""
        pair = Pair.of(wanted.list_id or "")
        contact = wanted.contact
        there = {row["id"]: row for row in self._suite.linked("Contacts", contact, LISTS)}
        if wanted.is_allowed:
            on, off = pair.yes or self._made(wanted.list, YES), [pair.no]
        else:
            on = pair.no or self._made(wanted.list, NO)
            named = (wanted.list.casefold(), True)
            same = [id for id, row in there.items() if _is_list(row) and _key(row) == named]
            off = [*dict.fromkeys([pair.yes, *same])]
        if wanted.is_allowed and pair.no in there:
            self._notes.say_again(wanted.key, contact, wanted.list, wanted.because, wanted.at)
        if on not in there:
            self._suite.link("ProspectLists", on, "contacts", "Contacts", contact)
        for one in off:
            if one is not None and one in there:
                self._suite.unlink("ProspectLists", one, "contacts", contact)
        return Written(contact)

    def watched(self) -> dict[str, str]:
        """Return of which lists it is told who is on them: id → the newsletter it ends, our key."""
        keys = {name.casefold(): key for key, name in self._newsletters.items()}
        found = {
            pair.no: keys[name.casefold()]
            for name, pair in self._campaigns()
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

    def _campaigns(self) -> list[tuple[str, Pair]]:
        """Return the lists of newsletters that are campaigns, and what they are called there."""
        names = dict.fromkeys(self._newsletters.values())
        return [(name, pair) for name in names for pair in self._campaign(name)]

    def _campaign(self, newsletter: str) -> list[Pair]:
        """Return the lists of all campaigns of a name that are newsletters and have both."""
        where = {"name": {"eq": text(newsletter)}, "campaign_type": {"eq": "NewsLetter"}}
        there, _ = self._suite.page("Campaigns", where, ["name"])
        pairs = []
        for one in there:
            lists = self._suite.linked("Campaigns", one["id"], "prospectlists")
            types = {row["list_type"]: row["id"] for row in lists}
            if {YES, NO} <= types.keys():
                pairs.append(Pair(types[YES], types[NO]))
        return [*dict.fromkeys(pairs)]

    def _by_name(self, newsletter: str) -> list[Pair]:
        """Return the lists of a newsletter that bear its name: each with each."""
        yes, no = self._ids(newsletter, YES), self._ids(newsletter, NO)
        return [Pair(*ids) for ids in product(yes or [None], no or [None])] if yes or no else []

    def _ids(self, newsletter: str, type_: str) -> list[str | None]:
        """Return the lists of a newsletter that are of a type."""
        where = {"name": {"eq": text(_name(newsletter, type_))}, "list_type": {"eq": type_}}
        there, _ = self._suite.page("ProspectLists", where, ["name"])
        return [row["id"] for row in there]

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


def _is_list(row: Row) -> bool:
    """Return whether a target list says who may be sent something, or who may not."""
    return row["list_type"] in {YES, NO}


def _key(row: Row) -> tuple[str, bool]:
    """Return of which newsletter a list is, however it is written, and for whom."""
    name, is_yes = _named(row)
    return name.casefold(), is_yes


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
