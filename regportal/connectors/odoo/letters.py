"""Newsletters as Odoo has them: mailing lists, who is on them, and who is mailed no more."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from regportal.connectors.desk import Allowing, Written
from regportal.connectors.judging import EVERY, Subscription, joined
from regportal.connectors.odoo.many import done
from regportal.connectors.odoo.transport import Odoo
from regportal.connectors.odoo.values import one, read_at

LIST, READER, PLACE = "mailing.list", "mailing.contact", "mailing.subscription"
BLACKLIST = "mail.blacklist"


class Letters:
    """
    The mailing lists: a list by its name or its number, a reader by his address.

    A reader is no contact to Odoo; the address is all that joins the two.
    """

    def __init__(self, odoo: Odoo) -> None:
        """Take how to call Odoo."""
        self._odoo = odoo

    def lists_of(self, contacts: Mapping[str, str]) -> dict[str, dict[str, Subscription]]:
        """
        Return what each of these contacts (id → address) allows, by list.

        Whoever is on the blacklist allows none; since when is not told, so nothing is newer.
        """
        lists = self._lists()
        addresses = sorted({email.casefold() for email in contacts.values()})
        places = self._places(self._readers(addresses))
        gone = [["email", "in", addresses]]
        black = {row["email"] for row in self._read(BLACKLIST, gone, ["email"])}
        names: dict[int, list[str]] = {}
        for name, ids in lists.items():
            for id in ids:
                names.setdefault(id, []).append(name)
        allowed = {}
        for contact, email in contacts.items():
            address = email.casefold()
            his: dict[str, Subscription] = {}
            for row in places.get(address, ()):
                for name in names.get(one(row["list_id"]) or 0, ()):
                    said = Subscription(not row["opt_out"], read_at(row["opt_out_datetime"]))
                    his[name] = joined(his.get(name), said)
            none = {EVERY: Subscription(is_allowed=False)} if address in black else {}
            allowed[contact] = his | none
        return allowed

    def lists(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Return the numbers of all lists that each name, or number, means."""
        there = self._lists()
        return {name: [str(id) for id in there.get(name, ())] for name in names}

    def allow(self, wanted: Sequence[Allowing]) -> list[Written]:
        """Let addresses be on lists, or opted out of them."""
        known = self._readers(each.email for each in wanted)
        places = self._places(known)
        readers = {row["email_normalized"]: row["id"] for row in reversed(known)}

        def put(some: Sequence[Allowing]) -> Sequence[int]:
            (each,) = some
            address, id = each.email.casefold(), each.list_number
            rows = [row for row in places.get(address, ()) if one(row["list_id"]) == id]
            return [self._put(each, id, rows, readers.get(address))]

        return [became for each in wanted for became in done([each], put)]

    def _put(
        self, wanted: Allowing, list_: int, rows: Sequence[Mapping[str, Any]], reader: int | None
    ) -> int:
        """Let one address be on one list, or opted out of it."""
        is_out = not wanted.is_allowed
        place: dict[str, Any] = {"list_id": list_, "opt_out": is_out}
        if rows:
            self._odoo.call(PLACE, "write", [row["id"] for row in rows], vals={"opt_out": is_out})
            return int(rows[0]["id"])
        if reader is not None:
            (id,) = self._odoo.call(PLACE, "create", vals_list=[{**place, "contact_id": reader}])
            return int(id)
        new = {"email": wanted.email, "subscription_ids": [[0, 0, place]]}
        (id,) = self._odoo.call(READER, "create", vals_list=[new])
        return int(id)

    def _lists(self) -> dict[str, list[int]]:
        """Return the lists by their numbers and by their names."""
        rows = self._read(LIST, [], ["name"])
        named: dict[str, list[int]] = {}
        for row in rows:
            named.setdefault(row["name"], []).append(row["id"])
        return {str(row["id"]): [row["id"]] for row in rows} | named

    def _readers(self, emails: Iterable[str]) -> list[dict[str, Any]]:
        """Return who is known to the mailing lists with one of these addresses."""
        domain = [["email_normalized", "in", sorted({email.casefold() for email in emails})]]
        return self._read(READER, domain, ["email_normalized"])

    def _places(self, readers: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        """Return on which lists readers are, or were: by address."""
        whose = {row["id"]: row["email_normalized"] for row in readers}
        asked = ["contact_id", "list_id", "opt_out", "opt_out_datetime"]
        places: dict[str, list[dict[str, Any]]] = {}
        for row in self._read(PLACE, [["contact_id", "in", [*whose]]], asked) if whose else ():
            places.setdefault(whose[one(row["contact_id"])], []).append(row)
        return places

    def _read(
        self, model: str, domain: Sequence[Any], fields: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Search for records."""
        found: list[dict[str, Any]] = self._odoo.call(
            model, "search_read", domain=[*domain], fields=[*fields], order="id"
        )
        return found
