"""`regportal outbox …` and `regportal inbox list`, as an operator uses them."""

import json
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from regportal.cli import main
from regportal.connectors.base import Outcome, Result
from regportal.outbox.actions import drain
from regportal.outbox.operating import pause
from tests.outbox.conftest import Box, Clock


@pytest.fixture
def regportal(portal, database_url, tmp_path, monkeypatch, capsys):
    """Run a command on the portal and return exit code, output and complaint."""
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", database_url)
    monkeypatch.setenv("REGPORTAL_INSTANCE", str(portal.settings.instance))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        said = capsys.readouterr()
        return left.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def box(portal):
    return Box(portal.store, Clock())


@pytest.fixture
def parked(box):
    """One parked message, one that waits, one that was sent."""
    ids = [box.put(f"contact:{number}") for number in range(3)]
    answers = dict(zip(ids, [Outcome.REJECTED, Outcome.RETRY, Outcome.DONE], strict=True))

    def deliver(changes, *, now):
        return [Result(one.id, answers[one.id], "the receiver answered 422") for one in changes]

    drain(box.store, "crm", deliver, clock=box.clock)
    return ids[0]


def test_the_list_names_what_is_parked_first_and_why(regportal, parked):
    code, said, _ = regportal("outbox", "list")
    lines = said.splitlines()

    assert code == 0
    assert str(parked) in lines[0]
    assert "state=parked  outcome=rejected" in lines[0]
    assert "reason=the receiver answered 422" in lines[0]
    assert lines[-1] == "crm: 1 due, 1 parked, 1 sent"


def test_the_list_says_who_does_not_answer_and_resuming_lets_it_go(regportal, box):
    for number in range(20):
        box.put(f"contact:{number}")
    box.clock.now = datetime.now(UTC)

    def deliver(changes, *, now):
        return [Result(one.id, Outcome.RETRY, "crm.example did not answer") for one in changes]

    drain(box.store, "crm", deliver, clock=box.clock)
    listed = regportal("outbox", "list")[1].splitlines()[-1]

    assert re.fullmatch(
        r"crm is paused and tried with one message from 2\S+Z on: "
        "3 calls in a row came to nothing, the last: crm.example did not answer",
        listed,
    )
    assert regportal("outbox", "resume", "crm") == (0, "crm is resumed\n", "")
    assert "paused" not in regportal("outbox", "list")[1]


def test_a_pause_that_is_over_is_not_listed(regportal, box):
    box.write(pause, "crm", "429", until=datetime.now(UTC) - timedelta(minutes=1))

    assert "paused" not in regportal("outbox", "list")[1]
    assert regportal("outbox", "resume", "crm")[1] == "crm was not paused\n"


def test_the_list_as_json_has_no_payload(regportal, parked):
    code, said, _ = regportal("outbox", "list", "--json")
    rows = json.loads(said)

    assert code == 0
    assert [row["state"] for row in rows] == ["parked", "due", "sent"]
    assert set(rows[0]) == {
        "id", "connector", "topic", "subject", "sequence", "state", "outcome", "attempts",
        "reason", "occurred_at", "due", "sent_at",
    }  # fmt: skip
    assert rows[1]["due"].endswith("Z")


def test_the_list_can_be_narrowed(regportal, parked):
    sent = json.loads(regportal("outbox", "list", "--json", "--state", "sent")[1])
    none = json.loads(regportal("outbox", "list", "--json", "--connector", "other")[1])
    one = json.loads(regportal("outbox", "list", "--json", "--limit", "1")[1])

    assert [row["state"] for row in sent] == ["sent"]
    assert none == []
    assert len(one) == 1


def test_replay_makes_parked_messages_due(regportal, box, parked):
    assert regportal("outbox", "replay")[:2] == (0, "1 message is due again\n")
    assert box.row(parked).state.value == "due"
    assert regportal("outbox", "replay")[:2] == (0, "0 messages are due again\n")
    assert regportal("outbox", "replay", str(parked))[:2] == (0, "1 message is due again\n")


def test_replay_of_an_unknown_message_changes_nothing(regportal, box, parked):
    unknown = str(uuid.uuid4())
    code, said, complaint = regportal("outbox", "replay", str(parked), unknown)

    assert (code, said, complaint) == (1, "", f"there is no message {unknown}\n")
    assert box.row(parked).state.value == "parked"


def test_an_id_that_is_none_is_wrong_usage(regportal):
    assert regportal("outbox", "replay", "everything")[0] == 2


def test_pause_and_resume(regportal):
    assert regportal("outbox", "pause", "crm", "--because", "new server\x1b[2J")[0] == 0
    assert regportal("outbox", "list")[1].splitlines()[-1] == (
        "crm is paused until it is resumed: new server·[2J"
    )
    assert regportal("outbox", "resume", "crm")[:2] == (0, "crm is resumed\n")
    assert regportal("outbox", "resume", "crm")[:2] == (0, "crm was not paused\n")
    assert regportal("outbox", "pause", "mail")[0] == 0


def test_what_was_done_as_json(regportal, parked):
    def told(*arguments):
        code, said, _ = regportal("outbox", *arguments, "--json")
        return code, json.loads(said)

    assert told("replay") == (0, {"due": 1})
    assert told("replay", str(parked)) == (0, {"due": 1})
    assert told("pause", "crm", "--because", "new server") == (
        0,
        {"connector": "crm", "because": "new server"},
    )
    assert told("resume", "crm") == (0, {"connector": "crm", "was_paused": True})
    assert told("resume", "crm") == (0, {"connector": "crm", "was_paused": False})


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_an_unknown_connector_is_refused_in_one_sentence(regportal, verb):
    code, _, complaint = regportal("outbox", verb, "nobody")

    assert (code, complaint) == (1, "there is no connector 'nobody'; there is crm, mail\n")


def test_the_inbox_shows_what_was_not_understood(regportal, portal):
    portal.hook("weather.changed", {"sun": True})
    portal.work()
    code, said, _ = regportal("inbox", "list", "--json")
    notices = json.loads(said)

    assert code == 0
    assert [(one["connector"], one["state"]) for one in notices] == [("crm", "unknown")]
    assert "weather.changed" in notices[0]["reason"]
    assert "state=unknown" in regportal("inbox", "list")[1]


def test_an_empty_inbox_is_an_empty_list(regportal):
    assert json.loads(regportal("inbox", "list", "--json")[1]) == []
