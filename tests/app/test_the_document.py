"""/api/openapi.json describes what is asked under /api/v1: all of it, and nothing else."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask_openapi.blueprint import APIBlueprint
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from regportal.app import create_app
from regportal.config import load
from regportal.identity.keys import SCOPES, add_key
from regportal.store.faults import PATTERNS, words_of
from regportal.tracking.events import CUSTOM, TYPES
from tests.portal import ORIGIN

CALLS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The application without a database: the document needs none."""
    folder = tmp_path_factory.mktemp("document")
    return create_app(
        load(database_url=f"sqlite:///{folder}/none.db", instance=folder, _env_file=None)
    )


@pytest.fixture(scope="module")
def document(app):
    return app.test_client().get("/api/openapi.json", base_url=ORIGIN).get_json()


def operations(document):
    """Yield every operation with its path and method."""
    for path, item in document["paths"].items():
        for method in CALLS:
            if method in item:
                yield path, method, item[method]


def test_every_call_is_described_and_nothing_else(app, document):
    rules = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert {(path, method) for path, method, _ in operations(document)} == rules


def test_every_call_says_what_it_does_and_how_it_is_answered(document):
    names = [one["operationId"] for _, _, one in operations(document)]

    assert len(set(names)) == len(names)
    for _, method, one in operations(document):
        assert one["summary"].endswith(".")
        assert one["description"]
        assert {"400", "429", "503"} <= one["responses"].keys()
        assert ("requestBody" in one) == (method == "post")
        for status, answer in one["responses"].items():
            kind = "application/json" if status < "400" else "application/problem+json"
            assert answer["content"][kind]["schema"], (one["operationId"], status)
            assert ("Retry-After" in answer.get("headers", {})) == (status in {"429", "503"})


def test_every_scope_it_names_can_be_given_to_a_key(document):
    named = {
        scope
        for _, _, one in operations(document)
        for way in one["security"]
        for scope in way.get("key", [])
    }

    named.add("metrics")  # of the page of that name, which is none of these calls
    assert named == set(SCOPES)
    assert all(
        scope in document["components"]["securitySchemes"]["key"]["description"] for scope in SCOPES
    )


def test_the_page_about_it_names_every_call_and_scope(document):
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    calls = [
        f"`{method.upper()} {path.removeprefix('/api/v1')}`"
        for path, method, _ in operations(document)
    ]

    assert [one for one in calls if one not in page] == []
    assert [scope for scope in SCOPES if f"| `{scope}` |" not in page] == []


def test_what_needs_no_key_says_so_and_the_others_say_what_they_refuse(document):
    for _, _, one in operations(document):
        needs_key = all("key" in way for way in one["security"])

        assert {"401", "403"} <= one["responses"].keys() if needs_key else {} in one["security"]


def test_every_example_is_one(document):
    registry = Registry().with_resource(
        "urn:document", Resource(contents=document, specification=DRAFT202012)
    )
    shown = 0
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        if "example" in schema:
            whole = {"$ref": f"urn:document#/components/schemas/{name}"}
            Draft202012Validator(whole, registry=registry).validate(schema["example"])
            shown += 1

    bodies = {
        body["content"]["application/json"]["schema"]["$ref"]
        for _, _, one in operations(document)
        if (body := one.get("requestBody"))
    }
    assert shown >= len(bodies)


def patterns(document, part):
    """Yield every pattern that part of the document names, also where it refers to another."""
    if isinstance(part, dict):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]
        if "$ref" in part:
            name = part["$ref"].rpartition("/")[2]
            yield from patterns(document, document["components"]["schemas"][name])
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from patterns(document, one)


def test_whatever_is_sent_must_look_like_there_is_a_sentence_for_it(document):
    of_types = {f"^{one}$" for one in (*TYPES, CUSTOM)}
    sent = [[one.get("requestBody"), one.get("parameters")] for _, _, one in operations(document)]
    asked = set(patterns(document, sent)) - of_types

    assert len(asked) > 4
    assert {one for one in asked if not words_of(one)} <= PATTERNS.keys()


def test_it_is_sorted_by_what_calls_are_about_and_not_by_our_rooms(app, document):
    named = {tag for _, _, one in operations(document) for tag in one["tags"]}
    about = {one["name"]: one["description"] for one in document["tags"]}

    assert named == about.keys()
    assert len(set(about.values())) == len(about)
    assert not named & app.blueprints.keys()


def test_no_two_things_have_one_name(app):
    seen = {}
    for room in app.blueprints.values():
        for name, schema in getattr(room, "components_schemas", {}).items():
            assert seen.setdefault(name, schema) == schema, name

    assert any(isinstance(room, APIBlueprint) for room in app.blueprints.values())


def test_any_tool_may_read_it_and_keep_it_a_while(app):
    answer = app.test_client().get("/api/openapi.json", base_url=ORIGIN)
    document = answer.get_json()

    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    assert document["openapi"].startswith("3.1.")
    assert document["servers"] == [{"url": ORIGIN}]


def test_what_is_wrong_with_a_call_names_its_field(portal):
    client = portal.app.test_client()
    answer = client.post(
        "/api/v1/choice",
        base_url=ORIGIN,
        headers={"Origin": ORIGIN},
        json={"recognise": True, "track": "yes"},
    )

    assert answer.status_code == 400
    assert answer.get_json()["field"] == "track"
    assert answer.get_json()["detail"].startswith("track: ")


def test_an_address_says_one_thing_once(portal):
    now = datetime.now(UTC)
    _, secret = portal.store.write(lambda one: add_key(one, "mailer", ["may-mail"], now=now))
    key = {"Authorization": f"Bearer {secret}"}
    asked = "/api/v1/may-mail?email=ann@acme.example&email=bob@acme.example&newsletter=prices"
    answer = portal.app.test_client().get(asked, base_url=ORIGIN, headers=key)

    assert answer.status_code == 400
    assert answer.get_json()["field"] == "email"


@pytest.mark.parametrize(
    ("call", "origin", "says"),
    [
        (
            "interactions",
            "https://elsewhere.example",
            "Origin https://elsewhere.example is not in site.origins; a server sends an API key.",
        ),
        ("interactions", None, "There is no Origin; a server sends an API key."),
        ("choice", "null", "Origin null is not in site.origins."),
    ],
)
def test_a_call_from_elsewhere_is_told_what_would_let_it_in(portal, call, origin, says):
    headers = {"Origin": origin} if origin else {}
    answer = portal.app.test_client().post(
        f"/api/v1/{call}", base_url=ORIGIN, headers=headers, json={}
    )

    assert (answer.status_code, answer.get_json()["detail"]) == (403, says)


@pytest.mark.parametrize(
    ("given", "field"),
    [({"country": None}, "answers.country"), ({"seats": [1]}, "answers.seats"), (5, "answers")],
)
def test_an_answer_that_is_none_is_named_once_whatever_it_may_be(portal, given, field):
    answer = portal.app.test_client().post(
        "/api/v1/gates/price-list",
        base_url=ORIGIN,
        headers={"Origin": ORIGIN},
        json={"ask": "a", "answers": given},
    )

    assert (answer.status_code, answer.get_json()["field"]) == (400, field)
