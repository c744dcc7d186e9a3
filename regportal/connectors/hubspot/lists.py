"""Newsletters: HubSpot's subscription types, and what its contacts say to them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from regportal.connectors.base import Notice
from regportal.connectors.desk import Allowing, NotTakenError, Written
from regportal.connectors.halving import all_or_halves
from regportal.connectors.hubspot.asking import BATCH, Hub, chunks
from regportal.connectors.hubspot.judging import meaning
from regportal.connectors.hubspot.reading import errors_of, id_of, properties, rows_of
from regportal.connectors.hubspot.values import moment
from regportal.connectors.judging import EVERY, Subscription, joined
from regportal.connectors.rules import Outcome, in_full
from regportal.connectors.shapes import Row, among, under
from regportal.connectors.telling import notice
from regportal.connectors.wanted import KEY

AREA, CHANNEL = "communication-preferences", "EMAIL"
NO_MAIL = "hs_email_optout"
"""The property of who wants no mail at all."""
OUR_YES, OUR_NO = "regportal: ", "regportal: no: "
"""How our reasons begin: what we ended ourselves is no news, whatever we allowed before."""
NEWSLETTER = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""What a newsletter of ours may be called: of HubSpot's other types nothing is told."""
STATES = {"SUBSCRIBED": True, "UNSUBSCRIBED": False}
NO, UNKNOWN = Subscription(is_allowed=False), Subscription(None)
BASIS = "CONSENT_WITH_NOTICE"


class Lists:
    """The subscription types of one account."""

    def __init__(self, hub: Hub, newsletters: Mapping[str, str]) -> None:
        """Take where to ask, and how newsletters are called there: by name, or by number."""
        self._hub = hub
        self._keys = {name: key for key, name in newsletters.items()}

    def types(self) -> dict[str, list[int]]:
        """Return the numbers of types, by their name and by the number as a text."""
        named: dict[str, list[int]] = {}
        for row in self._hub.kept(AREA, "definitions"):
            if number := _id(row, "id"):
                named.setdefault(str(row.get("name")), []).append(number)
        return named | {str(number): [number] for numbers in named.values() for number in numbers}

    def named(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Return the numbers of all types that each name, or number, means."""
        types = self.types()
        return {name: [str(number) for number in types.get(name, ())] for name in names}

    def of(self, contacts: Mapping[str, str]) -> dict[str, dict[str, Subscription]]:
        """Return what contacts (id → address) allow, by type, and who wants no mail at all."""
        rows = self._hub.read("contacts", contacts, [NO_MAIL])
        silent = {id_of(row): {EVERY: NO} for row in rows if _is_true(row, NO_MAIL)}
        types = self.types()
        statuses = self._statuses(contacts.values())
        found = {}
        for id, email in contacts.items():
            said = {
                _id(status, "subscriptionId"): _subscription(status)
                for status in statuses.get(email.lower(), ())
            }
            found[id] = silent.get(id, {}) | {
                name: reduce(joined, (said.get(number, UNKNOWN) for number in numbers))
                for name, numbers in types.items()
            }
        return found

    def allow(self, wanted: Sequence[Allowing]) -> list[Written]:
        """Subscribe contacts, or end it."""
        return [
            became for part in chunks(wanted, BATCH) for became in all_or_halves(part, self._write)
        ]

    def _write(self, wanted: Sequence[Allowing]) -> list[Written]:
        """Write statuses in one call."""
        told = [
            {
                "subscriberIdString": one.email,
                "subscriptionId": one.list_number,
                "statusState": "SUBSCRIBED" if one.is_allowed else "UNSUBSCRIBED",
                "channel": CHANNEL,
                "legalBasis": BASIS,
                "legalBasisExplanation": f"{_ours(one)}{one.because} ({in_full(one.at)})",
            }
            for one in wanted
        ]
        answer = self._hub.post(AREA, "statuses/batch/write", {"inputs": told})
        done = {
            (str(row.get("subscriberIdString")).lower(), _id(row, "subscriptionId"))
            for row in rows_of(answer)
        }
        lacks = [one for one in wanted if (one.email.lower(), one.list_number) not in done]
        if lacks:
            errors = errors_of(answer)
            error = meaning(errors[0] if errors else {})
            if len(wanted) > 1:  # one of them; asked again each alone, it is known which
                raise NotTakenError(Outcome.REJECTED, str(error))
            return [Written.refused(error)]
        return [Written(one.contact) for one in wanted]

    def _statuses(self, addresses: Any) -> dict[str, Sequence[Row]]:
        """Return the statuses of addresses."""
        found: dict[str, Sequence[Row]] = {}
        for part in chunks([*dict.fromkeys(one.lower() for one in addresses)], BATCH):
            told = {"inputs": [*part]}
            answer = self._hub.post(AREA, "statuses/batch/read", told, channel=CHANNEL)
            found |= {
                str(row.get("subscriberIdString")).lower(): among(row, "statuses")
                for row in rows_of(answer)
            }
        return found

    # --- news ---

    def news(self, rows: Sequence[Row]) -> Iterator[Notice]:
        """Yield who of some contacts has opted out, and of what; not what we ended ourselves."""
        yield from self._silent([id_of(row) for row in rows if _is_true(row, NO_MAIL)])
        told = {str(properties(row).get("email") or "").lower(): row for row in rows}
        told.pop("", None)
        newsletters = self._newsletters()
        for address, statuses in self._statuses(told).items():
            for status in statuses:
                newsletter = newsletters.get(_id(status, "subscriptionId"))
                ours = str(status.get("legalBasisExplanation") or "").startswith(OUR_NO)
                if status.get("status") == "UNSUBSCRIBED" and newsletter and not ours:
                    whose = _whose(told[address])
                    body = {**whose, "newsletter": newsletter}
                    at = str(status.get("timestamp"))
                    yield notice("consent.withdrawn", body, at, id_of(told[address]))

    def _newsletters(self) -> dict[int, str]:
        """Return which newsletter each type is, by its number; those that are none are left out."""
        named = [
            (number, self._keys.get(name, name))
            for name, numbers in self.types().items()
            for number in numbers
        ]
        # the number as a name is a newsletter only where the document says so
        return {
            number: key for number, key in named if NEWSLETTER.fullmatch(key) and key != str(number)
        }

    def _silent(self, ids: Sequence[str]) -> Iterator[Notice]:
        """Yield who wants no mail at all, since when."""
        for row in self._hub.read("contacts", ids, ["email", KEY], history=[NO_MAIL]):
            values = among(under(row, "propertiesWithHistory"), NO_MAIL) or [{}]
            at = str(values[0].get("timestamp"))
            yield notice("consent.withdrawn", _whose(row), at, id_of(row))


def _ours(one: Allowing) -> str:
    """Return how the reason of what we write begins."""
    return OUR_YES if one.is_allowed else OUR_NO


def _subscription(status: Row) -> Subscription:
    """Return what a status says."""
    return Subscription(STATES.get(str(status.get("status"))), moment(status.get("timestamp")))


def _id(row: Row, name: str) -> int:
    """
    Return the number of a type, told as a number or as a text; 0: none.

    >>> _id({"id": "71"}, "id"), _id({"id": 71}, "id"), _id({}, "id")
    (71, 71, 0)
    """
    text = str(row.get(name))
    return int(text) if text.isascii() and text.isdecimal() else 0


def _is_true(row: Row, name: str) -> bool:
    """Return whether a property says yes."""
    return properties(row).get(name) == "true"


def _whose(row: Row) -> dict[str, str]:
    """Return by what a contact is told of."""
    told = properties(row)
    key = told.get(KEY)
    return {"contact": key} if key else {"email": str(told.get("email"))}
