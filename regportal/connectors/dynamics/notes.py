"""
What contacts did, as notes in the timelines of contacts and of their opportunities.

A note's id follows from what was done and beside whom it stands: told again, it is there already.
A mark at its end says whose deed it is, so that all can be taken back.
"""

import uuid
from collections.abc import Iterator, Sequence

from regportal.connectors.desk import Activity, NotTakenError, Written, worst
from regportal.connectors.dynamics.batches import Op
from regportal.connectors.dynamics.dataverse import CREATE, Dataverse, guids, query, text
from regportal.connectors.dynamics.judging import THERE, RefusedError
from regportal.connectors.rules import TAKEN, Outcome

AGAIN = frozenset({Outcome.RETRY, Outcome.THROTTLED, Outcome.AUTH})
"""What is said of a note beside an opportunity and means that the activity is told again."""
PLACES = {"contact": "contacts", "opportunity": "opportunities"}


def mark(whose: str) -> str:
    """
    Return how a note of ours ends; no bracket is in it, which a search would take for a wildcard.

    >>> mark("6b03")
    'regportal:6b03'
    """
    return f"regportal:{whose}"


class Notes:
    """The notes of one environment."""

    def __init__(self, dataverse: Dataverse) -> None:
        """Take where to ask."""
        self._dataverse = dataverse

    def log(self, activities: Sequence[Activity]) -> list[Written]:
        """Write each activity beside its contact and his opportunities."""
        notes = [(place, op) for place, one in enumerate(activities) for op in _notes(one)]
        errors = self._dataverse.errors([op for _, op in notes])
        results: dict[int, Written] = {}
        for (place, _), error in zip(notes, errors, strict=True):
            one = _became(error, activities[place])
            if place not in results or (one.outcome in AGAIN and results[place].outcome in TAKEN):
                results[place] = one
        return [results[place] for place in range(len(activities))]

    def forget(self, marks: Sequence[str]) -> dict[str, Written]:
        """
        Delete what we wrote of people, wherever it stands, by our keys of them or contacts.

        Return what became of it by these; of whom nothing was there is left out.
        """
        holds = [f"contains(notetext,{text(mark(one))})" for one in marks]
        rows = self._dataverse.rows([query("annotations", ["annotationid"], one) for one in holds])
        notes = {
            one: [row["annotationid"] for row in some]
            for one, some in zip(marks, rows, strict=True)
            if some
        }
        ids = [*dict.fromkeys(id for some in notes.values() for id in some)]
        ops = [Op("DELETE", f"annotations({id})") for id in ids]
        errors = self._dataverse.errors(ops)
        done = {id: _ended(id, error) for id, error in zip(ids, errors, strict=True)}
        return {one: worst([done[id] for id in some]) for one, some in notes.items()}


def _notes(one: Activity) -> Iterator[Op]:
    """Yield the notes of an activity: the first is the contact's."""
    deals = guids(one.opportunities)
    for kind, id in (("contact", one.contact), *(("opportunity", deal) for deal in deals)):
        told = {
            "subject": one.subject,
            "notetext": f"{one.body}\n\n{mark(one.key)}",
            f"objectid_{kind}@odata.bind": f"/{PLACES[kind]}({id})",
        }
        yield Op("PATCH", f"annotations({uuid.uuid5(one.id, id)})", told, CREATE)


def _became(error: NotTakenError | None, activity: Activity) -> Written:
    """Return what became of one note."""
    if error is None:
        return Written(str(activity.id))
    if isinstance(error, RefusedError) and error.code == THERE:
        return Written(str(activity.id), Outcome.NOOP)
    return Written.refused(error)


def _ended(id: str, error: NotTakenError | None) -> Written:
    """Return what became of a note that is to be gone; later: it went away by itself."""
    if error is None or error.outcome is Outcome.LATER:
        return Written(id)
    return Written.refused(error)
