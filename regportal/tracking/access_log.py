"""Reading the log of a web server: who downloaded which file, counted as people count."""

import hashlib
import hmac
import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from fnmatch import translate
from urllib.parse import unquote

from regportal.store.ids import uuid7_of
from regportal.tracking.events import Event

WINDOW = timedelta(minutes=30)
"""
Who takes a file again so long after he began takes it once more; a piece (206) so long after the
last one is another download.
"""
LONGEST = timedelta(hours=24)
"""No download goes on for longer, in however many pieces."""
PIECE = 206
SILENCE = timedelta(hours=1)
"""After so long a visitor is not waited for: no server writes its lines so late."""
MOST_OPEN = 50_000
"""Visitors we wait for at once; then those heard of longest ago are let go."""
MOST_FILES = 500
"""Downloads of one sitting; who takes more begins another."""
LONGEST_NAME, LONGEST_AGENT = 1000, 300
SENT = frozenset({200, 206})
"""The statuses that come with bytes."""
METHODS = frozenset({"HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"})
SUFFIXES = frozenset(
    {
        *("pdf", "ps", "djvu", "epub", "mobi"),
        *("doc", "docx", "docm", "odt", "rtf"),
        *("xls", "xlsx", "xlsm", "ods"),
        *("ppt", "pptx", "pps", "ppsx", "odp"),
        *("vsd", "vsdx", "dwg", "dxf"),
    }
)
"""How the names of documents end."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
QUOTED = r'"((?:[^"\\]|\\.)*+)"'
COMBINED = re.compile(
    rf"(\S+) \S+ [^\[\]]{{1,200}} \[([^\[\]]{{1,40}})\] {QUOTED} (\S+) (\S+) {QUOTED} {QUOTED}"
)
"""Address, who, user, [moment], "request", status, bytes, "referrer", "agent"; never goes back."""
HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,253})")
MOMENT = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
REQUEST = re.compile(r"([!-~]{1,40}) (\S+) HTTP/\d(?:\.\d)?")
NUMBER = re.compile(r"\d{1,18}")
STATUS = re.compile(r"[1-5]\d\d")
ESCAPED = re.compile(r'\\(?:x([0-9A-Fa-f]{2})|(["\\]))')

OTHER_FILE = "not one of the files"
SAME = "the same download, continued"
UNREADABLE = "no request that could be read"


class NotALineError(ValueError):
    """A line is not of the combined format; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Line:
    """One request, as the server wrote it down."""

    address: str
    at: datetime
    method: str
    path: str
    """What was asked for, without its query; empty where that cannot be read."""
    status: int
    sent: int
    """Bytes."""
    agent: str


@dataclass(slots=True)
class Download:
    """One visitor's taking of one file, in however many pieces."""

    first_line: datetime
    """When the piece that was written down first was asked for: the download is known by it."""
    began: datetime
    last: datetime
    """When the last piece was asked for."""
    bytes: int

    def takes_in(self, line: Line) -> bool:
        """
        Return whether a request belongs to this download; servers do not write in order.

        The half hour of the whole file counts from the first piece, that of a piece from the last.
        """
        ends = min(self.last + WINDOW, self.began + LONGEST)
        if line.status != PIECE:
            ends = self.began + WINDOW
        return self.began - WINDOW < line.at < ends

    def add(self, line: Line) -> None:
        """Let a piece belong to it."""
        self.began, self.last = min(self.began, line.at), max(self.last, line.at)
        self.bytes += line.sent


@dataclass(slots=True)
class Sitting:
    """What one visitor took without a long silence."""

    address: str
    agent: str
    heard_at: datetime
    taken: dict[str, list[Download]] = field(default_factory=dict)
    files: int = 0

    def events(self, pepper: str) -> list[Event]:
        """Return its downloads as events; they have the same ids whenever the log is read."""
        return [
            Event(
                id=str(uuid7_of(one.first_line, _digest(pepper, path, self.address, self.agent))),
                type="download",
                object=path,
                category=None,
                properties={"bytes": one.bytes},
                occurred_at=one.began,
            )
            for path, some in self.taken.items()
            for one in some
        ]


def read_line(text: str) -> Line:
    r"""
    Return a line of the combined format of Apache and nginx; raise NotALineError for any other.

    >>> line = read_line(
    ...     '2001:db8::7 - ann [17/May/2015:10:05:03 +0200] "GET /a%20b.pdf?x=1 HTTP/1.1" 206 512 '
    ...     r'"-" "Mozilla/5.0 \"Fox\""'
    ... )
    >>> line.at.isoformat(), line.method, line.path, line.status, line.sent, line.agent
    ('2015-05-17T08:05:03+00:00', 'GET', '/a b.pdf', 206, 512, 'Mozilla/5.0 "Fox"')

    >>> read_line("GET /a.pdf")
    Traceback (most recent call last):
    regportal.tracking.access_log.NotALineError: not a line of the combined format
    """
    found = COMBINED.fullmatch(text)
    if found is None:
        raise NotALineError("not a line of the combined format")
    address, at, request, status, sent, _, agent = found.groups()
    if STATUS.fullmatch(status) is None:
        raise NotALineError("the status is no number from 100 to 599")
    if sent != "-" and NUMBER.fullmatch(sent) is None:
        raise NotALineError("the bytes are no number")
    asked = REQUEST.fullmatch(request)
    if asked is None and int(status) in SENT:
        raise NotALineError("the request is not METHOD PATH HTTP/VERSION")
    return Line(
        address=_address(address),
        at=_moment(at),
        method=asked[1] if asked else "",
        path=_path(asked[2]) if asked else "",
        status=int(status),
        sent=0 if sent == "-" else int(sent),
        agent=_plain(agent),
    )


def wanted_files(patterns: Sequence[str]) -> Callable[[str], bool]:
    """
    Return the test whether a path is one of the files: of these patterns, or any document.

    >>> is_wanted = wanted_files(["/media/*.pdf", "/prices.html"])
    >>> [is_wanted(path) for path in ("/media/2026/a.pdf", "/prices.html", "/b.pdf")]
    [True, True, False]
    >>> [wanted_files([])(path) for path in ("/b.PDF", "/logo.png", "/pdf", "/a.pdf/")]
    [True, False, False, False]
    """
    if not patterns:
        return _is_document
    one_of = re.compile("|".join(map(translate, patterns)))
    return lambda path: one_of.match(path) is not None


def _is_document(path: str) -> bool:
    """Return whether a path ends as documents do."""
    stem, _, suffix = path.rpartition("/")[2].rpartition(".")
    return stem != "" and suffix.lower() in SUFFIXES


class Downloads:
    """
    The downloads in a log, counted line by line; it holds only the visitors of the last hour.

    One download is what one visitor (address and agent) takes of one file within 30 minutes, or
    piece by piece without a pause of 30 minutes.
    """

    def __init__(self, is_wanted: Callable[[str], bool]) -> None:
        """Count the files that are wanted."""
        self.not_counted: Counter[str] = Counter()
        self._is_wanted = is_wanted
        self._open: dict[tuple[str, str], Sitting] = {}
        self._swept_at: datetime | None = None

    def add(self, line: Line) -> Iterator[Sitting]:
        """Count a line; yield the sittings that have ended before it."""
        reason = self._reason(line)
        if reason is not None:
            self.not_counted[reason] += 1
            return
        yield from self._ended(line.at)
        visitor = (line.address, line.agent)
        sitting = self._open.pop(visitor, None)
        if sitting is not None and sitting.files >= MOST_FILES:
            yield sitting
            sitting = None
        if sitting is None:
            sitting = Sitting(*visitor, heard_at=line.at)
        self._open[visitor] = sitting  # the one heard of last is the last
        self._take(sitting, line)
        if len(self._open) > MOST_OPEN:
            yield self._open.pop(next(iter(self._open)))

    def rest(self) -> Iterator[Sitting]:
        """Yield the sittings that were going on when the log ended."""
        yield from self._open.values()
        self._open = {}

    def _reason(self, line: Line) -> str | None:
        """Return why a request is no download of a file we count."""
        if not line.path and line.status not in SENT:
            return UNREADABLE
        if not self._is_wanted(line.path):
            return OTHER_FILE
        if line.method != "GET":
            return f"{line.method if line.method in METHODS else 'another method'}, not GET"
        return None if line.status in SENT else f"answered with {line.status}"

    def _take(self, sitting: Sitting, line: Line) -> None:
        """Let a request be a download, or a piece of one."""
        sitting.heard_at = line.at
        some = sitting.taken.setdefault(line.path, [])
        for one in reversed(some):
            if one.takes_in(line):
                one.add(line)
                self.not_counted[SAME] += 1
                return
        some.append(Download(line.at, line.at, line.at, line.sent))
        sitting.files += 1

    def _ended(self, now: datetime) -> Iterator[Sitting]:
        """Yield the sittings that are far from the line that is read now, and forget them."""
        if self._swept_at is not None and abs(now - self._swept_at) < WINDOW:
            return
        self._swept_at = now
        for visitor, one in [*self._open.items()]:
            if abs(now - one.heard_at) > SILENCE:
                yield self._open.pop(visitor)


def _digest(pepper: str, *parts: str) -> bytes:
    """Return what nobody without the pepper can make of these parts."""
    text = "\n".join(("download", *parts))
    return hmac.digest(pepper.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256)


def _address(text: str) -> str:
    """Return an address in its one spelling, or the name of a host."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if HOST.fullmatch(text):
            return text.lower()
    raise NotALineError("the address is none")


def _moment(text: str) -> datetime:
    """Return a moment as servers write it, in UTC: ``17/May/2015:10:05:03 +0000``."""
    found = MOMENT.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)  # noqa: TRY301 - said below like all others
        day, month, *numbers, sign, hours, minutes = found.groups()
        ahead = timedelta(hours=int(hours), minutes=int(minutes))
        zone = timezone(ahead if sign == "+" else -ahead)
        year, hour, minute, second = map(int, numbers)
        whole = (year, MONTHS.index(month) + 1, int(day), hour, minute, min(second, 59))
        at = datetime(*whole, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotALineError("the moment is none, as 17/May/2015:10:05:03 +0000") from None
    if at.timestamp() < 0:
        raise NotALineError("the moment is before 1970")
    return at


def _path(target: str) -> str:
    """Return the path of a request as people read it; empty where it is of another site."""
    if not target.startswith("/"):
        return ""
    raw = target.partition("?")[0].partition("#")[0]
    path = unquote(raw, errors="strict") if _is_utf8(raw) else raw
    return (path if path.isprintable() else _plain(raw))[:LONGEST_NAME]


def _is_utf8(raw: str) -> bool:
    """Return whether the signs that a path escapes are letters."""
    try:
        unquote(raw, errors="strict")
    except UnicodeDecodeError:
        return False
    return True


def _plain(quoted: str) -> str:
    r"""
    Return a quoted text without its escapes, and what of it can be shown.

    >>> _plain(r"a \"b\" \x22c\x22 \\ \x00")
    'a "b" "c" \\ '
    """
    text = ESCAPED.sub(lambda one: chr(int(one[1], 16)) if one[1] else one[2], quoted)
    return "".join(sign for sign in text if sign.isprintable())[:LONGEST_AGENT]
