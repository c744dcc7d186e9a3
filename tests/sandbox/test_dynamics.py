"""The sandbox of Dynamics: Microsoft's own client takes it for Dataverse."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from regportal.sandbox.dynamics import Dynamics
from regportal.sandbox.dynamics.crm import CLIENT, SECRET
from tests.web_servers import make_certificate

LOCKED = Path("requirements/dataverse.txt")
CLIENT_OF_MICROSOFT = Path(__file__).with_name("dataverse_client.py")
PATIENCE = 600
API = "/api/data/v9.2"


def installed(cache):
    """Return a Python that has Microsoft's client: made once a machine and lock."""
    place = cache / hashlib.sha256(LOCKED.read_bytes() + sys.version.encode()).hexdigest()[:16]
    uv = Path(sys.executable).with_name("uv")
    with FileLock(cache / "lock", timeout=PATIENCE):
        if not place.exists():
            for old in cache.glob("*/"):
                shutil.rmtree(old)
            new = cache / "new"
            python = new / "bin" / "python"
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(new)], check=True)
            asked = ["pip", "install", "--quiet", "--require-hashes", "-r", str(LOCKED)]
            subprocess.run([uv, *asked, "--python", str(python)], check=True, timeout=PATIENCE)
            new.rename(place)
    return place / "bin" / "python"


@contextlib.contextmanager
def serving(app, folder):
    """Serve over TLS, for Microsoft's client calls nobody without; give address, certificate."""
    make_certificate(folder, "localhost")
    files = (str(folder / "cert.pem"), str(folder / "key.pem"))
    server = make_server("127.0.0.1", 0, app, ssl_context=files)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}", files[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def seen(request, tmp_path_factory):
    """What Microsoft's client saw in a new sandbox."""
    python = installed(request.config.cache.mkdir("dataverse"))
    with serving(Dynamics().app, tmp_path_factory.mktemp("dataverse")) as (url, certificate):
        done = subprocess.run(
            [python, CLIENT_OF_MICROSOFT, url, CLIENT, SECRET],
            env={**os.environ, "REQUESTS_CA_BUNDLE": certificate},
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


class Caller:
    """Whoever calls the API with a token."""

    def __init__(self, crm):
        self._client = FlaskClient(crm.app)
        form = {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scope": "https://acme.crm.dynamics.example/.default",
        }
        told = self._client.post("/acme/oauth2/v2.0/token", data=form).get_json()
        self._headers = {"Authorization": f"Bearer {told['access_token']}"}

    def __call__(self, method, path, told=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path = path if path.startswith("http") else f"{API}/{path}"
        return self._client.open(path, method=method, json=told, headers=self._headers | named)


@pytest.fixture
def clock():
    return [datetime(2026, 3, 4, 12, tzinfo=UTC)]


@pytest.fixture
def crm(clock):
    return Dynamics(lambda: clock[0])


@pytest.fixture
def call(crm):
    return Caller(crm)


def code(answer):
    return answer.status_code, answer.get_json()["error"]["code"]


# --- Microsoft's client ---


MICROSOFTS = pytest.mark.xdist_group("dataverse")  # one worker asks it, once


@MICROSOFTS
def test_microsofts_client_writes_and_reads_records(seen):
    told = seen["records"]
    assert told["one"] == {"name": "Initech", "telephone1": "+44 1", "industrycode": 1}
    assert told["led"] == ["Ann O'Neil", "Initech"]
    refused = {name: told[name][:2] for name in ("gone", "bad", "long", "option")}
    assert refused == {
        "gone": [404, "0x80040217"],
        "bad": [400, "0x80048d19"],
        "long": [400, "0x80044331"],
        "option": [400, "0x80044331"],
    }


@MICROSOFTS
def test_microsofts_client_asks_page_by_page(seen):
    told = seen["queries"]
    assert told["pages"] == [
        ["Reader 6", "Reader 5", "Reader 4", "Reader 2"],
        ["Reader 1", "Reader 0"],
    ]
    assert (told["wild"], told["in"]) == (2, ["Reader 1", "Reader 2"])
    assert told["formatted"] == "Active"
    assert {told["syntax"][1], told["unknown"][1]} == {"0x80060888"}


@MICROSOFTS
def test_microsofts_client_does_much_at_once(seen):
    told = seen["batches"]
    assert told["went on"] == [204, 400, 204]
    assert told["stopped"] == [[400, "0x80048d19"]]
    assert (told["done"], told["undone"]) == ([204, 204], [[400, "0x80044331"]])
    assert told["there"] == ["Batch 1", "Batch 2", "Batch 4"]


@MICROSOFTS
def test_microsofts_client_makes_columns_and_keys_and_writes_by_them(seen):
    told = seen["definitions"]
    assert told["foreign"][0] == 400
    assert told["made"] == ["our_Phase", "our_Since", "our_Why"]
    assert told["keys"] == [["our_ByKey", "Active"]]
    assert told["phase"] == 727000001
    assert told["there"] == [["k'1", 7.5], ["k2", None], ["k3", None]]
    assert told["twice"] == [412, "0x80060892"]
    assert told["custom"] == ["our_phase", "our_since", "our_why"]
    assert (told["size"], told["no table"]) == (3, None)


# --- what its documentation says, and its client does not ask ---


def test_a_record_is_written_only_as_it_was_read(call, crm):
    id = crm.make_opportunity("500 widgets")
    was = call("GET", f"opportunities({id})?$select=name").headers["ETag"]
    crm.set_column("opportunity", id, "name", "600 widgets")

    assert code(call("PATCH", f"opportunities({id})", {"name": "x"}, If_Match=was)) == (
        412,
        "0x80060882",
    )
    new = call("GET", f"opportunities({id})?$select=name").headers["ETag"]
    assert call("PATCH", f"opportunities({id})", {"name": "x"}, If_Match=new).status_code == 204


def test_an_id_of_the_client_makes_a_record_once(call):
    path, only = "annotations(6f1d4c3e-1111-4000-8000-000000000001)", {"If_None_Match": "*"}
    assert call("PATCH", path, {"subject": "one"}, **only).status_code == 204
    assert code(call("PATCH", path, {"subject": "two"}, **only)) == (412, "0x80040237")
    assert call("GET", path).get_json()["subject"] == "one"
    nobody = "annotations(6f1d4c3e-1111-4000-8000-000000000002)"
    assert code(call("PATCH", nobody, {"subject": "x"}, If_Match="*")) == (404, "0x80040217")


def test_changes_are_told_from_a_link_on_until_it_is_a_week_old(call, crm, clock):
    kept, gone = crm.make_contact("ann@acme.example"), crm.make_contact("bob@acme.example")
    tracked = {"Prefer": "odata.track-changes,odata.maxpagesize=1"}
    page = call("GET", "contacts?$select=lastname", **tracked).get_json()
    told = page["value"]
    while "@odata.nextLink" in page:
        page = call("GET", page["@odata.nextLink"], **tracked).get_json()
        told += page["value"]
    crm.set_column("contact", kept, "jobtitle", "buyer")
    crm.delete("contact", gone)
    link = page["@odata.deltaLink"]
    changed, ended = call("GET", link).get_json()["value"]
    clock[0] += timedelta(days=8)
    late = Caller(crm)

    assert {one["contactid"] for one in told} == {kept, gone}
    assert (changed["contactid"], ended["id"], ended["reason"]) == (kept, gone, "deleted")
    assert code(late("GET", link)) == (400, "0x80044352")
    refused = late("GET", "contacts?$filter=statecode eq 0", Prefer="odata.track-changes")
    assert refused.status_code == 400


def test_a_merge_moves_what_belongs_to_the_one_and_ends_it(call, crm):
    ann, same = crm.make_contact("ann@acme.example"), crm.make_contact("ann@old.example")
    deal = crm.make_opportunity("500 widgets", same)
    crm.add_stakeholder(deal, same)
    kind = {"@odata.type": "Microsoft.Dynamics.CRM.contact"}
    told = {"Target": {"contactid": ann, **kind}, "Subordinate": {"contactid": same, **kind}}
    answer = call("POST", "Merge", told | {"PerformParentingChecks": False})
    ended = call("GET", f"contacts({same})").get_json()
    moved = call("GET", f"opportunities({deal})").get_json()
    parts = call("GET", f"connections?$filter=_record2id_value eq {ann}").get_json()["value"]

    assert answer.status_code == 204
    assert (ended["merged"], ended["_masterid_value"], ended["statecode"]) == (True, ann, 1)
    assert moved["_parentcontactid_value"] == ann
    assert [one["record1objecttypecode"] for one in parts] == [3]


def test_a_stakeholder_is_seen_from_both_sides(call, crm):
    ann = crm.make_contact("ann@acme.example")
    deal = crm.make_opportunity("500 widgets")
    crm.add_stakeholder(deal, ann, "Decision Maker")
    asked = f"_record1id_value eq {ann} and record2objecttypecode eq 3"
    (mirrored,) = call("GET", f"connections?$filter={asked}").get_json()["value"]
    path = f"connections?$filter=_record2id_value eq {ann}&$expand=record2roleid($select=name)"
    (one,) = call("GET", path).get_json()["value"]

    assert (mirrored["_record2id_value"], mirrored["ismaster"]) == (deal, False)
    assert one["record2roleid"]["name"] == "Decision Maker"


def test_a_user_has_the_privileges_that_nobody_took_away(call, crm):
    crm.take_away("prvCreateLead")
    user = call("GET", "WhoAmI").get_json()["UserId"]
    asked = "systemusers({})/Microsoft.Dynamics.CRM.RetrieveUserPrivilegeByPrivilegeName({}='{}')"
    answers = [
        call("GET", asked.format(user, "PrivilegeName", name)).get_json()["RolePrivileges"]
        for name in ("prvCreateLead", "prvCreateNote")
    ]
    refused = call("POST", "leads", {"lastname": "Ann"})

    assert [[one["PrivilegeName"] for one in some] for some in answers] == [[], ["prvCreateNote"]]
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (403, "0x80040220")


def test_too_many_calls_are_refused_the_longer_the_more_there_are(call, crm, clock):
    crm.entrance.most = 3
    answers = [call("GET", "WhoAmI") for _ in range(5)]
    clock[0] += timedelta(seconds=301)

    assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
    assert answers[3].get_json()["error"]["code"] == "0x80072322"
    waits = [int(one.headers["Retry-After"]) for one in answers[3:]]
    assert waits == [301, 302]
    assert call("GET", "WhoAmI").status_code == 200


def test_a_token_ends(call, crm, clock):
    clock[0] += timedelta(hours=1)
    answer = call("GET", "WhoAmI")

    assert (answer.status_code, answer.data) == (401, b"")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"client_secret": "x"}, "invalid_client"),
        ({"client_id": "x"}, "unauthorized_client"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_whoever_is_not_known_gets_no_token(crm, wrong, error):
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT,
        "client_secret": SECRET,
        "scope": "https://acme.crm.dynamics.example/.default",
    }
    answer = FlaskClient(crm.app).post("/acme/oauth2/v2.0/token", data=form | wrong)
    assert answer.status_code in {400, 401}
    assert answer.get_json()["error"] == error


@pytest.mark.parametrize(
    "asked",
    [
        "contacts?$filter=((((",
        "contacts?$filter=lastname eq 'x",
        "contacts?$filter=" + "(" * 99 + "statecode eq 0" + ")" * 99,
        "contacts?$filter=not",
        "contacts?$filter=lastname gt 5",
        "contacts?$orderby=lastname upwards",
        "contacts?$top=-1",
        "contacts?$apply=x",
        "contacts?$expand=nobody",
        "contacts(x='1')",
        "contacts('1')",
        "contacts(",
        "nothing",
        "EntityDefinitions(LogicalName='nothing')",
        "contacts?$deltatoken=7",
    ],
)
def test_what_makes_no_sense_is_refused_in_its_own_words(call, crm, asked):
    crm.make_contact("ann@acme.example")
    answer = call("GET", asked)
    assert answer.status_code in {400, 404}
    assert answer.get_json()["error"]["code"].startswith("0x8")


def test_a_column_is_taken_away(crm):
    crm.deeds()["take a column away"]("contact", "lastname")
    assert "lastname" not in crm.records.tables["contact"].columns
    assert crm.make_opportunity("500 widgets", crm.make_contact("ann@acme.example"))
    with pytest.raises(ValueError, match="there is no column lastname in contact"):
        crm.take_column("contact", "lastname")


def test_the_page_shows_what_people_read(crm):
    crm.make_opportunity("500 widgets", crm.make_contact("ann@acme.example", "Ann", "Smith"))
    (deal,) = crm.tables()["opportunities"]
    assert (deal["parentcontactid"], deal["statecode"]) == ("Ann Smith", "Open")
    assert "delete a record" in crm.deeds()
    with pytest.raises(ValueError, match="there is no contact nobody"):
        crm.delete("contact", "nobody")
