"""A very small CRM: it believes signed messages only, and shows what they tell it."""

import json
import secrets
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import requests

from regportal.cli.demo.notebook import Line, Notebook
from regportal.connectors.rules import in_full
from regportal.connectors.signatures import keys_of, signed, verify
from regportal.errors import DeliveryError, RefusedError, UnreachableError

PHASES = ("unaware", "interest", "exploration", "comparison", "decision")
SENTENCES = {
    "contact.claimed": "Somebody says: I am {who}. Not proven yet.{answers}",
    "contact.claim_ended": "The claim to be {who} is {ended}.",
    "contact.identified": "{who} is proven: the owner of the address said so.{answers}",
    "contact.updated": "{who} is known better.{answers}",
    "consent.changed": "{who} and the newsletter {newsletter}: {state}",
    "interaction.recorded": "{who} {did} {object}",
    "phase.changed": "{deal} moved from {from} to {to}",
}
DID = {
    "download": "downloaded",
    "page_view": "looked at",
    "custom:gate_link": "followed the link to",
}
FREE = {"gmail", "outlook", "hotmail", "yahoo", "icloud", "gmx", "proton"}
PATIENCE = 10  # seconds


@dataclass(slots=True)
class Person:
    """Somebody the CRM was told of: a claim until the address is proven, then a contact."""

    email: str
    assurance: str
    fields: dict[str, str] = field(default_factory=dict)
    newsletters: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Deal:
    """An opportunity of the CRM's own, and the buying phase it was told."""

    external_id: str
    name: str
    amount: str
    email: str
    phase: str = PHASES[0]
    reason: str = ""

    def passed(self) -> Sequence[tuple[str, str]]:
        """
        Return each phase and whether it is behind, the present one, or ahead.

        >>> Deal("1", "Q3", "1", "a@b.example", phase="interest").passed()[:3]
        [('unaware', 'behind'), ('interest', 'now'), ('exploration', 'ahead')]
        """
        now = PHASES.index(self.phase) if self.phase in PHASES else -1
        marks = {-1: "behind", 0: "now", 1: "ahead"}
        return [(phase, marks[(place > now) - (place < now)]) for place, phase in enumerate(PHASES)]


@dataclass(slots=True)
class News:
    """One message as it is shown in the feed."""

    at: datetime
    topic: str
    says: str


@dataclass(slots=True)
class Book:
    """All the CRM knows; made from its messages alone."""

    claims: dict[str, Person] = field(default_factory=dict)
    contacts: dict[str, Person] = field(default_factory=dict)
    deals: dict[str, Deal] = field(default_factory=dict)
    feed: list[News] = field(default_factory=list)
    topics: set[str] = field(default_factory=set)

    def people(self) -> list[Person]:
        """Return contacts, then those who only claim to be somebody."""
        return [*self.contacts.values(), *self.claims.values()]

    def deals_of(self, email: str) -> list[Deal]:
        """Return the opportunities in which an address has a part."""
        return [deal for deal in self.deals.values() if deal.email.lower() == email.lower()]


class Crm:
    """Takes signed messages, and tells regportal about opportunities in the same way."""

    def __init__(self, notebook: Notebook, secret: str, hook: str) -> None:
        """Take where to write down messages, the shared secret, and the portal's address."""
        self._notebook = notebook
        self._keys = keys_of(secret)
        self._hook = hook

    def book(self) -> Book:
        """Return what the CRM knows now."""
        return read(self._notebook.lines())

    def take(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> None:
        """
        Keep a message, once however often it comes.

        Raises UnsignedError where it is not regportal's, RefusedError where it is not JSON.
        """
        message_id = verify(self._keys, headers, body, now=now)
        try:
            message = json.loads(body)
        except ValueError as error:
            raise RefusedError("the message is not JSON") from error
        taken = {line.get("id") for line in self._notebook.lines()}
        if message_id not in taken:
            self._notebook.add("message", id=message_id, message=message)

    def open_deal(self, email: str, *, now: datetime) -> None:
        """Open an opportunity with this contact and tell regportal; raise DeliveryError."""
        external_id = f"006-{secrets.token_hex(3).upper()}"
        name = f"{company_of(email)}: Q3 widgets"
        self._tell(
            "opportunity.upserted",
            {
                "external_id": external_id,
                "name": name,
                "stage": "Qualification",
                "probability": 20,
                "amount": "18400.00",
                "currency": "GBP",
                "close_date": (now + timedelta(days=75)).date().isoformat(),
                "is_closed": False,
                "is_won": False,
                "owner": {"name": "Sam Okafor", "email": "sam@acme.example"},
            },
            now=now,
        )
        role = {"opportunity": external_id, "email": email, "role": "Decision maker"}
        self._tell("contact_role.added", role | {"is_primary": True}, now=now)
        self._notebook.add("deal", external_id=external_id, name=name, email=email)

    def _tell(self, topic: str, fact: Mapping[str, Any], *, now: datetime) -> None:
        """Send regportal one signed message."""
        body = json.dumps({"type": topic, "timestamp": in_full(now), "data": fact}).encode()
        headers = signed(self._keys, f"msg_{uuid.uuid4().hex}", now, body)
        try:
            answer = requests.post(
                self._hook,
                data=body,
                headers=headers | {"Content-Type": "application/json"},
                timeout=PATIENCE,
            )
        except requests.RequestException as error:
            raise UnreachableError("regportal does not answer") from error
        if not answer.ok:
            raise DeliveryError(f"regportal answered {answer.status_code}")


def company_of(email: str) -> str:
    """
    Return a name to call a deal by.

    >>> company_of("ann@widgetworks.example"), company_of("ann.lee@gmail.com")
    ('Widgetworks', 'Ann Lee')
    """
    local, _, domain = email.partition("@")
    first = domain.partition(".")[0]
    name = local.replace(".", " ") if first in FREE else first.replace("-", " ")
    return name.title() or "Somebody"


def read(lines: Iterable[Line]) -> Book:
    """Return what these lines of the notebook say, read in their order."""
    book = Book()
    for line in lines:
        if line["kind"] == "deal":
            deal = Deal(line["external_id"], line["name"], "18,400 GBP", line["email"])
            book.deals.setdefault(deal.external_id, deal)
        elif line["kind"] == "message":
            _understand(book, line["message"], datetime.fromisoformat(line["at"]))
    return book


def _understand(book: Book, message: Mapping[str, Any], at: datetime) -> None:
    """Take one message into the book; what is not understood is shown all the same."""
    topic, data = str(message.get("type", "")), message.get("data") or {}
    book.topics.add(topic)
    book.feed.append(News(at, topic, sentence(topic, data)))
    contact = data.get("contact") or {}
    match topic:
        case "contact.claimed":
            claim = data["claim"]
            book.claims[claim["id"]] = Person(claim["email"], "claimed", _fields(data))
        case "contact.claim_ended":
            book.claims.pop(data["claim"]["id"], None)
        case "contact.identified" | "contact.updated":
            person = book.contacts.setdefault(
                contact["key"], Person(contact["email"], contact["assurance"])
            )
            person.email, person.assurance = contact["email"], contact["assurance"]
            person.fields |= _fields(data)
            for claim_id in data.get("claims") or ():
                book.claims.pop(claim_id, None)
        case "contact.erased":
            book.contacts.pop(str(contact.get("key")), None)
        case "consent.changed" if contact.get("key") in book.contacts:
            book.contacts[contact["key"]].newsletters[data["newsletter"]] = data["state"]
        case "phase.changed":
            deal = book.deals.get(data["opportunity"]["external_id"])
            if deal:
                deal.phase, deal.reason = data["to"], data.get("reason") or ""


def sentence(topic: str, data: Mapping[str, Any]) -> str:
    """
    Return one line of the feed.

    >>> moved = {"opportunity": {"name": "Q3"}, "from": "interest", "to": "comparison"}
    >>> sentence("phase.changed", moved)
    'Q3 moved from interest to comparison'
    """
    contact, claim = data.get("contact") or {}, data.get("claim") or {}
    deal, did = data.get("opportunity") or {}, data.get("interaction") or {}
    return SENTENCES.get(topic, "{who}").format_map(
        {
            "who": contact.get("email") or claim.get("email") or "Somebody",
            "deal": deal.get("name") or deal.get("external_id"),
            "answers": "".join(f" {name}: {value}." for name, value in _fields(data).items()),
            "ended": data.get("ended"),
            "did": DID.get(str(did.get("type")), f"{did.get('type')}:"),
            "object": did.get("object"),
            "from": data.get("from"),
            "to": data.get("to"),
            "newsletter": data.get("newsletter"),
            "state": data.get("state"),
        }
    )


def _fields(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the answers of a message as text, whether or not they carry their source."""
    answers = data.get("fields") or {}
    values = {
        name: given.get("value") if isinstance(given, Mapping) else given
        for name, given in answers.items()
    }
    return {name: str(value) for name, value in values.items() if value is not None}
