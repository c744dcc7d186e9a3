"""What a CRM may say, as values of ours."""

from dataclasses import dataclass

from regportal.buying.telling import Part, Told


@dataclass(frozen=True, slots=True)
class RoleTold:
    """The CRM says that a contact has, or no longer has, a part in an opportunity."""

    added: bool
    opportunity: str
    email: str | None
    contact: str | None
    part: Part


@dataclass(frozen=True, slots=True)
class Named:
    """A contact as a CRM names it: by the address, or by our key."""

    email: str | None
    contact: str | None


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


@dataclass(frozen=True, slots=True)
class GoneTold:
    """The CRM says that a contact's record is deleted, or that the person was erased there."""

    whose: Named
    is_erased: bool
    record: str | None
    """Which record it was, where the CRM says it."""


@dataclass(frozen=True, slots=True)
class OpportunityTold:
    """The CRM describes an opportunity, and says who all has a part in it; None: it does not."""

    about: Told
    parts: tuple[RoleTold, ...] | None = None


Understood = OpportunityTold | RoleTold | MergedTold | WithdrawnTold | GoneTold
