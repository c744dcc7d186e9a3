"""What contacts did, as notes beside them and beside their deals."""

from collections.abc import Sequence

from regportal.connectors.desk import Activity, NotTakenError, Written
from regportal.connectors.hubspot.asking import Hub
from regportal.connectors.hubspot.reading import id_of, properties
from regportal.connectors.hubspot.values import page
from regportal.connectors.rules import Outcome
from regportal.connectors.wanted import KEYS

NOTES, CONTACTS, DEALS = "notes", "contacts", "deals"
KEY = KEYS["activity"]
GONE = Written(None, Outcome.LATER, "the contact went away")


class Notes:
    """
    The notes of one account that are ours: each has the activity's id in a property of its own.

    That is what makes one that is told again the same note; a note found by a search would be
    found too late.
    """

    def __init__(self, hub: Hub) -> None:
        """Take where to ask."""
        self._hub = hub

    def log(self, activities: Sequence[Activity]) -> list[Written]:
        """Let activities be seen; an opportunity that is gone has nothing beside it."""
        inputs = [
            {
                "id": str(one.id),
                "idProperty": KEY,
                "properties": {"hs_timestamp": one.at, "hs_note_body": page(one.body)},
            }
            for one in activities
        ]
        became = self._hub.batch(NOTES, "upsert", inputs)
        made = [
            (one, id_of(row))
            for one, row in zip(activities, became, strict=True)
            if not isinstance(row, NotTakenError)
        ]
        lost = self._hub.put_beside(NOTES, CONTACTS, [(id, one.contact) for one, id in made])
        deals = [(id, deal) for one, id in made for deal in one.opportunities if deal.isdecimal()]
        self._hub.put_beside(NOTES, DEALS, deals)
        return [
            Written.refused(row)
            if isinstance(row, NotTakenError)
            else GONE
            if (id_of(row), one.contact) in lost
            else Written(id_of(row))
            for one, row in zip(activities, became, strict=True)
        ]

    def forget(self, contacts: Sequence[str]) -> dict[str, Written]:
        """
        Delete our notes beside contacts; those of others stay.

        Return what could not be deleted, by contact.
        """
        beside = self._hub.beside(CONTACTS, contacts, NOTES)
        rows = self._hub.read(NOTES, [id for ids in beside.values() for id in ids], [KEY])
        ours = [id_of(row) for row in rows if properties(row).get(KEY)]
        kept = self._hub.archive(NOTES, ours)
        return {contact: kept[id] for contact, ids in beside.items() for id in ids if id in kept}
