"""
The fake Salesforce against what a real org answered.

106 calls and their answers, recorded by CumulusCI (BSD-3-Clause, Salesforce.com 2021). Each is
asked of the fake, with records of its own where the call names some; statuses and shapes are
compared.
"""

import itertools
import json
import lzma
import re
from collections import Counter

import pytest

from regportal.sandbox.salesforce import Salesforce
from regportal.sandbox.salesforce.api import Api
from regportal.sandbox.salesforce.objects import Field, standard_objects

pytestmark = pytest.mark.usefixtures("shared_data")
BASE = "https://orgname.my.salesforce.com"
LEFT_OUT = {
    "/tooling/": "tests and coverage of Apex, packages",
    "/connect/": "communities",
    "/sobjects/Organization": "the org itself",
    "FROM RecordType": "record types",
    "/sobjects/Case/": "cases",
    "/sobjects/Custom__c/": "an object somebody made",
}
"""What is not the business of a connector, and the fake does not have."""
NOT_OF_THE_SERVER = {
    "network_errors": "a failure that the recorder wrote by hand",
    "test_describe_to_sql": "edited by hand: fields are cut out, one body is not JSON",
    "test_http_headers": "a moment in 2020: nothing had changed since then, there",
    "test_minimal_schema": "edited by hand: of the objects a few words were left",
}
COMPARED = ("C", "U", "L", "N", "D", "R", "A")
FLAGS = {
    "C": "createable",
    "U": "updateable",
    "L": "idLookup",
    "N": "nillable",
    "D": "defaultedOnCreate",
    "R": "restrictedPicklist",
    "A": "nameField",
}
IDS = re.compile(r"\b(?:001|003|006|00Q|00U)[A-Za-z0-9]{12}(?:[A-Z0-5]{3})\b")


@pytest.fixture(scope="session")
def recordings(shared_data):
    with lzma.open(shared_data / "salesforce_recordings.json.xz") as file:
        return json.load(file)


def about(recording):
    """Why a recording is left out; None: it is not."""
    text = recording["uri"].replace("+", " ").replace("%20", " ")
    for table, where in ((LEFT_OUT, text), (NOT_OF_THE_SERVER, recording["source"])):
        for part, why in table.items():
            if part in where:
                return why
    return None


def url_of(recording):
    return recording["uri"].removeprefix(BASE).replace("vxx.0", "v62.0")


def shape(value):
    """What a value is, without what it says: of a list the kinds of its members."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        kinds = {json.dumps(shape(one), sort_keys=True) for one in value}
        return [json.loads(one) for one in sorted(kinds)]
    return "number" if type(value) in {int, float} else type(value).__name__


def fits(there, ours, path=""):
    """Yield where our shape is not that of the org: nothing of its own must be missing."""
    if isinstance(there, dict) and isinstance(ours, dict):
        for name in there.keys() | ours.keys():
            if name not in there or name not in ours:
                yield f"{path}.{name}: {'too much' if name not in there else 'missing'}"
            else:
                yield from fits(there[name], ours[name], f"{path}.{name}")
    elif isinstance(there, list) and isinstance(ours, list):
        if bool(there) != bool(ours):
            yield f"{path}: {len(there)} kinds of members, and {len(ours)} here"
        for one in ours:
            found = [[*fits(other, one, f"{path}[]")] for other in there]
            if found and all(found):
                yield min(found, key=len)[0]
    elif "NoneType" not in (there, ours) and there != ours:
        yield f"{path}: {there} there, {ours} here"


class Replay:
    """An org of ours in which what a recording needs is there."""

    def __init__(self):
        self.fake = Salesforce(has_our_fields=False)
        self.org, self.api = self.fake.org, Api(self.fake.org)
        self._number = itertools.count(1)
        self.ids = {}

    def id(self, found):
        """Our record for one that a recording names."""
        there = found[0]
        if there not in self.ids:
            kind = next(n for n, o in self.org.objects.items() if o.prefix == there[:3])
            self.ids[there] = self.some(kind)
        return self.ids[there]

    def some(self, kind):
        """A record, with nothing but what it needs."""
        needs = {
            "Account": {"Name": "Acme"},
            "Contact": {"LastName": f"Smith {next(self._number)}"},
            "Lead": {"LastName": "Smith", "Company": "Acme"},
            "Opportunity": {"Name": "Widgets", "StageName": "Qualification"},
            "Event": {"ActivityDateTime": "2026-03-04T12:00:00Z", "DurationInMinutes": 30},
            "User": {"LastName": "Lind", "Username": "lind", "Email": "lind@acme.example"},
        }[kind]
        needs |= {"CloseDate": "2026-03-31"} if kind == "Opportunity" else {}
        if kind == "Event":
            needs |= {"WhoId": self.some("Contact")}
        return self.org.insert(kind, needs)

    def ready(self, recording):
        """Let there be what the answer shows."""
        answer, url = recording["response"], url_of(recording)
        kinds = re.findall(r"from(?:[+\s]|%20|%0A)+(\w+)", url, re.IGNORECASE)
        rows = answer.get("records", []) if isinstance(answer, dict) else []
        for row in rows if recording["method"] == "GET" else ():
            made = self.some(kinds[-1])
            if row.get("Opportunities"):
                deal = {"Name": "Widgets", "StageName": "Qualification", "ContactId": made}
                self.org.insert("Opportunity", deal | {"CloseDate": "2026-03-31"})
        if "recordCount" in url and answer["sObjects"]:
            self.some(answer["sObjects"][0]["name"])
        if "AccountNumber%3D" in url:
            for row in self.org.rows("Account"):
                row["AccountNumber"] = "420"
        if "/Contact/Email" in url:
            for told, became in zip(recording["request"]["records"], answer, strict=True):
                if not became["created"]:
                    self.org.insert("Contact", {"LastName": "There", "Email": told["Email"]})
        if '"totalSize": 1' in json.dumps(answer) and "/composite" in url:
            self.some("Account")

    def ask(self, recording):
        """Ask the fake the same."""
        self.ready(recording)
        told = json.dumps(recording["request"]).replace("vxx.0", "v62.0")
        told = json.loads(IDS.sub(self.id, told))
        url = IDS.sub(self.id, url_of(recording))
        return self.api.ask(recording["method"], url, told, {})


def test_each_recorded_call_is_answered_in_the_same_way(recordings):
    amiss, asked = {}, 0
    for number, recording in enumerate(recordings):
        if about(recording) is not None:
            continue
        asked += 1
        said = Replay().ask(recording)
        if said.status != recording["status"]:
            amiss[number] = f"{said.status} instead of {recording['status']}: {said.told}"
            continue
        if "/describe" in recording["uri"] or is_list(recording):
            continue  # other tests compare what is described
        differences = [*fits(shape(recording["response"]), shape(said.told))]
        if differences:
            amiss[number] = differences[:4]
    assert (amiss, asked) == ({}, 81)


def test_nothing_is_left_out_without_a_reason(recordings):
    reasons = Counter(about(one) for one in recordings)
    every = {*LEFT_OUT.values(), *NOT_OF_THE_SERVER.values()}

    assert reasons.keys() - {None} == every


def described(recordings):
    """The descriptions among the recordings of objects that the fake has, by name."""
    found = {}
    for one in recordings:
        name = one["uri"].partition("/sobjects/")[2].removesuffix("/describe")
        if one["uri"].endswith("/describe") and "PersonAccount" not in one["source"]:
            found[name] = one["response"]
    return found


def test_every_field_is_as_the_org_describes_it(recordings):
    ours, there = standard_objects(), described(recordings)
    same = ("Account", "Contact", "Lead", "Opportunity", "OpportunityContactRole", "Event")
    for name in same:
        fields = {one["name"]: one for one in there[name]["fields"] if not one["custom"]}
        fields = {key: one for key, one in fields.items() if not key.endswith("__c")}
        added = {"HasOptedOutOfEmail"} if name == "Contact" else set()
        assert ours[name].fields.keys() - added == fields.keys()
        assert ours[name].prefix == there[name]["keyPrefix"]
        for key, told in fields.items():
            mine = ours[name].fields[key]
            told_flags = {flag for flag in COMPARED if told[FLAGS[flag]]}
            assert {flag for flag in COMPARED if mine.has(flag)} == told_flags, (name, key)
            assert (mine.type, mine.length) == (told["type"], told["length"]), (name, key)
            assert mine.has("X") is not told["filterable"], (name, key)
            options = tuple(one["value"] for one in told["picklistValues"])
            assert mine.options in {options, ()}, (name, key)
            assert {*mine.refers_to} <= {*told["referenceTo"]}, (name, key)
            assert mine.relationship in {told["relationshipName"], None}, (name, key)


def is_list(recording):
    return recording["method"] == "GET" and recording["uri"].endswith("/sobjects")


def test_a_description_says_what_one_of_the_org_says(recordings):
    there = described(recordings)["Contact"]
    ours = Replay().api.ask("GET", "/services/data/v62.0/sobjects/Contact/describe", None, {}).told
    listed = next(one for one in recordings if is_list(one))["response"]
    list_ = Replay().api.ask("GET", "/services/data/v62.0/sobjects", None, {}).told

    assert ours.keys() == there.keys()
    assert ours["fields"][0].keys() == there["fields"][0].keys()
    assert ours["childRelationships"][0].keys() == there["childRelationships"][0].keys()
    assert list_.keys() == listed.keys()
    assert list_["sobjects"][0].keys() == listed["sobjects"][0].keys()
    types = {one["name"]: one["soapType"] for one in there["fields"]}
    mine = {one["name"]: one["soapType"] for one in ours["fields"]}
    assert {name: type_ for name, type_ in mine.items() if types.get(name, type_) != type_} == {}


def test_a_field_is_read_from_its_line():
    assert Field.read("X__c", "string 64 CUN").is_custom
