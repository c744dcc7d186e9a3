"""``$batch``: many calls in one, each with an answer of its own."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP
from typing import Any

from requests.structures import CaseInsensitiveDict

from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Answer
from regportal.connectors.rules import Outcome
from regportal.store.compact import write_json

JSON = "application/json; type=entry"
BROKEN = "Dynamics answered no batch, or not all of it"


@dataclass(frozen=True, slots=True)
class Op:
    """One call: to a path below the API, with its query."""

    method: str
    path: str
    told: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def written(ops: Sequence[Op], root: str) -> tuple[str, bytes]:
    """Return the type and the body of a batch; ``root`` is the path of the API."""
    boundary = f"batch_{uuid.uuid4()}"
    parts = [f"--{boundary}\r\n{_part(op, root)}\r\n" for op in ops]
    body = "".join([*parts, f"--{boundary}--\r\n"])
    return f'multipart/mixed; boundary="{boundary}"', body.encode()


def _part(op: Op, root: str) -> str:
    """Return one call as a part."""
    head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary", ""]
    head.append(f"{op.method} {root}/{op.path} HTTP/1.1")
    head += ["Accept: application/json"]
    head += [f"{name}: {value}" for name, value in op.headers.items()]
    if op.told is None:
        return "\r\n".join([*head, "", ""])
    return "\r\n".join([*head, f"Content-Type: {JSON}", "", write_json(op.told)])


def read(answer: Answer, count: int) -> list[Answer]:
    """
    Return the answers that stand in that to a batch of so many calls.

    Raises NotTakenError where they are not all there: then nothing is known of any.
    """
    said = answer.headers.get("Content-Type") or ""
    head = f"MIME-Version: 1.0\r\nContent-Type: {said}\r\n\r\n".encode("ascii", "replace")
    whole = message_from_bytes(head + answer.body, policy=HTTP)
    parts = whole.get_payload() if whole.is_multipart() else None
    if not isinstance(parts, list) or whole.defects or len(parts) != count:
        raise NotTakenError(Outcome.RETRY, BROKEN)
    return [_read(part) for part in parts]


def _read(part: Any) -> Answer:
    """Return the answer that stands in a part."""
    payload = part.get_payload(decode=True) if isinstance(part, Message) else None
    head, apart, body = (payload if isinstance(payload, bytes) else b"").partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    words = first.split(" ", 2)
    if not apart or not words[0].startswith("HTTP/") or not words[1:2] or not words[1].isdecimal():
        raise NotTakenError(Outcome.RETRY, BROKEN)
    named = [line.partition(":") for line in lines]
    headers = CaseInsensitiveDict({name.strip(): value.strip() for name, _, value in named})
    return Answer(int(words[1]), headers, body.strip())
