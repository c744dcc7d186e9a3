"""
Calling the methods of Odoo's models: one verb, and the two ways in which it is spoken.

Odoo 19 and newer speak JSON-2 (``POST /json/2/<model>/<method>``, named arguments, a key as
bearer); older ones JSON-RPC (``POST /jsonrpc``, ``execute_kw``, login and key in the body).
"""

import functools
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from regportal.connectors.calls import Calls, clock_of, said
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Answer, Egress
from regportal.connectors.odoo.answers import faulty, judged
from regportal.connectors.odoo.values import ANSWERS, row_of
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector as Document
from regportal.connectors.shapes import shaped

FIRST_OF_JSON_2 = 19
AMISS = "Odoo answered in another shape than Odoo's"
POSITIONAL = ("vals_list",)
"""Arguments that the older transport takes by their place alone."""


class Odoo:
    """One database of Odoo, as one of its users."""

    def __init__(self, document: Document, egress: Egress, key: str) -> None:
        """Keep where it is and who we are; calls nobody yet."""
        self.base = document.url.rstrip("/")
        self._login, self._database = document.client, document.database
        self._version = document.version
        self._key, self._egress = key, egress
        self.clock: datetime | None = None
        """What time it was over there when it answered last."""

    @functools.cached_property
    def version(self) -> int:
        """Return the version in front: 19 of ``19.0``. Asked for once where nobody wrote it."""
        return major_of(self._version or self.server_version())

    @functools.cached_property
    def uid(self) -> int:
        """Return whose key it is."""
        if self.version >= FIRST_OF_JSON_2:
            return int(self.call("res.users", "context_get")["uid"])
        if not self._login or not self._database:
            says = f"Odoo {self.version} needs client (the login) and database"
            raise NotTakenError(Outcome.AUTH, says)
        given = [self._database, self._login, self._key, {}]
        uid = self._rpc("common", "authenticate", given, "common/authenticate")
        if uid is False:
            raise NotTakenError(Outcome.AUTH, "Odoo does not know our key")
        return int(shaped(uid, int, AMISS))

    def server_version(self) -> str:
        """Return what the server says of itself; one that has no JSON-RPC any more is new."""
        try:
            told = self._rpc("common", "version", [], "common/version")
        except NotTakenError:
            told = self._read(self._calls("web/version").answer("GET", "/web/version"))
            return str(told.get("version")) if isinstance(told, dict) else ""
        return str(told.get("server_version")) if isinstance(told, dict) else ""

    def call(self, model: str, method: str, ids: Sequence[int] | None = None, **named: Any) -> Any:
        """
        Return what a method of a model answers; ``ids`` are the records it is called on.

        Raises UnreachableError where there is no answer, NotTakenError where it is a refusal or
        has another shape than Odoo's.
        """
        shape = (
            [row_of(named["fields"])] if method == "search_read" else ANSWERS.get(method, object)
        )
        count = len(named["vals_list"]) if method == "create" else None
        return shaped(self._called(model, method, ids, named), shape, AMISS, count)

    def _called(
        self, model: str, method: str, ids: Sequence[int] | None, named: dict[str, Any]
    ) -> Any:
        """Call a method of a model in the way this version is spoken to."""
        asked, fields = f"{model}/{method}", _fields(named)
        if self.version >= FIRST_OF_JSON_2:
            told = named if ids is None else {"ids": [*ids], **named}
            calls = self._calls(asked, fields, {"Authorization": f"bearer {self._key}"})
            return self._read(calls.answer("POST", f"/json/2/{asked}", told=told))
        first = [] if ids is None else [[*ids]]
        first += [named.pop(name) for name in POSITIONAL if name in named]
        given = [self._database, self.uid, self._key, model, method, first, named]
        return self._rpc("object", "execute_kw", given, asked, fields)

    def close(self) -> None:
        """Let go of connections."""
        self._egress.close()

    def _rpc(
        self,
        service: str,
        method: str,
        given: Sequence[Any],
        asked: str,
        fields: Collection[str] = (),
    ) -> Any:
        """Call the older transport, which answers 200 whatever it means."""
        params = {"service": service, "method": method, "args": [*given]}
        told = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}
        answer = self._read(self._calls(asked, fields).answer("POST", "/jsonrpc", told=told))
        if not isinstance(answer, dict) or not {"result", "error"} & {*answer}:
            raise NotTakenError(Outcome.RETRY, "the CRM answered no JSON-RPC")
        if "error" in answer:
            error = answer["error"]
            raise faulty(error if isinstance(error, dict) else {}, asked, fields)
        return answer["result"]

    def _calls(
        self, asked: str, fields: Collection[str] = (), headers: Mapping[str, str] | None = None
    ) -> Calls:
        """Return the line over which one thing is asked."""
        named = {"X-Odoo-Database": self._database} if self._database else {}
        sent = {**named, **(headers or {})}
        judge = functools.partial(judged, asked=asked, fields=fields)
        return Calls(self.base, self._egress, lambda: sent, judge)

    def _read(self, answer: Answer) -> Any:
        """Read an answer, and the clock over there."""
        self.clock = clock_of(answer) or self.clock
        told = said(answer)
        if told is None and answer.body.strip() != b"null":
            raise NotTakenError(Outcome.RETRY, "the CRM answered no JSON")
        return told


def major_of(version: str) -> int:
    """
    Return the number in front of a version.

    >>> major_of("17.0"), major_of("saas~19.1"), major_of("19")
    (17, 19, 19)
    """
    found = re.search(r"[0-9]{1,4}", version)
    if found is None:
        raise NotTakenError(Outcome.RETRY, "the CRM does not say which version it is")
    return int(found[0])


def _fields(named: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that a call names: they may be told of a refusal."""
    given = named.get("vals_list") or [named.get("vals") or {}]
    asked = named.get("fields") or ()
    return frozenset({name for vals in given for name in vals} | {*asked})
