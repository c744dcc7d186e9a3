"""Making connections, and none to what lies behind our own walls."""

import socket
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from ipaddress import ip_address
from typing import Any, ClassVar

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from regportal.connectors.deadline import current_deadline
from regportal.connectors.rules import Address, Network, may_call
from regportal.errors import UnreachableError

AT_ONCE = 8  # connections kept open to one system

Resolve = Callable[[str, int], Collection[str]]


class ForbiddenTargetError(UnreachableError):
    """The name leads to an address we may not call; it may lead elsewhere later."""


def addresses_of(host: str, port: int) -> list[str]:
    """Return what the system's resolver knows of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


class Dialler:
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
        return min(self._patience, current_deadline.get().left)


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


class DiallingAdapter(HTTPAdapter):
    """Sends through connections that our dialler makes."""

    def __init__(self, dialler: Dialler) -> None:
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


class _Dialled:
    """A connection made by our dialler, cut when the time of the call it serves is over."""

    dialler: ClassVar[Dialler]
    scheme: ClassVar[str]
    port: int
    sock: socket.socket | None
    _dns_host: str

    def _new_conn(self) -> socket.socket:
        """Dial."""
        line = self.dialler.dial(self.scheme, self._dns_host, self.port)
        current_deadline.get().holds(line)
        return line

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request, also on a connection that an earlier call has made."""
        if self.sock is not None:
            current_deadline.get().holds(self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc] # a mixin


def _pool(scheme: str, pool: type, connection: type, dialler: Dialler) -> Any:
    """Return a class of pools whose connections this dialler makes."""
    ours = type("Dialled", (_Dialled, connection), {"dialler": dialler, "scheme": scheme})
    return type("Pool", (pool,), {"ConnectionCls": ours})
