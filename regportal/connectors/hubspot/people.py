"""Contacts: found by our key or by an address, made by our key."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from regportal.connectors.base import Record
from regportal.connectors.desk import Written
from regportal.connectors.hubspot.asking import Hub, by_address, settled
from regportal.connectors.hubspot.judging import TakenError
from regportal.connectors.hubspot.reading import id_of, properties
from regportal.connectors.hubspot.values import many
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Row
from regportal.connectors.wanted import KEY

CONTACTS, EMAIL, OTHERS = "contacts", "email", "hs_additional_emails"
REMEMBERED = 1000


class People:
    """The contacts of one account."""

    def __init__(self, hub: Hub) -> None:
        """Take where to ask."""
        self._hub = hub
        self._second: OrderedDict[str, str] = OrderedDict()
        """Whose second address one is, as HubSpot said when we were to make a contact with it."""

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> list[Sequence[Record]]:
        """Return the contacts that each is: by our key, and only where none has it by address."""
        names = [EMAIL, OTHERS, KEY, *fields]
        keys = self._by_key([who.key for who in whose], names)
        unknown = [who.email.lower() for who in whose if who.key not in keys]
        rows = self._hub.read(CONTACTS, unknown, names, by=EMAIL)
        second = [self._second[one] for one in unknown if one in self._second]
        rows += self._hub.read(CONTACTS, second, names)
        addresses = by_address({id_of(row): row for row in rows}.values(), _addresses)
        return [
            [self.record(keys[who.key])]
            if who.key in keys
            else [self.record(row) for row in addresses.get(who.email.lower(), ())]
            for who in whose
        ]

    def keyed(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """Return the contacts with keys of ours: key → ids."""
        return {key: [id_of(row)] for key, row in self._by_key(keys, [KEY]).items()}

    def _by_key(self, keys: Sequence[str], names: Sequence[str]) -> dict[str, Row]:
        """Return contacts by our key."""
        rows = self._hub.read(CONTACTS, keys, names, by=KEY)
        return {str(properties(row).get(KEY)): row for row in rows}

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """Return contacts by id; of those that were merged only the one that is left."""
        rows = self._hub.read(CONTACTS, ids, fields)
        return {id_of(row): self.record(row) for row in rows}

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> list[Written]:
        """
        Make contacts by our key: HubSpot makes no second one with it.

        Where it says that another one has the address among its others, that one is looked at
        the next time.
        """
        inputs = [
            {
                "id": who.key,
                "idProperty": KEY,
                "properties": {EMAIL: who.email, **values},
            }
            for who, values in people
        ]
        made = []
        for (who, _), became in zip(
            people, self._hub.batch(CONTACTS, "upsert", inputs), strict=True
        ):
            if isinstance(became, TakenError):
                self._remember(who.email.lower(), became.id)
                says = "a contact of HubSpot has this address by now"
                made.append(Written(None, Outcome.LATER, says))
            else:
                made.append(settled(became))
        return made

    def update(self, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> list[Written]:
        """Set fields of contacts."""
        inputs = [{"id": record.id, "properties": values} for record, values in changes]
        return [settled(one) for one in self._hub.batch(CONTACTS, "update", inputs)]

    def record(self, row: Row) -> Record:
        """Return a contact."""
        return Record(id_of(row), self._hub.values(CONTACTS, row))

    def _remember(self, address: str, id: str) -> None:
        """Keep whose second address this is: a search would find it only after a while."""
        self._second[address] = id
        if len(self._second) > REMEMBERED:
            self._second.popitem(last=False)


def _addresses(row: Row) -> list[str]:
    """Return every address of a contact."""
    told = properties(row)
    return [one.lower() for one in [*many(told.get(EMAIL)), *many(told.get(OTHERS))]]
