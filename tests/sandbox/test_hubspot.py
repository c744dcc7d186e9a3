"""The made HubSpot keeps its vendor's rules (crm.md 2); no connector of ours is asked here."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from regportal.app import web_root
from regportal.sandbox.hubspot import TOKEN, HubSpot
from regportal.sandbox.server import serving

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
OBJECTS = "/crm/objects/2026-09"
SEARCH = {"filterGroups": [], "sorts": [], "properties": ["email"], "limit": 10, "after": "0"}


class Api:
    """Calls of whoever has the token."""

    def __init__(self, sandbox):
        self.sandbox, self.fake, self.token = sandbox, sandbox.fake, TOKEN

    def __call__(self, path, told=None, method="POST", **more):
        return requests.request(
            "GET" if told is None else method,
            f"{self.sandbox.url}{path}",
            json=told,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=10,
            **more,
        )

    def upsert(self, *people, version="2026-09"):
        inputs = [{"id": one["email"], "idProperty": "email", "properties": one} for one in people]
        return self(f"/crm/objects/{version}/contacts/batch/upsert", {"inputs": inputs})


@pytest.fixture
def moment():
    """What time it is there."""
    return [NOON]


@pytest.fixture
def api(moment):
    with serving(HubSpot(lambda: moment[0]), web_root()) as sandbox:
        yield Api(sandbox)


def category(answer):
    return answer.status_code, answer.json()["category"]


def test_nobody_comes_in_without_the_token(api):
    api.token = "pat-other"
    assert category(api("/crm/properties/2026-09/contacts")) == (401, "INVALID_AUTHENTICATION")


def test_a_missing_scope_is_named(api):
    api.fake.account.missing.add("crm.objects.deals.write")
    told = {"properties": {"dealname": "x"}, "associations": []}
    answer = api(f"{OBJECTS}/deals", told)
    assert category(answer) == (403, "MISSING_SCOPES")
    assert answer.json()["context"] == {"missingScopes": ["crm.objects.deals.write"]}


@pytest.mark.parametrize("path", ["/crm/objects/2019-01/contacts/1", "/crm/v9/nothing"])
def test_what_is_no_path_is_none(api, path):
    assert category(api(path)) == (404, "OBJECT_NOT_FOUND")


@pytest.mark.parametrize(("version", "status"), [("2026-03", 207), ("2026-09", 200)])
def test_of_a_batch_each_is_taken_or_refused(api, version, status):
    people = [{"email": "ann@acme.example"}, {"email": "nobody"}]
    answer = api.upsert(*people, version=version)
    told = answer.json()
    assert (answer.status_code, told["numErrors"], len(told["results"])) == (status, 1, 1)
    assert told["errors"][0]["errors"][0]["code"] == "INVALID_EMAIL"


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([{"id": "1", "properties": {"city": "A"}}] * 2, "Duplicate IDs found in batch input"),
        ([{"id": "1", "properties": {"amount": 7}}], "must be strings"),
        ([{"id": "1", "properties": {"city": None}}], "must be strings"),
        (
            [{"id": str(number), "properties": {}} for number in range(101)],
            "maximum number of inputs",
        ),
    ],
)
def test_a_batch_is_refused_as_a_whole_for_what_it_is(api, inputs, says):
    answer = api(f"{OBJECTS}/contacts/batch/update", {"inputs": inputs})
    assert category(answer) == (400, "VALIDATION_ERROR")
    assert says in answer.json()["message"]


@pytest.mark.parametrize("lacks", ["properties", "propertiesWithHistory", "inputs"])
def test_a_reading_says_all_it_must(api, lacks):
    told = {"properties": [], "propertiesWithHistory": [], "inputs": []}
    del told[lacks]
    assert api(f"{OBJECTS}/contacts/batch/read", told).status_code == 400


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("dealstage", "flying", "INVALID_OPTION"),
        ("amount", "much", "INVALID_NUMBER"),
        ("closedate", "tomorrow", "INVALID_DATE"),
        ("hs_is_closed", "true", "READ_ONLY_VALUE"),
        ("colour", "blue", "PROPERTY_DOESNT_EXIST"),
    ],
)
def test_a_value_is_of_its_kind(api, name, value, code):
    deal = api.fake.deal("500 widgets")
    told = {"inputs": [{"id": deal, "properties": {name: value}}]}
    (error,) = api(f"{OBJECTS}/0-3/batch/update", told).json()["errors"]
    assert (error["category"], error["errors"][0]["code"]) == ("VALIDATION_ERROR", code)


def test_an_address_belongs_to_one_contact_and_to_whom_it_was_merged(api):
    ann, bob = api.fake.contact("Ann@Acme.example"), api.fake.contact("bob@acme.example")
    assert api.fake.portal.find("contacts", "ANN@acme.example", "email").id == ann
    told = {"primaryObjectId": ann, "objectIdToMerge": bob}
    assert api(f"{OBJECTS}/contacts/merge", told).json()["id"] == ann
    assert api(f"{OBJECTS}/contacts/{bob}").json()["id"] == ann
    told = {"properties": {"email": "bob@acme.example"}, "associations": []}
    answer = api(f"{OBJECTS}/contacts", told)
    assert category(answer) == (409, "CONFLICT")
    assert answer.json()["message"] == f"Contact already exists. Existing ID: {ann}"


def test_who_is_deleted_is_found_no_more_and_may_come_anew(api):
    ann = api.fake.contact("ann@acme.example")
    api.fake.delete(ann)
    assert category(api(f"{OBJECTS}/contacts/{ann}")) == (404, "OBJECT_NOT_FOUND")
    assert api.upsert({"email": "ann@acme.example"}).json()["results"][0]["new"] is True
    other = api.fake.contact("bob@acme.example")
    assert api(f"{OBJECTS}/contacts/gdpr-delete", {"objectId": other}).status_code == 204
    assert api.fake.events(all_of_them=True)[-1]["subscriptionType"] == "contact.privacyDeletion"


def test_what_was_is_told_with_who_it_was(api, moment):
    deal = api.fake.deal("500 widgets")
    moment[0] += timedelta(minutes=1)
    told = {"inputs": [{"id": deal, "properties": {"dealname": "600 widgets"}}]}
    api(f"{OBJECTS}/deals/batch/update", told)
    told = {"properties": [], "propertiesWithHistory": ["dealname"], "inputs": [{"id": deal}]}
    (row,) = api(f"{OBJECTS}/deals/batch/read", told).json()["results"]
    seen = row["propertiesWithHistory"]["dealname"]
    assert [(one["value"], one["sourceType"]) for one in seen] == [
        ("600 widgets", "INTEGRATION"),
        ("500 widgets", "CRM_UI"),
    ]


# --- searching ---


@pytest.mark.parametrize("lacks", SEARCH)
def test_a_search_says_all_it_must(api, lacks):
    told = {name: value for name, value in SEARCH.items() if name != lacks}
    assert api(f"{OBJECTS}/contacts/search", told).status_code == 400


@pytest.mark.parametrize(
    "too_much",
    [
        {"limit": 201},
        {"after": "10000"},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [{}] * 11}]},
        {"filterGroups": [{"filters": [{}] * 9}] * 3},
    ],
)
def test_a_search_has_its_limits(api, too_much):
    assert category(api(f"{OBJECTS}/contacts/search", SEARCH | too_much))[0] == 400


def test_a_search_finds_what_is_older_than_a_while(api, moment):
    api.fake.account.lag = timedelta(seconds=30)
    api.fake.contact("ann@acme.example")
    assert api(f"{OBJECTS}/contacts/search", SEARCH).json()["total"] == 0
    moment[0] += timedelta(seconds=31)
    assert api(f"{OBJECTS}/contacts/search", SEARCH).json()["total"] == 1


def test_a_search_filters_sorts_and_pages(api, moment):
    for number in range(5):
        moment[0] += timedelta(minutes=1)
        api.fake.contact(f"v{number}@acme.example")
    since = int((NOON + timedelta(minutes=2)).timestamp() * 1000)
    by = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(since)}
    told = SEARCH | {
        "filterGroups": [{"filters": [by]}],
        "sorts": [{"propertyName": "lastmodifieddate", "direction": "DESCENDING"}],
        "limit": 3,
    }
    page = api(f"{OBJECTS}/contacts/search", told).json()
    assert [one["properties"]["email"][:2] for one in page["results"]] == ["v4", "v3", "v2"]
    rest = api(f"{OBJECTS}/contacts/search", told | page["paging"]["next"]).json()
    assert [one["properties"]["email"][:2] for one in rest["results"]] == ["v1"]
    assert "paging" not in rest


# --- limits ---


def test_calls_are_counted_within_ten_seconds_searches_within_one_and_all_within_a_day(api, moment):
    limits = api.fake.account.limits
    answers = [api(f"{OBJECTS}/contacts/search", SEARCH) for _ in range(6)]
    assert [one.status_code for one in answers] == [200] * 5 + [429]
    assert answers[-1].json()["policyName"] == "SECONDLY"
    limits.burst = 6
    assert api("/crm/properties/2026-09/deals").headers["X-HubSpot-RateLimit-Remaining"] == "0"
    refused = api("/crm/properties/2026-09/deals")
    assert (refused.status_code, refused.json()["policyName"]) == (429, "TEN_SECONDLY_ROLLING")
    moment[0] += timedelta(seconds=11)
    assert api("/crm/properties/2026-09/deals").status_code == 200
    limits.daily = 7
    assert api("/crm/properties/2026-09/deals").json()["policyName"] == "DAILY"
    moment[0] += timedelta(days=1)
    assert api("/crm/properties/2026-09/deals").status_code == 200


# --- fields and subscriptions ---


def test_a_field_is_made_once_and_its_options_widened(api):
    option = {"label": "Need", "value": "need", "displayOrder": 0, "hidden": False}
    told = {
        "groupName": "dealinformation",
        "name": "buying_phase",
        "label": "Buying phase",
        "type": "enumeration",
        "fieldType": "select",
        "options": [option],
    }
    assert api("/crm/properties/2026-09/deals", told).status_code == 201
    again = api("/crm/properties/2026-09/deals", told)
    assert category(again) == (409, "OBJECT_ALREADY_EXISTS")
    wider = {"options": [option, option | {"value": "decision"}]}
    path = "/crm/properties/2026-09/deals/buying_phase"
    changed = api(path, wider, method="PATCH").json()
    assert [one["value"] for one in changed["options"]] == ["need", "decision"]
    del option["hidden"]
    refused = api("/crm/properties/2026-09/deals", told | {"name": "other"})
    assert category(refused) == (400, "VALIDATION_ERROR")


def test_a_subscription_needs_a_legal_basis_and_says_what_changed(api):
    path = "/communication-preferences/2026-09/statuses/ann%40acme.example"
    number = next(iter(api.fake.subscriptions.types))
    told = {"subscriptionId": number, "statusState": "SUBSCRIBED", "channel": "EMAIL"}
    assert category(api(path, told)) == (400, "VALIDATION_ERROR")
    told |= {"legalBasis": "CONSENT_WITH_NOTICE", "legalBasisExplanation": "form 12"}
    reasons = []
    for state in ("SUBSCRIBED", "SUBSCRIBED", "UNSUBSCRIBED", "SUBSCRIBED"):
        (row,) = api(path, told | {"statusState": state}).json()["results"]
        assert row["subscriberIdString"] == "ann@acme.example"
        reasons.append(row["setStatusSuccessReason"])
    assert reasons == [
        "REQUESTED_CHANGE_OCCURRED",
        "NO_STATUS_CHANGE",
        "REQUESTED_CHANGE_OCCURRED",
        "RESUBSCRIBE_OCCURRED",
    ]


# --- its page ---


def test_every_deed_can_be_done_from_the_page_and_leaves_what_it_should(api):
    def do(deed, **told):
        answer = requests.post(f"{api.sandbox.url}/sandbox/do/{deed}", json=told, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    ann = do("write_down_a_contact", email="ann@acme.example", firstname="Ann")
    bob = do("write_down_a_contact", email="bob@acme.example")
    deal = do(
        "open_a_deal", name="500 widgets", contacts=f"{ann}, bob@acme.example", amount="12000"
    )
    do("set_a_property", id=deal, name="dealname", value="600 widgets")
    do("take_a_contact_off_a_deal", deal=deal, contact=bob)
    do("win_a_deal", deal=deal)
    do("merge_contacts", kept=ann, joined=bob)
    number = do("make_a_subscription_type", name="Prices")
    do("opt_out", email="ann@acme.example", subscription="Prices")
    do("opt_out", email="ann@acme.example")
    other = do("open_a_deal", name="Nothing")
    do("lose_a_deal", deal=other)
    do("delete", id=other)
    shown = requests.get(f"{api.sandbox.url}/sandbox/records", timeout=10).json()
    (contact,), (left,) = shown["contacts"], shown["deals"]
    assert contact[f"hs_email_optout_{number}"] == contact["hs_email_optout"] == "true"
    assert (left["dealname"], left["dealstage"], left["beside"]) == (
        "600 widgets",
        "closedwon",
        ann,
    )
    do("delete_a_contact_for_privacy", contact=ann)
    shown = requests.get(f"{api.sandbox.url}/sandbox/records", timeout=10).json()
    assert shown["contacts"] == []


@pytest.mark.parametrize(
    ("deed", "told", "says"),
    [
        ("win_a_deal", {"deal": "7"}, "there is no 7 among the deals"),
        ("write_down_a_contact", {"email": "nobody"}, "INVALID_EMAIL"),
        ("opt_out", {"email": "a@b.example", "subscription": "?"}, "no subscription type '?'"),
        ("call_the_webhook", {"url": "https://evil.example/"}, "this machine only"),
        ("call_the_webhook", {"url": "http://127.0.0.1:1/"}, "does not answer"),
    ],
)
def test_what_cannot_be_done_is_said(api, deed, told, says):
    answer = requests.post(f"{api.sandbox.url}/sandbox/do/{deed}", json=told, timeout=10)
    assert answer.status_code == 422
    assert says in answer.json()["says"]


def test_its_page_shows_the_subscription_types_and_a_property_is_taken_away():
    fake = HubSpot()
    types = [one["name"] for one in fake.tables()["subscription types"]]
    assert types == ["Marketing information", "Widget price alerts"]
    fake.contact("ann@acme.example", "Ann")
    fake.deeds()["take_a_property_away"]("contacts", "firstname")
    (ann,) = fake.tables()["contacts"]
    assert "firstname" not in ann
    with pytest.raises(ValueError, match="there is no property 'firstname' of 'contacts'"):
        fake.take_away("contacts", "firstname")
