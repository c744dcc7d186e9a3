"""Looking at a CRM before it is told anything: how all stands there, or one person."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from regportal.buying.glossary import vocabulary_of
from regportal.connectors.base import Connector, Finding
from regportal.sync.comparing import Compared, NotAskedError, Stands, compare, compare_one
from regportal.sync.present import Present, Telling


@dataclass(slots=True)
class Found:
    """What was found, and whether that is all."""

    connector: str
    only_linked: bool = False
    compared: list[Compared] = field(default_factory=list)
    looked_at: int = 0
    of: int = 0
    stopped: str | None = None
    amiss: list[Finding] = field(default_factory=list)
    """Where nobody was to be looked up: why nobody could be told."""

    @property
    def unlike(self) -> list[Compared]:
        """Return what is not equal."""
        return [one for one in self.compared if one.stands is not Stands.EQUAL]

    @property
    def counts(self) -> Mapping[str, Counter[str]]:
        """Return how many of each kind stand how."""
        counts: dict[str, Counter[str]] = {}
        for one in self.compared:
            counts.setdefault(one.what, Counter())[one.stands.value] += 1
        return counts


def look(
    session: Session, telling: Telling, connector: Connector, found: Found, *, now: datetime
) -> Iterator[int]:
    """
    Add to ``found`` how everything stands in a CRM; yield of how many subjects at a time.

    Nothing is written. Whoever stops in the middle keeps what was found so far.
    """
    try:
        for subjects, some in compare(session, telling, connector, now=now):
            found.compared += some
            found.looked_at += subjects
            yield subjects
    except NotAskedError as error:
        found.stopped = str(error)
    if not found.of and found.stopped is None:
        looked_at = connector.check(vocabulary_of(telling.published))
        found.amiss = [one for one in looked_at if not one.fine]


def look_at_one(
    session: Session, telling: Telling, connector: Connector, one: Present, *, now: datetime
) -> Found:
    """Return how one person stands in a CRM, as :func:`look` does of all; nothing is written."""
    found = Found(telling.connector.key, of=1)
    try:
        found.compared = [*compare_one(session, telling, connector, one, now=now)]
        found.looked_at = 1
    except NotAskedError as error:
        found.stopped = str(error)
    return found
