"""Opportunities: which are open, what they are like, and how they are told of."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from regportal.connectors.base import Notice, Record
from regportal.connectors.desk import Written
from regportal.connectors.shapes import Row
from regportal.connectors.suitecrm.asking import Suite, all_written, taken, typed
from regportal.connectors.suitecrm.people import KEY
from regportal.connectors.suitecrm.values import told_at
from regportal.connectors.telling import notice

WON, LOST = "Closed Won", "Closed Lost"
"""The stages that end an opportunity: SuiteCRM itself knows them by these keys."""
CLOSED = frozenset({WON, LOST})
TOLD = (
    *("name", "sales_stage", "probability", "amount", "date_closed", "date_modified"),
    *("account_id", "account_name", "assigned_user_name"),
)


class Deals:
    """The opportunities of one SuiteCRM."""

    def __init__(self, suite: Suite, url: str, phase: str) -> None:
        """Take where to ask, where people look at them, and the field of the buying phase."""
        self._suite, self._url, self._phase = suite, url, phase

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """Return opportunities by id; one that is not there any more is left out."""
        types = self._suite.types("Opportunities") if {*fields} - {self._phase} else {}
        rows = self._suite.seen("Opportunities", ids, ["sales_stage", *fields])
        return {id: _record(row, types) for id, row in rows.items()}

    def update(self, record: Record, values: Mapping[str, Any]) -> Written:
        """Set fields of an opportunity; the phase must be kept as it was told."""
        told = all_written(values)
        return taken(told, self._suite.patch("Opportunities", record.id, told), [self._phase])

    def open_of(self, contact: str) -> list[Record]:
        """Return the open opportunities of a contact."""
        rows = self._suite.linked("Contacts", contact, "opportunities")
        return [_record(row, {}) for row in rows if row["sales_stage"] not in CLOSED]

    def news(self, rows: Iterable[Row]) -> Iterator[Notice]:
        """Yield what is told of opportunities, and of whoever has a part in them."""
        for row in rows:
            yield notice("opportunity.upserted", self._facts(row), told_at(row), row["id"])
            yield from self.parts(row)

    def parts(self, row: Row) -> Iterator[Notice]:
        """Yield who has a part in an opportunity; since when SuiteCRM does not say."""
        for contact in self._suite.linked("Opportunities", row["id"], "contacts"):
            whom = named(contact)
            if whom:
                told = whom | {"opportunity": row["id"]}
                yield notice("contact_role.added", told, None, row["id"], contact["id"])

    def _facts(self, row: Row) -> dict[str, Any]:
        """Return what we are told of an opportunity."""
        stage, owner = row.get("sales_stage"), row.get("assigned_user_name")
        account, company = row.get("account_id"), row.get("account_name")
        address = f"{self._url}/index.php?module=Opportunities&action=DetailView&record={row['id']}"
        return {
            "external_id": row["id"],
            "name": row.get("name"),
            "stage": stage,
            "probability": _number(row.get("probability")),
            "amount": row.get("amount") or None,
            "close_date": row.get("date_closed") or None,
            "is_closed": stage in CLOSED,
            "is_won": stage == WON,
            "url": address,
            "owner": {"name": owner} if owner else None,
            "account": {"external_id": account, "name": company} if account else None,
        }


def named(contact: Row) -> dict[str, str]:
    """Return by what a contact is told of: our key, else the address; nothing for neither."""
    try:
        return {"contact": str(uuid.UUID(contact.get(KEY) or ""))}
    except ValueError:
        return {"email": contact["email1"]} if contact.get("email1") else {}


def _record(row: Row, types: Mapping[str, str]) -> Record:
    """Return an opportunity."""
    return Record(row["id"], typed(row, types), row.get("sales_stage") in CLOSED)


def _number(text: Any) -> float | None:
    """Return a number that SuiteCRM told as a text; None where it told none."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return None
