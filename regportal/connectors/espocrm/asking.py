"""Asking EspoCRM: lists with conditions, and single records."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import NoneType
from typing import Any

from regportal.connectors.calls import Calls, clock_of, pages
from regportal.connectors.desk import NotTakenError
from regportal.connectors.egress import Egress
from regportal.connectors.espocrm.judging import judged
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Row, shaped

API = "/api/v1"
TEXT = (str, NoneType)
FIELDS = {
    "cRegportalId": TEXT,
    "contactsColumns": (dict, NoneType),
    "contactsIds": ([str], NoneType),
    "createdById": TEXT,
    "emailAddress": TEXT,
    "modifiedById": TEXT,
    "name": TEXT,
    "type": TEXT,
}
"""What the fields hold that are read here, where a record has them; others are only passed on."""
PAGE = 200
"""Records in one answer: EspoCRM refuses to be asked for more."""
IN_ONE = 50
"""Ids in one question: more make a URL that servers in front of it refuse."""
MOMENT = "%Y-%m-%d %H:%M:%S"
"""How EspoCRM writes moments: in UTC, whole seconds."""
Where = tuple[str, str, Any]
"""A condition: its type, an attribute, and the value or the values it asks for."""


def spelled(name: str) -> str:
    """
    Return how EspoCRM spells a field of ours: camel case, and ``c`` before what is no part of it.

    >>> spelled("buying_phase"), spelled("regportal_id"), spelled("cMyPhase_since")
    ('cBuyingPhase', 'cRegportalId', 'cMyPhaseSince')
    """
    first, *more = (part for part in name.split("_") if part)
    rest = "".join(part[:1].upper() + part[1:] for part in more)
    return f"{first}{rest}" if is_custom(first) else f"c{first[:1].upper()}{first[1:]}{rest}"


def is_custom(name: str) -> bool:
    """
    Return whether a field is one that an administrator made.

    >>> is_custom("cBuyingPhase"), is_custom("closeDate")
    (True, False)
    """
    return name[:1] == "c" and name[1:2].isupper()


def written(value: Any) -> Any:
    """
    Return a value as EspoCRM writes it.

    >>> written(datetime(2026, 3, 4, 12, tzinfo=UTC)), written(("a", "b")), written(7.5)
    ('2026-03-04 12:00:00', ['a', 'b'], 7.5)
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(MOMENT)
    return [*value] if isinstance(value, tuple) else value


def asked(where: Sequence[Where]) -> dict[str, Any]:
    """
    Return conditions as EspoCRM reads them in a URL; a condition ``or`` has others as its values.

    >>> asked([("in", "id", ["a", "b"])])
    {'where[0][type]': 'in', 'where[0][attribute]': 'id',
     'where[0][value][0]': 'a', 'where[0][value][1]': 'b'}
    """
    return dict(_conditions("where", where))


def _conditions(name: str, where: Sequence[Where]) -> Iterator[tuple[str, Any]]:
    """Yield each part of some conditions with its name."""
    for number, (kind, attribute, value) in enumerate(where):
        this = f"{name}[{number}]"
        yield f"{this}[type]", kind
        if kind == "or":
            yield from _conditions(f"{this}[value]", value)
            continue
        yield f"{this}[attribute]", attribute
        if isinstance(value, list):
            yield from ((f"{this}[value][{place}]", one) for place, one in enumerate(value))
        elif value is not None:
            yield f"{this}[value]", value


def some(ids: Iterable[str]) -> Iterator[list[str]]:
    """
    Yield ids, each once, so many at a time as one question may hold.

    >>> [*some(["b", "a", "b"])]
    [['b', 'a']]
    """
    once = list(dict.fromkeys(ids))
    yield from (once[first : first + IN_ONE] for first in range(0, len(once), IN_ONE))


@dataclass(frozen=True, slots=True)
class Espo:
    """The API of one EspoCRM. Everything raises what :class:`Calls` raises."""

    calls: Calls

    @classmethod
    def at(cls, url: str, egress: Egress, word: str) -> "Espo":
        """Return the API at a URL; ``word`` is the key of an API user, or ``name:password``."""
        basic = {"Authorization": f"Basic {base64.b64encode(word.encode()).decode()}"}
        headers = basic if ":" in word else {"X-Api-Key": word}
        return cls(Calls(f"{url.rstrip('/')}{API}", egress, lambda: headers, judged))

    def get(self, path: str, **query: Any) -> Any:
        """Return what there is at a path."""
        return self.calls.ask("GET", f"/{path}", query=query or None)

    def metadata(self, key: str) -> Mapping[str, Any]:
        """Return a part of what EspoCRM says of itself; empty where it has no such part."""
        found = self.get("Metadata", key=key)
        return found if isinstance(found, dict) else {}

    def page(
        self,
        path: str,
        where: Sequence[Where] = (),
        select: Sequence[str] = ("id",),
        *,
        order: str | None = None,
        most: int = PAGE,
        skip: int = 0,
        **more: Any,
    ) -> tuple[list[Row], datetime]:
        """Return at most so many records of a list, and what time it was there, or else here."""
        query = asked(where) | {"select": ",".join(select), "maxSize": most, "offset": skip} | more
        if order is not None:
            query |= {"orderBy": order, "order": "asc"}
        answer = self.calls.answer("GET", f"/{path}", query=query)
        told = self.calls.read(answer)
        rows = told.get("list") if isinstance(told, dict) else None
        if not isinstance(rows, list):
            raise NotTakenError(Outcome.RETRY, "EspoCRM answered no list")
        return [_record(row) for row in rows], clock_of(answer) or datetime.now(UTC)

    def all(
        self, path: str, where: Sequence[Where] = (), select: Sequence[str] = ("id",)
    ) -> list[Row]:
        """Return all records of a list that fit."""
        found: list[Row] = []
        for _ in pages():
            rows, _ = self.page(path, where, select, order="createdAt", skip=len(found))
            found += rows
            if len(rows) < PAGE:
                break
        return found

    def by_id(self, scope: str, ids: Iterable[str], select: Sequence[str]) -> dict[str, Row]:
        """Return records by id; one that is not there any more is left out."""
        return {
            row["id"]: row
            for part in some(ids)
            for row in self.all(scope, [("in", "id", part)], ["id", *select])
        }

    def do(self, path: str, told: Mapping[str, Any], *, method: str = "POST") -> None:
        """Let something be done."""
        self.calls.ask(method, f"/{path}", told=told)

    def create(self, scope: str, told: Mapping[str, Any], *, is_new: bool = False) -> Row:
        """Make a record; ``is_new``: also where EspoCRM takes it for one that it has."""
        more = {"X-Skip-Duplicate-Check": "true"} if is_new else None
        return _record(self.calls.ask("POST", f"/{scope}", told=told, headers=more))

    def put(
        self, scope: str, record: str, told: Mapping[str, Any], version: str | None = None
    ) -> Row:
        """Set fields of a record; with ``version`` only as long as it is that one."""
        more = {"X-Version-Number": version} if version else None
        return _record(self.calls.ask("PUT", f"/{scope}/{record}", told=told, headers=more))

    def delete(self, scope: str, record: str) -> None:
        """Delete a record."""
        self.calls.ask("DELETE", f"/{scope}/{record}")


def _record(told: Any) -> Row:
    """Return a record; raise NotTakenError for anything else: that is no EspoCRM."""
    known = {name: FIELDS[name] for name in FIELDS if isinstance(told, dict) and name in told}
    row: Row = shaped(told, {"id": str, **known}, "EspoCRM answered no record")
    return row
