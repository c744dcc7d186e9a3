"""
Taking what browsers tell in one thread: all that waits is begun before the first is waited for.

What is told is kept by transactions that many calls share (``store/sessions.py``). Threads that
each wait for the answer of one call would bring no more together than there are threads, and hand
the interpreter from one to the next at every step.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher, WSGITask

from regportal.app.front import WAITS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Gathering = Callable[[], AbstractContextManager[None]]
MOST = 64
"""Calls that are begun before the first of them is answered."""
BEGUN = "regportal.begun"
"""Where a request that has begun carries the rest of itself."""


class Begun:
    """What an application returned before anybody asked it to start its answer."""

    def __init__(self, app: "WSGIApplication", environ: "WSGIEnvironment") -> None:
        """Let the application begin."""
        self._start: StartResponse | None = None
        self._said: tuple[Any, ...] | None = None
        self._answer = app(environ, self._started)

    def _started(self, *said: Any) -> Callable[[bytes], object]:
        """Start the answer, or remember how until there is something to start."""
        if self._start is None:
            self._said = said
            return _cannot_write
        return self._start(*said)

    def go_on(self, start_response: "StartResponse") -> Iterable[bytes]:
        """Return the answer, as the application would have."""
        self._start = start_response
        if self._said is not None:
            start_response(*self._said)
        return self._answer


def _cannot_write(_data: bytes) -> object:
    """Refuse the way of writing that WSGI keeps for applications older than ours."""
    raise NotImplementedError("an answer is returned, not written")


def going_on(app: "WSGIApplication") -> "WSGIApplication":
    """Return the application; a request that has begun goes on instead."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        begun: Begun | None = environ.pop(BEGUN, None)
        return begun.go_on(start_response) if begun else app(environ, start_response)

    return answer


class Task(WSGITask):
    """One request, answered at one go where its answer is short."""

    def write(self, data: bytes) -> None:
        """Send a part of the answer; the first together with what begins it."""
        is_whole = self.content_length is not None and len(data) <= self.content_length
        if self.wrote_header or not self.complete or not self.has_body or not is_whole:
            super().write(data)
            return
        self.channel.write_soon(self.build_response_header() + data)
        self.wrote_header = True
        self.content_bytes_written = len(data)


class Network(TcpWSGIServer):
    """The thread that reads what comes; whoever has answered wakes it, to read from there again."""

    _woken_later: int | None = None
    """The thread that wakes it once for many answers."""

    def pull_trigger(self) -> None:
        """Wake it, now or when all of them are answered."""
        if threading.get_ident() != self._woken_later:
            super().pull_trigger()

    @contextmanager
    def woken_once(self) -> Iterator[None]:
        """Let it be woken once for all that this thread answers meanwhile; for one thread only."""
        self._woken_later = threading.get_ident()
        try:
            yield
        finally:
            self._woken_later = None
            self.pull_trigger()


class Channel(HTTPChannel):
    """One connection; its next request may begin before its turn to be answered comes."""

    _begun: Task | None = None
    server: Network
    requests: list[Any]  # what its stubs say of requests is of another time

    def begin(self) -> None:
        """Begin with the next request."""
        task = Task(self, self.requests[0])
        environ = task.get_environment()
        environ[WAITS] = None
        environ[BEGUN] = Begun(self.server.application, environ)
        self._begun = task

    def is_kept(self) -> bool:
        """Wait until what has begun is kept; return whether that is all there is to say."""
        waits = self._begun.get_environment().get(WAITS) if self._begun else None
        return bool(waits and waits())

    def task_class(self, channel: HTTPChannel, request: Any) -> Task:  # type: ignore[override] # called like the class
        """Return the task that answers a request: the one that has begun with it, if any has."""
        begun, self._begun = self._begun, None
        return begun or Task(channel, request)


class Dispatcher(ThreadedTaskDispatcher):
    """Gives requests to threads of their own, and all those that may begin together to one."""

    def __init__(self, together: Callable[[Any], bool], gathering: Gathering) -> None:
        """Take which requests may begin together, and within what; starts their thread."""
        super().__init__()
        self._together, self._gathering = together, gathering
        self._told: queue.SimpleQueue[Channel | None] = queue.SimpleQueue()
        self._taker = threading.Thread(target=self._take, name="told", daemon=True)
        self._taker.start()

    def add_task(self, task: Any) -> None:
        """Take a connection that has a request."""
        if self._together(task.requests[0]):
            self._told.put(task)
        else:
            super().add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: int = 5) -> bool:  # noqa: FBT001, FBT002 - waitress's own
        """Let the threads end, after what they have begun."""
        self._told.put(None)
        self._taker.join(timeout)
        return super().shutdown(cancel_pending, timeout)

    def _take(self) -> None:
        """Take all that waits, again and again."""
        while (first := self._told.get()) is not None:
            some = [first]
            while len(some) < MOST and not self._told.empty():
                if (one := self._told.get()) is None:
                    self._told.put(None)
                    break
                some.append(one)
            with self._gathering():
                for channel in some:
                    self._guarded(channel.begin)
            with some[0].server.woken_once():
                for channel in some:
                    self._guarded(partial(self._answer, channel))

    def _answer(self, channel: Channel) -> None:
        """Say that it is kept; whatever else there is to say may take long: others say it."""
        if channel.is_kept():
            channel.service()
        else:
            super().add_task(channel)  # type: ignore[arg-type] # its stubs mean what a channel does

    def _guarded(self, step: Callable[[], None]) -> None:
        """Do a step for one connection; the others must not suffer from it."""
        try:
            step()
        except BaseException:
            self.logger.exception("cannot answer")
