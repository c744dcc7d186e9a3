"""
A CRM's records, as a connector works on them: the few verbs in which CRMs differ.

What is done with them, in which order and with which care, is the same for all and stands in
`records.py`. Every verb takes many at once and says of each what became of it; a CRM that knows
only single calls makes them one after the other.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from regportal.connectors.base import (
    Capabilities,
    Finding,
    InboundReply,
    InboundRequest,
    Kind,
    Notice,
    Record,
    Unsupported,
)
from regportal.connectors.judging import Subscription
from regportal.connectors.orders import Whose
from regportal.connectors.rules import TAKEN, Outcome
from regportal.errors import DeliveryError


class NotTakenError(DeliveryError):
    """A call was answered, and not with what we asked for; says what that means for it."""

    def __init__(self, outcome: Outcome, says: str, *, retry_at: datetime | None = None) -> None:
        """Keep what it means; ``says`` is one sentence without personal data."""
        super().__init__(says)
        self.outcome, self.retry_at = outcome, retry_at

    def of_one(self) -> "NotTakenError":
        """
        Return what it means of one record, in a call that was let in.

        What we may not do with that record is for a person, and says nothing of the others:

        >>> NotTakenError(Outcome.AUTH, "it is another team's").of_one().outcome
        <Outcome.REJECTED: 'rejected'>
        """
        if self.outcome is not Outcome.AUTH:
            return self
        return NotTakenError(Outcome.REJECTED, str(self))


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one thing that was to be written."""

    id: str | None = None
    """Of the record; None: it was not taken."""
    outcome: Outcome = Outcome.DONE
    says: str = ""
    created: bool | None = None
    retry_at: datetime | None = None
    candidates: tuple[str, ...] = ()
    """The ids of the records that the CRM takes it for, where a person must say which."""

    @classmethod
    def refused(cls, error: NotTakenError) -> "Written":
        """Return what an answer means for one thing that was written by itself."""
        return cls(None, error.outcome, str(error), retry_at=error.retry_at)


def worst(written: Sequence[Written]) -> Written:
    """Return what became of several that are one thing to us: what was not taken counts."""
    return next((one for one in written if one.outcome not in TAKEN), written[0])


@dataclass(frozen=True, slots=True)
class Activity:
    """What is to be seen beside a contact and his opportunities; told twice, it is there once."""

    id: uuid.UUID
    key: str
    """Our key of the contact: it stays when he is merged into another one over there."""
    contact: str
    opportunities: tuple[str, ...]
    subject: str
    """One line."""
    body: str
    """Plain text."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Allowing:
    """What is to be so for a contact and a list of the CRM."""

    key: str
    """Our key of the contact."""
    contact: str
    email: str
    list: str
    is_allowed: bool
    at: datetime
    because: str
    list_id: str | None = None
    """Which list that is; None: there is none yet, and it is to be made."""

    @property
    def list_number(self) -> int:
        """Return which list that is, where a CRM's ids are numbers; 0: none that is there."""
        return int(self.list_id or 0)


@dataclass(frozen=True, slots=True)
class Erased:
    """Somebody of whom nothing of ours is to be left: by our key, and as these contacts."""

    key: str
    contacts: tuple[str, ...]

    @property
    def marks(self) -> tuple[str, ...]:
        """
        Return by what our notes of him are known, where a CRM has no place for our ids.

        By our key; those we wrote before we did so, by the contact that he was.
        """
        return (self.key, *self.contacts)

    def became(self, *ended: Mapping[str, Written]) -> Written:
        """
        Return what became of him, by what became of his contacts and notes, by ``marks``.

        Of which nothing is said there was nothing.

        >>> kept = {"6b03": Written(None, Outcome.REJECTED, "the note stays")}
        >>> [Erased(key, ("003A",)).became({}, kept).outcome.value for key in ("6b03", "6b04")]
        ['rejected', 'done']
        """
        there = [some[mark] for some in ended for mark in self.marks if mark in some]
        fine = Written(self.key, Outcome.DONE if self.contacts else Outcome.NOOP)
        return worst([fine, *there])


def contacts_of(people: Sequence[Erased]) -> list[str]:
    """Return the contacts that people are, each once."""
    return [*dict.fromkeys(id for one in people for id in one.contacts)]


@dataclass(frozen=True, slots=True)
class Field:
    """A field as the CRM's own metadata has it."""

    name: str
    is_writable: bool
    options: tuple[str, ...] | None = None
    """What a choice may hold; None: it is no choice, or the CRM does not say."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """A field we write, and the CRM should have."""

    kind: Kind
    name: str
    label: str
    type: Literal["text", "moment", "number", "choice", "key"]
    """``key``: a text that no two records share."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Of a choice: value → what people read."""


class Desk(Protocol):
    """
    The records of one CRM.

    Each verb raises UnreachableError where nothing is known of the call, and NotTakenError where
    all of it was refused; what was refused of single records it says in their place. Values are
    those of Python (text, number, moment, list) on this side; how they are written is the desk's.
    """

    capabilities: Capabilities

    def spell(self, name: str) -> str:
        """
        Return how the CRM spells a field of ours.

        ``buying_phase``, ``regportal_id``, ``regportal_score``…
        """

    def fields(self, kind: Kind) -> Mapping[str, Field] | Unsupported:
        """Return which fields such records have, by name."""

    def make(self, fields: Sequence[FieldPlan]) -> list[Finding] | Unsupported:
        """Make fields that are missing, and options that a choice lacks."""

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> Sequence[Sequence[Record]]:
        """Return the contacts that each is: by our key, and only where none has it by address."""

    def keyed(self, kind: Kind, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """
        Return which contacts, or leads, are there with these keys of ours: key → ids.

        By the key alone: whoever merely has the address of one is somebody else's.
        """

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        """Return records by id; one that is not there any more is left out."""

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """Make contacts, each with our key; one that is told again is not made again."""

    def update(
        self, kind: Kind, changes: Sequence[tuple[Record, Mapping[str, Any]]]
    ) -> Sequence[Written]:
        """Set fields of records; where the CRM can, only as long as they are as they were read."""

    def log(self, activities: Sequence[Activity]) -> Sequence[Written]:
        """Let activities be seen."""

    def lists(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """
        Return the ids of all lists that each name, or id, means.

        Left out is a name of which there is none and ``allow`` makes one.
        """

    def lists_of(self, contacts: Mapping[str, str]) -> Mapping[str, Mapping[str, Subscription]]:
        """
        Return what each of these contacts (id → address) allows, by what the list may be called.

        Of several lists of one name it is what they say together (``joined``). Under ``EVERY``
        stands a "no" to all lists.
        """

    def allow(self, wanted: Sequence[Allowing]) -> Sequence[Written]:
        """Put contacts on lists, or take them off: each on, or off, the one that is meant."""

    def lead(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> Sequence[Written]:
        """
        Make leads, each with the claim's key; one that is told again is not made again.

        A CRM without leads says of each that there was nothing to do.
        """

    def unlead(self, ids: Sequence[str]) -> Sequence[Written]:
        """Take leads back that nobody over there has made something of."""

    def forget(self, people: Sequence[Erased]) -> Sequence[Written]:
        """Take everything of ours off people: our key, our scores, what we logged."""

    def opportunities_of(self, contacts: Sequence[str]) -> Mapping[str, Sequence[Record]]:
        """Return the open opportunities of contacts."""

    def changes(self, cursor: str | None, limit: int) -> tuple[Sequence[Notice], str]:
        """Return what happened after a cursor, and that to ask with next: the same at the end."""

    def accept(self, request: InboundRequest, *, now: datetime) -> InboundReply:
        """Verify a call of the CRM and decide what it is answered; does nothing else."""

    def check(self) -> list[Finding]:
        """Look whether we are let in, and under which version."""

    def close(self) -> None:
        """Let go of connections."""
