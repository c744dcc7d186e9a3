"""
What may go wrong between a connector and a CRM: a menu (security.md 7, F-03).

Pure: a fault turns a good answer into steps on the wire; who takes them is the server.
"""

import functools
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

SILENCE = 40.0
"""Seconds: longer than anybody waits."""
ENDLESS = 2**30
"""Bytes of a body that never ends."""
PIECE = 2**16
FOREVER = 10**9
PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1><hr>gateway</body></html>\n"
"""What stands between us and a CRM speaks like this: not in the CRM's words."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of HTTP."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def head(self, *more: tuple[str, str]) -> bytes:
        r"""
        Return the status line and the headers.

        >>> Reply(204).head(("X", "1"))
        b'HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n'
        """
        known = {one.value: one.phrase for one in HTTPStatus}
        lines = [f"HTTP/1.1 {self.status} {known.get(self.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in (*self.headers, *more)]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")

    def whole(self) -> bytes:
        """Return all of it, with its length."""
        return self.head(("Content-Length", str(len(self.body)))) + self.body

    def last(self) -> "Reply":
        """Return the same as the last answer of its connection."""
        return replace(self, headers=(*self.headers, ("Connection", "close")))

    def without(self, *names: str) -> "Reply":
        """Return the same without some headers."""
        kept = tuple(one for one in self.headers if one[0].lower() not in names)
        return replace(self, headers=kept)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, or until the other side hangs up."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reset:
    """Hang up so that the other side hears of an error (RST), not of an end (FIN)."""


Step = bytes | Pause | Reset
"""Something done on the wire; after the last one the connection is closed."""
Spoil = Callable[[Reply, str], Iterator[Step]]
"""Turns a good answer into steps; also gets the address of the sandbox itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that may go wrong."""

    name: str
    kind: str
    """Which of the fourteen kinds it is of: of these each is as frequent as any other."""
    says: str
    applies: bool
    """Whether the CRM has done what it was asked before it went wrong."""
    spoil: Spoil


TRAP = "/sandbox/trap"
"""Where a redirect leads: nobody is to follow."""


def _status(status: int, *headers: tuple[str, str]) -> Spoil:
    """Answer as a gateway does, not as the CRM."""

    def spoil(reply: Reply, here: str) -> Iterator[Step]:
        del reply, here
        page = PAGE.format(f"{status} {HTTPStatus(status).phrase}")
        said = Reply(status, (("Content-Type", "text/html"), *headers), page.encode())
        yield said.last().whole()

    return spoil


def _date(reply: Reply, here: str) -> Iterator[Step]:
    """Ask for patience until a moment."""
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    return _status(429, ("Retry-After", at))(reply, here)


def _reset(reply: Reply, here: str) -> Iterator[Step]:
    """Hang up at once."""
    del reply, here
    yield Reset()


def _silence(reply: Reply, here: str) -> Iterator[Step]:
    """Say nothing."""
    del reply, here
    yield Pause(SILENCE)


def _malformed(reply: Reply, here: str) -> Iterator[Step]:
    """Leave out the end of the JSON, and count as if it were complete."""
    del here
    yield replace(reply, body=reply.body[: len(reply.body) // 2] + b'{"').whole()


def _truncated(reply: Reply, here: str) -> Iterator[Step]:
    """Break off in the middle of a chunk."""
    del here
    yield reply.head(("Transfer-Encoding", "chunked"))
    yield f"{len(reply.body) + 100:x}\r\n".encode() + reply.body


def _drip(reply: Reply, here: str) -> Iterator[Step]:
    """Send one byte a second."""
    del here
    whole = reply.whole()
    for place in range(len(whole)):
        yield whole[place : place + 1]
        yield Pause(1)


def _endless(reply: Reply, here: str) -> Iterator[Step]:
    """Send more and more."""
    del here
    yield reply.head()
    for _ in range(ENDLESS // PIECE):
        yield b" " * PIECE


def _redirect(reply: Reply, here: str) -> Iterator[Step]:
    """Send on to this machine."""
    del reply
    yield Reply(307, (("Location", f"{here}{TRAP}"),)).last().whole()


def _mistyped(reply: Reply, here: str) -> Iterator[Step]:
    """Say of the answer that it is a picture."""
    del here
    typed = reply.without("content-type")
    yield replace(typed, headers=(*typed.headers, ("Content-Type", "image/png"))).whole()


def _doubled(reply: Reply, here: str) -> Iterator[Step]:
    """Say twice how long the answer is, and each time otherwise."""
    del here
    sizes = ("Content-Length", str(len(reply.body))), ("Content-Length", "1")
    yield reply.head(*sizes) + reply.body


def _bomb(reply: Reply, here: str) -> Iterator[Step]:
    """Send a thousandth of what it becomes when it is unpacked."""
    del here
    packed = bomb()
    yield reply.head(("Content-Encoding", "gzip"), ("Content-Length", str(len(packed))))
    yield packed


@functools.cache
def bomb() -> bytes:
    """Return what becomes a gigabyte when it is unpacked."""
    return gzip.compress(b" " * 2**24, mtime=0) * (ENDLESS // 2**24)


def _alert(reply: Reply, here: str) -> Iterator[Step]:
    """Say in TLS that the handshake failed, as a port does that expects TLS."""
    del reply, here
    yield b"\x15\x03\x03\x00\x02\x02\x28"


def _garbage(reply: Reply, here: str) -> Iterator[Step]:
    """Say something that is not HTTP."""
    del reply, here
    yield b"\x00\xff nonsense\r\n\r\n"


def _before(name: str, kind: str, says: str, spoil: Spoil) -> Fault:
    """Return a fault that comes before anything is done."""
    return Fault(name, kind, says, applies=False, spoil=spoil)


def _after(name: str, says: str, spoil: Spoil) -> Fault:
    """Return a fault, a kind of its own, that comes after all was done."""
    return Fault(name, name.replace("-", " "), f"does it, {says}", applies=True, spoil=spoil)


STATUSES = (400, 401, 403, 404, 409, 410, 500, 502, 503)
WAITS = {
    "429-seconds": "2",
    "429-garbage": "soon",
    "429-negative": "-5",
    "429-forever": str(FOREVER),
}
FAULTS: Sequence[Fault] = (
    *(
        _before(str(status), "status", f"a gateway answers {status}", _status(status))
        for status in STATUSES
    ),
    _before("429", "too many", "too many calls, without Retry-After", _status(429)),
    *(
        _before(name, "too many", f"Retry-After: {wait}", _status(429, ("Retry-After", wait)))
        for name, wait in WAITS.items()
    ),
    _before("429-date", "too many", "Retry-After: a moment, two seconds from now", _date),
    _before("reset-before", "reset before", "hangs up before anything is done", _reset),
    _after("reset-after", "then hangs up", _reset),
    _after("silence", f"then says nothing for {SILENCE:.0f} seconds", _silence),
    _after("malformed", "and answers broken JSON", _malformed),
    _after("truncated", "and breaks off within a chunk", _truncated),
    _after("slow", "and answers a byte a second", _drip),
    _after("endless", "and answers a gigabyte", _endless),
    _before("redirect", "redirect", "sends on to this machine", _redirect),
    _after("mistyped", "and calls the answer a picture", _mistyped),
    _after("doubled", "and says two lengths of the answer", _doubled),
    _after("bomb", "and answers a gigabyte in a megabyte", _bomb),
    _before("tls", "no http", "answers in TLS", _alert),
    _before("garbage", "no http", "answers something that is no HTTP", _garbage),
)
MENU: Mapping[str, Fault] = {one.name: one for one in FAULTS}
KINDS: Sequence[str] = tuple(dict.fromkeys(one.kind for one in FAULTS))
"""The fourteen."""


def as_json(fault: Fault) -> Mapping[str, str | bool]:
    """
    Return what the menu says of a fault.

    >>> as_json(MENU["malformed"])["says"]
    'does it, and answers broken JSON'
    """
    return {
        "name": fault.name,
        "kind": fault.kind,
        "says": fault.says,
        "applies": fault.applies,
    }
