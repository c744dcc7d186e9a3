"""What pages of others load: this build and every released one, each under an address for ever."""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

NAMES = ("regportal.js", "recorder.js", "players.js", "handover.js")
RELEASE = re.compile(r"\d+(\.\d+)+([ab]|rc)?\d*")
"""How the folder of a released build is called: by its version."""
SHORT = 12


@dataclass(frozen=True, slots=True)
class Build:
    """The scripts of one folder, and the version they are addressed by."""

    version: str
    folder: Path

    def address(self, name: str) -> str:
        """Return where a script is, below the portal."""
        return f"static/js/{self.version}/{name}"

    def integrity(self, name: str) -> str:
        """Return the hash by which browsers take this script and no other (SRI)."""
        digest = hashlib.sha384((self.folder / name).read_bytes()).digest()
        return f"sha384-{base64.b64encode(digest).decode()}"


def present(folder: Path) -> Build:
    """Return the present build: under its release where it is one, else under its hash."""
    own = _hash(folder)
    release = next((one.name for one in _released(folder) if _hash(one) == own), None)
    return Build(release or own, folder)


def builds(folder: Path) -> dict[str, Path]:
    """
    Return the folder of every build that is served, by version.

    Each is there under its hash, too: who took that address before the release keeps it.
    """
    released = _released(folder)
    return {one.name: one for one in released} | {_hash(one): one for one in [*released, folder]}


def _released(folder: Path) -> list[Path]:
    """Return the folders of released builds; they are kept, and never changed."""
    return sorted(one for one in folder.iterdir() if one.is_dir() and RELEASE.fullmatch(one.name))


def _hash(folder: Path) -> str:
    """Return a build's short hash, of all its scripts."""
    found = hashlib.sha256()
    for name in NAMES:
        found.update((folder / name).read_bytes())
    return found.hexdigest()[:SHORT]
