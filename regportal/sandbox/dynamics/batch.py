"""``$batch``: several calls in the body of one, as the multipart documents of OData 4.0."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP

from regportal.sandbox.dynamics.refusals import QUERY, RefusedError
from regportal.sandbox.dynamics.schema import new_id

MOST = 1000
CONTENT_ID = "Content-ID"
REFERENCE = re.compile(r"\$(\d+)")


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, as it stands in a batch or comes by itself."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What one call is answered."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_fine(self) -> bool:
        """Return whether what was asked was done."""
        return self.status < 400  # noqa: PLR2004 - HTTP's own


Item = Asked | Sequence[Asked]
"""A call, or those of a change set."""
PHRASES = {200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified"}


def read(content_type: str, body: bytes) -> list[Item]:
    """Return what a batch asks; raise RefusedError where it cannot be read."""
    if "multipart/mixed" not in content_type or "boundary=" not in content_type:
        says = "The content type of a batch request must be multipart/mixed with a boundary."
        raise RefusedError(400, QUERY, says)
    if b"\r\n" not in body:
        raise RefusedError(400, QUERY, "The lines of a batch must end with CRLF.")
    items: list[Item] = []
    for part in _parts(content_type, body):
        inner = str(part["Content-Type"] or "")
        if "multipart/mixed" in inner:
            items.append([_asked(one) for one in _payload(part)])
        else:
            items.append(_asked(part))
    if sum(1 if isinstance(one, Asked) else len(one) for one in items) > MOST:
        raise RefusedError(400, "0x8006088a", f"The batch has more than {MOST} operations.")
    return items


def _parts(content_type: str, body: bytes) -> list[Message]:
    """Return the parts of a document."""
    head = f"Content-Type: {content_type}\r\nMIME-Version: 1.0\r\n\r\n"
    whole = message_from_bytes(head.encode() + body, policy=HTTP)
    return _payload(whole)


def _payload(whole: Message) -> list[Message]:
    """Return the parts of a document that was read; raise RefusedError where it breaks off."""
    parts = whole.get_payload()
    if not isinstance(parts, list) or whole.defects:
        raise RefusedError(400, QUERY, "The batch is not complete, or no multipart document.")
    return [one for one in parts if isinstance(one, Message)]


def _asked(part: Message) -> Asked:
    """Return the call that stands in a part."""
    if part.get_content_type() != "application/http":
        raise RefusedError(400, QUERY, "A part of a batch must be application/http.")
    payload = part.get_payload(decode=True)
    text = payload if isinstance(payload, bytes) else b""
    head, _, body = text.lstrip(b"\r\n").partition(b"\r\n\r\n")
    first, *lines = head.decode("utf-8", "replace").split("\r\n")
    words = first.rsplit(" ", 1)
    method, _, url = words[0].partition(" ")
    if len(words) != 2 or not words[1].startswith("HTTP/") or not url:  # noqa: PLR2004 - a line and its version
        raise RefusedError(400, QUERY, f"'{first}' is no request line.")
    pairs = [line.partition(":") for line in lines if ":" in line]
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    id = part[CONTENT_ID]
    return Asked(method, url, headers, body.rstrip(b"\r\n"), str(id) if id else None)


def worked_off(
    items: Sequence[Item],
    call: Callable[[Asked], Answered],
    changes: Callable[[Sequence[Asked], Callable[[Asked], Answered]], list[Answered]],
    *,
    goes_on: bool,
) -> Answered:
    """
    Do what a batch asks, in its order, and return its answer.

    After the first refusal nothing more is done, unless it ``goes_on``. ``changes`` does a change
    set: all of it, or nothing and one refusal.
    """
    boundary = f"batchresponse_{new_id()}"
    parts, status = [], 200
    for item in items:
        if isinstance(item, Asked):
            answer = call(item)
            parts.append(_part(answer, item.content_id))
            failed = None if answer.is_fine else answer
        else:
            answers = changes(item, call)
            failed = next((one for one in answers if not one.is_fine), None)
            parts.append(
                _part(failed, None) if failed else _set(answers, [one.content_id for one in item])
            )
        if failed is not None and not goes_on:
            status = failed.status
            break
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
    body += f"--{boundary}--\r\n".encode()
    return Answered(status, {"Content-Type": f"multipart/mixed; boundary={boundary}"}, body)


def referring(asked: Asked, known: Mapping[str, str]) -> Asked:
    """
    Return a call of a change set with the URLs that it refers to by content ids.

    >>> referring(Asked("PATCH", "$1", {}, b'{"a":"$1"}'), {"1": "/accounts(7)"}).body
    b'{"a":"/accounts(7)"}'
    """

    def url(found: re.Match[str]) -> str:
        if found[1] not in known:
            says = f"Content-ID Reference: '${found[1]}' does not exist in the batch context."
            raise RefusedError(400, QUERY, says)
        return known[found[1]]

    there = REFERENCE.sub(url, asked.url) if asked.url.startswith("$") else asked.url
    body = re.sub(r'"\$(\d+)"', lambda found: f'"{url(found)}"', asked.body.decode())
    return Asked(asked.method, there, asked.headers, body.encode(), asked.content_id)


def _set(answers: Sequence[Answered], ids: Sequence[str | None]) -> bytes:
    """Return the answers of a change set as a part."""
    boundary = f"changesetresponse_{new_id()}"
    inner = b"".join(
        f"--{boundary}\r\n".encode() + _part(answer, id) + b"\r\n"
        for answer, id in zip(answers, ids, strict=True)
    )
    head = f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n"
    return head.encode() + inner + f"--{boundary}--\r\n".encode()


def _part(answer: Answered, content_id: str | None) -> bytes:
    """Return an answer as a part."""
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    lines += [f"{CONTENT_ID}: {content_id}"] if content_id else []
    phrase = PHRASES.get(answer.status, "Error")
    lines += ["", f"HTTP/1.1 {answer.status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + answer.body + b"\r\n"
