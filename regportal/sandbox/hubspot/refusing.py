"""How HubSpot says no: a status, and a body with a category."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any


class RefusedError(Exception):
    """A call is refused, or one record of a batch."""

    def __init__(
        self,
        status: int,
        category: str,
        message: str,
        *,
        context: Mapping[str, Sequence[str]] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep what is answered."""
        super().__init__(message)
        self.status, self.category, self.context = status, category, dict(context or {})
        self.errors, self.more = [*errors], dict(more or {})

    def body(self) -> dict[str, Any]:
        """Return what is answered where it is the whole call."""
        return {**self.told(), "correlationId": str(uuid.uuid4())}

    def told(self, **context: Sequence[str]) -> dict[str, Any]:
        """Return what stands among the ``errors`` of a batch."""
        return {
            "status": "error",
            "category": self.category,
            "message": str(self),
            "context": self.context | context,
            "errors": self.errors,
            "links": {},
            **self.more,
        }


def invalid(message: str, *errors: Mapping[str, Any]) -> RefusedError:
    """Return that what was sent is not valid."""
    return RefusedError(400, "VALIDATION_ERROR", message, errors=errors)
