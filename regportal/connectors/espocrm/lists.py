"""Newsletters: one target list each, on which a contact is, or from which he has opted out."""

from collections.abc import Mapping

from regportal.connectors.desk import Allowing, Written
from regportal.connectors.espocrm.asking import Espo, Row, Where
from regportal.connectors.espocrm.stream import Stream, mark
from regportal.connectors.judging import Subscription
from regportal.connectors.rules import in_full

OURS = "[regportal:list]"
"""By which a list is known that we made, for a newsletter that no list was named for."""
AGAIN = "again"


class Lists:
    """The target lists of one EspoCRM."""

    def __init__(self, espo: Espo, stream: Stream, newsletters: Mapping[str, str]) -> None:
        """Take where to ask, where to say why, and which list a newsletter is."""
        self._espo, self._stream, self._newsletters = espo, stream, newsletters

    def of(self, contact: str) -> dict[str, Subscription]:
        """
        Return on which lists a contact is, under the names we know them by.

        Since when EspoCRM does not say. Of two lists of one name the "no" counts.
        """
        rows = self._espo.all(f"Contact/{contact}/targetLists", (), ["id", "name"])
        ours = {name.casefold(): name for name in self._newsletters.values()}
        found: dict[str, Subscription] = {}
        for row in sorted(rows, key=_is_out):
            name = str(row["name"]).casefold()
            found[ours.get(name, name)] = Subscription(not _is_out(row))
        return found

    def allow(self, wanted: Allowing) -> Written:
        """Put a contact on a list, or let him be opted out of it."""
        name = self._list(wanted.list)
        about = {"id": name, "targetType": "Contact", "targetId": wanted.contact}
        if not wanted.is_allowed:
            self._espo.do("TargetList/action/optOut", about)
            return Written(wanted.contact)
        stands = self.of(wanted.contact).get(wanted.list)
        if stands is None:
            self._espo.do(f"TargetList/{name}/contacts", {"id": wanted.contact})
        elif not stands.is_allowed:
            self._say_again(wanted, name)
            self._espo.do("TargetList/action/cancelOptOut", about)
        return Written(wanted.contact)

    def _say_again(self, wanted: Allowing, name: str) -> None:
        """
        Write down that an opt-out was taken back: who looks at the contact sees why.

        EspoCRM keeps no date of an opt-out. By these notes one that comes later is told apart
        from the one before (`news.py`).
        """
        ends = mark(wanted.contact, f"{AGAIN}:{name}:{in_full(wanted.at)}")
        if not self._stream.notes([wanted.contact], [ends]):
            ours = mark(wanted.key, AGAIN)  # it is erased by
            says = f"Wants “{wanted.list}” again: {wanted.because}\n\n{ours} {ends}"
            self._stream.write("Contact", wanted.contact, says)

    def _list(self, name: str) -> str:
        """Return the id of a list; the eldest of its name, and a new one where there is none."""
        there = self._espo.all("TargetList", [("equals", "name", name)])
        if there:
            return str(there[0]["id"])
        about = {"name": name, "description": f"Whom regportal may send “{name}”.\n{OURS}"}
        return str(self._espo.create("TargetList", about)["id"])

    def watched(self) -> dict[str, str]:
        """Return of which lists an opt-out is told: id → the newsletter it ends."""
        keys = {name.casefold(): key for key, name in self._newsletters.items()}
        ours: list[Where] = [("contains", "description", OURS)]
        if self._newsletters:
            ours.append(("in", "name", [*self._newsletters.values()]))
        rows = self._espo.all("TargetList", [("or", "", ours)], ["id", "name"])
        named = ((str(row["id"]), str(row["name"])) for row in rows)
        return {id: keys.get(name.casefold(), name) for id, name in named}


def _is_out(row: Row) -> bool:
    """Return whether somebody has opted out of a list."""
    return row.get("isOptedOut") is True
