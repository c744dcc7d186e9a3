"""How Dataverse refuses: a status, a code in hexadecimal, and a sentence."""

from typing import Any

MISSING = "0x80040217"
NO_KEY = "0x80060891"
"""No record has these values of an alternate key."""
NO_SET = "0x8006088a"
QUERY = "0x80060888"
"""A query that cannot be understood, or names what is not there."""
PAYLOAD = "0x80048d19"
"""A body with a property that is not there, or with a value of another type."""
INVALID = "0x80044331"
"""A value that a column does not take."""
CHANGED = "0x80060882"
THERE = "0x80040237"
KEY_THERE = "0x80060892"
"""Another record has these values of an alternate key."""
DENIED = "0x80040220"
NOT_YOURS = "0x80048306"
"""The role of a user would allow it, but not with this record."""
PLUGIN = "0x80040265"
"""A plug-in of the customer's said no."""
EXPIRED = "0x80044352"
"""A delta link is older than deletions are remembered."""
TAKEN = "0x80044153"
"""A name of the schema is taken."""
ARGUMENT = "0x80040203"
CALLED = {"annotation": "Note", "systemuser": "User"}
"""Tables that privileges call otherwise."""


class RefusedError(Exception):
    """A call, or an operation of a batch, that is refused."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Keep what is said."""
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    @property
    def body(self) -> dict[str, Any]:
        """Return what is answered."""
        return {"error": {"code": self.code, "message": self.message}}


def missing(table: str, id: str) -> RefusedError:
    """Return that a record is not there."""
    return RefusedError(404, MISSING, f"Entity '{table}' With Id = {id} Does Not Exist")


def not_yours(table: str, id: str, by: str) -> RefusedError:
    """Return that a user has the privilege, but not for this record."""
    says = f"Principal with id {by} does not have WriteAccess right(s) for record with id {id}"
    return RefusedError(403, NOT_YOURS, f"{says} of entity {table}.")


def right(verb: str, table: str) -> str:
    """
    Return what the privilege to do something with records of a table is called.

    >>> right("AppendTo", "contact"), right("Create", "annotation")
    ('prvAppendToContact', 'prvCreateNote')
    """
    return f"prv{verb}{CALLED.get(table) or (table if '_' in table else table.title())}"


def denied(verb: str, table: str, by: str) -> RefusedError:
    """Return that a user lacks the privilege to do something with a table, or a record of it."""
    says = f"Principal user (Id={by}) is missing {right(verb, table)} privilege"
    return RefusedError(403, DENIED, f"{says} for entity '{table}'.")


def unknown_property(table: str, name: str) -> RefusedError:
    """Return that a query names a property that is not there."""
    says = f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table}'."
    return RefusedError(400, QUERY, says)


def bad_payload(entity_set: str, says: str) -> RefusedError:
    """Return that a body does not fit."""
    before = f"Error identified in Payload provided by the user for Entity :'{entity_set}'"
    return RefusedError(400, PAYLOAD, f"{before}  ---->  InnerException : {says}")


def invalid(says: str) -> RefusedError:
    """Return that a value is not taken."""
    return RefusedError(400, INVALID, f"A validation error occurred. {says}")
