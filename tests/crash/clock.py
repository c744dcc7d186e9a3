"""A clock that a test turns, for all of its processes: how far it is ahead, in a file."""

import os
import struct
from datetime import UTC, datetime, timedelta

AHEAD = struct.Struct("d")


class Clock:
    """The time, so many seconds ahead."""

    def __init__(self, path):
        self.path = str(path)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)

    @property
    def ahead(self):
        """By how many seconds it is ahead."""
        kept = os.pread(self._file, AHEAD.size, 0)
        return AHEAD.unpack(kept)[0] if kept else 0.0

    def now(self):
        """Return the time that it shows."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def turn(self, seconds):
        """Let it go forward, in every process within a moment."""
        os.pwrite(self._file, AHEAD.pack(self.ahead + seconds), 0)

    def close(self):
        """Let go of the file."""
        os.close(self._file)
