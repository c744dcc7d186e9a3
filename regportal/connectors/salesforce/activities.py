"""
What contacts did, as tasks that are done already.

Our id of the deed is an external id of the task, so one that is told again is not there twice. A
task hangs on one opportunity only: the first of them shares it with the contact, every other one
has a task of its own, whose id ends with the opportunity's.
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from regportal.connectors.desk import Activity, Written
from regportal.connectors.salesforce.api import Salesforce
from regportal.connectors.salesforce.deals import Deals
from regportal.connectors.salesforce.soql import select, starting, whole, wholes

EVENT = "Regportal_Event_Id__c"
DONE = "Completed"
LONGEST, LONGEST_SUBJECT = 32_000, 255
BESIDE = 20
"""Deeds whose further tasks are looked for in one question."""


def tasks_of(activity: Activity, deals: Sequence[str]) -> list[dict[str, Any]]:
    """Return the tasks of one deed, beside the contact and beside these opportunities."""
    told = {
        "Subject": activity.subject[:LONGEST_SUBJECT],
        "Description": activity.body[:LONGEST],
        "ActivityDate": f"{activity.at.astimezone(UTC):%Y-%m-%d}",
        "Status": DONE,
    }
    first = {EVENT: str(activity.id), "WhoId": activity.contact, **told}
    first |= {"WhatId": deals[0]} if deals else {}
    return [first, *({EVENT: f"{activity.id}:{one}", "WhatId": one, **told} for one in deals[1:])]


def beside(events: Sequence[str]) -> str:
    """
    Return the condition for the further tasks of deeds.

    >>> beside(["1", "2"])
    "Regportal_Event_Id__c LIKE '1:%' OR Regportal_Event_Id__c LIKE '2:%'"
    """
    return " OR ".join(f"{EVENT} LIKE {starting(f'{one}:')}" for one in events)


class Activities:
    """The tasks of one org."""

    def __init__(self, salesforce: Salesforce, deals: Deals) -> None:
        """Take whom to ask, and the opportunities."""
        self._salesforce, self._deals = salesforce, deals

    def log(self, activities: Sequence[Activity]) -> list[Written]:
        """Let activities be seen; beside an opportunity that is not there any more, not."""
        asked = {id for one in activities for id in one.opportunities}
        there = self._deals.existing([*asked]) if asked else set()
        tasks = []
        for place, one in enumerate(activities):
            deals = [full for id in one.opportunities if (full := whole(id)) in there and full]
            tasks += [(place, task) for task in tasks_of(one, deals)]
        tasks.sort(key=lambda pair: (pair[1].get("WhoId") or "", pair[1].get("WhatId") or ""))
        done = self._salesforce.upsert("Task", EVENT, [task for _, task in tasks])
        became: dict[int, Written] = {}
        for (place, _), written in zip(tasks, done, strict=True):
            if place not in became or became[place].id is not None:  # what failed counts
                became[place] = written
        return [became[place] for place in range(len(activities))]

    def forget(self, contacts: Sequence[str]) -> dict[str, Written]:
        """Delete what we logged of contacts; return what could not be deleted, by contact."""
        whose: dict[str, str] = {}
        events: dict[str, str] = {}
        his = ("WhoId", wholes(contacts).values())
        for row in self._salesforce.rows(["WhoId", EVENT], "Task", his, f"{EVENT} != null"):
            whose[row["Id"]] = events[str(row.get(EVENT))] = str(row.get("WhoId"))
        known = [*events]
        texts = [
            select([EVENT], "Task", beside(known[first : first + BESIDE]))
            for first in range(0, len(known), BESIDE)
        ]
        for row in (row for rows in self._salesforce.query(*texts) for row in rows):
            of = events.get(str(row.get(EVENT)).partition(":")[0])
            whose |= {row["Id"]: of} if of is not None else {}
        ended = zip(whose, self._salesforce.delete([*whose]), strict=True)
        return {whose[id]: one for id, one in ended if one.id is None}
