"""Sending the bytes: whole, or one part of them, without ever holding them in memory."""

import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import BinaryIO

from flask import Request, Response
from werkzeug.wsgi import FileWrapper, wrap_file

from regportal.errors import NotHereError
from regportal.library.naming import content_disposition
from regportal.library.ranges import Conditions, Part, part
from regportal.library.schema import Content
from regportal.library.storage import CHUNK, Storage

AT_ONCE = 4  # parts of one grant on their way at the same time: what download managers use


class Window:
    """Some bytes of an open file, as a file of their own; reads in pieces of 256 KiB at most."""

    def __init__(self, file: BinaryIO, first: int, length: int) -> None:
        """Take the file; it is closed with this."""
        self._file, self._first, self._length = file, first, length
        self._closing: list[Callable[[], None]] = [file.close]
        self._at = 0

    @property
    def is_near(self) -> bool:
        """Whether the file is on this machine, so that reading it never waits for anybody."""
        try:
            self._file.fileno()
        except OSError:  # what a bucket opened has no number here
            return False
        return True

    def when_closed(self, then: Callable[[], None]) -> None:
        """Let this be done, once, when nobody reads any more."""
        self._closing.append(then)

    def seekable(self) -> bool:
        """Return that it can be read from any place."""
        return True

    def tell(self) -> int:
        """Return the place where the next bytes are read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence]
        self._at = min(max(base + offset, 0), self._length)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, or nothing at the end."""
        left = self._length - self._at
        wanted = min(left, CHUNK) if size < 0 else min(left, CHUNK, size)
        if wanted == 0:
            return b""
        self._file.seek(self._first + self._at)
        chunk = self._file.read(wanted)
        self._at += len(chunk)
        return chunk

    def close(self) -> None:
        """Let go of the file."""
        while self._closing:
            self._closing.pop()()


class Lanes:
    """How many parts of each grant are on their way in this process."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        """Let so many at once go out for one grant."""
        self._at_once = at_once
        self._busy: Counter[uuid.UUID] = Counter()
        self._lock = threading.Lock()

    def enter(self, grant_id: uuid.UUID) -> bool:
        """Take a lane; return False where all are busy."""
        with self._lock:
            if self._busy[grant_id] >= self._at_once:
                return False
            self._busy[grant_id] += 1
            return True

    def leave(self, grant_id: uuid.UUID) -> None:
        """Give a lane back."""
        with self._lock:
            self._busy[grant_id] -= 1
            if not self._busy[grant_id]:
                del self._busy[grant_id]


def etag_of(content: Content) -> str:
    """Return the strong ETag of these bytes: their hash."""
    return f'"{content.sha256}"'


def asked_part(request: Request, content: Content) -> Part:
    """Return which part of the bytes this GET or HEAD gets."""
    headers = request.headers
    return part(
        Conditions(
            range=headers.get("Range"),
            if_range=headers.get("If-Range"),
            if_match=headers.get("If-Match"),
            if_none_match=headers.get("If-None-Match"),
        ),
        content.size,
        etag_of(content),
        whole=request.method == "HEAD",
    )


def open_part(storage: Storage, content: Content, wanted: Part) -> Window:
    """
    Open the bytes of a part.

    Raises NotHereError where they are not there, or are not as many as they were.
    """
    file = storage.open(content.sha256)
    if file.seek(0, os.SEEK_END) != content.size:
        file.close()
        raise NotHereError(f"the storage has not all bytes of {content.sha256!r}")
    return Window(file, wanted.first, wanted.length)


def response(request: Request, content: Content, sent: Part, window: Window | None) -> Response:
    """Return the answer with these bytes, or with none: HEAD, 304, 412, 416."""
    answer = Response(status=sent.status)
    answer.headers["ETag"] = etag_of(content)
    answer.headers["Accept-Ranges"] = "bytes"
    if sent.status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        text = content.type.startswith("text/")
        answer.headers["Content-Type"] = f"{content.type}; charset=utf-8" if text else content.type
        answer.headers["Content-Disposition"] = content_disposition(content.name)
        answer.headers["Content-Length"] = str(sent.length)
    else:
        del answer.headers["Content-Type"]
    if sent.status == HTTPStatus.PARTIAL_CONTENT:
        last = sent.first + sent.length - 1
        answer.headers["Content-Range"] = f"bytes {sent.first}-{last}/{content.size}"
    if sent.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        answer.headers["Content-Range"] = f"bytes */{content.size}"
    if window is not None:
        answer.direct_passthrough = True
        answer.response = _passing(request, window)
    return answer


def _passing(request: Request, window: Window) -> Iterable[bytes]:
    """
    Return what the server sends.

    What is near goes by its ``wsgi.file_wrapper``: servers read it when the browser can take
    more, so a slow one holds no thread. What comes over the network would hold up everybody
    else there; the thread that was asked fetches it.
    """
    if window.is_near:
        return wrap_file(request.environ, window, CHUNK)  # type: ignore[arg-type] # reads like one
    return FileWrapper(window, CHUNK)  # type: ignore[arg-type] # the same
