"""Leads for claims: an address that somebody typed and nobody proved."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.dynamics.batches import Op
from regportal.connectors.dynamics.dataverse import CREATE, Dataverse, any_of, guids, query, text
from regportal.connectors.dynamics.judging import THERE, RefusedError
from regportal.connectors.dynamics.people import LONGEST_NAME
from regportal.connectors.dynamics.shape import COMPANY
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Row
from regportal.connectors.wording import last_name

CLAIMS = uuid.UUID("0c2e9f4c-4f0e-5d1b-8a7e-6a5f4f2f9d21")
SUBJECT = "regportal: an address nobody has confirmed yet"
LONGEST_FIRM = 100
GONE = Written(None, Outcome.NOOP)
ASKED = ("leadid", "statecode", "_createdby_value", "_modifiedby_value", "_ownerid_value")


class Leads:
    """The leads of one environment."""

    def __init__(self, dataverse: Dataverse) -> None:
        """Take where to ask."""
        self._dataverse = dataverse

    def make(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> list[Written]:
        """Make the leads of claims: no more than the address; none where a lead has it."""
        conditions = any_of(["emailaddress1"], (text(who.email) for who, _ in people))
        asked = [query("leads", ["leadid", "emailaddress1"], one) for one in conditions]
        rows = [row for some in self._dataverse.rows(asked) for row in some]
        there = {str(row["emailaddress1"]).casefold(): str(row["leadid"]) for row in rows}
        ids = [_id(who.key) for who, _ in people]
        new = [
            (id, who, values)
            for id, (who, values) in zip(ids, people, strict=True)
            if who.email.casefold() not in there
        ]
        ops = [Op("PATCH", f"leads({id})", _told(who, values), CREATE) for id, who, values in new]
        errors = self._dataverse.errors(ops)
        made = {id: _made(id, error) for (id, _, _), error in zip(new, errors, strict=True)}
        return [
            made.get(id)
            or (Written(id, Outcome.NOOP) if there[who.email.casefold()] == id else GONE)
            for id, (who, _) in zip(ids, people, strict=True)
        ]

    def keyed(self, claims: Sequence[str]) -> dict[str, list[str]]:
        """Return the ids that leads of claims have where they are there: claim → ids."""
        return {claim: [_id(claim)] for claim in claims}

    def end(self, ids: Sequence[str]) -> list[Written]:
        """Delete the leads of claims, unless somebody has made something of them."""
        asked = [query("leads", ASKED, one) for one in any_of(["leadid"], guids(ids))]
        rows = [row for some in self._dataverse.rows(asked) for row in some]
        ours = {row["leadid"]: row for row in rows if _is_untouched(row)}
        ops = [
            Op("DELETE", f"leads({id})", None, {"If-Match": row["@odata.etag"]})
            for id, row in ours.items()
        ]
        done = self._dataverse.write(ops, lambda place, _: Written([*ours][place]))
        ended = dict(zip(ours, done, strict=True))
        return [ended.get(id, GONE) for id in ids]


def _id(claim: str) -> str:
    """Return the id of the lead of a claim."""
    return str(uuid.uuid5(CLAIMS, claim))


def _told(who: Whose, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is written of a claim."""
    told = {
        "subject": SUBJECT,
        "lastname": last_name(who.email)[:LONGEST_NAME],
        "emailaddress1": who.email,
    }
    firm = values.get(COMPANY)
    return told | ({"companyname": str(firm)[:LONGEST_FIRM]} if firm else {})


def _made(id: str, error: NotTakenError | None) -> Written:
    """Return what became of a lead that was to be made."""
    if error is None:
        return Written(id, created=True)
    is_there = isinstance(error, RefusedError) and error.code == THERE
    return Written(id, created=False) if is_there else Written.refused(error)


def _is_untouched(row: Row) -> bool:
    """Return whether a lead is open, and nobody but who made it has changed or got it."""
    who = {row.get("_createdby_value"), row.get("_modifiedby_value"), row.get("_ownerid_value")}
    return row.get("statecode") == 0 and len(who) == 1
