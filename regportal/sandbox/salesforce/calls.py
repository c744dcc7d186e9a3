"""A call of the API and its answer, whoever carries them: HTTP, or a composite."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked."""

    method: str
    path: str
    """Below the version: ``/sobjects/Contact``."""
    version: str
    query: Mapping[str, str] = field(default_factory=dict)
    told: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """Return where the API of this version is."""
        return f"/services/data/{self.version}"


@dataclass(frozen=True, slots=True)
class Said:
    """What is answered."""

    status: int = 200
    told: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
