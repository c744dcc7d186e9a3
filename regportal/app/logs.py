"""What is written to the log: one line an event, readable by programs, without personal data."""

import logging
import re
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from structlog.types import EventDict

TOKENS = re.compile(r"/(d|m|me|p|u|welcome|wan-[a-z]+|tf-setup)/[^/]+")
LONGEST = 200
ADDRESS = re.compile(r"[^\s@<>()\"',;:/]+@[^\s@<>()\"',;:/]+")
"""Whatever looks like an e-mail address: no line needs to say whose."""
TOLD = ("method", "path", "status", "ms")
"""What a line may say beside its sentence: whatever else somebody hands over may be personal."""
CHATTY = {"urllib3": logging.WARNING, "alembic": logging.WARNING, "waitress.queue": logging.ERROR}
"""What others would write a line a request of, and from which level on they may."""


def redacted(path: str) -> str:
    r"""
    Return the path of a request without what opens doors or names people.

    >>> redacted("/portal/d/3q2-7w.secret")
    '/portal/d/***'
    >>> redacted("/studio/welcome/3q2-7w.secret")
    '/studio/welcome/***'
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


def _named(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Begin the line with when, how bad, from where and what."""
    record: logging.LogRecord = event.pop("_record")
    del event["_from_structlog"]
    return {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "from": record.name,
        "says": event.pop("event"),
        **event,
    }


def _where(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Say what an error was and through which lines it came; never what it was about."""
    told = event.pop("exc_info", None)
    error = told[1] if isinstance(told, tuple) else None
    if error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        through = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
        event["error"], event["through"] = type(error).__name__, " ".join(through[-12:])
    return event


def _nameless(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Leave out whatever looks like an address."""
    return {
        name: ADDRESS.sub("***@***", value) if isinstance(value, str) else value
        for name, value in event.items()
    }


class Lines(structlog.stdlib.ProcessorFormatter):
    """One JSON object a line, from whatever logs: our own rooms, and what they use."""

    def __init__(self) -> None:
        """Say by which steps a line is made."""
        super().__init__(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.ExtraAdder(allow=TOLD),
            ],
            processors=[_named, _where, _nameless, structlog.processors.JSONRenderer()],
        )


def begin_logging(level: str) -> None:
    """Write everything from this level on to standard error."""
    lines = logging.StreamHandler()
    lines.setFormatter(Lines())
    logging.basicConfig(level=level, handlers=[lines], force=True)
    for name, least in CHATTY.items():
        logging.getLogger(name).setLevel(least)
