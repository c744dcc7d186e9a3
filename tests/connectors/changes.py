"""News, as the outbox gives it to connectors; and what the outbox remembers of a CRM."""

import uuid
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from regportal.connectors.base import Change, Link
from regportal.connectors.rules import TAKEN, in_full

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOTHING = MappingProxyType({})


def told(key, email):
    return {"key": key, "email": email, "assurance": "verified"}


def of_type(news, wanted):
    """Return the data of all news of a type."""
    return [one.body["data"] for one in news if one.body["type"] == wanted]


class Outbox:
    """Numbers what is told of each subject, and remembers what is known of it over there."""

    def __init__(self, connector, now=NOON, names=NOTHING, new_id=uuid.uuid4):
        self.connector, self.now, self.names, self._new_id = connector, now, names, new_id
        self.links, self._last = {}, {}

    def deliver(self, *changes):
        """Deliver changes of different subjects; keep what became known; return the results."""
        given = [one._replace(link=self.links.get(one.subject)) for one in changes]
        results = self.connector.deliver(given, now=self.now)
        assert [one.id for one in results] == [one.id for one in given]
        for change, result in zip(given, results, strict=True):
            if result.link is not None:
                sent = all(
                    name.startswith(("phase:sent", "withdrawn:")) for name in result.link.wrote
                )
                assert result.outcome in TAKEN or sent
                self._learn(change.subject, result.link)
        return results

    def _learn(self, subject, link):
        if link.ref is None:
            self.links.pop(subject, None)
            return
        before = self.links.get(subject, Link())
        wrote = {**before.wrote, **link.wrote} if before.ref == link.ref else link.wrote
        self.links[subject] = Link(link.ref, wrote)

    def _change(self, topic, subject, payload, at=None):
        number = self._last[subject] = self._last.get(subject, 0) + 1
        return Change(self._new_id(), topic, subject, number, at or self.now, payload)

    def knows(self, key, email, topic="contact.identified", **fields):
        values = {
            self.names.get(name, name): {
                "value": value,
                "source": "verified",
                "at": in_full(self.now),
            }
            for name, value in fields.items()
        }
        payload = {"contact": told(key, email), "fields": values, "claims": [], "account": None}
        return self._change(topic, f"contact:{key}", payload)

    def did(self, key, email, *opportunities, **more):
        one = {
            "id": str(self._new_id()),
            "type": "download",
            "object": "prices",
            "category": "price-list",
            "properties": {},
            "occurred_at": in_full(self.now),
        }
        payload = {
            "contact": told(key, email),
            "interaction": one | more,
            "opportunities": list(opportunities),
            "title": more.get("title", "Price list 2026"),
        }
        return self._change("interaction.recorded", f"contact:{key}", payload)

    def day(self, key, email, *titles, opportunities=(), id=None):
        """Return what is told of a day on which a contact took these."""
        deeds = [self.did(key, email, title=one).payload["interaction"] for one in titles]
        payload = {
            "id": id or str(self._new_id()),
            "contact": told(key, email),
            "day": self.now.date().isoformat(),
            "interactions": deeds,
            "left_out": 0,
            "opportunities": list(opportunities),
        }
        return self._change("interaction.digest", f"contact:{key}", payload)

    def allows(self, key, email, newsletter, state, at=None):
        payload = {
            "contact": told(key, email),
            "newsletter": newsletter,
            "state": state,
            "wording": "Prices, once a month",
            "evidence_id": str(uuid.uuid4()),
        }
        return self._change("consent.changed", f"contact:{key}", payload, at)

    def scores(self, key, email, score, value):
        payload = {"contact": told(key, email), "score": score, "value": value, "parts": {}}
        return self._change("score.changed", f"contact:{key}", payload)

    def moves(self, opportunity, to, reason="Comparison: Ann downloaded “Price list” <2026>"):
        payload = {
            "opportunity": {"key": str(uuid.uuid4()), "external_id": opportunity, "name": "…"},
            "from": "unaware",
            "to": to,
            "since": in_full(self.now),
            "reason": reason,
            "evidence": [],
        }
        return self._change("phase.changed", f"opportunity:{opportunity}", payload)

    def forgets(self, key):
        payload = {"contact": {"key": key}}
        return self._change("contact.erased", f"contact:{key}", payload)

    def claims(self, topic, claim, **more):
        """Return what is told of a claim."""
        return self._change(topic, f"claim:{claim['id']}", {"claim": claim} | more)

    def again(self, change):
        """Return the same message once more, as after an answer that never came."""
        return change._replace(attempt=change.attempt + 1)
