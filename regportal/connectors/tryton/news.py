"""
What happens in a Tryton, asked for after a cursor: it calls nobody.

PostgreSQL dates what is written by the begin of its transaction, and shows it at the end.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from regportal.connectors.base import Notice
from regportal.connectors.places import Place, cursor_of, places_of, settled
from regportal.connectors.rules import in_full
from regportal.connectors.schema import Connector as Document
from regportal.connectors.telling import notice
from regportal.connectors.tryton.api import EVERYONE, Api

GRAIN = timedelta(microseconds=1)
CLOSED = ("won", "lost", "cancelled")
"""States of an opportunity in which nothing is to be decided any more. In `converted` a quotation
is out: the customer decides now."""
NEWSLETTER = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
OPPORTUNITY = (
    "rec_name",
    "description",
    "state",
    "conversion_probability",
    "amount",
    "currency.code",
    "end_date",
    "employee.party.name",
    "employee.party.email",
    "party.name",
    "party.email",
    "contact.party.name",
    "contact.party.email",
    "contact.party.regportal_id",
    "party.regportal_id",
)


@dataclass(frozen=True, slots=True)
class Stream:
    """Records of one kind, in the order in which they were changed."""

    model: str
    domain: Sequence[Any]
    fields: Sequence[str]

    told: Callable[[Mapping[str, Any]], list[Notice]]
    most: int = 1
    """Pieces of news of one record."""
    everyone: bool = False
    """Whether also of what is not in use any more."""

    def after(self, api: Api, place: Place, limit: int) -> tuple[list[Notice], Place]:
        """Return at most so much news from after a place, and from where to ask on."""
        news: list[Notice] = []
        place = place.turned(settled(api.clock, GRAIN))
        while (left := (limit - len(news)) // self.most) > 0:
            rows = self._rows(api, place, left)
            news += [one for row in rows for one in self.told(row)]
            if rows:
                last = rows[-1]["at"], str(rows[-1]["id"])
                place = place.after(*last, settled(api.clock, GRAIN))
            if len(rows) < left:
                break
        return news, place

    def _rows(self, api: Api, place: Place, limit: int) -> list[Mapping[str, Any]]:
        """Return the next records: what was never written again has only been created."""
        rows: list[Mapping[str, Any]] = [
            {**row, "at": row["write_date"] or row["create_date"]}
            for column, more in (("write_date", []), ("create_date", [["write_date", "=", None]]))
            for row in api.rows(
                self.model,
                [*self.domain, *more, _later(column, place)],
                [*self.fields, "create_date", "write_date"],
                [[column, "ASC"], ["id", "ASC"]],
                limit,
                active_test=not self.everyone,
            )
        ]
        return sorted(rows, key=lambda row: (row["at"], row["id"]))[:limit]


def news_after(
    api: Api, document: Document, cursor: str | None, limit: int
) -> tuple[Sequence[Notice], str]:
    """
    Return at most so much of what happened after a cursor, and the cursor to ask with next.

    Of an opportunity it is told also who has a part in it.
    """
    names = {name: key for key, name in document.newsletters.items()}
    opportunities = Stream("sale.opportunity", [], OPPORTUNITY, _of_opportunity, 2)
    streams = [opportunities, _merges(api)]
    if "consent" in document.sends:  # else Tryton may know nothing of newsletters
        streams.append(_opt_outs(api, names))
    news: list[Notice] = []
    ends: list[Place] = []
    for stream, place in zip(streams, places_of(cursor, len(streams)), strict=False):
        more, end = stream.after(api, place, limit - len(news))
        news += more
        ends.append(end)
    return news, cursor_of(ends)


def _merges(api: Api) -> Stream:
    """Return parties that became part of another one."""
    return Stream(
        "party.party",
        [["replaced_by", "!=", None]],
        ["regportal_id", "replaced_by"],
        lambda row: _of_merge(row, api),
        everyone=True,
    )


def _opt_outs(api: Api, names: Mapping[str, str]) -> Stream:
    """Return addresses that somebody took off a list: not those that we did."""
    users = sorted({row["user"] for row in api.rows("res.user.application", [], ["user"])})
    domain: list[Any] = [["active", "=", False]]
    if len(users) == 1:  # one who may see only his own applications: that is us
        domain.append(["OR", ["write_uid", "=", None], ["write_uid", "not in", users]])
    return Stream(
        "marketing.email",
        domain,
        ["email", "list_.name"],
        lambda row: _of_withdrawal(row, names),
        everyone=True,
    )


def _later(column: str, place: Place) -> list[Any]:
    """Return the condition that something happened after a place."""
    same = [[column, "=", place.at], ["id", ">", int(place.tie or 0)]]
    return ["OR", [column, ">", place.at], same]


def _of_opportunity(row: Mapping[str, Any]) -> list[Notice]:
    """Tell of an opportunity, and of whoever has a part in it."""
    id, at = str(row["id"]), row["at"]
    party, contact = row.get("party.") or {}, (row.get("contact.") or {}).get("party.") or {}
    seller = (row.get("employee.") or {}).get("party.") or {}
    told: dict[str, Any] = {
        "external_id": id,
        "name": row["description"] or row["rec_name"],
        "stage": row["state"],
        "probability": round(row["conversion_probability"] * 100, 2),
        "amount": None if row["amount"] is None else str(row["amount"]),
        "currency": (row.get("currency.") or {}).get("code"),
        "close_date": row["end_date"] and row["end_date"].isoformat(),
        "is_closed": row["state"] in CLOSED,
        "is_won": row["state"] == "won",
        "owner": {"name": seller.get("name"), "email": seller.get("email") or None}
        if seller
        else None,
    }
    if party and contact and party["id"] != contact["id"]:  # else nobody knows which it is
        told["account"] = {"external_id": str(party["id"]), "name": party.get("name")}
    person = contact or party
    whose = _whose(person)
    if whose:  # nobody else has a part
        told["contacts"] = [whose]
    news = [notice("opportunity.upserted", told, in_full(at), id)]
    if whose:
        role = {"opportunity": id, **whose}
        news.append(notice("contact_role.added", role, in_full(at), id, str(person["id"])))
    return news


def _of_merge(row: Mapping[str, Any], api: Api) -> list[Notice]:
    """Tell that two contacts are one: where we know the one that went."""
    if not row["regportal_id"]:
        return []
    domain = [["id", "=", row["replaced_by"]], EVERYONE]
    parties = api.rows("party.party", domain, ["email", "regportal_id"])
    return [
        notice("contact.merged", told, in_full(row["at"]), str(row["id"]))
        for party in parties
        if (into := party["regportal_id"] or party["email"])
        for told in [{"contact": row["regportal_id"], "into": into}]
    ]


def _of_withdrawal(row: Mapping[str, Any], names: Mapping[str, str]) -> list[Notice]:
    """Tell that an address was taken off a list, where that is one of our newsletters."""
    name = row["list_."]["name"]
    newsletter = names.get(name, name)
    if not NEWSLETTER.fullmatch(newsletter or ""):
        return []
    told = {"email": row["email"], "newsletter": newsletter}
    return [notice("consent.withdrawn", told, in_full(row["at"]), str(row["id"]))]


def _whose(party: Mapping[str, Any]) -> dict[str, str] | None:
    """Return how a party is named: by our key, else by its address."""
    if party.get("regportal_id"):
        return {"contact": party["regportal_id"]}
    return {"email": party["email"]} if party.get("email") else None
