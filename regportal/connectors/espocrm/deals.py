"""Opportunities: which are open, what they are like, and how they are told of."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from regportal.connectors.base import Notice, Record
from regportal.connectors.desk import NotTakenError
from regportal.connectors.espocrm.asking import MOMENT, Espo, Where, some
from regportal.connectors.espocrm.people import KEY
from regportal.connectors.rules import Outcome, in_full
from regportal.connectors.shapes import Row, under
from regportal.connectors.telling import notice

TOLD = (
    *("id", "name", "stage", "probability", "amount", "amountCurrency", "closeDate"),
    *("modifiedAt", "streamUpdatedAt", "accountId", "accountName", "contactsIds"),
    "assignedUserName",
)
WON, LOST = 100, 0
"""Per cent of the stages that end an opportunity."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages that end an opportunity, as this EspoCRM has them."""

    won: tuple[str, ...]
    lost: tuple[str, ...]

    @classmethod
    def of(cls, espo: Espo) -> "Stages":
        """Return the stages of an EspoCRM: those that are sure to be won, or not to be."""
        field = espo.metadata("entityDefs.Opportunity.fields.stage")
        told = field.get("probabilityMap")
        sure = told if isinstance(told, dict) else {}
        won = tuple(stage for stage, percent in sure.items() if percent == WON)
        return cls(won, tuple(stage for stage, percent in sure.items() if percent == LOST))

    @property
    def closed(self) -> tuple[str, ...]:
        """Return all of them."""
        return (*self.won, *self.lost)


class Deals:
    """The opportunities of one EspoCRM."""

    def __init__(self, espo: Espo, url: str) -> None:
        """Take where to ask, and where people look at them."""
        self._espo, self._url = espo, url

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """Return opportunities by id, with the version that a writing may ask for."""
        stages = Stages.of(self._espo)
        rows = self._espo.by_id("Opportunity", ids, ["stage", "versionNumber", *fields])
        return {id: _record(row, stages) for id, row in rows.items()}

    def open_of(self, contacts: Sequence[str]) -> dict[str, list[Record]]:
        """Return the open opportunities of contacts."""
        stages = Stages.of(self._espo)
        found: dict[str, list[Record]] = {contact: [] for contact in contacts}
        for part in some(contacts):
            where: list[Where] = [("linkedWith", "contacts", part)]
            if stages.closed:
                where.append(("notIn", "stage", [*stages.closed]))
            for row in self._espo.all("Opportunity", where, TOLD):
                for contact in set(row.get("contactsIds") or ()) & found.keys():
                    found[contact].append(_record(row, stages))
        return found

    def news(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Yield what is told of opportunities, and of whoever has a part in them."""
        stages = Stages.of(self._espo)
        whom = self.names({id for row in rows for id in row.get("contactsIds") or ()})
        for row in rows:
            at = moment(row.get("modifiedAt"))
            yield notice("opportunity.upserted", self._facts(row, stages), at, row["id"])
            for contact in sorted(row.get("contactsIds") or ()):
                if contact in whom:
                    role = _role(row, contact)
                    part = whom[contact] | {"opportunity": row["id"]} | role
                    yield notice("contact_role.added", part, at, row["id"], contact)

    def names(self, contacts: set[str]) -> dict[str, dict[str, str]]:
        """Return by what contacts are told of: our key, else the address; who has neither not."""
        rows = self._espo.by_id("Contact", sorted(contacts), ["emailAddress", KEY])
        named = {id: _named(row) for id, row in rows.items()}
        return {id: one for id, one in named.items() if one}

    def _facts(self, row: Row, stages: Stages) -> dict[str, Any]:
        """Return what we are told of an opportunity."""
        stage, amount, owner = row.get("stage"), row.get("amount"), row.get("assignedUserName")
        account, company = row.get("accountId"), row.get("accountName")
        return {
            "external_id": row["id"],
            "name": row.get("name"),
            "stage": stage,
            "probability": row.get("probability"),
            "amount": None if amount is None else str(amount),
            "currency": row.get("amountCurrency"),
            "close_date": row.get("closeDate"),
            "is_closed": stage in stages.closed,
            "is_won": stage in stages.won,
            "url": f"{self._url}/#Opportunity/view/{row['id']}",
            "owner": {"name": owner} if owner else None,
            "account": {"external_id": account, "name": company} if account else None,
        }


def moment(text: Any) -> str:
    """
    Return a moment of EspoCRM's in full; raise NotTakenError where it is none.

    >>> moment("2026-03-04 12:00:00")
    '2026-03-04T12:00:00Z'
    """
    try:
        return in_full(datetime.strptime(text, MOMENT).replace(tzinfo=UTC))
    except (TypeError, ValueError):
        raise NotTakenError(Outcome.RETRY, "EspoCRM answered no moment") from None


def _record(row: Row, stages: Stages) -> Record:
    """Return an opportunity."""
    version = row.get("versionNumber")
    is_closed = row.get("stage") in stages.closed
    return Record(row["id"], row, is_closed, None if version is None else str(version))


def _role(row: Row, contact: str) -> dict[str, str]:
    """Return which part a contact has, where EspoCRM says so."""
    columns = under(under(row, "contactsColumns"), contact)
    return {"role": columns["role"]} if columns.get("role") else {}


def _named(row: Row) -> dict[str, str]:
    """Return by what a contact is told of."""
    try:
        return {"contact": str(uuid.UUID(row.get(KEY) or ""))}
    except ValueError:
        return {"email": row["emailAddress"]} if row.get("emailAddress") else {}
