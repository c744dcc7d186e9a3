"""Deals: which are open, what they are like, and how they are told of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from regportal.connectors.base import Notice, Record
from regportal.connectors.desk import Written
from regportal.connectors.hubspot.asking import Hub, settled
from regportal.connectors.hubspot.reading import id_of, properties
from regportal.connectors.hubspot.values import moment
from regportal.connectors.shapes import Row, among, under
from regportal.connectors.telling import notice
from regportal.connectors.wanted import KEY

DEALS, CONTACTS, COMPANIES = "deals", "contacts", "companies"
TOLD = (
    *("dealname", "dealstage", "pipeline", "amount", "deal_currency_code", "closedate"),
    *("hubspot_owner_id", "hs_lastmodifieddate"),
)
SURE, NEVER = 1.0, 0.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a pipeline: what people call it, and how likely it is that it is won."""

    label: str
    probability: float | None

    @property
    def percent(self) -> float | None:
        """Return the same in per cent."""
        return None if self.probability is None else round(100 * self.probability, 2)

    @property
    def is_won(self) -> bool:
        """Return whether it is the good end."""
        return self.probability == SURE

    @property
    def is_closed(self) -> bool:
        """Return whether it is an end."""
        return self.probability in {SURE, NEVER}


class Deals:
    """The deals of one account."""

    def __init__(self, hub: Hub, zone: tzinfo) -> None:
        """Take where to ask, and the zone whose days count over there."""
        self._hub, self._zone = hub, zone

    def read(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Record]:
        """Return deals by id; HubSpot's ids are numbers, and of others there is none."""
        stages = self._stages()
        asked = [id for id in ids if id.isdecimal()]
        rows = self._hub.read(DEALS, asked, ["dealstage", *fields])
        return {id_of(row): self._record(row, stages) for row in rows}

    def open_of(self, contacts: Sequence[str]) -> dict[str, list[Record]]:
        """Return the open deals of contacts."""
        stages = self._stages()
        beside = self._hub.beside(CONTACTS, contacts, DEALS)
        rows = self._hub.read(DEALS, [id for ids in beside.values() for id in ids], TOLD)
        there = {id_of(row): self._record(row, stages) for row in rows}
        return {
            contact: [there[id] for id in ids if id in there and not there[id].is_closed]
            for contact, ids in beside.items()
        }

    def update(self, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> list[Written]:
        """Set fields of deals."""
        inputs = [{"id": record.id, "properties": values} for record, values in changes]
        return [settled(one) for one in self._hub.batch(DEALS, "update", inputs)]

    def news(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Yield what is told of deals, and of whoever has a part in them."""
        stages, ids = self._stages(), [id_of(row) for row in rows]
        parts = self._hub.beside(DEALS, ids, CONTACTS)
        whom = self._names([id for beside in parts.values() for id in beside])
        firms = self._companies(ids)
        owners = {str(one.get("id")): one for one in self._hub.kept("crm/owners", "")}
        for row in rows:
            at = row.get("updatedAt")
            id, at = id_of(row), at if isinstance(at, str) else None
            told = _facts(row, stages, owners, firms.get(id), self._zone)
            yield notice("opportunity.upserted", told, at, id)
            for contact, label in parts.get(id, {}).items():
                if contact in whom:
                    role = {"role": label} if label else {}
                    part = {"opportunity": id, **whom[contact], **role}
                    yield notice("contact_role.added", part, at, id, contact)

    def _names(self, contacts: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return by what contacts are told of: our key, else the address; who has neither not."""
        found: dict[str, dict[str, str]] = {}
        for row in self._hub.read(CONTACTS, contacts, ["email", KEY]):
            told = properties(row)
            key, email = told.get(KEY), told.get("email")
            if key or email:
                found[id_of(row)] = {"contact": str(key)} if key else {"email": str(email)}
        return found

    def _companies(self, deals: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the first company beside each deal."""
        beside = self._hub.beside(DEALS, deals, COMPANIES)
        first = {deal: next(iter(ids)) for deal, ids in beside.items() if ids}
        rows = self._hub.read(COMPANIES, first.values(), ["name", "domain"])
        told: dict[str, Row] = {id_of(row): properties(row) for row in rows}
        return {
            deal: {
                "external_id": id,
                "name": told[id].get("name"),
                "domain": told[id].get("domain") or None,
            }
            for deal, id in first.items()
            if id in told
        }

    def _stages(self) -> dict[str, Stage]:
        """Return the stages of all pipelines, by id."""
        return {
            str(one.get("id")): Stage(str(one.get("label")), _number(under(one, "metadata")))
            for pipeline in self._hub.kept("crm/pipelines", DEALS)
            for one in among(pipeline, "stages")
        }

    def _record(self, row: Row, stages: Mapping[str, Stage]) -> Record:
        """Return a deal."""
        values = self._hub.values(DEALS, row)
        stage = stages.get(str(values.get("dealstage")))
        return Record(id_of(row), values, is_closed=stage is not None and stage.is_closed)


def _facts(
    row: Row,
    stages: Mapping[str, Stage],
    owners: Mapping[str, Row],
    firm: Mapping[str, Any] | None,
    zone: tzinfo,
) -> dict[str, Any]:
    """Return what we are told of a deal."""
    told = properties(row)
    stage = stages.get(str(told.get("dealstage")))
    owner = owners.get(str(told.get("hubspot_owner_id")))
    return {
        "external_id": id_of(row),
        "name": told.get("dealname"),
        "stage": stage.label if stage else told.get("dealstage"),
        "probability": stage.percent if stage else None,
        "amount": told.get("amount") or None,
        "currency": told.get("deal_currency_code") or None,
        "close_date": _day(told.get("closedate"), zone),
        "is_closed": stage is not None and stage.is_closed,
        "is_won": stage is not None and stage.is_won,
        "owner": _owner(owner) if owner else None,
        "account": firm,
    }


def _day(text: Any, zone: tzinfo) -> str | None:
    """
    Return the day of a moment as people over there see it.

    >>> from zoneinfo import ZoneInfo
    >>> _day("2026-12-30T23:30:00Z", ZoneInfo("Europe/Berlin")), _day("", ZoneInfo("UTC"))
    ('2026-12-31', None)
    """
    at = moment(text)
    return None if at is None else at.astimezone(zone).date().isoformat()


def _owner(owner: Row) -> dict[str, Any]:
    """Return who looks after a deal."""
    names = [owner.get("firstName"), owner.get("lastName")]
    name = " ".join(str(one) for one in names if one)
    return {"name": name or None, "email": owner.get("email") or None}


def _number(metadata: Mapping[str, Any]) -> float | None:
    """Return how likely a stage is to be won, from 0 to 1."""
    try:
        return float(metadata.get("probability", ""))
    except (TypeError, ValueError):
        return None
