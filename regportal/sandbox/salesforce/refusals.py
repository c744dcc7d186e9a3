"""What Salesforce refuses: a code, a sentence, and a status."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class RefusedError(Exception):
    """One record, or one call, was not taken."""

    code: str
    message: str
    status: int = 400
    fields: Sequence[str] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    """What else stands beside it: what a duplicate rule found."""

    def body(self) -> list[dict[str, Any]]:
        """Return it as the body of an answer: an array of one."""
        named = {} if self.fields is None else {"fields": [*self.fields]}
        return [{"message": self.message, "errorCode": self.code, **named, **self.more}]

    def of_record(self) -> dict[str, Any]:
        """Return it as one of the errors of a record in a collection."""
        fields = [*(self.fields or ())]
        return {
            "statusCode": self.code,
            "message": self.message,
            "fields": fields,
            **self.more,
        }


def not_found(message: str = "The requested resource does not exist") -> RefusedError:
    """Return that there is no such thing."""
    return RefusedError("NOT_FOUND", message, 404)


def no_such_column(name: str, entity: str) -> RefusedError:
    """Return that an object has no such field, or that we may not see it."""
    return RefusedError("INVALID_FIELD", f"No such column '{name}' on sobject of type {entity}")
