"""
What happened in Odoo, asked for again and again: opportunities, and who wants no more mail.

Odoo stamps a record with the second in which the transaction began, and shows it when that
ends. So a sweep goes by stamp and number, and the next one begins a little before the end of the
last: what is met again has the id it had.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from regportal.connectors.base import Notice
from regportal.connectors.contacts import KEY
from regportal.connectors.odoo.shape import LEAD, PERSON, spelled
from regportal.connectors.odoo.transport import Odoo
from regportal.connectors.odoo.values import moment, named, one, read_at
from regportal.connectors.rules import in_full
from regportal.connectors.schema import Connector as Document

OVERLAP = timedelta(minutes=2)
"""How long a transaction may last that we do not miss: Odoo ends them after two minutes."""
START, NAME = "1970-01-01 00:00:00", re.compile(r"[a-z0-9][a-z0-9_-]*")
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
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """How far a sweep is: the stamp and the number of the record that was read last."""

    at: str = START
    id: int = 0

    @classmethod
    def read(cls, text: str) -> "Place":
        """Return the place that is written ``<stamp>/<number>``."""
        at, _, id = text.partition("/")
        return cls(at, int(id))

    def __str__(self) -> str:
        """Return it as it is kept."""
        return f"{self.at}/{self.id}"

    @property
    def after(self) -> list[Any]:
        """Return what comes after it, as Odoo is asked."""
        same = ["&", ["write_date", "=", self.at], ["id", ">", self.id]]
        return ["|", ["write_date", ">", self.at], *same]


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
        places = [Place.read(text) for text in cursor.split(",")] if cursor else []
        places += [Place()] * (len(self._tables) - len(places))
        news: list[Notice] = []
        further = []
        for table, place in zip(self._tables, places, strict=True):
            most = max(-((len(news) - limit) // table.weight), 1)
            rows = self._odoo.call(
                table.model,
                "search_read",
                domain=[*table.which, *place.after],
                fields=[*table.fields, "write_uid"],
                order="write_date, id",
                limit=most,
                context={"active_test": False},
            )
            news += [*table.tell(rows)] if rows else []
            further.append(str(self._next(place, rows, is_full=len(rows) == most)))
        return news, ",".join(further)

    def _next(self, place: Place, rows: Sequence[Row], *, is_full: bool) -> Place:
        """Return where to go on: at the end of a sweep, a little before it."""
        last = Place(rows[-1]["write_date"], rows[-1]["id"]) if rows else place
        clock = self._odoo.clock
        settled = None if clock is None else moment(clock - OVERLAP)
        if is_full or settled is None or last.at < settled:
            return last
        return Place(max(min(settled, last.at), START))

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
            yield _notice("opportunity.upserted", row["write_date"], told)
            if who:
                told = {"opportunity": str(row["id"]), **who}
                yield _notice("contact_role.added", row["write_date"], told)

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
                yield _notice("consent.withdrawn", row["write_date"], told)

    def _blacklisted(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Tell who wants no mail at all."""
        for row in rows:
            yield _notice("consent.withdrawn", row["write_date"], {"email": row["email"]})

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
    domain = re.sub(r"^(https?://)?(www\.)?|[/:?].*$", "", firm["website"] or "")
    return {"external_id": str(firm["id"]), "name": firm["name"], "domain": domain or None}


def _notice(type_: str, stamp: str, told: Mapping[str, Any]) -> Notice:
    """
    Return news whose id is the same however often it is asked for.

    Two writes within a second have one stamp; what they left tells them apart.
    """
    at = read_at(stamp)
    when = {} if at is None else {"timestamp": in_full(at)}
    body = {"type": type_, **when, "data": {**told}}
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return Notice(f"odoo-{digest[:32]}", body)
