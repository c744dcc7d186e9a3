"""What a log of a small world can say, one row a fact, for the oracle and its worlds."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Row:
    """A fact, and when we came to know it. Rows are read in this order: time, then place."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class Did(Row):
    """A contact did something; the same id again says nothing new. Nobody's has no contact."""

    id: Hashable
    contact: str | None
    type: str
    category: str | None = None
    object: str | None = None
    occurred_at: datetime | None = None
    """None: at the moment we came to know it."""
    watched: tuple[tuple[int, int], ...] = ()
    """Of a film: from which second to which, none twice."""
    length: int | None = None
    """How many seconds it has, where that is told."""

    @property
    def when(self) -> datetime:
        """Return its own time: windows count by it."""
        return self.occurred_at or self.at


@dataclass(frozen=True, kw_only=True)
class Owned(Row):
    """These turn out to be this contact's (a confirmed claim) or nobody's (denied, a machine)."""

    ids: tuple[Hashable, ...]
    contact: str | None


@dataclass(frozen=True, kw_only=True)
class Merged(Row):
    """Two contacts are found to be one: what was the lost one's is the kept one's."""

    lost: str
    kept: str


@dataclass(frozen=True, kw_only=True)
class RoleBegins(Row):
    """A contact gets a part in an opportunity."""

    part: Hashable
    opportunity: str
    contact: str
    role: str | None = None


@dataclass(frozen=True, kw_only=True)
class RoleEnds(Row):
    """A part ends."""

    part: Hashable
    opportunity: str


@dataclass(frozen=True, kw_only=True)
class Answered(Row):
    """A contact answered a question."""

    contact: str
    question: str
    value: str | float


@dataclass(frozen=True, kw_only=True)
class Scored(Row):
    """A score of a contact has this value from now on."""

    contact: str
    score: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Described(Row):
    """The CRM says what a standard field of a contact holds."""

    contact: str
    field: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Staged(Row):
    """The CRM says at which of the seller's stages an opportunity is."""

    opportunity: str
    stage: str


@dataclass(frozen=True, kw_only=True)
class Closed(Row):
    """The CRM closes an opportunity."""

    opportunity: str


@dataclass(frozen=True, kw_only=True)
class Reopened(Row):
    """The CRM opens a closed opportunity again."""

    opportunity: str
