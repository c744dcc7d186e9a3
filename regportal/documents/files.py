"""The files that assets are made of: below the folder of the YAML file, and nowhere else."""

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from regportal.errors import Place
from regportal.library.naming import HEAD, display_name, media_type


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that stands beside the documents, as it was when they were planned."""

    path: Path
    name: str
    sha256: str
    type: str
    """What it is by its name and its first bytes."""
    place: Place
    """Where the document names it."""


def look_at(folder: Path, written: str, place: Place) -> Upload:
    """Return a file below a folder; raise ValueError with one sentence where there is none."""
    path = _below(folder, written)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{written} is not a file")
        if found.st_size == 0:
            raise ValueError(f"{written} is empty")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            head = file.read(HEAD)
    except FileNotFoundError:
        raise ValueError(f"there is no file {written} beside the document") from None
    except OSError as error:
        raise ValueError(f"{written} cannot be read: {error.strerror}") from None
    name = display_name(PurePosixPath(written).name)
    return Upload(path, name, digest, media_type(name, head), place)


def _below(folder: Path, written: str) -> Path:
    r"""
    Return the path of a file that must lie below a folder, also when links are followed.

    >>> _below(Path("/srv/site"), "../secret.pdf")
    Traceback (most recent call last):
    ValueError: ../secret.pdf leads out of the folder of this document
    >>> _below(Path("/srv/site"), "files\\price.pdf")
    Traceback (most recent call last):
    ValueError: files\price.pdf must be written with / between folders
    """
    pure = PurePosixPath(written)
    if "\\" in written:
        raise ValueError(f"{written} must be written with / between folders")
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f"{written} leads out of the folder of this document")
    try:
        home = folder.resolve()
        found = (home / pure).resolve()
    except (OSError, RuntimeError, ValueError):
        raise ValueError(f"{written} cannot be followed to a file") from None
    if not found.is_relative_to(home):
        raise ValueError(f"{written} leads out of the folder of this document")
    return found
