"""
What happened in an org, asked for again and again: it sends nothing that is signed.

Salesforce stamps a record with the second in which it was written, and shows it when the
transaction is over: so what may have come late is read once more, and has the id it had. Deleted
records are asked for too, as long as they are in the recycle bin.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from regportal.connectors.base import Notice
from regportal.connectors.places import SECOND, START, Place, cursor_of, places_of, settled
from regportal.connectors.rules import in_full
from regportal.connectors.salesforce.api import Salesforce
from regportal.connectors.salesforce.campaigns import NO_MAIL, UNSUBSCRIBED
from regportal.connectors.salesforce.people import KEY
from regportal.connectors.salesforce.soql import moment, quoted, read_moment, select, value_at
from regportal.connectors.schema import Connector as Document
from regportal.connectors.shapes import Row
from regportal.connectors.telling import domain_of, notice

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""What the key of a newsletter looks like."""
CURRENCY = "CurrencyIsoCode"
"""There only where an org has several currencies."""
DEAL = (
    *("Name", "StageName", "Probability", "Amount", "CloseDate", "IsClosed", "IsWon", "IsDeleted"),
    *("AccountId", "Account.Name", "Account.Website", "Owner.Name", "Owner.Email"),
)
ROLE = ("OpportunityId", "ContactId", "Role", "IsPrimary", "IsDeleted", "Contact.Email")
MEMBER = ("ContactId", "Contact.Email", "CampaignId", "Campaign.Name")
GONE = ("Email", KEY, "MasterRecordId", "MasterRecord.Email", f"MasterRecord.{KEY}")


@dataclass(frozen=True, slots=True)
class Sweep:
    """Records of one kind, in the order in which they were written."""

    kind: str
    what: Sequence[str]
    where: Sequence[str]
    tell: Callable[[Row], Iterator[Notice]]


class News:
    """The changes of one org. Its cursor is a place in each sweep."""

    def __init__(self, document: Document, salesforce: Salesforce) -> None:
        """Take how campaigns are called here, and whom to ask."""
        self._salesforce, self._url = salesforce, document.url.rstrip("/")
        self._keys = {name: key for key, name in document.newsletters.items()}
        self._with_consent = "consent" in document.sends

    def after(self, cursor: str | None, limit: int) -> tuple[list[Notice], str]:
        """
        Return at most so much news after a cursor, and the cursor to ask with next.

        All sweeps are one call. Each may tell an equal part, but at least one piece.
        """
        sweeps = [*self._sweeps()]
        places = places_of(cursor, len(sweeps))
        till = settled(self._salesforce.clock, SECOND)
        turned = [place.turned(till) for place in places]
        most = max(limit // len(sweeps), 1)
        texts = [self._asks(*one, most) for one in zip(sweeps, turned, strict=False)]
        news: list[Notice] = []
        further: list[Place] = []
        found = self._salesforce.query(*texts, deleted=True)
        for sweep, place, rows in zip(sweeps, turned, found, strict=False):
            news += [one for row in rows for one in sweep.tell(row)]
            end = place.after(_at(rows[-1]), str(rows[-1]["Id"]), till) if rows else place
            further.append(end)
        return news, cursor_of(further)

    @staticmethod
    def _asks(sweep: Sweep, place: Place, most: int) -> str:
        """Return the question for the next records of a sweep."""
        what, where = ("SystemModstamp", *sweep.what), (_behind(place), *sweep.where)
        return select(what, sweep.kind, *where, order="SystemModstamp, Id", limit=most)

    def _sweeps(self) -> Iterator[Sweep]:
        """Yield what is looked through."""
        about_deals = self._salesforce.described("Opportunity")["fields"]
        has_currencies = any(one.get("name") == CURRENCY for one in about_deals)
        deal = (*DEAL, CURRENCY) if has_currencies else DEAL
        yield Sweep("Opportunity", deal, (), self._deal)
        yield Sweep("OpportunityContactRole", (*ROLE, f"Contact.{KEY}"), (), _role)
        yield Sweep("Contact", GONE, ("IsDeleted = true", f"{KEY} != null"), _gone)
        if not self._with_consent:
            return
        theirs = f"LastModifiedById != {quoted(self._salesforce.user())}"
        where = (f"Status = {quoted(UNSUBSCRIBED)}", "ContactId != null", theirs)
        yield Sweep("CampaignMember", MEMBER, where, self._withdrawn)
        about = self._salesforce.described("Contact")["fields"]
        if any(one.get("name") == NO_MAIL for one in about):
            where = (f"{NO_MAIL} = true", f"{KEY} != null", "IsDeleted = false")
            yield Sweep("Contact", ("Email",), where, _no_mail)

    def _deal(self, row: Row) -> Iterator[Notice]:
        """Tell of an opportunity as it is: one that is deleted is closed."""
        owner, account = row.get("Owner") or {}, row.get("Account") or {}
        amount, is_gone = row.get("Amount"), row.get("IsDeleted") is True
        told = {
            "external_id": row["Id"],
            "name": row.get("Name"),
            "stage": row.get("StageName"),
            "probability": min(max(row.get("Probability") or 0, 0), 100),
            "amount": None if amount is None else str(amount),
            "close_date": row.get("CloseDate"),
            "is_closed": is_gone or row.get("IsClosed") is True,
            "is_won": not is_gone and row.get("IsWon") is True,
            "url": f"{self._url}/lightning/r/Opportunity/{row['Id']}/view",
            "owner": {"name": owner.get("Name"), "email": owner.get("Email")} if owner else None,
            "account": _account(row["AccountId"], account) if account else None,
        }
        told |= {"currency": row[CURRENCY]} if CURRENCY in row else {}
        yield _notice("opportunity.upserted", row, told)

    def _withdrawn(self, row: Row) -> Iterator[Notice]:
        """Tell that somebody no longer wants a campaign that is a newsletter here."""
        name, email = str(value_at(row, "Campaign.Name")), value_at(row, "Contact.Email")
        key = self._keys.get(str(row["CampaignId"]), self._keys.get(name, name))
        if email and NAME.fullmatch(key):
            yield _notice("consent.withdrawn", row, {"email": email, "newsletter": key})


def _behind(place: Place) -> str:
    """
    Return the condition that something comes behind a place.

    >>> _behind(Place(START)), _behind(Place(START, "006A")).partition(" OR ")[2]
    ('SystemModstamp >= 1970-01-01T00:00:00Z',
     "(SystemModstamp = 1970-01-01T00:00:00Z AND Id > '006A'))")
    """
    at = moment(place.at)
    if not place.tie:
        return f"SystemModstamp >= {at}"
    same = f"(SystemModstamp = {at} AND Id > {quoted(place.tie)})"
    return f"(SystemModstamp > {at} OR {same})"


def _role(row: Row) -> Iterator[Notice]:
    """Tell that a contact has a part in an opportunity, or has none any more."""
    key, email = value_at(row, f"Contact.{KEY}"), value_at(row, "Contact.Email")
    if not key and not email:
        return
    who = {"contact": key} if key else {"email": email}
    told = {"opportunity": row["OpportunityId"], **who}
    if row.get("IsDeleted") is True:
        yield _notice("contact_role.removed", row, told)
        return
    told |= {"role": row.get("Role"), "is_primary": row.get("IsPrimary") is True}
    yield _notice("contact_role.added", row, {k: one for k, one in told.items() if one is not None})


def _gone(row: Row) -> Iterator[Notice]:
    """Tell that a contact of ours was merged into another, or deleted."""
    into = value_at(row, f"MasterRecord.{KEY}") or value_at(row, "MasterRecord.Email")
    if row.get("MasterRecordId") and into:
        if into != row[KEY]:
            yield _notice("contact.merged", row, {"contact": row[KEY], "into": into})
    elif row.get("Email"):
        yield _notice("contact.deleted", row, {"email": row["Email"]})


def _no_mail(row: Row) -> Iterator[Notice]:
    """
    Tell that somebody wants no mail at all, each time that the contact was written.

    Since when it stands is not told: it may have been taken back, and said once more.
    """
    if row.get("Email"):
        about = NO_MAIL, str(row["Id"]), in_full(_at(row))
        yield notice("consent.withdrawn", {"email": row["Email"]}, None, *about)


def _account(id: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the account of an opportunity."""
    domain = domain_of(told.get("Website"))
    return {"external_id": id, "name": told.get("Name"), "domain": domain}


def _at(row: Row) -> datetime:
    """Return when a record was written last."""
    return read_moment(row.get("SystemModstamp")) or START


def _notice(type_: str, row: Row, told: Mapping[str, Any]) -> Notice:
    """Return news of a record as it was written last."""
    return notice(type_, told, in_full(_at(row)), str(row["Id"]))
