"""
Everything that can go wrong, on one page.

::

    RegportalError
    ├── ConfigError            an operator's setting cannot be used
    ├── DocumentError          a marketer's document cannot be published
    ├── RequestError           what a browser or a server sent cannot be taken (has a status)
    │   ├── BadRequestError    400: no or forged token, something that was not asked
    │   │   └── JsonError      the body is not the JSON we take
    │   ├── UnsignedError      401: not signed by who we think, or not now
    │   ├── ForbiddenError     403: another origin, or no CSRF token
    │   ├── NotHereError       404: nothing under this address
    │   ├── StaleError         409: too old, or used before with other content
    │   ├── FaultyError        422: a document that could not be published
    │   └── TooManyError       429: later
    └── DeliveryError          a foreign system did not take what we owe
        ├── UnreachableError   again: it may take the same thing later
        └── RefusedError       never: a person must look
"""

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


class RegportalError(Exception):
    """Something a person should read as one sentence; ``str(error)`` is it."""


class ConfigError(RegportalError):
    """An operator's setting cannot be used; names the setting."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a document something stands: file, line (from 1) and key path."""

    file: str
    line: int
    key: str

    def __str__(self) -> str:
        """
        Read as one place.

        >>> str(Place("site.yaml", 12, "gates[0].asset"))
        'site.yaml:12: gates[0].asset'
        """
        return f"{self.file}:{self.line}: {self.key}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a document, and where."""

    place: Place
    says: str

    def __str__(self) -> str:
        """Read as one line."""
        return f"{self.place}: {self.says}"


class DocumentError(RegportalError):
    """A marketer's document cannot be published; carries every fault found."""

    def __init__(self, *faults: Fault) -> None:
        """Keep the faults in the order of the file."""
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults


class RequestError(RegportalError):
    """What was sent cannot be taken."""

    status: ClassVar[int] = 400
    field: str | None = None
    """Where in what was sent it is wrong, for programs."""


class BadRequestError(RequestError):
    """No or forged token, or a field that was not asked."""

    def __init__(self, says: str, field: str | None = None) -> None:
        """Keep the field beside the sentence."""
        super().__init__(says)
        self.field = field or None


class JsonError(BadRequestError):
    """Bytes that are not the JSON we take; says what is wrong, never repeats it."""


class UnsignedError(RequestError):
    """Not signed by who we think, or not now; never says which."""

    status = 401


class ForbiddenError(RequestError):
    """Sent from a page that may not send it."""

    status = 403


class NotHereError(RequestError):
    """Nothing is published under this address."""

    status = 404


class StaleError(RequestError):
    """Too old, or used before with other content."""

    status = 409


class FaultyError(BadRequestError):
    """A document that could not be published; says where and why."""

    status = 422


class TooManyError(RequestError):
    """More than a limit allows; ``after`` is how many seconds it lasts."""

    status = 429

    def __init__(self, says: str, after: int = 60) -> None:
        """Keep the wait beside the sentence."""
        super().__init__(says)
        self.after = after


class DeliveryError(RegportalError):
    """A foreign system did not take what we owe."""


class UnreachableError(DeliveryError):
    """It may take the same thing later; ``after`` is what it asked us to wait, in seconds."""

    def __init__(self, says: str, after: float | None = None) -> None:
        """Keep the wait beside the sentence."""
        super().__init__(says)
        self.after = after


class RefusedError(DeliveryError):
    """It will never take this; a person must look."""


def said(error: BaseException) -> str:
    """Say in one line what failed, without what it was about: that may be personal."""
    if isinstance(error, RegportalError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
