"""What would become of changes: everything is looked up in a CRM, and nothing is written there."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from regportal.connectors.base import (
    Finding,
    InboundReply,
    InboundRequest,
    Kind,
    Notice,
    Record,
    Unsupported,
)
from regportal.connectors.desk import Activity, Allowing, Desk, Erased, Field, FieldPlan, Written
from regportal.connectors.judging import Subscription
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome

NEW = "new "
"""How ids begin of records that would be made: of a CRM none does."""


class Rehearsal:
    """A desk that asks another one, and does not write: it says what it would have written."""

    def __init__(self, desk: Desk) -> None:
        """Take the desk that is asked."""
        self._desk, self.capabilities = desk, desk.capabilities

    def spell(self, name: str) -> str:
        """Return how the CRM spells a field of ours."""
        return self._desk.spell(name)

    def fields(self, kind: Kind) -> Mapping[str, Field] | Unsupported:
        """Return which fields such records have, by name."""
        return self._desk.fields(kind)

    def make(self, fields: Sequence[FieldPlan]) -> Unsupported:
        """Make nothing."""
        del fields
        return Outcome.UNSUPPORTED

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> Sequence[Sequence[Record]]:
        """Return the contacts that each is."""
        return self._desk.find(whose, fields)

    def keyed(self, kind: Kind, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return which contacts, or leads, are there with these keys of ours."""
        return self._desk.keyed(kind, keys)

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        """Return records by id; one that is not there any more is left out."""
        return self._desk.read(kind, ids, fields)

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Say which contacts would be made."""
        return [
            Written(f"{NEW}{who.key}", says=_names(values), created=True) for who, values in people
        ]

    def update(
        self, kind: Kind, changes: Sequence[tuple[Record, Mapping[str, Any]]]
    ) -> Sequence[Written]:
        """Say which fields would be set."""
        del kind
        return [Written(record.id, says=_names(values)) for record, values in changes]

    def log(self, activities: Sequence[Activity]) -> Sequence[Written]:
        """Say that activities would be seen."""
        return [Written(one.contact) for one in activities]

    def lists(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the ids of all lists that each name means."""
        return self._desk.lists(names)

    def lists_of(self, contacts: Mapping[str, str]) -> Mapping[str, Mapping[str, Subscription]]:
        """Return what contacts allow; of those that would be made nothing is known."""
        there = {id: email for id, email in contacts.items() if not id.startswith(NEW)}
        return self._desk.lists_of(there) if there else {}

    def allow(self, wanted: Sequence[Allowing]) -> Sequence[Written]:
        """Say which lists contacts would be put on, or taken off."""
        return [
            Written(one.contact, says=f"{'on' if one.is_allowed else 'off'} the list {one.list!r}")
            for one in wanted
        ]

    def lead(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Say which leads would be made."""
        return [Written(f"{NEW}{who.key}", created=True) for who, _ in people]

    def unlead(self, ids: Sequence[str]) -> Sequence[Written]:
        """Say which leads would be taken back."""
        return [Written(id) for id in ids]

    def forget(self, people: Sequence[Erased]) -> Sequence[Written]:
        """Say of whom nothing of ours would be left."""
        return [one.became({}) for one in people]

    def opportunities_of(self, contacts: Sequence[str]) -> Mapping[str, Sequence[Record]]:
        """Return the open opportunities of contacts."""
        return self._desk.opportunities_of(contacts)

    def changes(self, cursor: str | None, limit: int) -> tuple[Sequence[Notice], str]:
        """Return what happened after a cursor, and that to ask with next."""
        return self._desk.changes(cursor, limit)

    def accept(self, request: InboundRequest, *, now: datetime) -> InboundReply:
        """Verify a call of the CRM."""
        return self._desk.accept(request, now=now)

    def check(self) -> list[Finding]:
        """Look whether we are let in."""
        return self._desk.check()

    def close(self) -> None:
        """Let go of connections."""
        self._desk.close()


def _names(values: Mapping[str, Any]) -> str:
    """Return which fields would be written: their values may be anybody's."""
    return ", ".join(sorted(values))
