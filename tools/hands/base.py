"""What people do and see in a CRM, done by a program where none sits at it."""

from collections.abc import Sequence
from typing import Any, Protocol


class Hands(Protocol):
    """
    The hands and eyes of a CRM's people, through its own API.

    `tools/prove_connector.py` walks its scenario with them, and the worlds of the contract tests
    are made of them.
    """

    def person(self, email: str, **fields: Any) -> str:
        """Write down a contact; return its id."""

    def opportunity(self, *contacts: str, name: str) -> str:
        """Begin an opportunity with these contacts; return its id."""

    def win(self, opportunity: str) -> None:
        """Close an opportunity as won."""

    def make_list(self, name: str) -> None:
        """Let there be a list of a newsletter."""

    def people(self, email: str) -> Sequence[str]:
        """Return the ids of all contacts with an address."""

    def companies(self, name: str) -> Sequence[str]:
        """Return the ids of all companies of a name."""

    def company_of(self, contact: str) -> str | None:
        """Return the name of a contact's company."""

    def phase(self, opportunity: str) -> str | None:
        """Return the buying phase of an opportunity, as its field shows it."""

    def notes(self, contact: str) -> Sequence[str]:
        """Return the texts that stand beside a contact, oldest first."""

    def wants(self, contact: str, email: str, newsletter: str) -> bool | None:
        """Return whether a contact is on a list; None: nothing is known of it."""
