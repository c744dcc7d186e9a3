"""Newsletters: one target list each, on which a contact is, or from which he has opted out."""

from collections.abc import Iterable, Mapping, Sequence

from regportal.connectors.desk import Allowing, Written
from regportal.connectors.espocrm.asking import Espo, Where
from regportal.connectors.espocrm.stream import Stream, mark
from regportal.connectors.judging import EVERY, Subscription, joined
from regportal.connectors.rules import in_full
from regportal.connectors.shapes import Row

OURS = "[regportal:list]"
"""By which a list is known that we made, for a newsletter that no list was named for."""
AGAIN = "again"


class Lists:
    """The target lists of one EspoCRM."""

    def __init__(self, espo: Espo, stream: Stream, newsletters: Mapping[str, str]) -> None:
        """Take where to ask, where to say why, and which list a newsletter is."""
        self._espo, self._stream, self._newsletters = espo, stream, newsletters

    def of_all(self, contacts: Iterable[str]) -> dict[str, dict[str, Subscription]]:
        """Return on which lists each contact is; and who wants no mail at all."""
        asked = ["emailAddressIsOptedOut"]
        rows = self._espo.by_id("Contact", contacts, ["id", *asked])
        silent = {id for id, row in rows.items() if row.get(*asked) is True}
        none = {EVERY: Subscription(is_allowed=False)}
        return {id: self.of(id) | (none if id in silent else {}) for id in contacts}

    def of(self, contact: str) -> dict[str, Subscription]:
        """
        Return on which lists a contact is, under the names we know them by.

        Since when EspoCRM does not say. Of two lists of one name the "no" counts.
        """
        rows = self._espo.all(f"Contact/{contact}/targetLists", (), ["id", "name"])
        ours = {name.casefold(): name for name in self._newsletters.values()}
        found: dict[str, Subscription] = {}
        for row in rows:
            name = str(row.get("name")).casefold()
            name = ours.get(name, name)
            found[name] = joined(found.get(name), Subscription(not _is_out(row)))
        return found

    def named(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Return the ids of all lists of each name; of one of which there is none, nothing."""
        there = {name: self._espo.all("TargetList", [("equals", "name", name)]) for name in names}
        return {name: [str(row["id"]) for row in rows] for name, rows in there.items() if rows}

    def allow(self, wanted: Allowing) -> Written:
        """Put a contact on a list, or let him be opted out of it; make it where there is none."""
        id = wanted.list_id or self._list(wanted.list)
        about = {"id": id, "targetType": "Contact", "targetId": wanted.contact}
        if not wanted.is_allowed:
            self._espo.do("TargetList/action/optOut", about)
            return Written(wanted.contact)
        stands = self.of(wanted.contact).get(wanted.list)
        if stands is None:
            self._espo.do(f"TargetList/{id}/contacts", {"id": wanted.contact})
        elif not stands.is_allowed:
            self._say_again(wanted, id)
            self._espo.do("TargetList/action/cancelOptOut", about)
        return Written(wanted.contact)

    def _say_again(self, wanted: Allowing, id: str) -> None:
        """
        Write down that an opt-out was taken back: who looks at the contact sees why.

        EspoCRM keeps no date of an opt-out. By these notes one that comes later is told apart
        from the one before (`news.py`).
        """
        ends = mark(wanted.contact, f"{AGAIN}:{id}:{in_full(wanted.at)}")
        if not self._stream.notes([wanted.contact], [ends]):
            ours = mark(wanted.key, AGAIN)  # it is erased by
            says = f"Wants “{wanted.list}” again: {wanted.because}\n\n{ours} {ends}"
            self._stream.write("Contact", wanted.contact, says)

    def _list(self, name: str) -> str:
        """Make a list, where none was made meanwhile; return its id."""
        there = self.named([name]).get(name)
        if there:
            return there[0]
        about = {"name": name, "description": f"Whom regportal may send “{name}”.\n{OURS}"}
        return str(self._espo.create("TargetList", about)["id"])

    def watched(self) -> dict[str, str]:
        """Return of which lists an opt-out is told: id → the newsletter it ends."""
        keys = {name.casefold(): key for key, name in self._newsletters.items()}
        ours: list[Where] = [("contains", "description", OURS)]
        if self._newsletters:
            ours.append(("in", "name", [*self._newsletters.values()]))
        rows = self._espo.all("TargetList", [("or", "", ours)], ["id", "name"])
        named = ((str(row["id"]), str(row.get("name"))) for row in rows)
        return {id: keys.get(name.casefold(), name) for id, name in named}


def _is_out(row: Row) -> bool:
    """Return whether somebody has opted out of a list."""
    return row.get("isOptedOut") is True
