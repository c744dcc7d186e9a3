"""
What contacts did, as notes in their history and in that of their opportunities.

The id of a note is worked out of what it tells and where it stands, so it is there once. It ends
with a mark by which all notes of somebody are found who is to be forgotten.
"""

from datetime import datetime

from regportal.connectors.desk import Activity, Written
from regportal.connectors.suitecrm.asking import Suite
from regportal.connectors.suitecrm.values import text, written

AGAIN = "Wants “{}” again"
"""What a note is called by which somebody is known who took an opt-out back."""
FOUND_BY = "[regportal:{}]"


class Notes:
    """The notes of one SuiteCRM that we wrote."""

    def __init__(self, suite: Suite) -> None:
        """Take where to ask."""
        self._suite = suite

    def log(self, one: Activity) -> Written:
        """Write an activity beside its contact and his opportunities."""
        places = [("Contacts", one.contact), *(("Opportunities", id) for id in one.opportunities)]
        for module, id in places:
            made = self._write(str(one.id), one.key, module, id, one.subject, one.body, one.at)
            if made.id is None:
                return made
        return Written(str(one.id))

    def say_again(
        self, key: str, contact: str, newsletter: str, because: str, at: datetime
    ) -> None:
        """
        Write down that somebody took an opt-out back: who looks at him sees why.

        SuiteCRM does not tell when somebody opted out. By these notes an opt-out that comes later
        is told apart from the one before (`news.py`).
        """
        about = f"again:{newsletter}:{written(at)}"
        subject = AGAIN.format(newsletter)
        self._write(about, key, "Contacts", contact, subject, because, at)

    def again(self, newsletter: str) -> list[str]:
        """Return the contacts that took an opt-out back, each as often as he did."""
        where = {"name": {"eq": text(AGAIN.format(newsletter))}}
        return [str(row["parent_id"]) for row in self._suite.all("Notes", where, ["parent_id"])]

    def forget(self, whose: str) -> None:
        """
        Empty and delete what we wrote of somebody, wherever it stands.

        By our key of him, or a contact that he was.
        """
        where = {"description": {"like": f"%{FOUND_BY.format(whose)}"}}
        for row in [*self._suite.all("Notes", where)]:
            nothing = {"name": "", "description": "", "deleted": "1"}
            self._suite.patch("Notes", row["id"], nothing)

    def _write(
        self,
        about: str,
        key: str,
        module: str,
        id: str,
        subject: str,
        body: str,
        at: datetime,
    ) -> Written:
        """Write a note about somebody, by our key of him, beside a record."""
        told = {
            "name": text(subject),
            "description": f"{text(body)}\n\n{FOUND_BY.format(key)}",
            "parent_type": module,
            "parent_id": id,
            "date_entered": written(at),
        }
        return self._suite.make("Notes", [about, id], told)
