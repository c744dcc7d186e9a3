"""Answering requests: one process that dies whole, and stops without dropping anybody."""

import contextlib
import http.client
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from structlog.contextvars import bind_contextvars, clear_contextvars
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from regportal.app.front import PATH
from regportal.app.logs import redacted
from regportal.app.together import Channel, Dispatcher, Gathering, Network, going_on
from regportal.config import Settings
from regportal.errors import ConfigError
from regportal.store.headers import COMMON, ERROR
from regportal.store.ids import uuid7
from regportal.store.problem import REQUEST_ID

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

THREADS = 8
BODY = 16 * 2**20
"""Bytes of a body that are read at all. Every route has a far lower limit and answers 413; but
who is cut off in the middle of sending never hears the answer."""
PATIENCE = 6.0
"""Seconds that requests and downloads under way get after we were asked to stop."""
LOOKS = 1.0
"""Seconds after which the network is looked at though nothing came and nobody woke us."""
REFUSAL = tuple({**COMMON, **ERROR.headers, "Content-Security-Policy": ERROR.policy}.items())
"""The headers of an error (security.md 4, P10) that the server itself has found."""

logger = logging.getLogger("regportal.requests")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens here; raise ConfigError in one sentence where it cannot."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"{host!r} is not an address to listen on ({error.strerror})") from error
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return listening


class _Refusal(ErrorTask):
    """What never reached a page of ours (no HTTP, too long) is refused as our pages refuse."""

    def execute(self) -> None:
        """Answer with the headers of an error, and hang up."""
        self.response_headers = [*self.response_headers, *REFUSAL]
        super().execute()


class _Channel(Channel):
    """One connection."""

    error_task_class = _Refusal


class _Network(Network):
    """Our connections."""

    channel_class = _Channel


class Server:
    """The web server: waitress as security.md 10.1 tunes it, with a graceful end."""

    def __init__(
        self,
        app: "WSGIApplication",
        listening: socket.socket,
        settings: Settings,
        gathering: Gathering = contextlib.nullcontext,
    ) -> None:
        """Take what answers, the socket it answers on, and how writes are brought together."""
        self._map: dict[int, Any] = {}
        self._ending = threading.Event()
        self._trigger = threading.RLock()  # a signal may ask in the thread that holds it
        dispatcher = Dispatcher(is_told, gathering)
        dispatcher.set_thread_count(THREADS)
        tuned = Adjustments(
            sockets=[listening],
            connection_limit=2000,
            channel_timeout=10,
            cleanup_interval=5,
            asyncore_use_poll=True,
            ident=None,
            expose_tracebacks=False,
            max_request_body_size=BODY,
            url_scheme=urlsplit(settings.base_url).scheme,
            # Without proxies nobody may say where he comes from; with some, ProxyFix counts them.
            clear_untrusted_proxy_headers=settings.proxy_hops == 0,
        )
        self._server = _Network(
            going_on(logged(app)),
            self._map,
            _sock=listening,
            dispatcher=dispatcher,
            adj=tuned,
            sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
            bind_socket=False,
        )

    def run(self) -> None:
        """Answer requests until :meth:`stop`, then finish what is under way."""
        while not self._ending.is_set():
            self._turn(LOOKS)
        wasyncore.dispatcher.close(self._server)  # nobody new is let in
        deadline = time.monotonic() + PATIENCE
        while self._is_busy() and time.monotonic() < deadline:
            self._turn(0.05)
        self._server.task_dispatcher.shutdown(cancel_pending=True, timeout=1)
        for channel in self._channels():
            channel.handle_close()  # with what it had still to send, which may lie in a file
        with self._trigger:  # whoever asked us to stop is done with it
            wasyncore.close_all(self._map, ignore_all=True)

    def stop(self) -> None:
        """Begin to stop; safe in a signal handler and from any thread."""
        with self._trigger:
            if not self._ending.is_set():
                self._ending.set()
                self._server.pull_trigger()

    def _turn(self, seconds: float) -> None:
        """Read and write what can be read and written."""
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)

    def _is_busy(self) -> bool:
        """Return whether somebody still waits for an answer, or for the rest of one."""
        return any(one.requests or one.total_outbufs_len for one in self._channels())

    def _channels(self) -> list[HTTPChannel]:
        """Return every open connection."""
        channels: dict[int, HTTPChannel] = self._server.active_channels  # type: ignore[assignment] # its stubs differ
        return list(channels.values())


def is_told(request: Any) -> bool:
    """Return whether waitress's request is what a browser tells: such ones are kept together."""
    return (
        request.command == "POST"
        and request.path.endswith(PATH)
        and "AUTHORIZATION" not in request.headers
        and not request.error
    )


def answers(host: str, port: int, settings: Settings, *, within: float = 30.0) -> bool:
    """Return whether the site answers, as soon as it does."""
    if host in {"", "0.0.0.0"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(host, port, timeout=within)
        try:
            connection.request(
                "GET", f"{settings.path}/healthz", headers={"Host": settings.hosts[0]}
            )
            if connection.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                return True
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    return False


def logged(app: "WSGIApplication") -> "WSGIApplication":
    """Return the application, with an id and a line in the log for every request."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        began = time.perf_counter()
        environ[REQUEST_ID] = request_id = str(uuid7())
        clear_contextvars()
        bind_contextvars(request=request_id)
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        whole = environ.get("SCRIPT_NAME", "") + path

        def started(status: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[..., Any]:
            if logger.isEnabledFor(logging.INFO):
                took = (time.perf_counter() - began) * 1000
                told = {"method": method, "path": redacted(whole), "status": int(status[:3])}
                logger.info("answered", extra=told | {"ms": round(took, 1)})
            return start_response(status, headers, *rest)

        return app(environ, started)

    return answer


def refuse_debugging() -> None:
    """Raise ConfigError where the environment asks for Flask's debugger."""
    if os.environ.get("FLASK_DEBUG", "0").lower() not in {"", "0", "false", "no"}:
        raise ConfigError("FLASK_DEBUG is set: regportal does not serve with a debugger")
