"""
Newsletters, as Customer Insights - Journeys has them: topics, and who has opted in to which.

A consent belongs to an address, not to a contact. Whoever has opted out of the purpose of a topic,
or of all mail on his contact, has opted out of the topic.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from regportal.connectors.calls import FINE
from regportal.connectors.desk import Allowing, NotTakenError, Written
from regportal.connectors.dynamics.batches import Op
from regportal.connectors.dynamics.dataverse import Dataverse, any_of, query, text
from regportal.connectors.dynamics.judging import NO_SET, RefusedError, judged
from regportal.connectors.judging import EVERY, Subscription, joined
from regportal.connectors.rules import Outcome
from regportal.connectors.shapes import Row

CONSENTS = "msdynmkt_contactpointconsent4s"
ID = "msdynmkt_contactpointconsent4id"
EMAIL, OF_TOPIC = 534120000, 534120001
IN, OUT = 534120001, 534120002
LOADED = 534120003
"""Where a consent comes from: it was loaded from elsewhere."""
ASKED = (
    *("msdynmkt_contactpointvalue", "msdynmkt_value", "modifiedon", ID),
    *("_msdynmkt_topicid_value", "_msdynmkt_purposeid_value"),
)
NO_JOURNEYS = "this Dynamics has no Customer Insights - Journeys: no place for a newsletter"
LONGEST_REASON = 500
KEPT = 5.0
"""Seconds for which we believe which topics there are: what is told at once asks for them once."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that people opt in to."""

    id: str
    name: str
    purpose: str | None


class Consents:
    """The consents of one environment."""

    def __init__(self, dataverse: Dataverse) -> None:
        """Take where to ask."""
        self._dataverse = dataverse
        self._known: Sequence[Topic] | None = None
        self._looked: float | None = None

    def lists(self, names: Sequence[str]) -> dict[str, list[str]]:
        """
        Return the ids of all topics that each name, or id, means.

        Raises NotTakenError where Journeys is not installed.
        """
        topics = self.topics()
        if topics is None:
            raise NotTakenError(Outcome.UNSUPPORTED, NO_JOURNEYS)
        return {name: [one.id for one in topics if name in {one.id, one.name}] for name in names}

    def topics(self) -> Sequence[Topic] | None:
        """Return the topics, as they were a moment ago; None where Journeys is not installed."""
        now = time.monotonic()
        if self._looked is None or now - self._looked >= KEPT:
            self._known, self._looked = self._read_topics(), now
        return self._known

    def _read_topics(self) -> Sequence[Topic] | None:
        """Ask for the topics; None where Journeys is not installed."""
        asked = ["msdynmkt_topicid", "msdynmkt_name", "_msdynmkt_purposeid_value"]
        (answer,) = self._dataverse.all([Op("GET", query("msdynmkt_topics", asked))])
        if answer.status not in FINE:
            error = judged(answer)
            if isinstance(error, RefusedError) and error.code == NO_SET:
                return None
            raise error
        rows = self._dataverse.rows_of(answer)
        return [
            Topic(row["msdynmkt_topicid"], row["msdynmkt_name"], row["_msdynmkt_purposeid_value"])
            for row in rows
        ]

    def lists_of(self, contacts: Mapping[str, str]) -> dict[str, dict[str, Subscription]]:
        """Return what each of these contacts (id → address) allows, by topic."""
        topics = self.topics() or ()
        rows = self._of(contacts.values()) if topics else ()
        none = {EVERY: Subscription(is_allowed=False)}
        found: dict[str, dict[str, Subscription]] = {id: {} for id in contacts}
        for id, email in contacts.items():
            for topic in topics:
                said = _said(topic, email, rows)
                for name in (topic.name, topic.id):
                    found[id][name] = joined(found[id].get(name), said)
        return found | {id: found[id] | none for id in self._closed(contacts)}

    def allow(self, wanted: Sequence[Allowing]) -> list[Written]:
        """Let addresses be opted in to topics, or out of them."""
        topics = {one.id: one for one in self.topics() or ()}
        rows = self._of(one.email for one in wanted)
        places = [place for place, one in enumerate(wanted) if one.list_id in topics]
        ops = [_put(wanted[place], topics[str(wanted[place].list_id)], rows) for place in places]
        done = self._dataverse.write(ops, lambda place, _: Written(wanted[places[place]].contact))
        became = dict(zip(places, done, strict=True))
        gone = Written(None, Outcome.LATER, "the topic went away")
        return [became.get(place, gone) for place in range(len(wanted))]

    def _of(self, emails: Any) -> list[Row]:
        """Return the consents of addresses."""
        email = f"msdynmkt_contactpointtype eq {EMAIL}"
        conditions = any_of(["msdynmkt_contactpointvalue"], (text(one) for one in emails))
        asked = [query(CONSENTS, ASKED, f"{email} and {one}") for one in conditions]
        return [row for rows in self._dataverse.rows(asked) for row in rows]

    def _closed(self, contacts: Mapping[str, str]) -> set[str]:
        """Return which contacts want no mail at all, as their records have it."""
        no = "(donotbulkemail eq true or donotemail eq true)"
        conditions = any_of(["contactid"], contacts)
        asked = [query("contacts", ["contactid"], f"{no} and {one}") for one in conditions]
        return {row["contactid"] for rows in self._dataverse.rows(asked) for row in rows}


def _said(topic: Topic, email: str, rows: Sequence[Row]) -> Subscription:
    """Return whether an address has opted in to a topic; apart, a "no" to its whole purpose."""
    own: Subscription | None = None
    wider: Subscription | None = None
    for row in rows:
        value = row.get("msdynmkt_value")
        if not _is_of(row, email, topic) or value not in {IN, OUT}:
            continue
        said = Subscription(value == IN, _moment(row))
        if row.get("_msdynmkt_topicid_value") is not None:
            own = joined(own, said)
        elif value == OUT:
            wider = joined(wider, said)
    return replace(own or Subscription(None), wider=wider)


def _is_of(row: Row, email: str, topic: Topic) -> bool:
    """Return whether a consent is about an address, and a topic or its whole purpose."""
    if str(row.get("msdynmkt_contactpointvalue")).casefold() != email.casefold():
        return False
    about = row.get("_msdynmkt_topicid_value")
    return about == topic.id or (
        about is None and row.get("_msdynmkt_purposeid_value") == topic.purpose
    )


def _moment(row: Row) -> datetime | None:
    """Return since when a consent is as it is."""
    told = row.get("modifiedon")
    return datetime.fromisoformat(told) if isinstance(told, str) else None


def _put(one: Allowing, topic: Topic, rows: Sequence[Row]) -> Op:
    """Return the call that lets a consent be there: the one that is, or a new one."""
    told: dict[str, Any] = {
        "msdynmkt_value": IN if one.is_allowed else OUT,
        "msdynmkt_reason": one.because[:LONGEST_REASON],
        "msdynmkt_source": LOADED,
    }
    for row in rows:
        if _is_of(row, one.email, topic) and row["_msdynmkt_topicid_value"] == topic.id:
            return Op("PATCH", f"{CONSENTS}({row[ID]})", told, {"If-Match": row["@odata.etag"]})
    id = uuid.uuid5(uuid.UUID(topic.id), one.email.casefold())
    told |= {
        "msdynmkt_contactpointvalue": one.email,
        "msdynmkt_contactpointtype": EMAIL,
        "msdynmkt_contactpointconsenttype": OF_TOPIC,
        "msdynmkt_topicId@odata.bind": f"/msdynmkt_topics({topic.id})",
    }
    if topic.purpose:
        told["msdynmkt_purposeId@odata.bind"] = f"/msdynmkt_purposes({topic.purpose})"
    return Op("PATCH", f"{CONSENTS}({id})", told)
