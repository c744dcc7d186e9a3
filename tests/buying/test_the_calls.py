"""What programs with a key ask and say of opportunities."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from regportal.buying.judging import list_overrides
from regportal.connectors.rules import in_full
from regportal.identity.keys import SCOPES, add_key
from tests.buying.scene import Scene
from tests.portal import ORIGIN

MINUTE = timedelta(minutes=1)
HERE = "/api/v1/opportunities/crm:006"
SAID = {"phase": "comparison", "by": "Bo Lind", "because": "met them at the fair"}


@pytest.fixture
def scene(portal):
    """An open opportunity in which nobody did anything yet."""
    scene = Scene(portal.store)
    scene.opportunity("006", name="500 widgets", now=datetime.now(UTC) - timedelta(hours=1))
    return scene


@pytest.fixture
def ask(portal, scene):
    """Return what asks with a key."""
    now = datetime.now(UTC)
    _, secret = portal.store.write(lambda one: add_key(one, "crm", [*SCOPES], now=now))
    client = portal.app.test_client()

    def ask(method, address, **more):
        key = {"Authorization": f"Bearer {secret}"}
        return client.open(address, method=method, base_url=ORIGIN, headers=key, **more)

    return ask


def test_a_program_says_so_and_takes_it_back(ask, scene):
    said = ask("POST", f"{HERE}/override", json=SAID)
    twice = ask("POST", f"{HERE}/override", json=SAID)
    ended = ask("POST", f"{HERE}/override/end", json={})

    assert said.status_code == 201
    assert said.json["rules_phase"] == "unaware"
    assert (said.json["ended"], said.json["right"]) == (None, None)
    assert twice.status_code == 201
    assert ended.json == twice.json | {
        "ended": "hand",
        "ended_at": ended.json["ended_at"],
        "right": False,
    }
    assert [one.cause for one in scene.moves()] == ["override", "override"]


def test_it_keeps_through_which_key_it_was_said_and_who_said_it(ask, scene):
    named = ask("POST", f"{HERE}/override", json=SAID).json
    alone = ask("POST", f"{HERE}/override", json=SAID | {"by": None}).json
    with scene.store.read() as session:
        listed = [*list_overrides(session)]

    assert (named["by"], named["through"]) == ("Bo Lind", "crm")
    assert (alone["by"], alone["through"]) == ("crm", "crm")
    assert [(one["by"], one["through"]) for one in listed] == [("Bo Lind", "crm"), ("crm", "crm")]


@pytest.mark.parametrize(
    ("more", "status", "field"),
    [
        ({"phase": "won"}, 400, "phase"),
        ({"because": "a\nb"}, 400, "because"),
        ({"by": " "}, 400, "by"),
        ({"until": "2001-01-01T00:00:00Z"}, 400, "until"),
        ({"until": "9999-12-31T23:59:59Z"}, 400, "until"),
        ({"until": "2026-12-24T12:00:00"}, 400, "until"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_said_is_refused(ask, more, status, field):
    refused = ask("POST", f"{HERE}/override", json=SAID | more)

    assert refused.status_code == status
    assert refused.json.get("field") == field


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_of_an_opportunity_there_is_not_nothing_can_be_said(ask):
    assert ask("POST", "/api/v1/opportunities/crm:007/override", json=SAID).status_code == 404


def test_a_program_takes_back_whose_an_interaction_is(ask, scene):
    ann = scene.contact("ann@example.com")
    taken = scene.did(ann, now=datetime.now(UTC))
    because = {"because": "a student of the same name"}
    reverted = ask("POST", f"/api/v1/interactions/{taken}/revert", json=because)
    again = ask("POST", f"/api/v1/interactions/{taken}/revert", json=because)

    assert (reverted.status_code, reverted.json) == (200, {"id": str(taken), "was": str(ann)})
    assert again.status_code == 409
    assert again.json["detail"] == f"the interaction {taken} is nobody's"
    assert ask("POST", f"/api/v1/interactions/{ann}/revert", json=because).status_code == 404


def test_a_program_reads_where_it_is_and_what_was_believed(ask, scene):
    ann = scene.contact("ann@example.com")
    (opportunity,) = [ask("GET", HERE).json["key"]]
    now = datetime.now(UTC)
    scene.role(uuid.UUID(opportunity), ann, role="buyer", now=now - 30 * MINUTE)
    taken = scene.did(ann, now=now - 20 * MINUTE)
    scene.weigh(now=now)
    found = ask("GET", HERE).json
    before = ask("GET", HERE, query_string={"on": in_full(now - 25 * MINUTE)}).json

    assert (found["phase"], found["evidence"]) == ("comparison", [str(taken)])
    assert found["contacts"] == [{"email": "ann@example.com", "role": "buyer"}]
    assert before == found | {
        "phase": "unaware",
        "reason": None,
        "evidence": [],
        "since": before["since"],
    }
    ask("POST", f"{HERE}/override", json=SAID | {"phase": "decision"})
    assert ask("GET", HERE).json["override"]["rules"]["phase"] == "comparison"


@pytest.mark.parametrize(
    ("address", "on", "status"),
    [
        (HERE, "9999-12-31T23:59:59Z", 400),
        (HERE, "yesterday", 400),
        (HERE, "2026-03-01T00:00:00", 400),
        (HERE, "0001-01-01T00:00:00Z", 404),
        ("/api/v1/opportunities/crm:007", "2026-03-01T00:00:00Z", 404),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_nobody_can_have_believed_is_refused(ask, address, on, status):
    assert ask("GET", address, query_string={"on": on}).status_code == status
