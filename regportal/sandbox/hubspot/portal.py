"""The records of a portal: kept, changed, merged and forgotten as HubSpot does it."""

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from regportal.sandbox.hubspot.refusing import RefusedError, invalid
from regportal.sandbox.hubspot.shape import MODIFIED, STAGES, Property, begun

ADDRESS = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+\.[^@\s<>,;\".]+")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
FIRST = 151
APP, PEOPLE = "INTEGRATION", "CRM_UI"
"""Who changed something: a program, or a person."""
Told = Mapping[str, str]


def in_full(at: datetime) -> str:
    """
    Return a moment as HubSpot writes it.

    >>> in_full(datetime(2026, 3, 4, 12, 0, 0, 5000, tzinfo=UTC))
    '2026-03-04T12:00:00.005Z'
    """
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def millis(at: datetime) -> int:
    """Return a moment in milliseconds since 1970."""
    return int(at.timestamp() * 1000)


@dataclass(slots=True)
class Record:
    """One record."""

    id: str
    kind: str
    values: dict[str, str]
    created: datetime
    updated: datetime
    is_archived: bool = False
    history: list[tuple[str, str, datetime, str]] = field(default_factory=list)
    """Property, value, moment, and who it was."""


class Portal:
    """All the records of one account."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Begin with nobody in it."""
        self.clock = clock
        self.properties = begun()
        self.records: dict[str, dict[str, Record]] = {kind: {} for kind in self.properties}
        self.links: dict[tuple[str, str, str, str], None] = {}
        """Kind and id of both ends, in both directions, in the order in which they were made."""
        self.merged: dict[str, str] = {}
        """Which contact one became."""
        self.rules: dict[tuple[str, str], str] = {}
        """What the administrator lets a property of a kind of records hold, as a pattern."""
        self.events: list[dict[str, Any]] = []
        self._number = itertools.count(FIRST)

    # --- looking ---

    def all(self, kind: str) -> list[Record]:
        """Return the records of a kind that are not archived."""
        return [one for one in self.records[kind].values() if not one.is_archived]

    def find(self, kind: str, value: str, by: str | None = None) -> Record | None:
        """
        Return a record by id, or by a unique property (``by``): by e-mail only its first address.

        Who was merged is the one he became.
        """
        if by in {None, "hs_object_id"}:
            while kind == "contacts" and value in self.merged:
                value = self.merged[value]
            found = self.records[kind].get(value)
            return None if found is None or found.is_archived else found
        known = self.properties[kind].get(str(by))
        if known is None or not known.is_unique:
            raise invalid(f"Unable to perform update/upsert by non-unique property {by}")
        sought = value.lower() if by == "email" else value
        fits = (one for one in self.all(kind) if one.values.get(str(by)) == sought)
        return next(fits, None)

    def linked(self, kind: str, id: str, to: str) -> list[str]:
        """Return the ids of the records of a kind beside one."""
        return [
            there for here, one, kind_, there in self.links if (here, one, kind_) == (kind, id, to)
        ]

    # --- changing ---

    def add(self, kind: str, told: Told, source: str) -> Record:
        """Make a record; raise RefusedError where a value cannot be."""
        values = self._taken(kind, told, None)
        now = self.clock()
        made = Record(str(next(self._number)), kind, {}, now, now)
        made.values["hs_object_id"] = made.id
        made.values["createdate" if kind != "notes" else "hs_createdate"] = in_full(now)
        self.records[kind][made.id] = made
        self._tell(made, "creation", source)
        self._write(made, values, source)
        return made

    def set(self, record: Record, told: Told, source: str) -> None:
        """Change a record; raise RefusedError where a value cannot be."""
        self._write(record, self._taken(record.kind, told, record), source)

    def stamp(self, record: Record, told: Told, source: str = PEOPLE) -> None:
        """Write what only HubSpot writes."""
        self._write(record, told, source)

    def archive(self, record: Record, source: str, *, as_: str = "deletion") -> None:
        """Delete a record: it goes to the bin, and its links with it."""
        record.is_archived, record.updated = True, self.clock()
        ends = {(record.kind, record.id)}
        self.links = {
            one: None for one in self.links if not ends & {(one[0], one[1]), (one[2], one[3])}
        }
        self._tell(record, as_, source)

    def erase(self, record: Record, source: str) -> None:
        """Forget a contact for good."""
        self.archive(record, source, as_="privacyDeletion")
        del self.records[record.kind][record.id]

    def merge(self, kept: Record, joined: Record, source: str) -> Record:
        """Let one contact become another: values of the kept one stand, the address goes along."""
        if kept.id == joined.id or kept.kind != joined.kind:
            raise invalid("Only two contacts that differ can be merged")
        ends = [one for one in self.links if one[:2] == (joined.kind, joined.id)]
        self.archive(joined, source, as_="merge")
        self.events[-1] |= {
            "objectId": int(kept.id),
            "primaryObjectId": int(kept.id),
            "mergedObjectIds": [int(joined.id)],
            "newObjectId": int(kept.id),
        }
        self.merged[joined.id] = kept.id
        for _, _, kind, there in ends:
            self.link(kept, self.records[kind][there])
        taken = {
            name: value
            for name, value in joined.values.items()
            if not kept.values.get(name) and name in self.properties[kept.kind]
        }
        addresses = [*_split(kept, "hs_additional_emails"), *_split(joined, "hs_additional_emails")]
        addresses += [joined.values["email"]] if joined.values.get("email") else []
        others = [
            one for one in addresses if one != (kept.values.get("email") or taken.get("email"))
        ]
        ids = [*_split(kept, "hs_merged_object_ids"), joined.id]
        self._write(
            kept,
            taken
            | {
                "hs_additional_emails": ";".join(dict.fromkeys(others)),
                "hs_merged_object_ids": ";".join(ids),
            },
            source,
        )
        return kept

    def link(self, one: Record, other: Record) -> None:
        """Put two records beside each other."""
        for here, there in ((one, other), (other, one)):
            self.links[here.kind, here.id, there.kind, there.id] = None

    def unlink(self, one: Record, other: Record, source: str = PEOPLE) -> None:
        """Take two records apart, and tell it from both ends."""
        for here, there in ((one, other), (other, one)):
            ends = here.kind, here.id, there.kind, there.id
            if ends in self.links:
                del self.links[ends]
                self._tell(
                    here,
                    "associationChange",
                    source,
                    associationType=f"{_singular(here)}_TO_{_singular(there)}".upper(),
                    fromObjectId=int(here.id),
                    toObjectId=int(there.id),
                    associationRemoved=True,
                )

    # --- inside ---

    def _taken(self, kind: str, told: Told, record: Record | None) -> dict[str, str]:
        """Return values as they are kept; raise RefusedError where one cannot be."""
        problems = []
        values = {}
        for name, value in told.items():
            known = self.properties[kind].get(name)
            if known is None:
                problems.append(_problem("PROPERTY_DOESNT_EXIST", name, "does not exist"))
                continue
            values[name] = value.strip().lower() if name == "email" else value
            code = _amiss(known, values[name])
            pattern = self.rules.get((kind, name))
            if code is None and value and pattern and not re.fullmatch(pattern, value):
                code = "PROPERTY_VALIDATION_RULE"
            if code is not None:
                problems.append(_problem(code, name, f"was not valid: {code}"))
        if problems:
            says = f"Property values were not valid: {problems}"
            raise invalid(says, *problems)
        for name, value in values.items():
            if value and self.properties[kind][name].is_unique:
                self._alone(kind, name, value, record)
        return values

    def _alone(self, kind: str, name: str, value: str, record: Record | None) -> None:
        """Refuse a value that another record has; an address also where it is its second one."""
        for one in self.all(kind):
            has = [one.values.get(name, "")]
            has += _split(one, "hs_additional_emails") if name == "email" else []
            if one is not record and value in has:
                if name == "email":
                    says = f"Contact already exists. Existing ID: {one.id}"
                    raise RefusedError(409, "CONFLICT", says)
                says = f"{one.id} already has that value for {name}"
                problem = _problem("CONFLICTING_UNIQUE_VALUE", name, says)
                raise RefusedError(400, "VALIDATION_ERROR", says, errors=[problem])

    def _write(self, record: Record, values: Told, source: str) -> None:
        """Keep values, with their history, and what follows from them."""
        now = self.clock()
        told = dict(values)
        if record.kind == "deals" and "dealstage" in told:
            sure = STAGES.get(told["dealstage"], ("", 0.5))[1]
            told["hs_deal_stage_probability"] = str(sure)
            told["hs_is_closed"] = str(sure in {0.0, 1.0}).lower()
            told["hs_is_closed_won"] = str(sure == 1.0).lower()
        for name, value in told.items():
            if record.values.get(name, "") != value:
                record.values[name] = value
                record.history.append((name, value, now, source))
                self._tell(record, "propertyChange", source, propertyName=name, propertyValue=value)
        record.updated = now
        record.values[MODIFIED.get(record.kind, "hs_lastmodifieddate")] = in_full(now)

    def _tell(self, record: Record, what: str, source: str, **more: Any) -> None:
        """Keep an event for whoever subscribed to such."""
        self.events.append(
            {
                "eventId": len(self.events) + 1,
                "subscriptionType": f"{_singular(record)}.{what}",
                "objectId": int(record.id),
                "occurredAt": millis(self.clock()),
                "changeSource": source,
                **more,
            }
        )


def _singular(record: Record) -> str:
    """
    Return what one record of a kind is called.

    >>> now = datetime(2026, 3, 4, tzinfo=UTC)
    >>> _singular(Record("1", "companies", {}, now, now))
    'company'
    """
    return {"companies": "company"}.get(record.kind, record.kind[:-1])


def _split(record: Record, name: str) -> list[str]:
    """Return the parts of a value that holds several."""
    return [one for one in record.values.get(name, "").split(";") if one]


def _problem(code: str, name: str, says: str) -> dict[str, Any]:
    """Return what is amiss with one property."""
    return {
        "code": code,
        "message": f"Property {name!r} {says}",
        "context": {"propertyName": [name]},
    }


def _amiss(known: Property, value: str) -> str | None:
    """Return the code of what is wrong with a value; None: nothing."""
    if known.is_read_only:
        return "READ_ONLY_VALUE"
    if value == "":
        return None
    wrong = {
        "INVALID_EMAIL": known.name == "email" and not ADDRESS.fullmatch(value),
        "INVALID_OPTION": (known.type == "enumeration" and {*value.split(";")} - {*known.options})
        or (known.type == "bool" and value not in {"true", "false"}),
        "INVALID_NUMBER": known.type == "number" and not NUMBER.fullmatch(value),
        "INVALID_DATE": known.type == "datetime" and moment_of(value) is None,
    }
    return next((code for code, is_so in wrong.items() if is_so), None)


def moment_of(text: str) -> datetime | None:
    """
    Return a moment told in milliseconds or in ISO 8601; None where it is neither.

    >>> moment_of("1772625600000") == moment_of("2026-03-04T12:00:00Z"), moment_of("noon")
    (True, None)
    """
    try:
        if re.fullmatch(r"\d{1,15}", text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
