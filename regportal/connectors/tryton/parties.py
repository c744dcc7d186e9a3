"""People in Tryton: parties with contact mechanisms, found, read and made."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from regportal.connectors.base import Record
from regportal.connectors.desk import Written
from regportal.connectors.orders import Whose
from regportal.connectors.tryton.api import EVERYONE, Api, like

MODEL, KEY, SCORES, SCORE = "party.party", "regportal_id", "regportal_scores", "regportal_"
MECHANISMS = ("email", "fax", "mobile", "phone", "website")
"""Fields of a party that are lines of its contact mechanisms."""
MERGES = 5
"""How often one after the other a party may have become part of another one."""


class Parties:
    """The parties of one Tryton."""

    def __init__(self, api: Api) -> None:
        """Ask for nothing yet."""
        self._api = api

    def read(self, ids: Iterable[int], fields: Sequence[str]) -> dict[int, Record]:
        """Return parties by the id asked for; one that was merged is what it became part of."""
        asked = {id: id for id in ids}
        names = {SCORES if score_of(name) else name for name in (*fields, KEY)}
        names |= {"_timestamp", "replaced_by"}
        rows: dict[int, Mapping[str, Any]] = {}
        for _ in range(MERGES):
            missing = {*asked.values()} - {*rows}
            if not missing:
                break
            domain = [["id", "in", sorted(missing)], EVERYONE]
            rows |= {row["id"]: row for row in self._api.rows(MODEL, domain, sorted(names))}
            for id, now in asked.items():
                asked[id] = (rows.get(now) or {}).get("replaced_by") or now
        return {id: _record(rows[now], rows[id]) for id, now in asked.items() if now in rows}

    def find(self, whose: Sequence[Whose], fields: Sequence[str]) -> list[list[Record]]:
        """Return the parties that each is: by our key, and only where none has it by address."""
        keyed = self.keyed([who.key for who in whose])
        ids = {key: {int(id) for id in some} for key, some in keyed.items()}
        left = [who for who in whose if who.key not in ids]
        by_address = self._at({who.email.casefold() for who in left}) if left else {}
        ids |= {who.key: by_address.get(who.email.casefold(), set()) for who in left}
        records = self.read(set().union(*ids.values()), fields)
        found = []
        for who in whose:
            fit = {records[id].id: records[id] for id in sorted(ids[who.key]) if id in records}
            found.append([*fit.values()])
        return found

    def keyed(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """Return the parties with keys of ours: key → ids."""
        rows = self._api.rows(MODEL, [[KEY, "in", [*keys]], EVERYONE], [KEY])
        return {row[KEY]: [str(row["id"])] for row in rows}

    def _at(self, addresses: set[str]) -> dict[str, set[int]]:
        """
        Return the parties at addresses.

        An address that is not in use any more counts where nobody uses it: so the address of one
        who was merged lies at the other.
        """
        fit = ["OR", *(["value", "ilike", like(address)] for address in sorted(addresses))]
        domain = [["type", "=", "email"], fit, ["party.active", "=", True]]
        names = ["value", "party", "active"]
        rows = self._api.rows("party.contact_mechanism", domain, names, active_test=False)
        found: dict[bool, dict[str, set[int]]] = {True: {}, False: {}}
        for row in rows:
            at = found[bool(row["active"])].setdefault(row["value"].casefold(), set())
            at.add(row["party"])
        return found[False] | found[True]

    def create(self, people: Sequence[tuple[Whose, Mapping[str, Any]]]) -> list[Written]:
        """Make parties, in one call."""
        new = [_new(who, values) for who, values in people]
        ids = self._api.each(MODEL, "regportal_create", new=new)
        return [Written(str(id), created=True) for id in ids]

    def there_already(self, one: tuple[Whose, Mapping[str, Any]], refused: Written) -> Written:
        """Return a party that was refused because it has been made meanwhile, by a call of ours."""
        rows = self._api.rows(MODEL, [[KEY, "=", one[0].key], EVERYONE], ["id"])
        return Written(str(rows[0]["id"]), created=False) if rows else refused


def score_of(name: str) -> str | None:
    """
    Return which score a field is.

    >>> score_of("regportal_fit"), score_of("regportal_id"), score_of("name")
    ('fit', None, None)
    """
    is_one = name.startswith(SCORE) and name not in {KEY, SCORES}
    return name.removeprefix(SCORE) if is_one else None


def _record(row: Mapping[str, Any], asked: Mapping[str, Any]) -> Record:
    """Return a party as Tryton told of it, with our key of the one that was asked for."""
    scores = {f"{SCORE}{key}": value for key, value in (row.get(SCORES) or {}).items()}
    values = {**row, **scores, KEY: row[KEY] or asked[KEY]}
    return Record(str(row["id"]), values, etag=row["_timestamp"])


def _new(who: Whose, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new party: who tells no name is called by his address until he does."""
    lines = {"email": who.email} | {
        name: value for name, value in values.items() if name in MECHANISMS and value
    }
    plain = {name: value for name, value in values.items() if name not in MECHANISMS}
    mechanisms = [{"type": name, "value": value} for name, value in lines.items()]
    return {
        "name": who.email,
        **plain,
        KEY: who.key,
        "contact_mechanisms": [["create", mechanisms]],
    }
