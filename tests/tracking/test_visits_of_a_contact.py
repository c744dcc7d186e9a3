"""Other systems read in which visits something was done, and what led to them."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from regportal.identity.actions import find_contact
from regportal.identity.keys import add_key
from tests.tracking.test_the_collector import (
    ANN,
    CRAWLER,
    choose,
    event,
    followed,  # noqa: F401 - a fixture
    tell,
)

SPRING = {
    "referrer": "https://news.example/widgets?reader=ann",
    "parameters": {"utm_source": "news", "utm_campaign": "spring", "gclid": "abc"},
}
SEARCH = {"referrer": "https://search.example/", "parameters": {}}


@pytest.fixture
def key(portal):
    now = datetime.now(UTC)
    _, secret = portal.store.write(lambda one: add_key(one, "crm", ["timeline"], now=now))
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def came(portal, followed):  # noqa: F811 - the fixture
    """Ann: two visits before she says who she is, one with nothing before it, one by a machine."""
    morning = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0)
    morning -= timedelta(days=1)
    visits = [(0, SPRING, 2, {}), (2, None, 1, {}), (4, SEARCH, 1, {})]
    visits += [(6, SPRING, 1, {"User-Agent": CRAWLER})]
    for hours, touch, pages, headers in visits:
        more = {"touch": touch} if touch else {}
        for page in range(pages):
            with time_machine.travel(morning + timedelta(hours=hours, minutes=page), tick=False):
                tell(followed, event(about=f"/{hours}-{page}"), headers=headers, **more)
                portal.work()
    with time_machine.travel(morning + timedelta(hours=8), tick=False):
        followed.claim(ANN)
        portal.work()
        followed.prove(portal)
        portal.work()
    with portal.store.read() as session:
        return find_contact(session, ANN).id, morning


def read(portal, key, path, status=200):
    answer = portal.app.test_client().get(f"/api/v1/{path}", headers=key)
    assert answer.status_code == status, answer.text
    return answer.get_json()


def test_what_led_her_here_before_she_said_who_she_is_is_hers(portal, came, key):
    ann, morning = came
    told = read(portal, key, f"contacts/{ann}/touches")

    spring, search = told["touches"][1], told["touches"][0]
    assert (told["first"], told["last"], told["next"]) == (spring, search, None)
    assert spring == {
        "at": morning.isoformat().replace("+00:00", "Z"),
        "visit": spring["visit"],
        "referrer": "https://news.example/widgets",
        "utm": {"source": "news", "campaign": "spring"},
        "click_ids": {"gclid": "abc"},
    }
    assert (search["referrer"], search["utm"]) == ("https://search.example/", {})


def test_each_visit_says_how_much_was_done_in_it_and_by_whom(portal, came, key):
    ann, _ = came
    told = read(portal, key, f"contacts/{ann}/visits")["visits"]
    counted = [(one["interactions"], one["machines"], bool(one["touch"])) for one in told]

    assert counted == [(1, 0, True), (1, 1, True), (1, 0, True), (1, 0, True), (2, 0, True)]
    assert {tuple(one["contacts"]) for one in told} == {(str(ann),)}
    assert told[-1]["touch"]["utm"]["source"] == "news"
    assert told == sorted(told, key=lambda one: one["started_at"], reverse=True)


def test_page_by_page_each_visit_comes_once(portal, came, key):
    ann, _ = came
    whole = read(portal, key, f"contacts/{ann}/visits")["visits"]
    found, after = [], ""
    while after is not None:
        page = read(portal, key, f"contacts/{ann}/visits?limit=2{after and '&after=' + after}")
        found += page["visits"]
        after = page["next"]

    assert found == whole


def test_visits_are_narrowed_by_time_and_by_what_was_done(portal, came, key):
    ann, morning = came
    since = (morning + timedelta(hours=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
    until = (morning + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = f"contacts/{ann}/visits"

    assert len(read(portal, key, f"{path}?since={since}&until={until}")["visits"]) == 1
    assert len(read(portal, key, f"{path}?judged=machine")["visits"]) == 1
    assert len(read(portal, key, f"{path}?type=download")["visits"]) == 1
    assert len(read(portal, key, f"contacts/{ann}/touches?since={since}")["touches"]) == 1


def test_another_visitors_visits_are_not_hers(portal, came, key):
    ann, _ = came
    bob = portal.browser()
    choose(bob)
    tell(bob, event(), touch=SPRING)
    portal.work()

    assert len(read(portal, key, f"contacts/{ann}/visits")["visits"]) == 5
    assert len(read(portal, key, f"contacts/{ann}/touches")["touches"]) == 2


@pytest.mark.parametrize("what", ["visits", "touches", "interactions"])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("contacts/00000000-0000-7000-8000-000000000000/{}", 404),
        ("contacts/{{ann}}/{}?limit=0", 400),
        ("contacts/{{ann}}/{}?after=x", 400),
        ("contacts/{{ann}}/{}?sort=id", 400),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_asked_is_refused(portal, came, key, path, status, what):
    read(portal, key, path.format(what).format(ann=came[0]), status)


# --- accounts ---


@pytest.fixture
def deal(portal, came):
    """An opportunity of Initech's, in which Ann and somebody of another company have a part."""
    account = {"external_id": "A-7", "name": "Initech", "domain": "initech.example"}
    portal.hook("opportunity.upserted", {"external_id": "D-1", "name": "W", "account": account})
    for email in (ANN, "bob@other.example"):
        portal.hook("contact_role.added", {"opportunity": "D-1", "email": email, "role": "buyer"})
    portal.work()


def test_an_account_of_the_crm_is_read_as_one(portal, came, deal, key):
    ann, _ = came
    hers = read(portal, key, f"contacts/{ann}/interactions")
    visits = read(portal, key, f"contacts/{ann}/visits")

    assert read(portal, key, "accounts/crm:A-7/interactions") == hers
    assert read(portal, key, "accounts/crm:A-7/visits") == visits
    assert hers["interactions"][0]["contact"] == str(ann)


def test_a_company_is_read_by_the_domain_of_proven_addresses(portal, came, deal, key):
    ann, _ = came
    hers = read(portal, key, f"contacts/{ann}/visits")

    assert read(portal, key, "accounts/WidgetWorks.example/visits") == hers


def test_what_is_no_account_is_not_here(portal, came, deal, key):
    portal.browser().claim("eve@gmail.com")  # claimed, and at everybody's
    portal.work()

    for none in (
        "other.example",
        "gmail.com",
        "crm:A-8",
        "sap:A-7",
        "crm:",
        "crm:%00",
        "%00",
        "%25",
        "@",
    ):
        for what in ("interactions", "visits"):
            read(portal, key, f"accounts/{none}/{what}", 404)
