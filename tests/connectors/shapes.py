"""
Calls and answers, held against what a vendor says they look like (OpenAPI 3.0).

HubSpot's files may not be shipped: they are read where `REGPORTAL_HUBSPOT_SPEC_DIR` names a folder
of them, and then every call of a test to the made HubSpot is looked at, and every answer.
"""

import io
import json
import os
import re
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from jsonschema import Draft4Validator

NAMED = "REGPORTAL_HUBSPOT_SPEC_DIR"
REFUSED = 400
TOLD_OTHERWISE = {"subCategory"}
"""Of what HubSpot's files say that it is an object, and its pages show that it is a text."""
METHODS = {"get", "post", "put", "patch", "delete"}


def stricter(schema):
    """
    Return a schema of OpenAPI 3.0 as one of JSON Schema, by which nothing else may be said.

    What an object may have is listed, though the vendor does not forbid more; a `$ref` that is to
    be `nullable` says it beside itself, where JSON Schema does not look.

    >>> stricter({"type": "string", "nullable": True})
    {'type': ['string', 'null']}
    >>> stricter({"type": "object", "properties": {"id": {"type": "string"}}})[
    ...     "additionalProperties"
    ... ]
    False
    """
    if isinstance(schema, list):
        return [stricter(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: {} if key in TOLD_OTHERWISE else stricter(one)
        for key, one in schema.items()
        if key not in {"nullable", "example"}
    }
    listed = isinstance(made.get("properties"), dict) and "allOf" not in made
    if listed and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    if schema.get("nullable") is True:
        if "type" in made:
            made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    return made


class Operation:
    """What may be asked at one path by one method, and what is answered."""

    def __init__(self, method, path, described, components):
        self.name = f"{method.upper()} {path}"
        pattern = re.sub(r"\\{[^/]+?\\}", "([^/]+)", re.escape(path))
        self.pattern = re.compile(rf"{method.upper()} {pattern}")
        self.plain = -path.count("{")
        self._described, self._components = described, components

    def asked_wrongly(self, query, body):
        """Yield what is wrong with a call."""
        known = {one["name"]: one for one in self._described.get("parameters", [])}
        known = {name: one for name, one in known.items() if one["in"] == "query"}
        for name, value in query:
            if name not in known:
                yield f"nobody asked for ?{name}"
            else:
                yield from self._wrong(_read(value, known[name]["schema"]), known[name]["schema"])
        lacking = {name for name, one in known.items() if one.get("required")} - dict(query).keys()
        yield from (f"?{name} lacks" for name in sorted(lacking))
        wanted = self._described.get("requestBody")
        if wanted is not None:
            yield from self._wrong(json.loads(body or "null"), _content(wanted))
        elif body:
            yield "nobody asked for a body"

    def answered_wrongly(self, status, body):
        """Yield what is wrong with an answer; of a refusal only whether there is such a one."""
        answers = self._described["responses"]
        answer = answers.get(str(status)) or (answers.get("default") if status >= REFUSED else None)
        if answer is None:
            yield f"{status} is no answer of its own"
            return
        if status >= REFUSED:
            return
        if schema := _content(answer):
            yield from self._wrong(json.loads(body or "null"), schema)
        elif body:
            yield f"{status} has no body"

    def _wrong(self, value, schema):
        """Yield how a value differs from a schema."""
        whole = {**stricter(schema), "components": self._components}
        for error in Draft4Validator(whole).iter_errors(value):
            yield f"{'.'.join(map(str, error.path)) or 'the whole'}: {error.message[:200]}"


def _content(described):
    """Return the schema of what is sent; None where nothing is."""
    kinds = described.get("content", {})
    return next((one["schema"] for one in kinds.values() if "schema" in one), None)


def _read(value, schema):
    """Return a value of a query as JSON has it."""
    kind = schema.get("type")
    if kind == "array":
        return [_read(one, schema["items"]) for one in value.split(",")]
    if kind in {"integer", "boolean", "number"}:
        return json.loads(value)
    return value


class Shapes:
    """What a folder of OpenAPI files says, and what was said otherwise."""

    def __init__(self, folder):
        self.faults, self.seen = [], set()
        self._operations = list(_operations(folder))

    def watching(self, app):
        """Return a WSGI application that listens to what is asked of another, and answered."""

        def watched(environ, start):
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            status = []

            def begin(line, headers, *more):
                status.append(int(line.split()[0]))
                return start(line, headers, *more)

            answer = b"".join(app(environ, begin))
            self._look(environ, body, status[0], answer)
            return [answer]

        return watched

    def _look(self, environ, body, status, answer):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        asked = f"{method} {path}"
        operation = max(
            (one for one in self._operations if one.pattern.fullmatch(asked)),
            key=lambda one: one.plain,
            default=None,
        )
        if operation is None:
            self.faults += [f"{asked}: there is no such path"] if status < REFUSED else []
            return
        self.seen.add(operation.name)
        query = parse_qsl(unquote(environ["QUERY_STRING"]), keep_blank_values=True)
        if status < REFUSED:  # else it may be wrong: a test wanted it so
            self.faults += [f"{asked}: {one}" for one in operation.asked_wrongly(query, body)]
        wrong = operation.answered_wrongly(status, answer)
        self.faults += [f"{asked} answered: {one}" for one in wrong]


@cache
def _operations(folder):
    """Return every operation of every file in a folder, and in those in it."""
    found = []
    for file in sorted(Path(folder).rglob("*.json")):
        described = json.loads(file.read_text())
        components = stricter(described.get("components", {}))
        for path, methods in described.get("paths", {}).items():
            found += [
                Operation(method, path, one, components)
                for method, one in methods.items()
                if method in METHODS
            ]
    return found


def hubspots():
    """Return the shapes of HubSpot; None where nobody has them."""
    folder = os.environ.get(NAMED)
    return Shapes(folder) if folder else None
