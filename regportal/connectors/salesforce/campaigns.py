"""
Newsletters: a campaign each, of which a contact is a member who is subscribed, or is not.

A campaign is known by its name or by its id; where there is none of that name, it is made.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from regportal.connectors.desk import Allowing, Written, worst
from regportal.connectors.judging import EVERY, Subscription, joined
from regportal.connectors.rules import Outcome
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

    def allow(self, wanted: Sequence[Allowing]) -> list[Written]:
        """Let contacts be subscribed to a campaign, or to none of its name any more."""
        campaigns = {
            name: self._campaigns(name) for name in dict.fromkeys(one.list for one in wanted)
        }
        results: dict[int, list[Written]] = {}
        places: list[tuple[int, str]] = []
        for place, one in enumerate(wanted):
            there_are = campaigns[one.list]
            if isinstance(there_are, Written):
                results[place] = [there_are]
            elif one.is_allowed and len(there_are) > 1:
                says = f"Salesforce has several campaigns {one.list!r}"
                results[place] = [Written(None, Outcome.REJECTED, says)]
            else:
                places += [(place, campaign) for campaign in there_are]
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
                results.setdefault(place, []).append(became)
        return [worst(results[place]) for place in range(len(wanted))]

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

    def _campaigns(self, name: str) -> list[str] | Written:
        """Return the campaigns of a name, ready for members; or why there is none."""
        there = self._named(name)
        if not there and whole(name):
            return Written(None, Outcome.REJECTED, f"Salesforce has no campaign {name}")
        if not there:
            (made,) = self._salesforce.insert("Campaign", [{"Name": name, "IsActive": True}])
            if made.id is None:
                return made
            there = [made.id]
        amiss = [self._with_states(one) for one in there]
        return next((one for one in amiss if one is not None), there)

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
