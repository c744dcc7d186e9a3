"""A made HubSpot: records, associations, subscriptions and webhooks of the API of 2026-09."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests

from regportal.sandbox.base import Deed
from regportal.sandbox.hubspot.answering import Account
from regportal.sandbox.hubspot.api import create_app
from regportal.sandbox.hubspot.limits import Limits
from regportal.sandbox.hubspot.portal import PEOPLE, Portal, Record, in_full, millis
from regportal.sandbox.hubspot.refusing import RefusedError
from regportal.sandbox.hubspot.shape import PIPELINE, Property
from regportal.sandbox.hubspot.signing import signature
from regportal.sandbox.hubspot.subscriptions import Subscriptions

Done = TypeVar("Done")
TOKEN, CLIENT_SECRET = "pat-sandbox", "client-secret-sandbox"
PORTAL, APP_ID, SUBSCRIPTION = 8675309, 1234567, 42
AT_ONCE = 100
"""Events of one call of a webhook."""
PATIENCE = 10  # seconds


def _now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class HubSpot:
    """One account, its people, and the app that may call us back."""

    name = "HubSpot"

    def __init__(self, clock: Callable[[], datetime] = _now) -> None:
        """Begin with nobody in it, two newsletters, and somebody in sales."""
        self.portal = Portal(clock)
        self.subscriptions = Subscriptions(self.portal, clock)
        self.account = Account(self.portal, self.subscriptions, Limits(clock))
        self.account.owners["51"] = {
            "email": "bo@sales.example",
            "firstName": "Bo",
            "lastName": "Lind",
        }
        self.app = create_app(self.account)
        self._clock, self._told = clock, 0
        for name in ("Marketing information", "Widget price alerts"):
            self.define(name)

    # --- what its page shows ---

    def tables(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return its records by table."""
        shown = {
            kind: [self._shown(one) for one in self.portal.all(kind)]
            for kind in ("contacts", "deals", "notes", "companies")
        }
        statuses: list[dict[str, Any]] = [
            {
                "email": email,
                "subscription": self.subscriptions.types[number],
                "status": one.state,
                "since": in_full(one.at),
                "because": one.because,
            }
            for (email, number), one in self.subscriptions.statuses.items()
        ]
        keys = [
            {"what": "token", "is": ", ".join(sorted(self.account.tokens))},
            {"what": "client secret of the app, for webhooks", "is": CLIENT_SECRET},
            {"what": "account, of whose records webhooks are believed", "is": str(PORTAL)},
        ]
        numbers = self.subscriptions.types.items()
        types: list[dict[str, Any]] = [{"id": id, "name": name} for id, name in numbers]
        letters = {"subscription types": types, "subscriptions": statuses}
        return shown | letters | {"what connectors need": keys}

    def _shown(self, record: Record) -> dict[str, Any]:
        """Return a record as the page shows it: without what HubSpot adds by itself."""
        row = {"id": record.id} | {
            name: value
            for name, value in record.values.items()
            if value
            and not name.startswith(
                ("hs_object", "hs_lastmod", "lastmod", "createdate", "hs_created")
            )
        }
        beside = [
            id
            for kind in ("contacts", "deals")
            if kind != record.kind
            for id in self.portal.linked(record.kind, record.id, kind)
        ]
        return row | ({"beside": ", ".join(beside)} if beside else {})

    # --- what its people do ---

    def deeds(self) -> Mapping[str, Deed]:
        """Return what its people can do, by name."""
        return {
            "write_down_a_contact": self.contact,
            "open_a_deal": self.deal,
            "set_a_property": self.set,
            "win_a_deal": self.win,
            "lose_a_deal": self.lose,
            "take_a_contact_off_a_deal": self.apart,
            "merge_contacts": self.merge,
            "delete": self.delete,
            "delete_a_contact_for_privacy": self.forget,
            "opt_out": self.opt_out,
            "make_a_subscription_type": self.define,
            "take_a_property_away": self.take_away,
            "let_the_token_end": self.end_token,
            "call_the_webhook": self.call_back,
        }

    def contact(self, email: str, firstname: str = "", lastname: str = "", **more: str) -> str:
        """Write down a contact; return its id."""
        values = {"email": email, "firstname": firstname, "lastname": lastname, **more}
        return self._by_hand(lambda: self.portal.add("contacts", values, PEOPLE)).id

    def deal(self, name: str, contacts: str = "", amount: str = "") -> str:
        """Open a deal with contacts (ids or addresses, separated by commas); return its id."""
        values = {
            "dealname": name,
            "amount": amount,
            "pipeline": PIPELINE,
            "dealstage": "qualifiedtobuy",
            "hubspot_owner_id": "51",
            "deal_currency_code": "EUR",
        }
        others = [self._person(one.strip()) for one in contacts.split(",") if one.strip()]
        made = self._by_hand(lambda: self.portal.add("deals", values, PEOPLE))
        for other in others:
            self.portal.link(made, other)
        return made.id

    def set(self, id: str, name: str, value: str = "") -> None:
        """Set a property of a record, as somebody in sales does."""
        record = self._any(id)
        self._by_hand(lambda: self.portal.set(record, {name: value}, PEOPLE))

    def win(self, deal: str) -> None:
        """Close a deal as won."""
        self._close(deal, "closedwon")

    def lose(self, deal: str) -> None:
        """Close a deal as lost."""
        self._close(deal, "closedlost")

    def apart(self, deal: str, contact: str) -> None:
        """Take a contact off a deal."""
        self.portal.unlink(self._one("deals", deal), self._one("contacts", contact))

    def merge(self, kept: str, joined: str) -> str:
        """Let one contact become another; return the id that stays."""
        one, other = self._one("contacts", kept), self._one("contacts", joined)
        return self._by_hand(lambda: self.portal.merge(one, other, PEOPLE)).id

    def delete(self, id: str) -> None:
        """Delete a record: it goes to the bin."""
        self.portal.archive(self._any(id), PEOPLE)

    def forget(self, contact: str) -> None:
        """Delete a contact for good, as somebody asked."""
        self.portal.erase(self._one("contacts", contact), PEOPLE)

    def opt_out(self, email: str, subscription: str = "") -> None:
        """Let the owner of an address stop a newsletter, or all, by the link in a mail."""
        numbers = [id for id, name in self.subscriptions.types.items() if name == subscription]
        if not subscription:
            contact = self.portal.find("contacts", email, "email")
            if contact is None:
                raise ValueError("there is no contact with this address")
            self.portal.stamp(contact, {"hs_email_optout": "true"})
            return
        if not numbers:
            raise ValueError(f"there is no subscription type {subscription!r}")
        self.subscriptions.set(email, numbers[0], "UNSUBSCRIBED", None, None, "EMAIL")

    def define(self, name: str) -> int:
        """Make a subscription type; return its id."""
        number = self.subscriptions.define(name)
        label = f"Opted out of: {name}"
        flag = f"hs_email_optout_{number}"
        made = Property(flag, label, "bool", "booleancheckbox", is_read_only=True)
        self.portal.properties["contacts"][flag] = made
        return number

    def take_away(self, kind: str, name: str) -> None:
        """Take a property of contacts, deals… away, and what it held."""
        if name not in self.portal.properties.get(kind, {}):
            raise ValueError(f"there is no property {name!r} of {kind!r}")
        del self.portal.properties[kind][name]
        for one in self.portal.records[kind].values():
            one.values.pop(name, None)

    def end_token(self) -> str:
        """Let the token end; return the new one."""
        self.account.tokens = {f"pat-sandbox-{uuid.uuid4()}"}
        return next(iter(self.account.tokens))

    # --- webhooks ---

    def events(self, *, all_of_them: bool = False) -> list[dict[str, Any]]:
        """Return what is to be told, in the order in which it happened."""
        first = 0 if all_of_them else self._told
        about = {"portalId": PORTAL, "appId": APP_ID, "subscriptionId": SUBSCRIPTION}
        return [
            {**one, **about, "attemptNumber": 0}
            for one in self.portal.events[first : first + AT_ONCE]
        ]

    def signed(self, url: str, events: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str], bytes]:
        """Return the headers and the body of a call of the webhook."""
        body, stamp = json.dumps(events).encode(), str(millis(self._clock()))
        headers = {
            "Content-Type": "application/json",
            "X-HubSpot-Request-Timestamp": stamp,
            "X-HubSpot-Signature-v3": signature(CLIENT_SECRET, "POST", url, body, stamp),
        }
        return headers, body

    def call_back(self, url: str) -> str:
        """Tell a webhook on this machine what it was not told yet; return what it answered."""
        if not url.startswith(("http://127.0.0.1:", "http://localhost:")):
            raise ValueError("a sandbox calls this machine only")
        events = self.events()
        headers, body = self.signed(url, events)
        try:
            answer = requests.post(
                url, data=body, headers=headers, timeout=PATIENCE, allow_redirects=False
            )
        except requests.RequestException:
            raise ValueError("the webhook does not answer") from None
        if answer.ok:
            self._told += len(events)
        return f"{len(events)} events: {answer.status_code}"

    # --- inside ---

    def _close(self, deal: str, stage: str) -> None:
        """Set the last stage of a deal."""
        record = self._one("deals", deal)
        values = {"dealstage": stage, "closedate": in_full(self._clock())}
        self.portal.set(record, values, PEOPLE)

    def _one(self, kind: str, id: str) -> Record:
        """Return a record; raise ValueError where there is none."""
        found = self.portal.find(kind, id)
        if found is None:
            raise ValueError(f"there is no {id} among the {kind}")
        return found

    def _person(self, name: str) -> Record:
        """Return a contact by its id or address; raise ValueError where there is none."""
        return self.portal.find("contacts", name, "email") or self._one("contacts", name)

    def _any(self, id: str) -> Record:
        """Return a record of whatever kind."""
        for kind in self.portal.records:
            if (found := self.portal.find(kind, id)) is not None:
                return found
        raise ValueError(f"there is no record {id}")

    @staticmethod
    def _by_hand(do: Callable[[], Done]) -> Done:
        """Do something; what HubSpot refuses a person reads."""
        try:
            return do()
        except RefusedError as error:
            raise ValueError(str(error)) from None
