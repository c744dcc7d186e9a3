"""Calling Dataverse: rows of tables, many calls in one, and how URLs name what is meant."""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from regportal.connectors.calls import FINE, Calls, said
from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.dynamics import batches
from regportal.connectors.dynamics.batches import Op
from regportal.connectors.dynamics.judging import RefusedError, judged, refusals
from regportal.connectors.egress import Answer, Egress
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector as Document
from regportal.connectors.shapes import Row
from regportal.connectors.tokens import Token
from regportal.errors import ConfigError

VERSION = "9.2"
"""Of the Web API: the newest that was tried."""
AT_ONCE = 100
"""Calls in one batch: Dataverse takes a thousand, but their time counts against us."""
IN_ONE = 40
"""Values in one condition."""
ODATA = {"OData-Version": "4.0", "OData-MaxVersion": "4.0"}
GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
CREATE = {"If-None-Match": "*"}
RIGHTS = "Microsoft.Dynamics.CRM.RetrieveUserPrivilegeByPrivilegeName(PrivilegeName='{}')"
"""What asks of a user for the rights of one name: none are answered where it has none."""


class Dataverse:
    """One environment of Dataverse, as an application user of it."""

    def __init__(self, document: Document, secret: str, egress: Egress) -> None:
        """Keep where it is and who we are; calls nobody yet. Raises ConfigError."""
        if document.client is None or document.token_url is None:
            raise ConfigError("a connector of type dynamics needs client and token_url")
        self.url = document.url.rstrip("/")
        self.version = (document.version or VERSION).removeprefix("v")
        base = f"{self.url}/api/data/v{self.version}"
        parts = urlsplit(self.url)
        asked = {
            "client_id": document.client,
            "client_secret": secret,
            "scope": f"{parts.scheme}://{parts.netloc}/.default",
        }
        token = Token(document.token_url, egress, asked)
        self._root, self._egress = urlsplit(base).path, egress
        self._calls = Calls(base, egress, lambda: {**ODATA, **token.headers()}, judged, token.renew)

    def get(self, path: str, query: Mapping[str, Any], prefer: str = "") -> tuple[Any, Answer]:
        """Return what there is at a path, and the whole answer; raises what Calls raise."""
        headers = {"Prefer": prefer} if prefer else None
        answer = self._calls.answer("GET", f"/{path}", query=query or None, headers=headers)
        return self._calls.read(answer), answer

    def post(
        self, path: str, told: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Any:
        """Let something be made or done, and return what is answered."""
        return self._calls.ask("POST", f"/{path}", told=told, headers=headers)

    def all(self, ops: Sequence[Op]) -> list[Answer]:
        """Return the answer to each of many calls: what is refused of one is said in its place."""
        found: list[Answer] = []
        for first in range(0, len(ops), AT_ONCE):
            some = ops[first : first + AT_ONCE]
            kind, body = batches.written(some, self._root)
            more = {"Content-Type": kind, "Prefer": "odata.continue-on-error"}
            for _ in some[1:]:  # of a day's requests each counts, not only the call
                self._egress.meter.count()
            answer = self._calls.answer("POST", "/$batch", body=body, headers=more)
            found += batches.read(answer, len(some))
        return found

    def rows(self, asked: Sequence[str]) -> list[list[Row]]:
        """Return the rows that each of some queries finds; raise where one of them is refused."""
        if not asked:
            return []
        return [self.rows_of(one) for one in self.all([Op("GET", path) for path in asked])]

    @staticmethod
    def rows_of(answer: Answer) -> list[Row]:
        """Return the rows of an answer; raise NotTakenError where it is a refusal, or has none."""
        if answer.status not in FINE:
            raise judged(answer)
        told = said(answer)
        rows = told.get("value") if isinstance(told, dict) else None
        if not isinstance(rows, list):
            raise NotTakenError(Outcome.RETRY, "Dynamics answered no rows")
        return rows

    def write(self, ops: Sequence[Op], done: Callable[[int, Answer], Written]) -> list[Written]:
        """Do many calls; ``done`` says what became of one that was taken, by its place."""
        tried = self.tried(ops)
        return [
            done(place, answer) if error is None else Written.refused(error)
            for place, (answer, error) in enumerate(tried)
        ]

    def errors(self, ops: Sequence[Op]) -> list[NotTakenError | None]:
        """Do many calls; return why each was refused, None: it was taken."""
        return [error for _, error in self.tried(ops)]

    def tried(self, ops: Sequence[Op]) -> list[tuple[Answer, NotTakenError | None]]:
        """Do many calls; return the answer to each, and why it was refused, if it was."""
        answers = self.all(ops)
        return [*zip(answers, refusals(answers, self._may), strict=True)]

    def _may(self, right: str) -> bool:
        """Return whether our user has a right, by its roles and those of its teams."""
        if not right:
            return False
        try:
            told, _ = self.get(f"systemusers({self._user})/{RIGHTS.format(right)}", {})
        except RefusedError as error:
            if error.outcome is Outcome.RETRY:
                raise
            return False  # it does not let us see even that
        return bool(isinstance(told, dict) and told.get("RolePrivileges"))

    @functools.cached_property
    def _user(self) -> str:
        """Return the id of our user."""
        told, _ = self.get("WhoAmI", {})
        return str(told.get("UserId") if isinstance(told, dict) else told)

    def close(self) -> None:
        """Let go of connections."""
        self._egress.close()


def query(entity_set: str, select: Iterable[str], holds: str = "", expand: str = "") -> str:
    """
    Return the path that asks for rows.

    >>> query("contacts", ["fullname"], "statecode eq 0")
    'contacts?$select=fullname&$filter=statecode%20eq%200'
    """
    told = {"$select": ",".join(dict.fromkeys(select)), "$filter": holds, "$expand": expand}
    kept = {name: value for name, value in told.items() if value}
    return f"{entity_set}?{urlencode(kept, quote_via=quote, safe='$,()')}"


def text(value: str) -> str:
    """
    Return a text as a query has it.

    >>> text("O'Neil")
    "'O''Neil'"
    """
    return "'" + value.replace("'", "''") + "'"


def any_of(columns: Sequence[str], values: Iterable[str]) -> Iterator[str]:
    """
    Yield conditions that one of some columns has one of many values, so many as fit into one.

    >>> [*any_of(["a", "b"], ["'x'", "'y'"])]
    ["(a eq 'x' or b eq 'x' or a eq 'y' or b eq 'y')"]
    """
    once, at_once = list(dict.fromkeys(values)), IN_ONE // len(columns)
    for first in range(0, len(once), at_once):
        some = once[first : first + at_once]
        held = " or ".join(f"{column} eq {value}" for value in some for column in columns)
        yield f"({held})"


def guids(ids: Iterable[str]) -> list[str]:
    """Return those of some ids that Dataverse may have given."""
    return [id for id in dict.fromkeys(ids) if GUID.fullmatch(id)]
