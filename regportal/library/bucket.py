"""Bytes in a bucket: S3, or whatever speaks like it (the optional extra ``s3``)."""

import contextlib
import io
import os
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from regportal.errors import ConfigError, NotHereError
from regportal.library.schema import Content
from regportal.library.storage import ABANDONED, CHUNK, SHA256, in_one, missing, pour, reading

try:
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import S3Store
except ImportError as absent:
    raise ConfigError(
        "REGPORTAL_STORAGE_URL names a bucket: install regportal[s3] for that"
    ) from absent

if TYPE_CHECKING:
    from obstore import ReadableFile

ARRIVALS = "arriving"
"""Where the parts of a file wait for the last one."""
AT_ONCE = 4  # parts of a file on their way up; each is 5 MiB in memory
PATIENCE = timedelta(seconds=10)
"""How long a question to the bucket is repeated while somebody waits for the answer."""


class Bucket:
    """
    A bucket, by its URL; who we are and where it is, the AWS_… variables say.

    A file is in the bucket whole or not at all.
    """

    def __init__(self, url: str) -> None:
        """Take ``s3://bucket/prefix``; nothing is asked of the bucket yet."""
        try:
            self._store = S3Store.from_url(
                url, retry_config={"max_retries": 3, "retry_timeout": PATIENCE}
            )
        except (BaseError, ValueError) as error:
            says = str(error).partition("\n")[0]
            raise ConfigError(f"REGPORTAL_STORAGE_URL cannot be used: {says}") from error

    def take(self, source: Path | BinaryIO, name: str) -> Content:
        """Keep these bytes; they wait in a temporary file until their hash is known."""
        with tempfile.TemporaryFile() as spool, reading(source) as file:
            content = pour(file, cast("BinaryIO", spool), name)
            spool.seek(0)
            with _reaching():
                obstore.put(self._store, _key(content.sha256), spool, max_concurrency=AT_ONCE)
        return content

    def add_part(self, arrival: uuid.UUID, number: int, part: bytes) -> None:
        """Keep a part under a name of its own; the first one clears away what was abandoned."""
        with _reaching():
            if number == 0:
                self._clear()
            obstore.put(self._store, _part(arrival, number), part)

    def parts(self, arrival: uuid.UUID) -> list[int]:
        """Return how many bytes each part has."""
        with _reaching():
            listed = obstore.list(self._store, prefix=f"{ARRIVALS}/{arrival}").collect()
        sizes = {one["path"]: one["size"] for one in listed}
        names = (_part(arrival, number) for number in range(len(sizes)))
        return [sizes[name] for name in takewhile(sizes.__contains__, names)]

    def take_parts(self, arrival: uuid.UUID, name: str) -> Content:
        """Put the parts together."""
        names = [_part(arrival, number) for number in range(len(self.parts(arrival)))]

        def part(number: int) -> bytes:
            with _reaching():
                return obstore.get(self._store, names[number]).bytes().to_bytes()

        content = self.take(in_one(len(names), part), name)
        with _reaching():
            obstore.delete(self._store, names)
        return content

    def _clear(self) -> None:
        """Remove the parts of files that nobody brought to their end."""
        before = datetime.now(UTC) - timedelta(seconds=ABANDONED)
        listed = obstore.list(self._store, prefix=ARRIVALS).collect()
        if old := [one["path"] for one in listed if one["last_modified"] < before]:
            obstore.delete(self._store, old)

    def open(self, sha256: str) -> BinaryIO:
        """Open the bytes; what is read comes in pieces, over the network."""
        with _reaching(sha256):
            file = obstore.open_reader(self._store, _key(sha256), buffer_size=4 * CHUNK)
        return io.BufferedReader(_Remote(file), CHUNK)

    def has(self, sha256: str) -> bool:
        """Return whether these bytes are here."""
        try:
            self.size(sha256)
        except NotHereError:
            return False
        return True

    def size(self, sha256: str) -> int:
        """Return how many bytes they are."""
        with _reaching(sha256):
            return obstore.head(self._store, _key(sha256))["size"]


class _Remote(io.RawIOBase):
    """A file in a bucket, as Python reads files."""

    def __init__(self, file: "ReadableFile") -> None:
        """Take what the bucket opened."""
        self._file = file

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be read from any place."""
        return True

    def tell(self) -> int:
        """Return the place where the next bytes are read."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to another place."""
        with _reaching():
            return self._file.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        with _reaching():
            chunk = self._file.read(len(buffer)).to_bytes()
        buffer[: len(chunk)] = chunk
        return len(chunk)


def _key(sha256: str) -> str:
    """Return the name of these bytes in the bucket; nothing but a hash ever becomes one."""
    if not SHA256.fullmatch(sha256):
        raise missing(sha256)
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _part(arrival: uuid.UUID, number: int) -> str:
    """Return the name of a part in the bucket."""
    return f"{ARRIVALS}/{arrival}/{number}"


@contextlib.contextmanager
def _reaching(sha256: str = "") -> Iterator[None]:
    """Say what went wrong as a folder would: not here, or not to be reached."""
    try:
        yield
    except FileNotFoundError as error:
        raise missing(sha256) from error
    except BaseError as error:
        raise OSError(f"the bucket cannot be used: {type(error).__name__}") from error
