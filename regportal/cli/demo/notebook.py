"""What the demo remembers between two starts: one line of JSON for each thing that happened."""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]


class Notebook:
    """A file that lines are only ever added to; it may be read from many threads."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier start left; a line cut short by a crash is passed over."""
        self._path = path
        self._lock = threading.Lock()
        self._lines = _read(path)

    def add(self, kind: str, /, **says: Any) -> None:
        """Keep one more line, with the time."""
        line = {"kind": kind, "at": datetime.now(UTC).isoformat(), **says}
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._lines.append(line)

    def lines(self) -> list[Line]:
        """Return every line, oldest first."""
        with self._lock:
            return list(self._lines)


def _read(path: Path) -> list[Line]:
    """Return the whole lines of a file; none where there is no file."""
    found: list[Line] = []
    if path.exists():
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(text))
            except ValueError:
                continue
    return found
