"""
A link that brings its giver along.

A company has two sites, and lets a visit on one go on at the other by a token in the link. Somebody
takes such a link from his own browser and gives it to another person. Where a hand-over carries who
somebody is, one of two things follows: what she does from then on is his (he reads it on his own
page), or what he did is hers (he moves her phase). Analytics products hand identities over in links
that work for minutes, in any browser: a link that was mailed, shared or indexed joins strangers.

Here a token opens for one way only (these two sites, this kind of browser, this network), once,
within a minute, and the arriving page asks only where its browser says that it comes from there.
And whoever gets past all of that has gained nothing: it says where a visit came from, as any link
with a campaign in it can. It changes no visitor, no claim, no contact, and nothing follows it back.
"""

import base64
import secrets
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from regportal.identity.actions import find_contact
from regportal.identity.keys import add_key
from regportal.identity.models import Claim, Visitor, VisitorToken
from regportal.tracking.models import Interaction
from tests.portal import ORIGIN, Browser
from tests.tracking.test_the_collector import choose, event, tell
from tests.two_sites import SHOP, WWW, Far, two, visits  # noqa: F401 - a fixture

MALLORY, ANN = "mallory@elsewhere.example", "ann@widgetworks.example"
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156.0 Safari/537.36"


def rows(portal, kind):
    """Return every row of a table, as plain values."""
    with portal.store.read() as session:
        table = kind.__table__
        return sorted(tuple(row) for row in session.execute(sa.select(table)))


def read(portal, whose):
    """Return what the API tells of where somebody came from."""
    now = datetime.now(UTC)
    _, secret = portal.store.write(lambda one: add_key(one, "crm", ["timeline"], now=now))
    key = {"Authorization": f"Bearer {secret}"}
    client = portal.app.test_client()
    return client.get(f"/api/v1/{whose}/touches", headers=key, base_url=ORIGIN).json["touches"]


@pytest.fixture
def mallory(portal, two):  # noqa: F811 - a fixture
    """Somebody proven on the first site, in a browser that is followed."""
    del two
    browser = portal.browser()
    choose(browser)
    browser.claim(MALLORY)
    portal.work()
    browser.prove(portal)
    portal.work()
    return browser


def handed_by(browser: Browser) -> str:
    """Return the token that a proven browser takes along."""
    answer = browser.client.post(
        "/api/v1/handover",
        json={"to": SHOP},
        headers={**browser.headers, **browser.origin},
        base_url=ORIGIN,
        environ_overrides={"REMOTE_ADDR": "203.0.113.9"},
    )
    return answer.get_json()["handover"]


def test_what_his_victim_does_is_never_his(portal, mallory):
    """Even in the same network and kind of browser, and where her browser said she came from us."""
    ann = Far(portal, SHOP).choose()
    people = [rows(portal, kind) for kind in (Visitor, VisitorToken, Claim)]
    went_on = ann.arrive(handed_by(mallory), came_from=ORIGIN)
    changed = [rows(portal, kind) for kind in (Visitor, VisitorToken, Claim)]
    ann.tell()
    portal.work()
    with portal.store.read() as session:
        him = find_contact(session, MALLORY)
        his = session.scalars(
            sa.select(Interaction.type).where(Interaction.contact_id == him.id)
        ).all()

    assert went_on
    assert changed == people
    assert "page_view" not in his
    assert "continues" not in visits(portal)[-1][1].parameters


def test_what_he_did_is_never_his_victims(portal, two):  # noqa: F811 - a fixture
    """She proves her address on the very site to which his anonymous visit was handed over."""
    www, _ = two
    www.tell()
    ann = portal.browser()
    choose(ann)
    brought = ann.client.post(
        "/api/v1/handover/redeem",
        json={"handover": www.leave(), "came_from": WWW},
        headers={**ann.headers, "Origin": SHOP, "Sec-Fetch-Site": "same-site"},
        base_url=ORIGIN,
        environ_overrides={"REMOTE_ADDR": "203.0.113.9"},
    )
    ann.claim(ANN)
    portal.work()
    ann.prove(portal)
    tell(ann, event("price_lookup", "widget-9"))
    portal.work()
    told = {one["interaction"]["type"] for one in portal.news("interaction.recorded")}
    touches = read(portal, f"contacts/{portal.news('contact.identified')[-1]['contact']['key']}")

    assert brought.get_json() == {"continued": True}
    assert told == {"download", "price_lookup"}
    assert [(one["utm"], one["click_ids"]) for one in touches] == [({"source": "news"}, {})]


def test_a_link_that_was_given_away_is_worth_nothing(two):  # noqa: F811 - a fixture
    www, shop = two
    elsewhere, other = shop, {"User-Agent": CHROME}
    elsewhere.network = "198.51.100.7"
    from_afar = elsewhere.arrive(www.leave())
    elsewhere.network = www.network
    in_another_browser = elsewhere.arrive(www.leave(), **other)
    from_another_page = elsewhere.arrive(www.leave(), came_from="https://evil.example")
    on_another_site = elsewhere.arrive(www.leave(), Origin=WWW)
    at_home = elsewhere.arrive(www.leave())

    assert not any([from_afar, in_another_browser, from_another_page, on_another_site])
    assert at_home


def test_no_token_is_made_by_anybody_else(two):  # noqa: F811 - a fixture
    www, shop = two
    token = www.leave()
    raw = base64.urlsafe_b64decode(token + "==")
    bent = [
        base64.urlsafe_b64encode(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        .decode()
        .rstrip("=")
        for at in range(len(raw))
    ]
    others = [*bent, token[:-4], f"{token}AAAA", secrets.token_urlsafe(52), "A" * 20]

    assert not any(shop.arrive(one) for one in others)
    assert shop.arrive(token)


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_no_other_site_has_one_made_or_taken(two, origin):  # noqa: F811 - a fixture
    www, shop = two
    made, _ = www.ask("handover", {"to": SHOP}, Origin=origin)
    taken, _ = shop.ask(
        "handover/redeem", {"handover": www.leave(), "came_from": WWW}, Origin=origin
    )

    assert (made, taken) == (403, 403)


def test_a_token_says_nothing_to_who_reads_it(portal, two):  # noqa: F811 - a fixture
    www, _ = two
    raw = base64.urlsafe_b64decode(www.leave() + "==")
    ids = [row[0].bytes for row in rows(portal, Visitor)]

    assert not any(one in raw for one in ids)
    assert len({www.leave() for _ in range(20)}) == 20
