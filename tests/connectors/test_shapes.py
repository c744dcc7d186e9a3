"""Whoever says or hears something that its vendor does not know of is noticed."""

import json

import pytest
from werkzeug.test import Client

from tests.connectors.shapes import Shapes

THING = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "size": {"type": "integer", "nullable": True},
        "in": {"$ref": "#/components/schemas/Box"},
    },
}
BOX = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}


def of(schema):
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


FILE = {
    "paths": {
        "/things/{id}": {
            "put": {
                "parameters": [
                    {"name": "id", "in": "path", "schema": {"type": "string"}},
                    {"name": "after", "in": "query", "schema": {"type": "integer"}},
                ],
                "requestBody": of("Thing"),
                "responses": {"200": of("Thing")},
            },
            "get": {
                "parameters": [
                    {
                        "name": "names",
                        "in": "query",
                        "required": True,
                        "schema": {"type": "array", "items": {"type": "string"}},
                    }
                ],
                "responses": {"200": of("Thing"), "204": {}, "default": of("Box")},
            },
        }
    },
    "components": {"schemas": {"Thing": THING, "Box": BOX}},
}
A_WIDGET = {"name": "widget", "size": None, "in": {"id": "7"}}


@pytest.fixture
def shapes(tmp_path):
    (tmp_path / "things.json").write_text(json.dumps(FILE))
    return Shapes(tmp_path)


@pytest.fixture
def call(shapes):
    """Calls something that answers what it was told to; returns what was noticed."""

    def call(method, path, told=None, answer=A_WIDGET, status=200):
        def app(environ, start):
            start(f"{status} Fine", [("Content-Type", "application/json")])
            return [b"" if answer is None else json.dumps(answer).encode()]

        Client(shapes.watching(app)).open(path, method=method, json=told)
        return shapes.faults

    return call


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("PUT", "/things/7", A_WIDGET),
        ("PUT", "/things/7?after=3", {"name": "widget"}),
        ("GET", "/things/7?names=a,b", None),
    ],
)
def test_what_the_vendor_knows_of_is_no_fault(shapes, call, method, path, told):
    assert call(method, path, told) == []
    assert shapes.seen == {f"{method} /things/{{id}}"}


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("PUT", "/things/7", {}),
        ("PUT", "/things/7", {"name": 7}),
        ("PUT", "/things/7", {"name": "widget", "colour": "red"}),
        ("PUT", "/things/7", {"name": "widget", "in": {"id": "7", "lid": True}}),
        ("PUT", "/things/7?before=3", A_WIDGET),
        ("PUT", "/things/7?after=%22a%22", A_WIDGET),
        ("GET", "/things/7", None),
        ("GET", "/things/7?names=a", A_WIDGET),
        ("POST", "/things/7", A_WIDGET),
        ("PUT", "/things/7/8", A_WIDGET),
    ],
)
def test_what_is_asked_otherwise_is_a_fault(call, method, path, told):
    assert len(call(method, path, told)) == 1


@pytest.mark.parametrize(
    ("answer", "status"),
    [({"name": None}, 200), ({**A_WIDGET, "new": True}, 200), (A_WIDGET, 201), (A_WIDGET, 204)],
)
def test_what_is_answered_otherwise_is_a_fault(call, answer, status):
    assert len(call("GET", "/things/7?names=a", answer=answer, status=status)) == 1


def test_what_is_refused_may_have_been_wrong(call):
    assert call("GET", "/things/7?colour=red", answer={"status": "error"}, status=400) == []
    assert call("GET", "/boxes", answer={"status": "error"}, status=404) == []
