"""Where the bytes are kept: under their own hash, in a folder or in a bucket."""

import contextlib
import errno
import hashlib
import io
import os
import re
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import unquote

from regportal.errors import ConfigError, NotHereError
from regportal.library.naming import HEAD, display_name, media_type
from regportal.library.schema import Content

CHUNK = 256 * 1024
SHA256 = re.compile(r"[0-9a-f]{64}")
ARRIVING = ".arriving-"  # the name of a file begins so until all of it is there
ABANDONED = 86400  # seconds after which nobody is still writing to such a file

NOT_A_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL}
"""What a folder says where there is no plain file of this name; anything else is trouble."""


class Storage(Protocol):
    """
    A place for bytes. What is in it has no other name than its SHA-256.

    ``open``, ``has`` and ``size`` take that hash; ``open`` and ``size`` raise NotHereError where
    nothing has it. OSError is raised where the place itself cannot be reached.
    """

    def take(self, source: Path | BinaryIO, name: str) -> Content:
        """
        Keep these bytes and return what they are; the name is for those who download them.

        Raises OSError where they cannot be read or kept; then nothing of them is kept.
        """

    def open(self, sha256: str) -> BinaryIO:
        """Open the bytes for reading, at any place."""

    def has(self, sha256: str) -> bool:
        """Return whether these bytes are here."""

    def size(self, sha256: str) -> int:
        """Return how many bytes they are."""

    def add_part(self, arrival: uuid.UUID, number: int, part: bytes) -> None:
        """Keep a part of a file that arrives in several; the same again changes nothing."""

    def parts(self, arrival: uuid.UUID) -> list[int]:
        """Return how many bytes each part has that has arrived, from the first without a gap."""

    def take_parts(self, arrival: uuid.UUID, name: str) -> Content:
        """Keep what arrived as one file, as :meth:`take` does; its parts are there no more."""


def open_storage(url: str) -> Storage:
    """
    Open the place a STORAGE_URL names: ``file:///folder`` or ``s3://bucket/prefix``.

    Raises ConfigError where it names none.

    >>> open_storage("ftp://example.com/files")
    Traceback (most recent call last):
    regportal.errors.ConfigError: REGPORTAL_STORAGE_URL must be file:///folder or s3://bucket/prefix
    """
    scheme, _, place = url.partition("://")
    if scheme == "file" and place.removeprefix("localhost").startswith("/"):
        return Folder(Path(unquote(place.removeprefix("localhost"))))
    if scheme == "s3" and place.strip("/"):
        from regportal.library.bucket import Bucket  # noqa: PLC0415 - the optional extra `s3`

        return Bucket(url)
    raise ConfigError("REGPORTAL_STORAGE_URL must be file:///folder or s3://bucket/prefix")


class Folder:
    """A folder of this machine: ``ab/cd/abcd…``, each file complete from its first moment."""

    def __init__(self, folder: Path) -> None:
        """Take a folder; it is made with the first file."""
        self.folder = folder

    def take(self, source: Path | BinaryIO, name: str) -> Content:
        """Keep these bytes: on the disk, all of them, before they have their name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._clear()
        descriptor, name_for_now = tempfile.mkstemp(prefix=ARRIVING, dir=self.folder)
        arriving = Path(name_for_now)
        try:
            with os.fdopen(descriptor, "wb") as target, reading(source) as file:
                content = pour(file, target, name)
                target.flush()
                os.fsync(target.fileno())
            self._keep(arriving, content.sha256)
        except BaseException:
            arriving.unlink(missing_ok=True)
            raise
        return content

    def open(self, sha256: str) -> BinaryIO:
        """Open the bytes; a link in their place is not followed."""
        try:
            return open_plain(self._path(sha256))
        except OSError as error:
            if error.errno in NOT_A_FILE:
                raise missing(sha256) from error
            raise

    def has(self, sha256: str) -> bool:
        """Return whether these bytes are here."""
        try:
            self.size(sha256)
        except NotHereError:
            return False
        return True

    def size(self, sha256: str) -> int:
        """Return how many bytes they are."""
        with self.open(sha256) as file:
            return os.fstat(file.fileno()).st_size

    def add_part(self, arrival: uuid.UUID, number: int, part: bytes) -> None:
        """Keep a part, complete when it has its name."""
        place = self._arrival(arrival)
        place.mkdir(parents=True, exist_ok=True)
        half = place / f"{uuid.uuid4()}"
        half.write_bytes(part)
        half.replace(place / f"{number}")

    def parts(self, arrival: uuid.UUID) -> list[int]:
        """Return how many bytes each part has."""
        found: list[int] = []
        with contextlib.suppress(FileNotFoundError):
            while True:
                found.append((self._arrival(arrival) / f"{len(found)}").stat().st_size)
        return found

    def take_parts(self, arrival: uuid.UUID, name: str) -> Content:
        """Put the parts together."""
        place, number = self._arrival(arrival), len(self.parts(arrival))
        content = self.take(in_one(number, lambda n: (place / f"{n}").read_bytes()), name)
        shutil.rmtree(place, ignore_errors=True)
        return content

    def _arrival(self, arrival: uuid.UUID) -> Path:
        """Return where the parts of a file wait for the last one."""
        return self.folder / f"{ARRIVING}{arrival}"

    def _path(self, sha256: str) -> Path:
        """Return where these bytes are; nothing but a hash ever becomes a path."""
        if not SHA256.fullmatch(sha256):
            raise missing(sha256)
        return self.folder / sha256[:2] / sha256[2:4] / sha256

    def _keep(self, arriving: Path, sha256: str) -> None:
        """Give the file its name, and let the name be on the disk, too."""
        path = self._path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        arriving.replace(path)
        for folder in (path.parent, path.parent.parent, self.folder):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _clear(self) -> None:
        """Remove what nobody brought to its end: half written, or the first parts of a file."""
        for path in self.folder.glob(f"{ARRIVING}*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime <= ABANDONED:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()


@contextlib.contextmanager
def reading(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    """Open a source that is a path; raise OSError where it is not a plain file."""
    if not isinstance(source, Path):
        yield source
        return
    with open_plain(source) as file:
        yield file


def open_plain(path: Path) -> BinaryIO:
    """Open a file for reading; raise OSError for a link, a folder, a pipe or a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "is a link, not a plain file", str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a plain file", str(path))
    return os.fdopen(descriptor, "rb")


def pour(source: BinaryIO, target: BinaryIO, name: str) -> Content:
    """Copy the bytes, piece by piece, and return what they are."""
    digest, size, head = hashlib.sha256(), 0, b""
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if len(head) < HEAD:
            head += chunk[: HEAD - len(head)]
        target.write(chunk)
    shown = display_name(name)
    return Content(sha256=digest.hexdigest(), name=shown, size=size, type=media_type(shown, head))


class _Parts(io.RawIOBase):
    """Parts of a file, read one after the other; one of them is in memory."""

    def __init__(self, number: int, part: Callable[[int], bytes]) -> None:
        """Take how many there are, and what reads one."""
        self._rest, self._part, self._left = iter(range(number)), part, b""

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        while not self._left:
            following = next(self._rest, None)
            if following is None:
                return 0
            self._left = self._part(following)
        given, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(given)] = given
        return len(given)


def in_one(number: int, part: Callable[[int], bytes]) -> BinaryIO:
    """
    Return a file of several parts, read in order.

    >>> in_one(3, lambda number: b"ab" * number).read()
    b'ababab'
    """
    return io.BufferedReader(_Parts(number, part), CHUNK)


def missing(sha256: str) -> NotHereError:
    """Return the error that says which bytes are not here."""
    return NotHereError(f"the storage has no bytes with the hash {sha256[:64]!r}")
