"""Communication preferences: to what an address is subscribed, and since when."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from regportal.sandbox.hubspot.portal import Portal, in_full
from regportal.sandbox.hubspot.refusing import RefusedError, invalid

STATES = ("SUBSCRIBED", "UNSUBSCRIBED", "NOT_SPECIFIED")
BASES = (
    *("CONSENT_WITH_NOTICE", "LEGITIMATE_INTEREST_PQL", "LEGITIMATE_INTEREST_CLIENT"),
    *("LEGITIMATE_INTEREST_OTHER", "PERFORMANCE_OF_CONTRACT", "PROCESS_AND_STORE", "NON_GDPR"),
)
CHANNEL = "EMAIL"
FIRST = 71


@dataclass(frozen=True, slots=True)
class Status:
    """What is so for an address and a subscription type."""

    state: str
    at: datetime
    basis: str | None
    because: str | None
    source: str


class Subscriptions:
    """Who is subscribed to what: kept by address, whether or not a contact has it."""

    def __init__(self, portal: Portal, clock: Callable[[], datetime]) -> None:
        """Begin with no types."""
        self._portal, self._clock, self._begun = portal, clock, in_full(clock())
        self.types: dict[int, str] = {}
        self.statuses: dict[tuple[str, int], Status] = {}
        self.is_gdpr = True
        """Whether the account asks for a legal basis."""

    def define(self, name: str) -> int:
        """Make a subscription type, as an administrator does; return its id."""
        number = FIRST + len(self.types)
        self.types[number] = name
        return number

    def definitions(self) -> list[dict[str, Any]]:
        """Return every type."""
        return [
            {
                "id": str(number),
                "name": name,
                "description": "",
                "isActive": True,
                "isDefault": False,
                "isInternal": False,
                "communicationMethod": "Email",
                "purpose": "Marketing",
                "createdAt": self._begun,
                "updatedAt": self._begun,
            }
            for number, name in self.types.items()
        ]

    def of(self, email: str) -> list[dict[str, Any]]:
        """Return what is so for an address, by type."""
        address = email.strip().lower()
        return [
            self._told(address, number, self.statuses.get((address, number)))
            for number in self.types
        ]

    def write(self, email: str, told: Mapping[str, Any]) -> dict[str, Any]:
        """Set what is so; raise RefusedError."""
        number, state, basis = (
            told.get("subscriptionId"),
            told.get("statusState"),
            told.get("legalBasis"),
        )
        if not isinstance(number, int) or number not in self.types:
            says = f"Subscription type {number} does not exist"
            raise RefusedError(404, "OBJECT_NOT_FOUND", says)
        if state not in STATES or told.get("channel") != CHANNEL:
            raise invalid("statusState or channel is not valid")
        if self.is_gdpr and state == "SUBSCRIBED" and basis not in BASES:
            raise invalid("A legal basis is required in this account")
        if basis and not told.get("legalBasisExplanation"):
            raise invalid("legalBasisExplanation is required with legalBasis")
        address = email.strip().lower()
        before = self.statuses.get((address, number))
        reason = "REQUESTED_CHANGE_OCCURRED"
        if before is not None and before.state == state:
            reason = "NO_STATUS_CHANGE"
        elif before is not None and before.state == "UNSUBSCRIBED" and state == "SUBSCRIBED":
            reason = "RESUBSCRIBE_OCCURRED"
        if reason != "NO_STATUS_CHANGE":
            self.set(address, number, str(state), basis, told.get("legalBasisExplanation"), "API")
        told_now = self._told(address, number, self.statuses[address, number])
        return told_now | {"setStatusSuccessReason": reason}

    def set(
        self, email: str, number: int, state: str, basis: Any, because: Any, source: str
    ) -> None:
        """Keep a status, and show it beside the contact who has the address."""
        address = email.strip().lower()
        status = Status(state, self._clock(), basis, because, source)
        self.statuses[address, number] = status
        contact = self._portal.find("contacts", address, "email")
        if contact is not None:
            is_out = str(state == "UNSUBSCRIBED").lower()
            self._portal.stamp(contact, {f"hs_email_optout_{number}": is_out}, source)

    def _told(self, address: str, number: int, status: Status | None) -> dict[str, Any]:
        """Return a status as it is told."""
        told = {
            "channel": CHANNEL,
            "subscriberIdString": address,
            "subscriptionId": number,
            "subscriptionName": self.types[number],
            "status": status.state if status else "NOT_SPECIFIED",
            "source": status.source if status else "",
            "businessUnitId": 0,
            "timestamp": in_full(status.at if status else datetime.fromtimestamp(0).astimezone()),
        }
        if status and status.basis:
            told |= {"legalBasis": status.basis, "legalBasisExplanation": status.because}
        return told
