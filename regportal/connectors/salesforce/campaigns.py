"""
Newsletters: a campaign each, of which a contact is a member who is subscribed, or is not.

A campaign is known by its name or by its id; where there is none of that name, it is made.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from regportal.connectors.desk import Allowing, Written
from regportal.connectors.judging import EVERY, Subscription, joined
from regportal.connectors.salesforce.api import Salesforce
from regportal.connectors.salesforce.soql import (
    among,
    quoted,
    read_moment,
    select,
    value_at,
    whole,
    wholes,
)

SUBSCRIBED, UNSUBSCRIBED = "Subscribed", "Unsubscribed"
STATES = (SUBSCRIBED, UNSUBSCRIBED)
NO_MAIL = "HasOptedOutOfEmail"
"""A "no" to all mail; many orgs hide this field."""


class Campaigns:
    """The campaigns of one org that are newsletters."""

    def __init__(self, salesforce: Salesforce) -> None:
        """Take whom to ask."""
        self._salesforce = salesforce

    def lists_of(self, contacts: Sequence[str]) -> dict[str, dict[str, Subscription]]:
        """
        Return what contacts allow, by the name and by the id of each campaign.

        Of two campaigns of one name the "no" counts. Since when is when the member was changed
        last.
        """
        wanted = wholes(contacts)
        found: dict[str, dict[str, Subscription]] = {full: {} for full in wanted.values()}
        rows = self._salesforce.rows(
            ["ContactId", "CampaignId", "Campaign.Name", "Status", "LastModifiedDate"],
            "CampaignMember",
            ("ContactId", wanted.values()),
            among("Status", STATES),
        )
        for row in rows:
            is_allowed = row.get("Status") == SUBSCRIBED
            said = Subscription(is_allowed, read_moment(row.get("LastModifiedDate")))
            his = found.get(str(row.get("ContactId")), {})
            for name in (str(row.get("CampaignId")), str(value_at(row, "Campaign.Name"))):
                his[name] = joined(his.get(name), said)
        for full in self._no_mail([*found]):
            found.setdefault(full, {})[EVERY] = Subscription(is_allowed=False)
        return {id: found[full] for id, full in wanted.items()}

    def _no_mail(self, contacts: Sequence[str]) -> list[str]:
        """Return which contacts want no mail at all, as far as we are shown it."""
        if not self.shows_no_mail():
            return []
        rows = self._salesforce.rows([], "Contact", ("Id", contacts), f"{NO_MAIL} = true")
        return [str(row["Id"]) for row in rows]

    def shows_no_mail(self) -> bool:
        """Return whether we are shown who wants no mail at all."""
        fields = self._salesforce.described("Contact")["fields"]
        return any(one.get("name") == NO_MAIL for one in fields)

    def named(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Return the ids of all campaigns that each name, or id, means; a missing name is made."""
        there = {name: self._named(name) for name in names}
        return {name: ids for name, ids in there.items() if ids or whole(name)}

    def allow(self, wanted: Sequence[Allowing]) -> list[Written]:
        """Let contacts be subscribed to a campaign, or to none any more."""
        meant = dict.fromkeys((one.list, one.list_id) for one in wanted)
        campaigns = {one: self._ready(*one) for one in meant}
        results: dict[int, Written] = {}
        places: list[tuple[int, str]] = []
        for place, one in enumerate(wanted):
            campaign = campaigns[one.list, one.list_id]
            if isinstance(campaign, Written):
                results[place] = campaign
            else:
                places.append((place, campaign))
        there = self._members([(campaign, wanted[place].contact) for place, campaign in places])
        new, old = [], []
        for place, campaign in places:
            one = wanted[place]
            status = {"Status": SUBSCRIBED if one.is_allowed else UNSUBSCRIBED}
            member = there.get((campaign, one.contact))
            if member is None:
                made = {"CampaignId": campaign, "ContactId": one.contact, **status}
                new.append((place, made))
            else:
                old.append((place, {"Id": member, **status}))
        for some_, write in ((new, self._salesforce.insert), (old, self._salesforce.update)):
            done = write("CampaignMember", [told for _, told in some_])
            for (place, _), became in zip(some_, done, strict=True):
                results[place] = became
        return [results[place] for place in range(len(wanted))]

    def _members(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Return the members by campaign and contact."""
        if not pairs:
            return {}
        ours = among("CampaignId", sorted({campaign for campaign, _ in pairs}))
        whose = ("ContactId", [contact for _, contact in pairs])
        asked = ["CampaignId", "ContactId"]
        rows = self._salesforce.rows(asked, "CampaignMember", whose, ours)
        return {(str(row.get("CampaignId")), str(row.get("ContactId"))): row["Id"] for row in rows}

    # --- campaigns ---

    def _named(self, name: str) -> list[str]:
        """Return the campaigns that a name, or an id, means."""
        id = whole(name)
        which = f"Id = {quoted(id)}" if id else f"Name = {quoted(name)}"
        text = select([], "Campaign", which, order="CreatedDate, Id")
        (rows,) = self._salesforce.query(text)
        return [str(row["Id"]) for row in rows]

    def _ready(self, name: str, id: str | None) -> str | Written:
        """Return a campaign that is ready for members, made where there is none; or why not."""
        if id is None:
            (made,) = self._salesforce.insert("Campaign", [{"Name": name, "IsActive": True}])
            if made.id is None:
                return made
            id = made.id
        return self._with_states(id) or id

    def _with_states(self, campaign: str) -> Written | None:
        """Let members of a campaign be able to subscribe and unsubscribe; None: they are."""
        its = f"CampaignId = {quoted(campaign)}"
        text = select(["Label", "SortOrder"], "CampaignMemberStatus", its)
        (rows,) = self._salesforce.query(text)
        labels = {row.get("Label") for row in rows}
        last = max((n for row in rows if isinstance(n := row.get("SortOrder"), int)), default=0)
        lacks = [one for one in STATES if one not in labels]
        new: list[Mapping[str, Any]] = [
            {
                "CampaignId": campaign,
                "Label": label,
                "SortOrder": last + 1 + number,
                "HasResponded": label == SUBSCRIBED,
            }
            for number, label in enumerate(lacks)
        ]
        made = self._salesforce.insert("CampaignMemberStatus", new)
        return next((one for one in made if one.id is None), None)
