"""Whether an Odoo lets us in, until when, and what it lets us do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from regportal.connectors.base import Finding
from regportal.connectors.desk import NotTakenError
from regportal.connectors.odoo.shape import LEAD, PERSON
from regportal.connectors.odoo.transport import FIRST_OF_JSON_2, Odoo
from regportal.connectors.odoo.values import read_at
from regportal.connectors.rules import Outcome
from regportal.errors import UnreachableError

OLDEST = 17
SOON = timedelta(days=14)
RIGHTS = (
    (PERSON, "create"),
    (PERSON, "write"),
    (LEAD, "create"),
    (LEAD, "write"),
    (LEAD, "unlink"),
    ("mailing.contact", "create"),
    ("mailing.subscription", "write"),
    ("mail.blacklist", "read"),
)


def checked(odoo: Odoo) -> Iterator[Finding]:
    """Yield what there is to say; nothing more after the first that stops everything."""
    try:
        version, uid = odoo.version, odoo.uid
    except (NotTakenError, UnreachableError) as error:
        yield Finding("address", fine=False, says=str(error))
        return
    spoken = "JSON-2" if version >= FIRST_OF_JSON_2 else "JSON-RPC"
    yield Finding("version", fine=version >= OLDEST, says=f"Odoo {version}, spoken to in {spoken}")
    try:
        yield _key(odoo, uid)
        yield from _rights(odoo)
    except (NotTakenError, UnreachableError) as error:
        yield Finding("rights", fine=False, says=str(error))


def _key(odoo: Odoo, uid: int) -> Finding:
    """Say when the first key of our user ends: which of them is ours Odoo does not tell."""
    domain, asked = [["user_id", "=", uid]], ["expiration_date"]
    try:
        rows = odoo.call("res.users.apikeys", "search_read", domain=domain, fields=asked)
    except NotTakenError:
        return Finding("key", fine=True, says="lets us in; this Odoo does not say until when")
    ends = sorted(end for row in rows if (end := read_at(row["expiration_date"])))
    if not ends:
        return Finding("key", fine=True, says="lets us in, without an end")
    is_far = ends[0] - (odoo.clock or datetime.now(UTC)) > SOON
    says = f"the first key of this user ends on {ends[0]:%Y-%m-%d}"
    return Finding("key", fine=is_far, says=says if is_far else f"{says}: make a new one")


def _rights(odoo: Odoo) -> Iterator[Finding]:
    """Say what we may not do."""
    lacks = [f"{model}: {verb}" for model, verb in RIGHTS if not _may(odoo, model, verb)]
    says = f"the user may not {', '.join(lacks)}" if lacks else "may do what it needs"
    yield Finding("rights", fine=not lacks, says=says)


def _may(odoo: Odoo, model: str, verb: str) -> bool:
    """Return whether we may do something with records of a model."""
    try:
        if odoo.version >= FIRST_OF_JSON_2:
            return bool(odoo.call(model, "has_access", [], operation=verb))
        return bool(odoo.call(model, "check_access_rights", operation=verb, raise_exception=False))
    except NotTakenError as error:
        if error.outcome is Outcome.REJECTED:  # the module is not installed
            return False
        raise
