"""What contacts did, as notes in the chatter of contacts and opportunities."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from regportal.connectors.desk import Activity, NotTakenError, Written
from regportal.connectors.odoo.many import done
from regportal.connectors.odoo.shape import LEAD, PERSON
from regportal.connectors.odoo.transport import Odoo
from regportal.connectors.odoo.values import moment, page
from regportal.connectors.rules import TAKEN, Outcome

MESSAGE = "mail.message"
NOTE = "mail.mt_note"
WE = "@regportal>"
"""How the ids of our messages end."""


class Notes:
    """Notes are messages with ids of ours: by these, one that is told again is there already."""

    def __init__(self, odoo: Odoo) -> None:
        """Take how to call Odoo."""
        self._odoo = odoo

    def log(self, activities: Sequence[Activity]) -> list[Written]:
        """
        Let activities be seen, one note beside each contact and each of his opportunities.

        They are made in one call and told to nobody who follows a record. An opportunity that
        went away harms no note beside the contact.
        """
        places = [(index, note) for index, one in enumerate(activities) for note in _notes(one)]
        ids = [note["message_id"] for _, note in places]
        there = self._there([["message_id", "in", ids]])
        new = [(index, note) for index, note in places if note["message_id"] not in there]
        made = done([note for _, note in new], self._make)
        results = [Written(str(one.id), Outcome.NOOP) for one in activities]
        for (index, note), written in zip(new, made, strict=True):
            if note["model"] == PERSON or written.outcome in TAKEN:
                results[index] = _worse(results[index], written)
        return results

    def forget(self, marks: Sequence[str]) -> dict[str, Written]:
        """
        Delete what we logged of people, by our keys of them or the contacts that they were.

        Return what could not be deleted, by these.
        """
        whose = {id: mark for mark in marks for id in self._there(_of(mark)).values()}
        ended = zip(whose, done([*whose], self._deleted), strict=True)
        return {whose[id]: one for id, one in ended if one.outcome not in TAKEN}

    def _deleted(self, ids: Sequence[int]) -> Sequence[int]:
        """Delete notes in one call."""
        self._odoo.call(MESSAGE, "unlink", ids)
        return ids

    def _make(self, notes: Sequence[Mapping[str, Any]]) -> Sequence[int]:
        """Make notes in one call."""
        new = [{**note, "subtype_id": self._subtype} for note in notes]
        made: Sequence[int] = self._odoo.call(MESSAGE, "create", vals_list=new)
        return made

    def _there(self, domain: Sequence[Any]) -> dict[str, int]:
        """Return notes that are there: id of the message → id of its record."""
        rows = self._odoo.call(
            MESSAGE, "search_read", domain=domain, fields=["message_id"], order="id"
        )
        return {row["message_id"]: row["id"] for row in rows}

    @functools.cached_property
    def _subtype(self) -> int:
        """Return by what Odoo knows a note from a message to a customer."""
        model, domain = f"{MESSAGE}.subtype", [["internal", "=", True]]
        rows = self._odoo.call(model, "search_read", domain=domain, fields=["id"])
        named = self._odoo.call(model, "get_external_id", [row["id"] for row in rows])
        for id, name in named.items():
            if name == NOTE and id.isdecimal():
                return int(id)
        raise NotTakenError(Outcome.REJECTED, "Odoo has no notes")


def _of(mark: str) -> list[list[Any]]:
    """Return the condition for what we logged of somebody."""
    return [["model", "in", [PERSON, LEAD]], ["message_id", "=like", f"%.{mark}{WE}"]]


def _notes(activity: Activity) -> list[dict[str, Any]]:
    """Return the notes of an activity: the first is the contact's."""
    by_hand = {
        "subject": activity.subject,
        "body": page(activity.body),
        "date": moment(activity.at),
        "message_type": "comment",
        "is_internal": True,
    }
    about = f"{activity.id}.{{}}.{activity.key}{WE}"
    deals = [one for one in activity.opportunities if one.isdecimal()]
    places = [(PERSON, activity.contact), *((LEAD, one) for one in deals)]
    return [
        {
            **by_hand,
            "model": model,
            "res_id": int(id),
            "message_id": f"<{about.format(f'{model}-{id}')}",
        }
        for model, id in places
    ]


def _worse(before: Written, now: Written) -> Written:
    """Return what becomes of an activity with several notes."""
    return before if before.outcome not in TAKEN else now
