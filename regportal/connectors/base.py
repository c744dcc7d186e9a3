"""What every connector can be asked: the translator to one CRM, seen from our side."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, NamedTuple, Protocol

from regportal.config import Settings
from regportal.connectors.egress import Egress
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector as Document
from regportal.errors import ConfigError
from regportal.store.strict_json import KIB

__all__ = [
    "MOST_INBOUND",
    "TOO_LONG",
    "Capabilities",
    "Change",
    "Connector",
    "Deliver",
    "Finding",
    "InboundReply",
    "InboundRequest",
    "Kind",
    "Link",
    "Notice",
    "Outcome",
    "Record",
    "Result",
    "Secrets",
    "Unsupported",
    "Vocabulary",
    "connector_for",
    "installed_types",
    "secrets_of",
]

Secrets = Callable[[str], str]
"""Returns the secret a document names; raises ConfigError where there is none."""

Unsupported = Literal[Outcome.UNSUPPORTED]
"""The honest answer of a system that cannot do what it was asked."""


Kind = Literal["contact", "opportunity", "lead", "activity"]
"""Of what kind a record over there is, in our words."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record over there, as far as we asked for it: by the CRM's own names of its fields."""

    id: str
    values: Mapping[str, Any] = field(default_factory=dict)
    is_closed: bool = False
    """Of an opportunity: whether it is won, lost or given up."""
    etag: str | None = None
    """Which state of it was read, where the CRM can be told to change no other one."""


@dataclass(frozen=True, slots=True)
class Link:
    """What we know of a subject in a CRM: which record it is, and what of ours that holds."""

    ref: str | None = None
    """The record's id; None: none that we know, or none any more."""
    wrote: Mapping[str, Any] = field(default_factory=dict)
    """
    What the CRM took last: ``phase``, ``consent:<newsletter>``, ``withdrawn:<newsletter>``…

    ``phase:sent`` may be there, and a ``withdrawn:…`` that nobody answered for.
    """


class Change(NamedTuple):
    """One thing a connector must tell. ``id`` stays the same over all attempts."""

    id: uuid.UUID
    topic: str
    subject: str
    sequence: int
    occurred_at: datetime
    payload: Mapping[str, Any]
    attempt: int = 1
    link: Link | None = None
    """What is known of its subject over there; None: nothing yet."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one change; ``says`` is one sentence without personal data."""

    id: uuid.UUID
    outcome: Outcome
    says: str = ""
    retry_at: datetime | None = None
    created: bool | None = None
    """Whether the record of its contact, or claim, was made."""
    link: Link | None = None
    """What is known of its subject now; what it ``wrote`` is beside what was known before."""
    candidates: tuple[str, ...] = ()
    """The ids of the records that fit, where more than one does."""
    current: str | None = None
    """What the CRM holds, where that is a conflict."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a system can do."""

    batch: int
    """How many changes, of different subjects, one ``deliver`` takes well."""
    idempotent: bool
    """Whether telling the same change twice leaves what telling it once leaves."""
    compare_and_set: bool = False
    """Whether a record is written only as long as it is as it was read."""
    inbound: Literal["signed", "shared secret", "none"] = "none"
    """What proves its calls; none: it makes none that we take."""
    polled: bool = False
    """Whether it can be asked what changed."""
    keyed: tuple[Kind, ...] = ("contact",)
    """Which kinds of records have a field for our key of them."""
    newsletter: str | None = "list"
    """What people over there call that which is a newsletter to us; None: nothing is."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What can be told by name: key → what people read."""

    phases: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, str] = field(default_factory=dict)
    newsletters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at by ``check`` or planned by ``provision``."""

    subject: str
    fine: bool
    says: str


@dataclass(frozen=True, slots=True)
class Notice:
    """
    What a CRM tells us when it is asked for news, in the words in which we are told such things.

    ``body`` is what a call of `docs/inbound.md` has as JSON. The same news has the same ``id``,
    however often it is asked for.
    """

    id: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """A call of a CRM, as it came: nothing in it is believed yet."""

    headers: Mapping[str, str]
    body: bytes
    url: str = ""
    """Where it was called from outside, with the query: behind a proxy not what we saw."""


MOST_INBOUND = 256 * KIB
"""Bytes of one call of a CRM."""


@dataclass(frozen=True, slots=True)
class InboundReply:
    """
    What the caller is answered, decided before any work.

    Where ``status`` is 202 the call is genuine, and ``message_id`` names it.
    """

    status: Literal[202, 401, 413]
    says: str
    message_id: str = ""
    is_hint: bool = False
    """Whether it says only that something happened: the CRM is to be asked what."""
    news: Sequence[Notice] = ()
    """What a hint says all the same, of records that may be gone: the CRM is asked if it is so."""


TOO_LONG = InboundReply(413, f"more than {MOST_INBOUND // KIB} KiB")


class Deliver(Protocol):
    """Whoever takes changes: a connector, or the one who sends our mails."""

    def __call__(self, changes: Sequence[Change], *, now: datetime) -> Sequence[Result]:
        """Return exactly one result a change, in the same order."""


class Connector(Protocol):
    """The translator to one CRM. It decides nothing and remembers nothing."""

    capabilities: Capabilities

    def check(self, vocabulary: Vocabulary) -> list[Finding]:
        """Look whether we could deliver all there is to tell; never writes."""

    def provision(
        self, vocabulary: Vocabulary, *, dry_run: bool = True
    ) -> list[Finding] | Unsupported:
        """Make the fields we write there; with ``dry_run`` only say which."""

    def deliver(self, changes: Sequence[Change], *, now: datetime) -> list[Result]:
        """
        Tell changes of different subjects; exactly one result a change, in the same order.

        Raises UnreachableError only where nothing is known of any of them.
        """

    def rehearse(
        self, changes: Sequence[Change], *, now: datetime
    ) -> Sequence[Result] | Unsupported:
        """
        Return what would become of changes, as ``deliver`` would, and write nothing.

        ``done`` is what would be written; ``says`` then names the fields.
        """

    def open_opportunities(
        self, contacts: Sequence[str]
    ) -> Mapping[str, Sequence[Record]] | Unsupported:
        """Return the open opportunities of each contact, by the ids of the CRM."""

    def read(
        self, kind: Kind, ids: Sequence[str], fields: Sequence[str]
    ) -> Mapping[str, Record] | Unsupported:
        """Return records as they are now, by id; one that is not there any more is left out."""

    def changes(self, cursor: str | None, limit: int) -> tuple[Sequence[Notice], str] | Unsupported:
        """Return what happened after a cursor, and that to ask with next: the same at the end."""

    def accept(self, request: InboundRequest, *, now: datetime) -> InboundReply:
        """Verify a call of the CRM and decide what it is answered; does nothing else."""

    def close(self) -> None:
        """Let go of connections."""


def installed_types() -> frozenset[str]:
    """Return of which types connectors are installed."""
    return frozenset(_installed())


@cache
def _installed() -> Mapping[str, EntryPoint]:
    """Return where each type is; all packages are looked through once."""
    return {one.name: one for one in entry_points(group="regportal.connectors")}


def connector_for(
    document: Document,
    settings: Settings,
    secret: Secrets | None = None,
    *,
    egress: Egress | None = None,
) -> Connector:
    """
    Return the connector a document describes.

    ``secret`` returns what a reference names, ``env:NAME`` or ``vault:KEY``; without it only
    the environment is read. ``egress`` is the line it calls over, otherwise one of its own. Raises
    ConfigError where its type is not installed or its secret cannot be used.
    """
    found = _installed().get(document.type)
    if not found:
        raise ConfigError(f"no connector of type {document.type!r} is installed")
    connect = found.load()
    line = egress or Egress(settings.allow_private_targets)
    made: Connector = connect(document, secret or settings.secret, line)
    return made


def secrets_of(document: Document, secret: Secrets) -> tuple[str, ...]:
    """Return the secrets a connector is made with: another value, and it must be made anew."""
    return tuple(secret(one) for one in document.secrets)
