"""
What happened in Odoo, asked for again and again: opportunities, and who wants no more mail.

Odoo stamps a record with the moment at which the transaction began, tells the second of it, and
shows it when the transaction ends: after two minutes at most.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regportal.connectors.base import Notice
from regportal.connectors.odoo.shape import LEAD, PERSON, spelled
from regportal.connectors.odoo.transport import Odoo
from regportal.connectors.odoo.values import moment, named, one, read_at
from regportal.connectors.places import SECOND, START, Place, cursor_of, places_of, settled
from regportal.connectors.rules import in_full
from regportal.connectors.schema import Connector as Document
from regportal.connectors.shapes import Row
from regportal.connectors.telling import domain_of, notice
from regportal.connectors.wanted import KEY

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
CENT = 2
NEW_PAGES = 18
"""The version from which on an opportunity has an address of its own."""
OPPORTUNITY = (
    "name",
    "stage_id",
    "probability",
    "expected_revenue",
    "company_currency",
    "date_deadline",
    "active",
    "user_id",
    "partner_id",
    "email_normalized",
    "write_date",
)
_OUT, _BLACK = ("contact_id", "list_id", "write_date"), ("email", "write_date")


@dataclass(frozen=True, slots=True)
class _Table:
    """A table in which something happens."""

    model: str
    which: Sequence[Any]
    fields: Sequence[str]
    tell: Callable[[Sequence[Row]], Iterator[Notice]]
    weight: int = 1
    """How many pieces of news a record makes at most."""


class Feed:
    """The changes of one Odoo. Its cursor is a place in each of three tables."""

    def __init__(self, document: Document, odoo: Odoo) -> None:
        """Take how lists are called here and there."""
        self._odoo = odoo
        self._keys = {name: key for key, name in document.newsletters.items()}
        self._tables: Sequence[_Table] = (
            _Table("mailing.subscription", [["opt_out", "=", True]], _OUT, self._opted_out),
            _Table("mail.blacklist", [["active", "=", True]], _BLACK, self._blacklisted),
            _Table(LEAD, [["type", "=", "opportunity"]], OPPORTUNITY, self._opportunities, 2),
        )

    def after(self, cursor: str | None, limit: int) -> tuple[list[Notice], str]:
        """
        Return what happened after a cursor, and the cursor to ask with next.

        There is less than ``limit`` of it where a sweep is at its end; of a record all is told.
        """
        till = settled(self._odoo.clock, SECOND)
        news: list[Notice] = []
        further: list[Place] = []
        for table, place in zip(self._tables, places_of(cursor, len(self._tables)), strict=True):
            most = max(-((len(news) - limit) // table.weight), 1)
            rows, end = self._next(table, place.turned(till), most)
            news += [*table.tell(rows)] if rows else []
            further.append(end)
        return news, cursor_of(further)

    def _next(self, table: _Table, place: Place, most: int) -> tuple[Sequence[Row], Place]:
        """Return the next rows of a table, and where to go on."""
        rows: Sequence[Row] = self._odoo.call(
            table.model,
            "search_read",
            domain=[*table.which, *_behind(place)],
            fields=[*table.fields, "write_uid"],
            order="id" if place.is_within else "write_date, id",
            limit=most,
            context={"active_test": False},
        )
        found = [(read_at(row["write_date"]) or START, str(row["id"])) for row in rows]
        till = settled(self._odoo.clock, SECOND)
        return rows, place.behind(found, is_full=len(rows) == most, settled=till)

    # --- opportunities, and whose they are ---

    def _opportunities(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Tell of opportunities as they are, and of the contact each has."""
        won = self._named("crm.stage", [["is_won", "=", True]], ["name"])
        owners = self._by_id("res.users", rows, "user_id", ["name", "email"])
        asked = ["email_normalized", "commercial_partner_id", spelled(KEY)]
        people = self._by_id(PERSON, rows, "partner_id", asked)
        about = ["name", "website", "is_company"]
        firms = self._by_id(PERSON, [*people.values()], "commercial_partner_id", about)
        for row in rows:
            person = people.get(one(row["partner_id"]) or 0, {})
            firm = firms.get(one(person.get("commercial_partner_id")) or 0, {})
            is_won = one(row["stage_id"]) in won
            told = {
                "external_id": str(row["id"]),
                "name": row["name"],
                "stage": named(row["stage_id"]),
                "probability": min(max(row["probability"], 0), 100),
                "amount": f"{row['expected_revenue']:.{CENT}f}",
                "currency": named(row["company_currency"]),
                "close_date": row["date_deadline"] or None,
                "is_closed": is_won or not row["active"],
                "is_won": is_won,
                "url": self._page(row["id"]),
                "owner": _owner(owners.get(one(row["user_id"]) or 0, {})),
                "account": _account(firm),
            }
            who = _contact(row, person)
            if who:  # nobody else has a part
                told["contacts"] = [who]
            yield _notice("opportunity.upserted", row, told)
            if who:
                told = {"opportunity": str(row["id"]), **who}
                yield _notice("contact_role.added", row, told)

    def _page(self, id: int) -> str:
        """Return where Odoo shows an opportunity."""
        if self._odoo.version >= NEW_PAGES:
            return f"{self._odoo.base}/odoo/crm/{id}"
        return f"{self._odoo.base}/web#id={id}&model={LEAD}&view_type=form"

    # --- newsletters ---

    def _opted_out(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Tell who no longer wants a list that is a newsletter here; not what we wrote there."""
        theirs = [row for row in rows if one(row["write_uid"]) != self._odoo.uid]
        asked = ["email_normalized"]
        readers = self._by_id("mailing.contact", theirs, "contact_id", asked)
        lists = self._by_id("mailing.list", theirs, "list_id", ["name"])
        for row in theirs:
            reader = readers.get(one(row["contact_id"]) or 0, {})
            name = str(lists.get(one(row["list_id"]) or 0, {}).get("name"))
            key = self._keys.get(str(one(row["list_id"])), self._keys.get(name, name))
            if reader.get("email_normalized") and NAME.fullmatch(key):
                told = {"email": reader["email_normalized"], "newsletter": key}
                yield _notice("consent.withdrawn", row, told)

    def _blacklisted(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Tell who wants no mail at all."""
        for row in rows:
            yield _notice("consent.withdrawn", row, {"email": row["email"]})

    # --- inside ---

    def _by_id(
        self, model: str, rows: Sequence[Row], field: str, fields: Sequence[str]
    ) -> dict[int, Row]:
        """Return the records to which a field of rows leads."""
        ids = sorted({id for row in rows if (id := one(row.get(field))) is not None})
        return self._named(model, [["id", "in", ids]], fields) if ids else {}

    def _named(self, model: str, domain: Sequence[Any], fields: Sequence[str]) -> dict[int, Row]:
        """Return records by id."""
        rows = self._odoo.call(
            model,
            "search_read",
            domain=[*domain],
            fields=[*fields],
            context={"active_test": False},
        )
        return {row["id"]: row for row in rows}


def _contact(row: Row, person: Row) -> dict[str, Any] | None:
    """Return the contact of an opportunity: Odoo has one, or only an address."""
    key, address = person.get(spelled(KEY)), person.get("email_normalized")
    who = {"contact": key} if key else {"email": address or row["email_normalized"]}
    return {**who, "is_primary": True} if all(who.values()) else None


def _owner(user: Row) -> dict[str, Any] | None:
    """Return who looks after an opportunity."""
    return {"name": user["name"], "email": user["email"] or None} if user else None


def _account(firm: Row) -> dict[str, Any] | None:
    """Return the company of an opportunity's contact."""
    if not firm.get("is_company"):
        return None
    domain = domain_of(firm["website"] or None)
    return {"external_id": str(firm["id"]), "name": firm["name"], "domain": domain}


def _notice(type_: str, row: Row, told: Mapping[str, Any]) -> Notice:
    """Return news of a record as it was written last."""
    at = read_at(row["write_date"])
    return notice(type_, told, in_full(at) if at else None, str(row["id"]))


def _behind(place: Place) -> list[Any]:
    """
    Return the condition that something comes behind a place, as Odoo is asked: all must hold.

    Odoo keeps parts of a second and tells none, so within a second it is asked by ids alone.

    >>> _behind(Place(START, "7"))
    [['write_date', '>=', '1970-01-01 00:00:00'], ['write_date', '<', '1970-01-01 00:00:01'],
     ['id', '>', 7]]
    """
    since = ["write_date", ">=", moment(place.begins(SECOND))]
    if not place.is_within:
        return [since]
    return [since, ["write_date", "<", moment(place.at + SECOND)], ["id", ">", int(place.tie)]]
