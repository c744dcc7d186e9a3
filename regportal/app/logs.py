"""What is written to the log: one line an event, readable by programs, without personal data."""

import json
import logging
import re
import traceback
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

TOKENS = re.compile(r"/(d|m|me|p|u)/[^/]+")
LONGEST = 200
ADDRESS = re.compile(r"[^\s@<>()\"',;:/]+@[^\s@<>()\"',;:/]+")
"""Whatever looks like an e-mail address: no line needs to say whose."""


def redacted(path: str) -> str:
    r"""
    Return the path of a request without what opens doors or names people.

    >>> redacted("/portal/d/3q2-7w.secret")
    '/portal/d/***'
    >>> redacted("/g/price-list/done")
    '/g/price-list/done'
    >>> redacted("/g/jane@acme.example/x")
    '/g/***/x'
    >>> redacted("/g/a\n200 GET")
    '/g/a%0A200%20GET'
    """
    path = TOKENS.sub(r"/\1/***", path)
    parts = ["***" if "@" in part else quote(part, safe="*:+,;=~") for part in path.split("/")]
    return "/".join(parts)[:LONGEST]


class Lines(logging.Formatter):
    """One JSON object a line. Of an error: what it was and where, never what it was about."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "from": record.name,
            "says": ADDRESS.sub("***@***", record.getMessage()),
        }
        if record.exc_info and record.exc_info[1]:
            line |= _where(record.exc_info[1])
        return json.dumps(line)


def _where(error: BaseException) -> dict[str, str]:
    """Say what an error was and through which lines it came."""
    frames = traceback.extract_tb(error.__traceback__)
    through = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    return {"error": type(error).__name__, "through": " ".join(through[-12:])}


def begin_logging(level: str) -> None:
    """Write everything from this level on to standard error."""
    lines = logging.StreamHandler()
    lines.setFormatter(Lines())
    logging.basicConfig(level=level, handlers=[lines], force=True)
    for chatty in ("urllib3", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line a request under load
