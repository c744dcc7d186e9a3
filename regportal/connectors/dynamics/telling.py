"""How opportunities, parts in them and merges are told: in the words of `docs/inbound.md`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from regportal.connectors.base import Notice
from regportal.connectors.dynamics.dataverse import Dataverse, any_of, query
from regportal.connectors.dynamics.deals import PARTS, PRIMARY, pairs_of
from regportal.connectors.dynamics.shape import KEY
from regportal.connectors.rules import in_full
from regportal.connectors.shapes import Row
from regportal.connectors.telling import domain_of, notice

DEAL = (
    *("opportunityid", "name", "stepname", "closeprobability", "estimatedvalue"),
    *("estimatedclosedate", "statecode", "modifiedon", "_ownerid_value"),
    *("_transactioncurrencyid_value", "_parentaccountid_value", *PRIMARY),
)
PART = (
    "connectionid",
    "statecode",
    "modifiedon",
    *PARTS,
    "_record1roleid_value",
    "_record2roleid_value",
)
PERSON = ("contactid", KEY, "emailaddress1", "merged", "_masterid_value")
CENT = 2
SHOWN = "OData.Community.Display.V1.FormattedValue"
Rows = Mapping[str, Row]


class Telling:
    """The news of one environment, put into words."""

    def __init__(self, dataverse: Dataverse) -> None:
        """Take where to ask for what is beside a record."""
        self._dataverse = dataverse

    def deals(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Yield what is told of opportunities, and of the contact that each names."""
        if not rows:
            return
        owners, firms, currencies, people = self._beside(rows)
        for row in rows:
            id, at = row["opportunityid"], _at(row)
            facts = self._facts(row, owners, firms, currencies)
            yield notice("opportunity.upserted", facts, at, id)
            for contact in dict.fromkeys(row.get(one) for one in PRIMARY):
                whose = _named(people.get(str(contact)))
                if whose:
                    told = {"opportunity": id, **whose, "is_primary": True}
                    yield notice("contact_role.added", told, at, id, str(contact))

    def parts(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Yield who is a stakeholder of what, and in which role; and who no longer is."""
        pairs = [(row, *pair) for row in rows for pair in pairs_of(row)]
        people = self._people(contact for _, _, contact in pairs)
        for row, deal, contact in pairs:
            whose = _named(people.get(contact))
            side = 1 if row.get("_record1id_value") == contact else 2
            role = row.get(f"_record{side}roleid_value@{SHOWN}")
            if whose:
                verb = "added" if row.get("statecode") == 0 else "removed"
                told = {"opportunity": deal, **whose} | ({"role": role} if role else {})
                yield notice(f"contact_role.{verb}", told, _at(row), deal, contact)

    def merges(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Yield which contacts were merged into which; not where both are the same to us."""
        masters = self._people(str(row.get("_masterid_value")) for row in rows)
        for row in rows:
            into = _named(masters.get(str(row.get("_masterid_value"))))
            if into is None or into.get("email") == row.get("emailaddress1"):
                continue
            told = {"contact": row[KEY], "into": next(iter(into.values()))}
            yield notice("contact.merged", told, None, row["contactid"])

    def _people(self, ids: Iterable[str]) -> Rows:
        """Return contacts by id."""
        return self._by_id([("contacts", "contactid", PERSON, ids)])[0]

    def _beside(self, rows: Sequence[Row]) -> list[Rows]:
        """Return the owners, accounts, currencies and contacts of opportunities, by id."""
        lookups = {
            "systemusers": (
                "systemuserid",
                ["fullname", "internalemailaddress"],
                ["_ownerid_value"],
            ),
            "accounts": (
                "accountid",
                ["name", "websiteurl"],
                ["_parentaccountid_value", "_customerid_value"],
            ),
            "transactioncurrencies": (
                "transactioncurrencyid",
                ["isocurrencycode"],
                ["_transactioncurrencyid_value"],
            ),
            "contacts": ("contactid", PERSON, PRIMARY),
        }
        return self._by_id(
            [
                (name, id, select, [str(row[one]) for row in rows for one in from_ if row.get(one)])
                for name, (id, select, from_) in lookups.items()
            ]
        )

    def _by_id(self, wanted: Sequence[tuple[str, str, Sequence[str], Iterable[str]]]) -> list[Rows]:
        """Return rows of several tables by id, in one call."""
        asked = [
            (number, query(name, [id, *select], one))
            for number, (name, id, select, ids) in enumerate(wanted)
            for one in any_of([id], ids)
        ]
        found: list[dict[str, Row]] = [{} for _ in wanted]
        answers = self._dataverse.rows([path for _, path in asked])
        for (number, _), rows in zip(asked, answers, strict=True):
            found[number] |= {row[wanted[number][1]]: row for row in rows}
        return [*found]

    def _facts(self, row: Row, owners: Rows, firms: Rows, currencies: Rows) -> dict[str, Any]:
        """Return what is told of an opportunity."""
        amount, owner = row.get("estimatedvalue"), owners.get(str(row.get("_ownerid_value")))
        firm = firms.get(str(row.get("_parentaccountid_value")))
        firm = firm or firms.get(str(row.get("_customerid_value")))
        currency = currencies.get(str(row.get("_transactioncurrencyid_value")), {})
        id = row["opportunityid"]
        return {
            "external_id": id,
            "name": row.get("name"),
            "stage": row.get("stepname"),
            "probability": row.get("closeprobability"),
            "amount": None if amount is None else f"{amount:.{CENT}f}",
            "currency": currency.get("isocurrencycode"),
            "close_date": (row.get("estimatedclosedate") or "")[:10] or None,
            "is_closed": row.get("statecode") != 0,
            "is_won": row.get("statecode") == 1,
            "url": f"{self._dataverse.url}/main.aspx?etn=opportunity&pagetype=entityrecord&id={id}",
            "owner": _owner(owner),
            "account": _account(firm),
        }


def _at(row: Row) -> str | None:
    """Return when a record was changed."""
    told = row.get("modifiedon")
    return in_full(datetime.fromisoformat(told).astimezone(UTC)) if told else None


def _named(person: Row | None) -> dict[str, str] | None:
    """Return by what a contact is told of: our key, else the address; None: there is neither."""
    if person is None:
        return None
    if person.get(KEY):
        return {"contact": str(person[KEY])}
    return {"email": str(person["emailaddress1"])} if person.get("emailaddress1") else None


def _owner(user: Row | None) -> dict[str, Any] | None:
    """Return who looks after an opportunity."""
    if user is None:
        return None
    return {"name": user.get("fullname"), "email": user.get("internalemailaddress")}


def _account(firm: Row | None) -> dict[str, Any] | None:
    """Return the company of an opportunity."""
    if firm is None:
        return None
    domain = domain_of(firm.get("websiteurl"))
    return {"external_id": firm["accountid"], "name": firm.get("name"), "domain": domain}
