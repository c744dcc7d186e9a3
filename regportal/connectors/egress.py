"""Calling foreign systems, and nothing that lies behind our own walls."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from regportal.connectors.meter import Meter
from regportal.connectors.rules import Address, Network, may_call
from regportal.errors import UnreachableError

CONNECT = 5.0
READ = 15.0
TOTAL = 30.0
MOST_BYTES = 64 * 1024  # of an answer that nobody reads for its records; the rest is not read
AT_ONCE = 8  # connections kept open to one system

Resolve = Callable[[str, int], Collection[str]]


class ForbiddenTargetError(UnreachableError):
    """The name leads to an address we may not call; it may lead elsewhere later."""


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


def addresses_of(host: str, port: int) -> list[str]:
    """Return what the system's resolver knows of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


class Egress(requests.Session):
    """
    A session that dials only addresses it has checked, and never waits for ever.

    The name is resolved once, all of its addresses must be allowed, and the one that is dialled
    is one of these. No proxy, no ``.netrc``, no cookie, no redirect. ``private`` are the
    networks the operator allows. ``meter`` counts the calls.
    """

    def __init__(
        self,
        private: Collection[Network] = (),
        *,
        resolve: Resolve = addresses_of,
        limits: Limits = Limits(),
    ) -> None:
        """Connect to nothing yet."""
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers.update({"User-Agent": "regportal", "Accept-Encoding": "identity"})
        self.meter = Meter()
        self._limits = limits
        self._calls: set[_Limit] = set()
        self._dialler = _Dialler(private, resolve, limits.connect)
        self.adapters.clear()
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(self._dialler))

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
        self.meter.count()
        with self._call() as limit:
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
                says = "did not answer in time" if limit.is_over else "could not be reached"
                raise UnreachableError(f"{host} {says}") from error
            with contextlib.closing(response):
                if limit.is_over:  # then we cut it off, perhaps in the middle of its head
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
        with self._call(), self._dialler.dial(parts.scheme, host, port) as line:
            return str(line.getpeername()[0])

    @contextlib.contextmanager
    def _call(self) -> Iterator["_Limit"]:
        """Let one call take only so long."""
        limit = _Limit(self._limits.total)
        self._calls.add(limit)
        token = _limit.set(limit)
        try:
            yield limit
        finally:
            _limit.reset(token)
            self._calls.discard(limit)
            limit.end()


def _host(url: str) -> str:
    """Return how we name the host of a URL in a sentence: never with a user or a path."""
    try:
        return urlsplit(url).hostname or "the address"
    except ValueError:
        return "the address"


def _unreached(error: OSError, host: str, port: int) -> str:
    """
    Return how a host was not reached.

    >>> _unreached(ConnectionRefusedError(), "crm.example", 443)
    'crm.example refused the connection at port 443'
    """
    match error:
        case ConnectionRefusedError():
            return f"{host} refused the connection at port {port}"
        case TimeoutError():
            return f"{host} did not take the connection at port {port} in time"
        case _:
            return f"{host} could not be reached at port {port}"


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


class _Limit:
    """The time one call may take; when it is over, its connection is cut."""

    def __init__(self, seconds: float) -> None:
        """Start the clock."""
        self._end = time.monotonic() + seconds
        self._line: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self.cut)
        self._timer.daemon = True
        self._timer.start()

    @property
    def left(self) -> float:
        """Return how many seconds are left; at least a moment."""
        return max(self._end - time.monotonic(), 0.001)

    @property
    def is_over(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() >= self._end

    def holds(self, line: socket.socket) -> None:
        """Take the connection this call uses: a handle of our own, which TLS leaves alone."""
        with self._lock:
            self._let_go()
            self._line = socket.fromfd(line.fileno(), line.family, line.type)
        if self.is_over:
            self.cut()

    def end(self) -> None:
        """Stop the clock: from now on the connection is somebody else's."""
        self._timer.cancel()
        with self._lock:
            self._let_go()

    def cut(self) -> None:
        """Hang up now; whoever reads or writes there stops waiting."""
        self._end = min(self._end, time.monotonic())
        with self._lock, contextlib.suppress(OSError):
            if self._line is not None:
                self._line.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        """Close our handle; the connection itself stays."""
        if self._line is not None:
            self._line.close()
        self._line = None


_limit: ContextVar[_Limit] = ContextVar("limit")


class _Dialler:
    """Makes connections to addresses it has checked."""

    def __init__(self, private: Collection[Network], resolve: Resolve, patience: float) -> None:
        """Keep what decides."""
        self._private = tuple(private)
        self._resolve = resolve
        self._patience = patience

    def dial(self, scheme: str, host: str, port: int) -> socket.socket:
        """Connect to one of the checked addresses of a host."""
        addresses = self._addresses(host, port)
        for address in addresses:
            if not may_call(scheme, port, address, self._private):
                raise ForbiddenTargetError(f"{host} leads to an address we may not call")
        says = f"{host} has no address"
        for address in addresses:
            try:
                line = socket.create_connection((str(address), port), timeout=self._seconds())
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                says = _unreached(error, host, port)
            else:
                return line
        raise UnreachableError(says)

    def _addresses(self, host: str, port: int) -> list[Address]:
        """Resolve once, within the time we have."""
        answer: Future[Collection[str]] = Future()

        def ask() -> None:
            try:
                answer.set_result(self._resolve(host, port))
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                answer.set_exception(error)

        threading.Thread(target=ask, name="resolver", daemon=True).start()
        try:
            return [ip_address(text) for text in answer.result(self._seconds())]
        except (OSError, ValueError) as error:
            raise UnreachableError(f"the name {host} could not be resolved") from error

    def _seconds(self) -> float:
        """Return how long the next step may take."""
        return min(self._patience, _limit.get().left)


class _Dialled:
    """A connection made by our dialler, cut when the time of the call it serves is over."""

    dialler: ClassVar[_Dialler]
    scheme: ClassVar[str]
    port: int
    sock: socket.socket | None
    _dns_host: str

    def _new_conn(self) -> socket.socket:
        """Dial."""
        line = self.dialler.dial(self.scheme, self._dns_host, self.port)
        _limit.get().holds(line)
        return line

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request, also on a connection that an earlier call has made."""
        if self.sock is not None:
            _limit.get().holds(self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc] # a mixin


class _Adapter(HTTPAdapter):
    """Sends through connections that our dialler makes."""

    def __init__(self, dialler: _Dialler) -> None:
        """Keep the dialler; one attempt a call, for the outbox decides about more."""
        self._dialler = dialler
        super().__init__(pool_connections=AT_ONCE, pool_maxsize=AT_ONCE, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Let the pools make our connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool("http", HTTPConnectionPool, HTTPConnection, self._dialler),
            "https": _pool("https", HTTPSConnectionPool, HTTPSConnection, self._dialler),
        }


def _pool(scheme: str, pool: type, connection: type, dialler: _Dialler) -> Any:
    """Return a class of pools whose connections this dialler makes."""
    ours = type("Dialled", (_Dialled, connection), {"dialler": dialler, "scheme": scheme})
    return type("Pool", (pool,), {"ConnectionCls": ours})
