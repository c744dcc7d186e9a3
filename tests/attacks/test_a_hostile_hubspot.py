"""Somebody answers in HubSpot's place: whatever it says, nothing breaks and nothing is repeated."""

import json
import uuid

import pytest

from regportal.app import web_root
from regportal.connectors.desk import NotTakenError
from regportal.connectors.rules import TAKEN
from regportal.errors import UnreachableError
from regportal.sandbox.server import serving
from tests.attacks.anybody import Anybody
from tests.connectors.changes import Outbox
from tests.connectors.worlds.hubspot import VOCABULARY, connected

WORD = "ann.smith@acme.example"
"""Something personal, which a hostile or careless server puts wherever it can."""
ROWS = [
    [],
    {},
    [None],
    [[]],
    [{"id": None}],
    [{"id": {"x": WORD}}],
    [{"id": WORD, "properties": WORD}],
    [{"id": "1", "properties": {"email": [WORD], "regportal_id": {}}}],
    [{"id": "1", "properties": None, "updatedAt": 7, "from": WORD, "to": WORD}],
    [{"id": "1", "from": {"id": "1"}, "to": [{"toObjectId": {}}], "paging": WORD}],
    [{"id": "1", "name": WORD, "type": "enumeration", "options": [WORD]}],
    [{"id": "1", "name": "email", "modificationMetadata": WORD, "stages": [WORD]}],
    [{"subscriberIdString": WORD, "statuses": [WORD], "subscriptionId": [1]}],
    [{"id": "1", "properties": {"hs_lastmodifieddate": "never", "lastmodifieddate": {}}}],
]
ERRORS = [
    WORD,
    [WORD],
    [{"category": WORD, "context": WORD, "errors": WORD}],
    [{"category": "VALIDATION_ERROR", "context": {"ids": WORD}, "errors": [WORD]}],
    [
        {
            "category": "VALIDATION_ERROR",
            "errors": [{"code": WORD, "context": {"propertyName": [WORD]}}],
        }
    ],
    [{"category": "MISSING_SCOPES", "context": {"missingScopes": [WORD]}}],
    [
        {
            "category": "CONFLICT",
            "message": f"Existing ID: {WORD}",
            "context": {"objectWriteTraceId": 7},
        }
    ],
]
BODIES = [
    *({"results": rows} for rows in ROWS),
    *({"results": [], "errors": errors, "numErrors": WORD} for errors in ERRORS),
    *(error for errors in ERRORS if isinstance(errors, list) for error in errors),
    {"results": WORD, "paging": WORD},
    {"message": WORD, "category": "INTERNAL_ERROR"},
    WORD,
    7,
    None,
]


@pytest.fixture(scope="module")
def hostile():
    with serving(Anybody(), web_root()) as sandbox:
        yield sandbox


@pytest.mark.parametrize("status", [200, 207, 400, 404, 429, 500])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: json.dumps(body)[:60])
def test_whatever_is_answered_is_an_outcome_and_no_word_of_it_is_repeated(hostile, body, status):
    hostile.fake.status, hostile.fake.told = status, body
    connector = connected(hostile.url)
    outbox, key = Outbox(connector), str(uuid.uuid4())
    changes = (
        outbox.knows(key, "bob@acme.example", country="DE"),
        outbox.did(str(uuid.uuid4()), "eva@acme.example", "1"),
        outbox.allows(str(uuid.uuid4()), "eve@acme.example", "prices", "confirmed"),
        outbox.scores(str(uuid.uuid4()), "ida@acme.example", "fit", 7),
        outbox.moves("1", "comparison"),
    )
    is_a_lie = '"id": "1"' in json.dumps(body)  # "it is so": that nobody can see from here
    told = []
    for change in changes:
        (result,) = outbox.deliver(change)
        assert is_a_lie or result.outcome not in TAKEN
        told.append(result.says)
    for ask in (lambda: connector.changes(None, 50), lambda: connector.open_opportunities(["1"])):
        try:
            ask()
        except (NotTakenError, UnreachableError) as error:
            told.append(str(error))
    try:
        told += [one.says for one in connector.check(VOCABULARY)]
    except (NotTakenError, UnreachableError) as error:
        told.append(str(error))
    connector.close()
    assert not [says for says in told if "smith" in says]
