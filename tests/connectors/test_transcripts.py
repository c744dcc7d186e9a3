"""What real CRMs answered to `tools/prove_connector.py` is answered again, call by call."""

import json
import lzma
from ipaddress import ip_network
from pathlib import Path

import pytest

from tools.prove_connector import replayed
from tools.scenario import BAD, FailedError
from tools.transcripts import Recording, Transcript, TranscriptError

FOLDER = Path(__file__).parent / "transcripts"
RECORDED = sorted(FOLDER.glob("*.jsonl.xz"))


@pytest.fixture
def one():
    """A transcript to change."""
    return Transcript.read(FOLDER / "odoo-17.jsonl.xz")


@pytest.fixture
def replay(tmp_path):
    """Replay a transcript as somebody changed it."""

    def again(transcript):
        path = tmp_path / "changed.jsonl.xz"
        transcript.write(path)
        return replayed(path)

    return again


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name.partition(".jsonl")[0])
def test_a_connector_still_says_what_a_real_crm_was_told(path):
    assert replayed(path).calls == []


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name.partition(".jsonl")[0])
def test_a_transcript_was_made_with_the_server_stopped_and_without_a_bad_phase(path):
    transcript = Transcript.read(path)
    assert transcript.about["stopped"]
    assert sum("unreachable" in call for call in transcript.calls) == 2
    assert transcript.tells("comparison")
    assert not transcript.tells(BAD)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name.partition(".jsonl")[0])
def test_a_transcript_has_no_host_no_key_and_no_file(path):
    text = lzma.decompress(path.read_bytes()).decode()
    for secret in ("127.0.0.1", "localhost", "Traceback", "bearer", "/home/", "psycopg"):
        assert secret not in text


def test_a_call_that_was_not_recorded_fails(one, replay):
    place = next(i for i, call in enumerate(one.calls) if "comparison" in json.dumps(call["told"]))
    one.calls[place]["told"] = "something else"
    with pytest.raises(TranscriptError, match="another call"):
        replay(one)


def test_a_call_more_than_was_recorded_fails(one, replay):
    del one.calls[-1]
    with pytest.raises(TranscriptError, match="a call more"):
        replay(one)


def test_an_answer_that_is_not_what_it_was_fails_the_walk(one, replay):
    opens = [call for call in one.calls if "stage_id.is_won" in json.dumps(call["told"])]
    opens[0]["answer"] = {"jsonrpc": "2.0", "id": 1, "result": []}
    with pytest.raises(FailedError, match="instead of"):
        replay(one)


def test_a_transcript_that_names_somebody_is_not_written(one, tmp_path):
    one.calls[0]["answer"] = {"owner": "carla.smith@widgets.test"}
    with pytest.raises(TranscriptError, match="1 addresses"):
        one.write(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_recording_keeps_neither_keys_nor_hosts_nor_tracebacks(receiver):
    key, traceback = "K" * 40, b'{"name": "builtins.ValueError", "debug": "File /opt/odoo/x.py"}'
    receiver.answers.append((500, {"Server": "Odoo of Acme"}, traceback))
    hidden = {key: "env:KEY", receiver.url: "https://crm.example", "acme-db": "database"}
    transcript = Transcript({}, hidden)
    recording = Recording(transcript, receiver.url, [ip_network("127.0.0.0/8")])
    body = json.dumps({"args": ["acme-db", key, f"at {receiver.url}/x"]}).encode()
    recording.ask("POST", f"{receiver.url}/json?key={key}", body=body)
    (call,) = transcript.calls
    assert call == {
        "method": "POST",
        "path": "/json?key=env:KEY",
        "told": {"args": ["database", "env:KEY", "at https://crm.example/x"]},
        "status": 500,
        "headers": {"Date": call["headers"]["Date"]} if "Date" in call["headers"] else {},
        "answer": {"name": "builtins.ValueError"},
    }
