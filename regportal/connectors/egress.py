"""
The only door to the network: a call, its answer, and nothing else that HTTP would do for us.

Which addresses may be called, and how, knows ``dialling.py``; how long it may take ``deadline.py``.
"""

import contextlib
import http.client
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from regportal.connectors.deadline import Deadline, current_deadline
from regportal.connectors.dialling import Dialler, DiallingAdapter, Resolve, addresses_of
from regportal.connectors.meter import Meter
from regportal.connectors.rules import Network
from regportal.errors import UnreachableError

CONNECT = 5.0
READ = 15.0
TOTAL = 30.0
MOST_BYTES = 64 * 1024  # of an answer that nobody reads for its records; the rest is not read


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: of the body no more than we care to read, and maybe not all of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call may take, in seconds."""

    connect: float = CONNECT
    read: float = READ
    total: float = TOTAL


class Egress(requests.Session):
    """
    A session that dials only addresses it has checked, and never waits for ever.

    The name is resolved once, all of its addresses must be allowed, and the one that is dialled
    is one of these. No proxy, no ``.netrc``, no cookie, no redirect. ``private`` are the
    networks the operator allows. ``meter`` counts the calls. ``patience`` are the seconds that all
    calls together may take, where somebody waits for their end.
    """

    def __init__(
        self,
        private: Collection[Network] = (),
        *,
        resolve: Resolve = addresses_of,
        limits: Limits = Limits(),
        patience: float | None = None,
    ) -> None:
        """Connect to nothing yet."""
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers.update({"User-Agent": "regportal", "Accept-Encoding": "identity"})
        self.meter = Meter()
        self._limits = limits
        self._ends = None if patience is None else time.monotonic() + patience
        self._calls: set[Deadline] = set()
        self._dialler = Dialler(private, resolve, limits.connect)
        self.adapters.clear()
        for scheme in ("https://", "http://"):
            self.mount(scheme, DiallingAdapter(self._dialler))

    def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        most: int = MOST_BYTES,
    ) -> Answer:
        """
        Return the answer to one call, and of its body ``most`` bytes.

        Raises UnreachableError, with a sentence that names the host, where there is none.
        """
        host = _host(url)
        with self._call(host) as deadline:
            self.meter.count()
            try:
                response = self.request(
                    method,
                    url,
                    data=body,
                    headers=dict(headers or {}),
                    timeout=(self._limits.connect, self._limits.read),
                    stream=True,
                    allow_redirects=False,
                )
            except (requests.Timeout, TimeoutError) as error:
                raise UnreachableError(f"{host} did not answer in time") from error
            except (
                requests.RequestException,
                HTTPError,
                http.client.HTTPException,
                OSError,
                ValueError,
            ) as error:
                says = "did not answer in time" if deadline.is_over else "could not be reached"
                raise UnreachableError(f"{host} {says}") from error
            with contextlib.closing(response):
                if deadline.is_over:  # then we cut it off, perhaps in the middle of its head
                    raise UnreachableError(f"{host} did not answer in time")
                return Answer(response.status_code, response.headers, _read(response, most))

    def close(self) -> None:
        """Hang up everywhere; calls that still wait fail at once."""
        for call in tuple(self._calls):
            call.cut()
        super().close()

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow nothing: a redirect is an answer, and nobody reads its body to the end."""
        del resp

    def reach(self, url: str) -> str:
        """Dial the host of a URL, say nothing, hang up; return its address."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise UnreachableError(f"{host} has no such port") from error
        with self._call(host), self._dialler.dial(parts.scheme, host, port) as line:
            return str(line.getpeername()[0])

    @contextlib.contextmanager
    def _call(self, host: str) -> Iterator[Deadline]:
        """Let one call take only so long; raise UnreachableError where no time is left for it."""
        left = self._limits.total if self._ends is None else self._ends - time.monotonic()
        if left <= 0:
            raise UnreachableError(f"{host} did not answer in time")
        deadline = Deadline(min(left, self._limits.total))
        self._calls.add(deadline)
        token = current_deadline.set(deadline)
        try:
            yield deadline
        finally:
            current_deadline.reset(token)
            self._calls.discard(deadline)
            deadline.end()


def _host(url: str) -> str:
    """Return how we name the host of a URL in a sentence: never with a user or a path."""
    try:
        return urlsplit(url).hostname or "the address"
    except ValueError:
        return "the address"


def _read(response: requests.Response, most: int) -> bytes:
    """Read what an answer brings, until we have enough; the connection lives on if that is all."""
    read = bytearray()
    try:
        while len(read) <= most:
            more = response.raw.read1(most + 1 - len(read))
            if not more:
                response.raw.release_conn()
                return bytes(read)
            read += more
    except (HTTPError, http.client.HTTPException, OSError, ValueError):
        pass  # the status is known, and it is what counts
    response.raw.close()
    return bytes(read[:most])
