"""What is killed at every write: each act, and what whoever was not answered does then."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from regportal.connectors.signatures import keys_of, signed
from regportal.outbox.leases import LEASE
from tests.crash.performing import deliver
from tests.portal import ORIGIN, SECRET


@dataclass(frozen=True)
class Act:
    """What a process is told to do, and what happens after it was killed."""

    order: dict
    again: Callable[[], object]


def utc_now():
    return datetime.now(UTC)


def _asked(browser, path, fields):
    """Return the order to answer what this browser sends."""
    cookies = "; ".join(f"{one.key}={one.value}" for one in browser.client._cookies.values())
    headers = {**browser.headers, **browser.origin, "Cookie": cookies}
    return {"act": "ask", "path": path, "data": fields, "headers": headers}


def _sends(browser, path, fields):
    """Let a browser send something, and once more if nobody answered."""

    def again():
        status = browser.post(path, fields).status
        assert status in {200, 303, 410}, status  # 410: it was decided

    return Act(_asked(browser, path, fields), again)


def _claimed(house, gate):
    """Let somebody give an address; return it, and the path of the link in the mail."""
    address = f"visitor-{uuid.uuid4().hex}@widgets.example"
    before = len(house.portal.mails())
    house.portal.browser().claim(
        address, gate, **{"n-news" if gate == "guide" else "n-prices": "yes"}
    )
    house.portal.work()
    assert len(house.portal.mails()) == before + 1
    return address, house.portal.link()


def _confirmed(house, gate="prices"):
    """Let somebody confirm an address, and return it."""
    address, link = _claimed(house, gate)
    assert house.portal.browser().post(link, {"choice": "confirm"}).status == 303
    return address


def _in_a_deal(house):
    """Let somebody with a part in an open opportunity download the price list."""
    address, opportunity = _confirmed(house), uuid.uuid4().hex
    house.works("settle")
    house.portal.hook("opportunity.upserted", {"external_id": opportunity, "name": "Widgets"})
    house.portal.hook("contact_role.added", {"opportunity": opportunity, "email": address})
    house.works("understand")
    return address


def submit(house):
    """A form is sent."""
    browser = house.portal.browser()
    page = browser.gate("guide")
    address = f"visitor-{uuid.uuid4().hex}@widgets.example"
    fields = {**page.fields, "email": address, "remember": "yes", "n-news": "yes"}
    return _sends(browser, "/g/guide", fields)


def confirm(house):
    """Somebody says yes in the mail."""
    _, link = _claimed(house, "guide")
    return _sends(house.portal.browser(), link, {"choice": "confirm"})


def settle(house):
    """The claim becomes a contact."""
    _confirmed(house)
    return house.task("settle")


def weigh(house):
    """The opportunity moves."""
    _in_a_deal(house)
    return house.task("weigh")


def tell(house):
    """The CRM is told, and what it answered is written down."""
    _in_a_deal(house)
    house.works("weigh")
    after = utc_now() + LEASE + timedelta(seconds=60)
    return Act({"act": "deliver"}, lambda: deliver(house.portal.app, clock=lambda: after))


def take(house):
    """The CRM tells us something."""
    data = {"external_id": uuid.uuid4().hex, "name": "Widgets"}
    told = {"type": "opportunity.upserted", "timestamp": utc_now().isoformat(), "data": data}
    body = json.dumps(told)
    headers = signed(keys_of(SECRET), f"msg_{uuid.uuid4().hex}", utc_now(), body.encode())
    order = {"path": "/hooks/crm", "data": body, "headers": {**headers, "Origin": ORIGIN}}

    def again():
        answer = house.portal.app.test_client().post("/hooks/crm", data=body, headers=headers)
        assert answer.status_code == 202, answer.status_code

    return Act({"act": "ask", **order}, again)


def understand(house):
    """What the CRM told is worked out."""
    address, opportunity = _confirmed(house), uuid.uuid4().hex
    house.works("settle")
    house.portal.hook("opportunity.upserted", {"external_id": opportunity, "name": "Widgets"})
    house.portal.hook("contact_role.added", {"opportunity": opportunity, "email": address})
    return house.task("understand")


def erase(house):
    """Somebody is erased."""
    address = _in_a_deal(house)
    house.works("weigh")
    deliver(house.portal.app, clock=utc_now)
    order = {"command": ["contact", "forget", address, "--yes"]}
    return Act(order, lambda: house.tracer.alone(order))


ACTS = {submit: 2, confirm: 1, settle: 1, weigh: 2, tell: 3, take: 1, understand: 2, erase: 1}
"""
In how many steps each changes what rows there are; of every step there is all or nothing. That a
form was answered is measured by itself on PostgreSQL, and counts as a step of its own.
"""
