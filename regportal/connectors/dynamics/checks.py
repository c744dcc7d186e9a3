"""Whether a Dynamics lets us in, and has what is needed besides columns."""

from collections.abc import Iterator

from regportal.connectors.base import Finding
from regportal.connectors.calls import FINE, said
from regportal.connectors.desk import NotTakenError
from regportal.connectors.dynamics.batches import Op
from regportal.connectors.dynamics.dataverse import Dataverse
from regportal.connectors.dynamics.judging import judged
from regportal.connectors.dynamics.shape import KEY
from regportal.errors import UnreachableError

TRACKED = ("contact", "opportunity", "connection")
ABOUT = "EntityDefinitions(LogicalName='{}')"


def checked(dataverse: Dataverse) -> Iterator[Finding]:
    """Yield what there is to say; nothing more after the first that stops everything."""
    try:
        told, _ = dataverse.get("WhoAmI", {})
    except (NotTakenError, UnreachableError) as error:
        yield Finding("Dynamics", fine=False, says=str(error))
        return
    if not (isinstance(told, dict) and "UserId" in told):
        yield Finding("Dynamics", fine=False, says="there is no Dynamics at this address")
        return
    yield Finding("Dynamics", fine=True, says=f"lets us in; Web API {dataverse.version}")
    try:
        yield from _tables(dataverse)
    except (NotTakenError, UnreachableError) as error:
        yield Finding("tables", fine=False, says=str(error))


def _tables(dataverse: Dataverse) -> Iterator[Finding]:
    """Say which tables do not track their changes, and whether our key has its index."""
    paths = [f"{ABOUT.format(one)}?$select=ChangeTrackingEnabled" for one in TRACKED]
    *answers, keys = dataverse.all(
        [Op("GET", one) for one in (*paths, f"{ABOUT.format('contact')}/Keys")]
    )
    for name, answer in zip(TRACKED, answers, strict=True):
        if answer.status not in FINE:
            raise judged(answer)
        told = said(answer)
        if not (isinstance(told, dict) and told.get("ChangeTrackingEnabled")):
            says = "does not track changes: turn on Track changes in its settings"
            yield Finding(f"table {name}", fine=False, says=says)
    for key in dataverse.rows_of(keys):
        status = key.get("EntityKeyIndexStatus")
        if key.get("KeyAttributes") == [KEY] and status != "Active":
            yield Finding(f"key of {KEY}", fine=False, says=f"its index is not there yet: {status}")
