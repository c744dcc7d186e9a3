"""The sandbox of Salesforce, called by a client that others wrote, and by hand."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce as Client
from simple_salesforce import SalesforceError, SalesforceLogin, format_soql

from regportal.app import web_root
from regportal.sandbox.base import fake_for
from regportal.sandbox.salesforce import CLIENT, SECRET, Salesforce
from regportal.sandbox.salesforce.refusals import RefusedError
from regportal.sandbox.salesforce.soql import read
from regportal.sandbox.server import serving

HERE = "sandbox.my.salesforce.com"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Plain(HTTPAdapter):
    """Takes a client that insists on https and a name of Salesforce to the sandbox."""

    def __init__(self, url):
        super().__init__()
        self._url = url

    def send(self, request, **kwargs):
        request.url = re.sub(r"^https://[^/]+", self._url, request.url)
        return super().send(request, **kwargs)


@pytest.fixture
def crm():
    with serving(Salesforce(), web_root()) as sandbox:
        yield sandbox


@pytest.fixture
def fake(crm):
    return crm.fake


@pytest.fixture
def session(crm):
    session = requests.Session()
    session.mount("https://", Plain(crm.url))
    return session


@pytest.fixture
def client(session):
    """simple-salesforce, signed in by client credentials."""
    word, host = SalesforceLogin(
        consumer_key=CLIENT, consumer_secret=SECRET, domain="sandbox.my", session=session
    )
    assert host.startswith("127.0.0.1")
    return Client(instance=HERE, session_id=word, session=session, version="68.0")


@pytest.fixture
def call(crm):
    """Call the API by hand; return status, JSON and headers."""
    form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
    token = requests.post(f"{crm.url}/services/oauth2/token", form, timeout=9).json()

    def ask(method, path, told=None, version="v68.0", **headers):
        word = {"Authorization": f"Bearer {token['access_token']}"}
        url = f"{crm.url}/services/data/{version}{path}"
        answer = requests.request(method, url, json=told, headers=word | headers, timeout=9)
        return answer.status_code, answer.json() if answer.content else None, answer.headers

    return ask


# --- by simple-salesforce ---


def test_a_foreign_client_makes_reads_changes_and_deletes(client, fake):
    made = client.Contact.create({"LastName": "Smith", "Email": "ann@acme.example"})
    assert made["success"]
    client.Contact.update(made["id"], {"Phone": "1"})
    assert client.Contact.get(made["id"])["Phone"] == "1"
    assert client.Contact.upsert("Regportal_Id__c/k1", {"LastName": "Jones"}) == 201
    assert client.Contact.upsert("Regportal_Id__c/k1", {"LastName": "Jonas"}) == 200
    assert client.Contact.get_by_custom_id("Regportal_Id__c", "k1")["LastName"] == "Jonas"
    client.Contact.delete(made["id"])
    with pytest.raises(SalesforceError):
        client.Contact.get(made["id"])
    client.limits()
    assert client.api_usage["api-usage"].used > 0


def test_a_foreign_client_asks_questions_and_for_more(client, fake):
    for number in range(250):
        fake.contact(f"visitor-{number}@acme.example", f"O'Neil {number}")
    many = client.query_all(
        "SELECT Id, LastName FROM Contact ORDER BY LastName, Id",
        headers={"Sforce-Query-Options": "batchSize=200"},
    )
    text = format_soql("SELECT Id FROM Contact WHERE LastName = {}", "O'Neil 7")
    begins = format_soql("SELECT Id FROM Contact WHERE LastName LIKE '{:like}%'", "O'Neil 24")

    assert len({row["Id"] for row in many["records"]}) == many["totalSize"] == 250
    assert client.query(text)["totalSize"] == 1
    assert client.query(begins)["totalSize"] == 11
    assert client.query("SELECT COUNT() FROM Contact")["totalSize"] == 250
    with pytest.raises(SalesforceError, match="No such column 'Nose'"):
        client.query("SELECT Nose FROM Contact")


def test_a_foreign_client_hears_what_was_deleted_and_updated(client, fake):
    ann, bob = fake.contact("ann@acme.example"), fake.contact("bob@acme.example")
    fake.delete(bob)
    now = datetime.now(UTC)
    span = now - timedelta(hours=1), now + timedelta(hours=1)

    assert [one["id"] for one in client.Contact.deleted(*span)["deletedRecords"]] == [bob]
    assert client.Contact.updated(*span)["ids"] == [ann]
    gone = client.query("SELECT Id FROM Contact WHERE IsDeleted = true", include_deleted=True)
    assert [row["Id"] for row in gone["records"]] == [bob]


def test_a_foreign_client_reads_descriptions(client):
    fields = {one["name"]: one for one in client.Opportunity.describe()["fields"]}

    assert fields["Buying_Phase__c"]["restrictedPicklist"]
    assert "Contact" in {one["name"] for one in client.describe()["sobjects"]}
    assert client.limits()["DailyApiRequests"]["Max"] == 100_000


def test_a_foreign_client_is_told_that_its_token_ended(client, fake):
    fake.end_tokens()
    with pytest.raises(SalesforceError, match="INVALID_SESSION_ID"):
        client.query("SELECT Id FROM Contact")


# --- by hand ---


def test_of_a_collection_each_record_is_taken_for_itself(call, fake):
    records = [
        {"attributes": {"type": "Contact"}, "LastName": "Smith"},
        {"attributes": {"type": "Contact"}, "FirstName": "Ann"},
        {"attributes": {"type": "Contact"}, "LastName": "x" * 81},
        {"attributes": {"type": "Contact"}, "LastName": "Smith", "Email": "nobody"},
        {"attributes": {"type": "Contact"}, "LastName": "Smith", "CleanStatus": "odd"},
        {"attributes": {"type": "Contact"}, "LastName": "Smith", "IsDeleted": True},
        {"attributes": {"type": "Contact"}, "LastName": "Smith", "AccountId": "001"},
        {"attributes": {"type": "Contact"}, "LastName": "Smith", "Nose": "long"},
    ]
    _, told, _ = call("POST", "/composite/sobjects", {"records": records, "allOrNone": False})
    codes = [one["errors"][0]["statusCode"] if one["errors"] else None for one in told]
    assert codes == [
        None,
        "REQUIRED_FIELD_MISSING",
        "STRING_TOO_LONG",
        "INVALID_EMAIL_ADDRESS",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "MALFORMED_ID",
        "INVALID_FIELD",
    ]
    _, told, _ = call("POST", "/composite/sobjects", {"records": records, "allOrNone": True})
    assert told[0]["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert len(fake.tables()["Contact"]) == 1
    status, told, _ = call("POST", "/composite/sobjects", {"records": records * 26})
    assert (status, told[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")


def test_two_records_with_one_key_are_for_a_person_to_tell_apart(call, fake):
    both = [fake.contact("ann@acme.example") for _ in range(2)]
    one = {"attributes": {"type": "Contact"}, "Email": "ANN@acme.example", "LastName": "Smith"}
    _, told, _ = call("PATCH", "/composite/sobjects/Contact/Email", {"records": [one, one]})
    codes = [one["errors"][0]["statusCode"] for one in told]
    assert codes == ["DUPLICATE_EXTERNAL_ID", "DUPLICATE_VALUE"]
    status, urls, _ = call("PATCH", "/sobjects/Contact/Email/ann@acme.example", {"Phone": "1"})
    assert (status, [one.rpartition("/")[2] for one in urls]) == (300, both)


def test_calls_within_a_call_name_what_others_answered(call):
    calls = [
        ("POST", "Account", "a", {"Name": "Acme"}),
        ("POST", "Contact", "c", {"LastName": "Smith", "AccountId": "@{a.id}"}),
        ("POST", "Contact", "d", {"FirstName": "Ann"}),
    ]
    inner = [
        {
            "method": method,
            "url": f"/services/data/v68.0/sobjects/{kind}",
            "referenceId": name,
            "body": body,
        }
        for method, kind, name, body in calls
    ]
    told = {"allOrNone": False, "compositeRequest": inner}
    _, said, _ = call("POST", "/composite", told)
    assert [one["httpStatusCode"] for one in said["compositeResponse"]] == [201, 201, 400]
    _, said, _ = call("POST", "/composite", told | {"allOrNone": True})
    codes = [one["body"][0]["errorCode"] for one in said["compositeResponse"]]
    assert codes == ["PROCESSING_HALTED", "PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    status, _, _ = call("POST", "/composite", {"compositeRequest": inner * 9})
    assert status == 400
    ask = {"method": "GET", "url": "/services/data/v68.0/query?q=SELECT+Id+FROM+Contact"}
    for many, fine in ((5, True), (6, False)):
        asked = [ask | {"referenceId": f"q{number}"} for number in range(many)]
        assert (call("POST", "/composite", {"compositeRequest": asked})[0] == 200) is fine


def test_a_record_is_written_only_if_nobody_has_since(call, fake):
    ann = fake.contact("ann@acme.example")
    _, _, headers = call("GET", f"/sobjects/Contact/{ann}")
    since = {"If-Unmodified-Since": headers["Last-Modified"]}
    fake.org.clock = lambda: datetime.now(UTC) + timedelta(minutes=1)

    assert call("PATCH", f"/sobjects/Contact/{ann}", {"Phone": "1"}, **since)[0] == 204
    assert call("PATCH", f"/sobjects/Contact/{ann}", {"Phone": "2"}, **since)[0] == 412
    assert call("PATCH", f"/sobjects/Contact/{ann}", {"Phone": "3"})[0] == 204


def test_a_description_is_sent_again_only_when_it_changed(call):
    _, _, headers = call("GET", "/sobjects/Contact/describe")
    old = {"If-Modified-Since": headers["Last-Modified"]}
    assert call("GET", "/sobjects/Contact/describe", **old)[:2] == (304, None)
    metadata = {"label": "Size", "type": "Text", "length": 9}
    told = {"FullName": "Contact.Size__c", "Metadata": metadata}
    assert call("POST", "/tooling/sobjects/CustomField", told)[0] == 201
    assert call("GET", "/sobjects/Contact/describe", **old)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/sobjects/Foo", 404, "NOT_FOUND"),
        ("GET", "/sobjects/Contact/003000000000000AAA", 404, "NOT_FOUND"),
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("PUT", "/sobjects/Contact", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/query?q=SELECT+Id+FROM+XYZZY", 400, "INVALID_TYPE"),
        ("GET", "/query?q=DELETE+FROM+Contact", 400, "MALFORMED_QUERY"),
        ("GET", "/query/01g-2000", 400, "INVALID_QUERY_LOCATOR"),
        ("POST", "/sobjects/Contact", 400, "JSON_PARSER_ERROR"),
        ("GET", "/sobjects/Contact/deleted?start=x&end=y", 400, "INVALID_REPLICATION_DATE"),
    ],
)
def test_a_refusal_is_an_array_with_a_code(call, method, path, status, code):
    found, told, headers = call(method, path)
    assert (found, told[0]["errorCode"]) == (status, code)
    assert headers["Sforce-Limit-Info"].startswith("api-usage=")


def test_calls_that_are_used_up_are_refused_and_versions_are_spoken_for_long(call, fake):
    assert call("GET", "/limits", version="v31.0")[0] == 200
    assert call("GET", "/limits", version="v99.0")[0] == 404
    fake.use_up_calls()
    status, told, _ = call("GET", "/limits")
    assert (status, told[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    fake.give_calls_back()
    assert call("GET", "/limits")[0] == 200


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "password"},
        {"grant_type": "client_credentials", "client_id": "x", "client_secret": SECRET},
        {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": "x"},
    ],
)
def test_whoever_is_nobody_gets_no_token(crm, form):
    answer = requests.post(f"{crm.url}/services/oauth2/token", form, timeout=9)
    assert (answer.status_code, "access_token" in answer.json()) == (400, False)
    assert requests.get(f"{crm.url}/services/data/v68.0/limits", timeout=9).status_code == 401


# --- questions ---


@pytest.mark.parametrize(
    "text",
    [
        "SELECT Id FROM Contact WHERE Name = 'x' OR",
        "SELECT Id FROM Contact WHERE Name = 'a' AND Name = 'b' OR Name = 'c'",
        "SELECT Id FROM Contact WHERE Name = 'x",
        "SELECT Id FROM Contact WHERE Name = 'a\\q'",
        "SELECT Id FROM Contact; DELETE",
        "SELECT FROM Contact",
        "SELECT Id FROM Contact LIMIT many",
        "SELECT Id FROM Contact WHERE (Name = 'x'",
        "",
    ],
)
def test_what_is_no_question_is_refused(text):
    with pytest.raises(RefusedError) as caught:
        read(text)
    assert caught.value.code == "MALFORMED_QUERY"


@pytest.fixture
def asked(fake, call):
    """What a question finds: the names of contacts."""
    acme = fake.account("Acme")
    people = [("ann", "Smith", acme), ("bob", "Jones", ""), ("carl", "O'Neil_50%", acme)]
    for name, last, account in people:
        fake.contact(f"{name}@acme.example", last, account)

    select = "SELECT LastName, Account.Name FROM Contact"

    def ask(where):
        asked = f"{select} {where}"
        _, told, _ = call("GET", f"/query?q={requests.utils.quote(asked)}")
        return [one["LastName"] for one in told["records"]] if isinstance(told, dict) else told

    return ask


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("WHERE Account.Name = 'ACME' ORDER BY LastName", ["O'Neil_50%", "Smith"]),
        ("WHERE Account.Name = null", ["Jones"]),
        ("WHERE LastName LIKE '%\\_50\\%'", ["O'Neil_50%"]),
        ("WHERE LastName LIKE '_mith'", ["Smith"]),
        ("WHERE NOT Email IN ('ann@acme.example', 'bob@acme.example')", ["O'Neil_50%"]),
        ("WHERE Email NOT IN ('ann@acme.example') ORDER BY LastName DESC LIMIT 1", ["O'Neil_50%"]),
        ("WHERE (LastName = 'smith' OR LastName = 'jones') AND AccountId != null", ["Smith"]),
        ("WHERE AccountId IN (SELECT Id FROM Account WHERE Name = 'Acme') LIMIT 1", ["Smith"]),
        ("WHERE SystemModstamp > 2020-01-01T00:00:00Z ORDER BY LastName LIMIT 1", ["Jones"]),
        ("WHERE CreatedDate < 2020-01-01T00:00:00.000+0000", []),
        ("ORDER BY LastName LIMIT 1 OFFSET 2", ["Smith"]),
        ("WHERE LastName = 'O\\'Neil_50%'", ["O'Neil_50%"]),
    ],
)
def test_a_question_finds_what_it_asks_for(asked, where, found):
    assert asked(where) == found


def test_long_texts_cannot_be_asked_for_and_ids_must_be_ids(asked):
    assert asked("WHERE Description = 'x'")[0]["errorCode"] == "INVALID_FIELD"
    assert asked("WHERE Id = 'x'")[0]["errorCode"] == "INVALID_QUERY_FILTER_OPERATOR"


# --- its people ---


def test_a_field_is_taken_away():
    fake = fake_for("salesforce")
    fake.deeds()["take a field away"]("Opportunity", "NextStep")
    assert "NextStep" not in fake.org.objects["Opportunity"].fields
    assert all("NextStep" not in row for row in fake.tables()["Opportunity"])
    with pytest.raises(ValueError, match="there is no field 'NextStep' of 'Opportunity'"):
        fake.take_away("Opportunity", "NextStep")


def test_its_people_do_what_the_page_offers():
    fake = fake_for("salesforce")
    (deal,) = fake.tables()["Opportunity"]
    ann, bob = (row["Id"] for row in fake.tables()["Contact"])
    deeds = fake.deeds()
    deeds["give a role"](deal["Id"], bob)
    deeds["merge two records"](bob, ann)
    deeds["move to a stage"](deal["Id"], "Negotiation/Review")
    deeds["opt out"](bob, "Widget prices")
    deeds["win an opportunity"](deal["Id"])

    tables = fake.tables()
    assert json.dumps(tables)
    assert {row["ContactId"] for row in tables["OpportunityContactRole"]} == {bob}
    assert tables["Contact"][0]["MasterRecordId"] == bob
    assert tables["CampaignMember"][0]["Status"] == "Unsubscribed"
    assert tables["Opportunity"][0]["StageName"] == "Closed Won"
    for deed, words in (
        ("win an opportunity", ["006"]),
        ("merge two records", [bob, bob]),
        ("delete a record", ["x"]),
    ):
        with pytest.raises(ValueError, match=r"."):
            deeds[deed](*words)
    with pytest.raises(ValueError, match=r"Buying phase: bad value"):
        deeds["set a field"](deal["Id"], "Buying_Phase__c", "nonsense")
