"""
What contacts did, in their stream and in that of their opportunities.

EspoCRM takes no id of ours for a note, and has no field for one. So each note ends with a mark:
whose deed it is, and which. What is marked already is not written again.
"""

from collections.abc import Iterable, Sequence

from regportal.connectors.desk import Activity, NotTakenError, Written
from regportal.connectors.espocrm.asking import Espo, Where, some
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Row
from regportal.connectors.singly import one_by_one

KEPT = "EspoCRM keeps notes that are older than its noteDeleteThresholdPeriod"


def mark(whose: str, what: str) -> str:
    """
    Return how a note of ours ends.

    >>> mark("6b03", "8c1f")
    '[regportal:6b03:8c1f]'
    """
    return f"[regportal:{whose}:{what}]"


class Stream:
    """The notes of one EspoCRM."""

    def __init__(self, espo: Espo) -> None:
        """Take where to ask."""
        self._espo = espo

    def log(self, activities: Sequence[Activity]) -> list[Written]:
        """Write each activity beside its contact and his opportunities, where it is not yet."""
        there = self._there(activities)
        return one_by_one(activities, lambda one: self._logged(one, there))

    def _there(self, activities: Sequence[Activity]) -> set[tuple[str, str]]:
        """Return beside whom which activity is already: ids of records and marks."""
        marks = [mark(one.key, str(one.id)) for one in activities]
        parents = [id for one in activities for id in (one.contact, *one.opportunities)]
        found = self.notes(parents, marks)
        return {
            (str(row.get("parentId")), one)
            for row in found
            for one in marks
            if one in str(row.get("post"))
        }

    def notes(self, parents: Iterable[str], marks: Sequence[str]) -> list[Row]:
        """Return the notes beside records that hold one of these texts."""
        texts: list[Where] = [("contains", "post", one) for one in marks]
        return [
            row
            for part in some(parents)
            for row in self._espo.all(
                "Note", [("in", "parentId", part), ("or", "", texts)], ["id", "post", "parentId"]
            )
        ]

    def _logged(self, one: Activity, there: set[tuple[str, str]]) -> Written:
        """Write one activity wherever it is not yet."""
        ends = mark(one.key, str(one.id))
        post = f"{one.body}\n\n{ends}"
        places = [("Contact", one.contact), *(("Opportunity", id) for id in one.opportunities)]
        for scope, parent in places:
            if (parent, ends) in there:
                continue
            try:
                self.write(scope, parent, post)
            except NotTakenError as error:
                if error.outcome is not Outcome.AUTH or self._espo.by_id(scope, [parent], ["id"]):
                    raise  # a note beside nothing is refused as if we had no right to write it
                if scope == "Contact":
                    return Written(None, Outcome.LATER, "the record went away")
        return Written(str(one.id))

    def write(self, scope: str, parent: str, post: str) -> None:
        """Write a note beside a record."""
        told = {"type": "Post", "parentType": scope, "parentId": parent, "post": post}
        self._espo.create("Note", told)

    def forget(self, whose: str) -> None:
        """
        Delete what we wrote of somebody, by our key of him or a contact that he was.

        Wherever it stands; raises NotTakenError where EspoCRM keeps it.
        """
        begins = mark(whose, "")[:-1]
        for row in self._espo.all("Note", [("contains", "post", begins)]):
            try:
                self._espo.delete("Note", row["id"])
            except NotTakenError as error:
                if error.outcome is Outcome.REJECTED:
                    raise NotTakenError(Outcome.REJECTED, KEPT) from None
                if error.outcome is not Outcome.LATER:  # later: it went away, and it was to
                    raise
