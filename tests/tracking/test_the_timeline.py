"""Other systems read what a contact did, newest first, page by page."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from regportal.identity.actions import contact_at, contact_from_crm
from regportal.identity.addresses import read_address
from regportal.identity.keys import add_key
from regportal.identity.models import Assurance
from regportal.store.ids import uuid7
from regportal.tracking.actions import attribute, record, seen_of_contacts
from regportal.tracking.models import Attributed, Interaction, Judged
from regportal.tracking.series import InteractionTold, own_as_told

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def people(portal):
    """Ann and Bob."""

    def meet(session):
        return [
            contact_from_crm(session, f"{name}@acme.example", now=NOON).id
            for name in ("ann", "bob")
        ]

    return portal.store.write(meet)


@pytest.fixture
def key(portal):
    _, secret = portal.store.write(lambda one: add_key(one, "crm", ["timeline"], now=NOON))
    return {"Authorization": f"Bearer {secret}"}


def did(portal, contact_id, minutes, **more):
    """Record something at so many minutes after noon; return its id."""
    at = NOON + minutes * MINUTE
    fields = {
        "type": "page_view",
        "object": f"/{minutes}",
        "category": None,
        "properties": {},
        "attribution": Attributed.VERIFIED if contact_id else Attributed.ANONYMOUS,
        "judged": Judged.PERSON,
    }
    one = Interaction(
        id=uuid7(), occurred_at=at, received_at=at, contact_id=contact_id, **fields | more
    )
    return portal.store.write(lambda session: record(session, one, now=at).id)


def said(portal, ids, contact_id, minutes=60):
    """Say later whose these interactions are."""
    how = Attributed.VERIFIED if contact_id else Attributed.ANONYMOUS
    now = NOON + minutes * MINUTE
    portal.store.write(lambda one: attribute(one, ids, contact_id, how, "said so", now=now))


def read(portal, key, contact_id, query=""):
    answer = portal.app.test_client().get(
        f"/api/v1/contacts/{contact_id}/interactions?{query}", headers=key
    )
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def objects(portal, key, contact_id, query=""):
    return [one["object"] for one in read(portal, key, contact_id, query)["interactions"]]


def test_what_is_somebodys_own_is_told_as_the_page_would_tell_it(portal, people):
    ann, _ = people
    did(portal, ann, 1, properties={"title": "Widgets", "seconds": 1.5})
    with portal.store.read() as session:
        (taken,) = seen_of_contacts(session, [ann])
        told = own_as_told(taken)
    assert told == InteractionTold(**told).model_dump(mode="json")


def test_the_newest_comes_first_with_everything_a_webhook_tells(portal, key, people):
    ann, bob = people
    did(portal, ann, 1)
    last = did(portal, ann, 2, type="price_lookup", category="price", properties={"quantity": 3})
    did(portal, bob, 3)
    answer = read(portal, key, ann)

    assert [one["object"] for one in answer["interactions"]] == ["/2", "/1"]
    assert answer["next"] is None
    assert answer["interactions"][0] == {
        "id": str(last),
        "type": "price_lookup",
        "object": "/2",
        "category": "price",
        "properties": {"quantity": 3},
        "occurred_at": "2026-03-04T12:02:00Z",
        "received_at": "2026-03-04T12:02:00Z",
        "attribution": "verified",
        "judged": "person",
        "judged_because": None,
        "judged_by": None,
        "visit": None,
        "contact": str(ann),
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_page_by_page_everything_comes_once_also_what_happened_at_the_same_time(
    portal, key, people, limit
):
    ann, _ = people
    mine = [did(portal, ann, minute // 3) for minute in range(7)]
    later = [did(portal, None, minute // 3) for minute in range(4)]
    said(portal, later, ann)
    found, after = [], ""
    while after is not None:
        page = read(portal, key, ann, f"limit={limit}" + (f"&after={after}" if after else ""))
        found += page["interactions"]
        after = page["next"]
        assert len(page["interactions"]) <= limit
        did(portal, ann, 100)  # what arrives meanwhile moves nothing

    order = [(one["occurred_at"], one["id"]) for one in found]
    assert order == sorted(order, reverse=True)
    assert {one["id"] for one in found} >= {str(one) for one in mine + later}
    assert len(order) == len(set(order)) == 11


def test_only_what_is_the_contacts_now(portal, key, people):
    ann, bob = people
    kept, lost, given = did(portal, ann, 1), did(portal, ann, 2), did(portal, bob, 3)
    said(portal, [lost], None)
    said(portal, [given], ann)
    back_and_forth = did(portal, ann, 4)
    said(portal, [back_and_forth], bob, 61)
    said(portal, [back_and_forth], ann, 62)
    ids = [one["id"] for one in read(portal, key, ann)["interactions"]]

    assert ids == [str(one) for one in (back_and_forth, given, kept)]
    assert read(portal, key, bob)["interactions"] == []


def test_types_and_times_narrow_it(portal, key, people):
    ann, _ = people
    for minute, kind in enumerate(["page_view", "search", "download", "page_view"]):
        did(portal, ann, minute, type=kind)

    assert objects(portal, key, ann, "type=search&type=download") == ["/2", "/1"]
    span = "since=2026-03-04T12:01:00Z&until=2026-03-04T12:03:00Z"
    assert objects(portal, key, ann, span) == ["/2", "/1"]
    assert objects(portal, key, ann, f"{span}&type=search") == ["/1"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=many",
        "after=x",
        "after=%00",
        "after=MDAwMS0wMS0wMVQwMDowMDowMCsxNDowMCB4",
        "limit=5&limit=6",
        "since=yesterday",
        "since=1772625600",
        "since=2026-03-04T12:00:00",
        "since=0001-01-01T00:00:00%2B14:00",
        "type=%00",
        "type=A%20B",
        "type=clicks",
        "sort=name",
    ],
)
def test_what_nobody_can_ask_is_refused_with_the_reason(portal, key, people, query):
    ann, _ = people
    answer = portal.app.test_client().get(
        f"/api/v1/contacts/{ann}/interactions?{query}", headers=key
    )

    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.get_json()["detail"]


@pytest.mark.parametrize(
    ("who", "status"), [("nobody", 401), ("for something else", 403), ("good", 404)]
)
def test_it_needs_a_key_for_it_and_a_contact(portal, key, who, status):
    _, other = portal.store.write(lambda one: add_key(one, "x", ["may-mail"], now=NOON))
    headers = {"nobody": {}, "good": key}.get(who, {"Authorization": f"Bearer {other}"})
    answer = portal.app.test_client().get(
        f"/api/v1/contacts/{uuid.uuid4()}/interactions", headers=headers
    )

    assert answer.status_code == status


def asked(portal, key, email):
    """Ask who has an address."""
    return portal.app.test_client().get(
        "/api/v1/contacts", query_string={"email": email}, headers=key
    )


@pytest.mark.parametrize("email", ["ann@acme.example", " Ann@ACME.example"])
def test_a_contact_is_found_by_his_address_however_it_is_spelled(portal, key, people, email):
    answer = asked(portal, key, email)

    assert answer.status_code == 200
    assert answer.get_json() == {
        "key": str(people[0]),
        "email": "ann@acme.example",
        "assurance": "crm",
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_address_that_is_only_claimed_is_as_unknown_as_any(portal, key):
    cleo = read_address("cleo@acme.example")
    portal.store.write(lambda one: contact_at(one, cleo, Assurance.CLAIMED, "en", now=NOON).id)
    claimed, unknown = (asked(portal, key, f"{name}@acme.example") for name in ("cleo", "dan"))

    assert (claimed.status_code, unknown.status_code) == (404, 404)
    assert claimed.get_json()["detail"] == unknown.get_json()["detail"]
    assert claimed.content_type == "application/problem+json"


@pytest.mark.parametrize("email", ["", "ann", "ann@acme.example bob@acme.example", "a" * 401])
def test_what_is_no_address_finds_nobody_and_says_so(portal, key, email):
    answer = asked(portal, key, email)

    assert (answer.status_code, answer.get_json()["field"]) == (400, "email")


@pytest.mark.parametrize(("scopes", "status"), [(None, 401), (["interactions", "may-mail"], 403)])
def test_nobody_learns_who_is_known_without_a_key_for_it(portal, people, scopes, status):
    headers = {}
    if scopes:
        _, other = portal.store.write(lambda one: add_key(one, "x", scopes, now=NOON))
        headers = {"Authorization": f"Bearer {other}"}
    known, unknown = (asked(portal, headers, f"{name}@acme.example") for name in ("ann", "dan"))

    assert known.status_code == unknown.status_code == status
    assert known.get_json()["detail"] == unknown.get_json()["detail"]
