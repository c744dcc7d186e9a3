"""What the contract (`test_the_contract.py`) needs of a CRM: its people's hands, and bad luck."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal, Protocol

import time_machine

from regportal.connectors.records import Records
from tests.connectors.between import Line

Trouble = Literal["auth", "throttled", "down"]


class World(Protocol):
    """A CRM with people in it, who know nothing of us; it begins empty."""

    name: str
    names: Mapping[str, str]
    """How it calls ``country`` and ``phone``, where otherwise: fields of a contact."""
    shares_addresses: bool
    """Whether it lets two contacts have one address; else ``person`` raises ValueError."""

    def connector(self, **document: Any) -> Records:
        """Return a connector to it, with these words of its document beside those it needs."""

    # --- what its people do ---

    def forbid(self, contact: str) -> bool:
        """Let a contact be none that we may write; return False where there is no such thing."""

    def keep_notes(self, contact: str) -> bool:
        """Let the notes beside a contact be none that we may delete; False as above."""

    def person(self, email: str, **fields: Any) -> str:
        """Write down a contact by hand; return its id."""

    def opportunity(self, *contacts: str, name: str = "500 widgets") -> str:
        """Begin an opportunity with these contacts; return its id."""

    def set_phase(self, opportunity: str, phase: str) -> None:
        """Set the buying phase by hand, as nobody should."""

    def set_field(self, contact: str, name: str, value: Any) -> None:
        """Set a field of a contact by hand, ``email`` among them."""

    def opt_out(self, contact: str, email: str, newsletter: str) -> None:
        """Write down that a contact no longer wants what is sent to a list."""

    def wants_no_mail(self, contact: str, email: str) -> None:
        """Write down that a contact wants no mail at all; where that cannot be, no prices."""

    def make_list(self, name: str) -> None:
        """Make a list for a newsletter, also where there is one of that name."""

    def rename_lists(self, name: str, to: str) -> None:
        """Give the lists of a name another one, which others may have, too."""

    def win(self, opportunity: str) -> None:
        """Close an opportunity as won."""

    def delete(self, contact: str) -> None:
        """Delete a contact."""

    def lose_key(self) -> str | None:
        """Take away the field with our key of contacts, and return its name; None: nobody can."""

    def stand_still(self) -> None:
        """Let the clock over there stand still, where that can be done."""

    def backdate(self, opportunity: str, by: timedelta) -> None:
        """Let an opportunity have been written earlier, and be seen only now; where that can be."""

    def a_minute_later(self) -> AbstractContextManager[object]:
        """Let it be later: then what may have come late is asked for once more."""

    # --- what its people see ---

    def people(self, email: str) -> Sequence[str]:
        """Return the ids of all contacts with an address."""

    def field(self, contact: str, name: str) -> Any:
        """Return what a field of a contact says, ``email`` among them."""

    def phase(self, opportunity: str) -> str | None:
        """Return the buying phase of an opportunity, as its field shows it."""

    def why(self, opportunity: str) -> str | None:
        """Return the reason beside the buying phase."""

    def notes(self, contact: str) -> Sequence[str]:
        """Return the texts that stand beside a contact, oldest first."""

    def wants(self, contact: str, email: str, newsletter: str) -> bool | None:
        """Return whether a contact is on a list of that name; None: nothing is known of it."""

    # --- what happens on the way ---

    def trouble(self, kind: Trouble, times: int = 1) -> None:
        """Let the next calls be refused in this way, as the CRM itself would."""

    def gateway(self, status: int) -> AbstractContextManager[None]:
        """Let something before the CRM answer meanwhile, with a page of its own."""

    def lose_answers(self, times: int = 1) -> None:
        """Let the next calls that write be done, and their answers never arrive."""

    def meanwhile(self, event: Any) -> None:
        """Call something between the next reading of records and the writing after it."""

    def calls(self) -> int:
        """Return how many calls there were."""


NO_TOKEN = (401, {"Content-Type": "application/json"}, b'{"error":"invalid_client"}')
"""How an endpoint for access tokens says that it does not let us in (RFC 6749, 5.2)."""


class OnALine:
    """What happens on the way to a CRM that is called over a line (`between.py`): ``_line``."""

    _line: Line
    shares_addresses = True

    def lose_key(self) -> str | None:
        """Take nothing away."""

    def forbid(self, contact: str) -> bool:
        """Return that no record is forbidden there, or that nobody tried."""
        del contact
        return False

    def keep_notes(self, contact: str) -> bool:
        """Return that all of our notes may be deleted there, or that nobody tried."""
        del contact
        return False

    @contextlib.contextmanager
    def gateway(self, status: int) -> Iterator[None]:
        """Let something before the CRM answer meanwhile, with a page of its own."""
        title = f"{status} {HTTPStatus(status).phrase}"
        page = f"<html><head><title>{title}</title></head><center><h1>{title}</h1></center></html>"
        self._line.refusals += [(status, {"Content-Type": "text/html"}, page.encode())] * 20
        yield
        self._line.refusals.clear()

    def lose_answers(self, times: int = 1) -> None:
        """Let the next calls that write be done, and their answers never arrive."""
        self._line.lost += times

    def meanwhile(self, event: Any) -> None:
        """Call something between the next reading of records and the writing after it."""
        self._line.meanwhile = event

    def calls(self) -> int:
        """Return how many calls there were."""
        return self._line.count

    def stand_still(self) -> None:
        """Let the clock over there stand still, where that can be done: not in real servers."""

    def backdate(self, opportunity: str, by: timedelta) -> None:
        """Let an opportunity have been written earlier, where that can be: not in real servers."""

    def a_minute_later(self) -> AbstractContextManager[object]:
        """Let it be later here, and in servers of ours."""
        return time_machine.travel(datetime.now(UTC) + timedelta(minutes=1))
