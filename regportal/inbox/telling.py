"""What a CRM may say, as values of ours."""

from dataclasses import dataclass
from datetime import datetime

from regportal.buying.telling import Part, Told


@dataclass(frozen=True, slots=True)
class Named:
    """A contact as a CRM names it: by the address, by our key, or by the id of its record."""

    email: str | None = None
    contact: str | None = None
    record: str | None = None

    @property
    def is_record(self) -> bool:
        """Return whether no more is said than which record it is."""
        return self.email is None and self.contact is None


@dataclass(frozen=True, slots=True)
class RoleTold:
    """The CRM says that a contact has, or no longer has, a part in an opportunity."""

    added: bool
    opportunity: str
    whose: Named
    part: Part


@dataclass(frozen=True, slots=True)
class MergedTold:
    """The CRM says that a contact is the same person as another, which stays."""

    joined: Named
    kept: Named


@dataclass(frozen=True, slots=True)
class WithdrawnTold:
    """The CRM says that a contact no longer wants one newsletter, or any."""

    whose: Named
    newsletter: str | None
    at: datetime | None = None
    """Since when, where the CRM says it."""


@dataclass(frozen=True, slots=True)
class GoneTold:
    """
    The CRM says that a contact's record is deleted, or that the person was erased there.

    Where it says both who it was and which record, only that record is gone.
    """

    whose: Named
    is_erased: bool


@dataclass(frozen=True, slots=True)
class OpportunityGoneTold:
    """The CRM says that an opportunity's record is deleted."""

    about: Told


@dataclass(frozen=True, slots=True)
class OpportunityTold:
    """The CRM describes an opportunity, and says who all has a part in it; None: it does not."""

    about: Told
    parts: tuple[RoleTold, ...] | None = None


Understood = (
    OpportunityTold | OpportunityGoneTold | RoleTold | MergedTold | WithdrawnTold | GoneTold
)
