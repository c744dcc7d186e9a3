"""What was asked of a CRM and answered, kept without keys, hosts and people, and played again."""

import json
import lzma
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from regportal.connectors.egress import MOST_BYTES, Answer, Egress
from regportal.connectors.rules import Network
from regportal.errors import UnreachableError

KEPT = frozenset(
    {"content-type", "date", "retry-after", "www-authenticate", "etag", "x-status-reason"}
)
"""Headers of an answer that are kept; of those of a call none is."""
DROPPED = frozenset({"debug", "traceback", "ipAddress"})
"""Keys of an answer under which a CRM tells of its own files, and from where it was called."""
TOKENS = frozenset({"access_token", "refresh_token"})
"""Keys of an answer under which a CRM says by what it lets whom in."""
FORM = re.compile(r"\w+=[^&\s]*(?:&\w+=[^&\s]*)*")
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
MADE_UP = re.compile(r".*@(?:[\w-]+\.)*example(?:\.(?:com|net|org))?")
"""Addresses of domains that are nobody's (RFC 2606)."""
Call = dict[str, Any]
Trim = Callable[[str, Any], Any]
"""Returns of an answer, by the path of its call, what is worth keeping."""


class TranscriptError(Exception):
    """A call is not the one that was recorded, or what was recorded may not be kept."""


@dataclass(slots=True)
class Transcript:
    """The calls of one walk, in order; ``about`` says of what and when it was."""

    about: dict[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)
    """What may never be kept → what stands in its place."""
    calls: list[Call] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write it down packed, a call a line; raise TranscriptError where it names people."""
        lines = [json.dumps(one, ensure_ascii=False) for one in (self.about, *self.calls)]
        foreign = {found for line in lines for found in ADDRESS.findall(line)}
        foreign = {one for one in foreign if not MADE_UP.fullmatch(one)}
        if foreign:
            raise TranscriptError(f"{len(foreign)} addresses in it are not made up: not written")
        path.write_bytes(lzma.compress(("\n".join(lines) + "\n").encode()))

    @classmethod
    def read(cls, path: Path) -> "Transcript":
        """Read what was written down."""
        about, *calls = (
            json.loads(line) for line in lzma.decompress(path.read_bytes()).decode().splitlines()
        )
        return cls(about, calls=calls)

    def tells(self, text: str) -> bool:
        """Return whether a text was sent to the CRM."""
        return any(text in json.dumps(call["told"]) for call in self.calls)

    def scrubbed(self, value: Any) -> Any:
        """Return a value without what may never be kept."""
        if isinstance(value, Mapping):
            kept = {name: one for name, one in value.items() if name not in DROPPED}
            return {
                name: "token" if name in TOKENS else self.scrubbed(one)
                for name, one in kept.items()
            }
        if isinstance(value, list):
            return [self.scrubbed(one) for one in value]
        if not isinstance(value, str):
            return value
        for secret, instead in self.secrets.items():
            value = instead if value == secret else _replaced(value, secret, instead)
        return value


class Recording(Egress):
    """Calls the CRM, and writes down what was asked and answered."""

    def __init__(
        self,
        transcript: Transcript,
        base: str,
        private: Sequence[Network],
        trim: Trim = lambda _, said: said,
    ) -> None:
        """Take where to write, what stands before every path, and what is kept of an answer."""
        super().__init__(private)
        self._transcript, self._base, self._trim = transcript, base.rstrip("/"), trim

    def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        most: int = MOST_BYTES,
    ) -> Answer:
        """Return the answer to one call."""
        call = asked(self._transcript, method, url.removeprefix(self._base), body)
        self._transcript.calls.append(call)
        try:
            answer = super().ask(method, url, body=body, headers=headers, most=most)
        except UnreachableError:
            call["unreachable"] = True
            raise
        call["status"] = answer.status
        call["headers"] = {
            name: value for name, value in answer.headers.items() if name.lower() in KEPT
        }
        call["answer"] = self._transcript.scrubbed(self._trim(call["path"], _read(answer.body)))
        return answer


class Replaying(Egress):
    """Answers what was recorded, in order, and nothing else."""

    def __init__(self, transcript: Transcript) -> None:
        """Take what was recorded; what was told of it counts for all who replay it."""
        super().__init__()
        self._transcript = transcript

    def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        most: int = MOST_BYTES,
    ) -> Answer:
        """Return the recorded answer; raise TranscriptError for any call that is not the next."""
        del headers, most
        path = url.removeprefix(self._transcript.about["document"]["url"].rstrip("/"))
        now = asked(self._transcript, method, path, body)
        if not self._transcript.calls:
            raise TranscriptError(f"a call more than was recorded: {now}")
        call = self._transcript.calls.pop(0)
        recorded = {name: call[name] for name in now.keys() & call.keys()}
        if now != recorded:
            raise TranscriptError(f"another call than was recorded: {now}, not {recorded}")
        if call.get("unreachable"):
            raise UnreachableError("the CRM could not be reached")
        said = call["answer"]
        body = said.encode() if isinstance(said, str) else json.dumps(said).encode()
        return Answer(call["status"], _Headers(call["headers"]), body)


class _Headers(dict[str, str]):
    """Headers, however their names are written."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return one of them."""
        lower = {one.lower(): value for one, value in self.items()}
        return lower.get(name.lower(), default)


def asked(transcript: Transcript, method: str, path: str, body: bytes) -> Call:
    """Return what was asked, as it is kept and compared."""
    told = transcript.scrubbed(_read(body))
    parts = [transcript.scrubbed(part) for part in unquote(path).split("/")]
    return {"method": method, "path": transcript.scrubbed("/".join(parts)), "told": told}


def _read(body: bytes) -> Any:
    """Return a body as JSON, a form by its names, or else the text it is."""
    text = body.decode(errors="replace")
    if FORM.fullmatch(text):
        return dict(parse_qsl(text, keep_blank_values=True))
    try:
        said = json.loads(text) if text else ""
    except ValueError:
        return text
    return text if isinstance(said, str) else said


LONG = 12
"""Letters of a secret that is looked for inside of texts; a shorter one is a word like others."""


def _replaced(text: str, secret: str, instead: str) -> str:
    """Return a text without a secret in its middle."""
    return text.replace(secret, instead) if len(secret) >= LONG else text
