"""The CRM that speaks Standard Webhooks: we post what happened, signed."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

from regportal.connectors.base import (
    MOST_INBOUND,
    TOO_LONG,
    Capabilities,
    Change,
    Finding,
    InboundReply,
    InboundRequest,
    Kind,
    Notice,
    Record,
    Result,
    Secrets,
    Unsupported,
    Vocabulary,
    secrets_of,
)
from regportal.connectors.dialling import AT_ONCE
from regportal.connectors.egress import Egress
from regportal.connectors.rules import Outcome, in_full, outcome_of, retry_at
from regportal.connectors.schema import Connector as Document
from regportal.connectors.signatures import keys_of, signed, verify
from regportal.errors import UnreachableError, UnsignedError


class Webhook:
    """A receiver of signed messages, which may send us signed messages too."""

    capabilities = Capabilities(batch=AT_ONCE, idempotent=True, inbound="signed")

    def __init__(self, document: Document, secret: Secrets, egress: Egress) -> None:
        """Read the secrets; raise ConfigError where one is missing or no secret at all."""
        self.url = document.url
        ours, theirs = secrets_of(document, secret)
        self._keys, self._inbound_keys = keys_of(ours), keys_of(theirs)
        self._egress = egress
        self._hands = ThreadPoolExecutor(AT_ONCE, thread_name_prefix=f"to-{document.key}")

    def check(self, vocabulary: Vocabulary) -> list[Finding]:
        """Look whether the receiver's address may be called and answers the telephone."""
        del vocabulary
        try:
            address = self._egress.reach(self.url)
        except UnreachableError as error:
            return [Finding("address", fine=False, says=str(error))]
        return [Finding("address", fine=True, says=f"reached at {address}")]

    def provision(
        self, vocabulary: Vocabulary, *, dry_run: bool = True
    ) -> list[Finding] | Unsupported:
        """Answer that a receiver makes its own fields."""
        del vocabulary, dry_run
        return Outcome.UNSUPPORTED

    def deliver(self, changes: Sequence[Change], *, now: datetime) -> list[Result]:
        """Post each change, several at once; one that fails says nothing about the others."""
        post = partial(self._post, now=now)
        if len(changes) == 1:
            return [post(changes[0])]
        return list(self._hands.map(post, changes))

    def rehearse(self, changes: Sequence[Change], *, now: datetime) -> Unsupported:
        """Answer that a receiver cannot be asked."""
        del changes, now
        return Outcome.UNSUPPORTED

    def open_opportunities(
        self, contacts: Sequence[str]
    ) -> Mapping[str, Sequence[Record]] | Unsupported:
        """Answer that opportunities come in by themselves."""
        del contacts
        return Outcome.UNSUPPORTED

    def read(
        self, kind: Kind, ids: Sequence[str], fields: Sequence[str]
    ) -> Mapping[str, Record] | Unsupported:
        """Answer that a receiver cannot be asked."""
        del kind, ids, fields
        return Outcome.UNSUPPORTED

    def changes(self, cursor: str | None, limit: int) -> tuple[Sequence[Notice], str] | Unsupported:
        """Answer that a receiver cannot be asked."""
        del cursor, limit
        return Outcome.UNSUPPORTED

    def accept(self, request: InboundRequest, *, now: datetime) -> InboundReply:
        """Verify a call: 202 genuine, 401 anything wrong with it, 413 too long."""
        if len(request.body) > MOST_INBOUND:
            return TOO_LONG
        try:
            message_id = verify(self._inbound_keys, request.headers, request.body, now=now)
        except UnsignedError as error:
            return InboundReply(401, str(error))
        return InboundReply(202, "taken", message_id)

    def close(self) -> None:
        """Let go of connections."""
        self._hands.shutdown(wait=False, cancel_futures=True)
        self._egress.close()

    def _post(self, change: Change, *, now: datetime) -> Result:
        """Post one change and say what became of it."""
        body = body_of(change)
        headers = signed(self._keys, str(change.id), now, body)
        try:
            answer = self._egress.ask(
                "POST", self.url, body=body, headers=headers | {"Content-Type": "application/json"}
            )
        except UnreachableError as error:
            return Result(change.id, Outcome.RETRY, str(error))
        outcome = outcome_of(answer.status)
        says = "" if outcome is Outcome.DONE else f"the receiver answered {answer.status}"
        asked = retry_at(answer.headers.get("Retry-After"), now)
        return Result(change.id, outcome, says, retry_at=asked)


def body_of(change: Change) -> bytes:
    """
    Return what is posted: the type, when it happened, and the facts.

    >>> import uuid
    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> fact = {"id": "f1", "newsletter": "widget-prices"}
    >>> json.loads(body_of(Change(uuid.uuid4(), "consent.changed", "contact:1", 7, noon, fact)))
    {'type': 'consent.changed', 'timestamp': '2026-03-04T12:00:00Z',
     'data': {'id': 'f1', 'newsletter': 'widget-prices',
              'occurred_at': '2026-03-04T12:00:00Z', 'sequence': 7}}
    """
    at = in_full(change.occurred_at)
    fact = {"id": str(change.id), **change.payload}
    data = fact | {"occurred_at": at, "sequence": change.sequence}
    return json.dumps(
        {"type": change.topic, "timestamp": at, "data": data},
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
