"""How long one call may take in all: however slowly a foreign system talks, it ends then."""

import contextlib
import socket
import threading
import time
from contextvars import ContextVar


class Deadline:
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


current_deadline: ContextVar[Deadline] = ContextVar("deadline")
"""Of the call that this thread makes now: whoever makes or takes a connection for it must know."""
