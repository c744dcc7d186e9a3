"""A sandbox does on the wire what its menu says (security.md 7, F-03)."""

import http.client
import json
import re
import socket
import zlib
from email.utils import parsedate_to_datetime

import pytest

from regportal.app import web_root
from regportal.errors import ConfigError, UnreachableError
from regportal.sandbox.faults import ENDLESS, FAULTS, KINDS, MENU, TRAP
from regportal.sandbox.luck import Luck, Odds

NOTE = json.dumps({"text": "remember"}).encode()
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def raw(small):
    """Write a note over a plain socket; return all that comes, until it ends or we have enough."""

    def write(most=2**20):
        head = (
            f"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(NOTE)}\r\n\r\n"
        )
        with socket.create_connection(small.server_address) as line:
            line.sendall(head.encode() + NOTE)
            read = b""
            while len(read) < most and (more := line.recv(2**16)):
                read += more
        return read

    return write


def write(sandbox):
    """Write a note with the standard library's client; return status, headers, body."""
    line = http.client.HTTPConnection("127.0.0.1", sandbox.server_port, timeout=20)
    try:
        line.request("POST", "/notes", NOTE, JSON)
        answer = line.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        line.close()


def test_there_are_fourteen_kinds_of_faults_and_the_documentation_has_them_all():
    text = (web_root() / "docs" / "sandbox.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    done = {name: row[-1] for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row[0])}

    assert len(KINDS) == 14
    assert len(MENU) == len(FAULTS)
    assert {name: done.get(name, "").startswith("yes") for name in MENU} == {
        name: fault.applies for name, fault in MENU.items()
    }
    assert MENU.keys() <= done.keys()


def test_without_a_fault_the_answer_is_the_fakes_and_the_connection_lives(small):
    line = http.client.HTTPConnection("127.0.0.1", small.server_port)
    for number in (1, 2):
        line.request("POST", "/notes", NOTE, JSON)
        answer = line.getresponse()
        assert (answer.status, json.loads(answer.read())) == (201, {"id": number})
    line.request("GET", "/echo/ann%40acme.example%2Fx?asked=a%26b")
    told = json.loads(line.getresponse().read())
    line.close()
    assert told == {
        "path": "ann@acme.example/x",
        "asked": "a&b",
        "host": f"127.0.0.1:{small.server_port}",
    }


@pytest.mark.parametrize("name", MENU)
def test_a_fault_says_truly_whether_it_was_done(small, egress, name):
    small.luck.befall([name])
    try:
        answer = egress.ask("POST", f"{small.url}/notes", body=NOTE, headers=JSON)
    except UnreachableError:
        answer = None
    assert len(small.fake.notes) == MENU[name].applies
    if answer and not MENU[name].applies:
        assert not 200 <= answer.status < 300
    assert [(one.fault, one.status) for one in small.seen] == [
        (name, 201 if MENU[name].applies else 0)
    ]
    assert egress.ask("GET", f"{small.url}/notes").status == 200


@pytest.mark.parametrize("name", ["reset-before", "reset-after"])
def test_a_reset_is_a_reset(small, raw, name):
    small.luck.befall([name])
    with pytest.raises(ConnectionResetError):
        raw()


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "409", "410", "500", "502", "503"])
def test_a_status_comes_in_the_words_of_a_gateway(small, status):
    small.luck.befall([status])
    got, headers, body = write(small)
    assert (str(got), headers["Content-Type"]) == (status, "text/html")
    assert b"gateway" in body


def test_patience_is_asked_for_in_every_spelling(small):
    names = [name for name in MENU if name.startswith("429")]
    small.luck.befall(names)
    asked = {name: write(small)[1]["Retry-After"] for name in names}
    date = asked.pop("429-date")
    assert asked == {
        "429": None,
        "429-seconds": "2",
        "429-garbage": "soon",
        "429-negative": "-5",
        "429-forever": "1000000000",
    }
    assert parsedate_to_datetime(date).tzinfo is not None


def test_json_is_broken_where_it_looks_complete(small):
    small.luck.befall(["malformed"])
    status, headers, body = write(small)
    assert (status, len(body)) == (201, int(headers["Content-Length"]))
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_a_chunk_is_broken_off(small):
    small.luck.befall(["truncated"])
    with pytest.raises(http.client.IncompleteRead):
        write(small)


def test_an_answer_drips(small, raw):
    small.luck.befall(["slow"])
    assert raw(most=2) == b"HT"


def test_an_answer_without_end_has_neither_length_nor_end(small, raw):
    small.luck.befall(["endless"])
    read = raw(most=2**23)
    assert len(read) >= 2**23
    assert b"Content-Length" not in read.partition(b"\r\n\r\n")[0]


def test_a_bomb_is_small_until_it_is_unpacked(small):
    small.luck.befall(["bomb"])
    _, headers, body = write(small)
    assert headers["Content-Encoding"] == "gzip"
    assert len(body) < 2 * 2**20
    unpacked, rest = 0, body
    while rest:
        member = zlib.decompressobj(31)
        unpacked += len(member.decompress(rest))
        rest = member.unused_data
    assert unpacked == ENDLESS


def test_a_redirect_leads_into_a_trap_that_tells(small):
    small.luck.befall(["redirect"])
    status, headers, _ = write(small)
    assert (status, headers["Location"]) == (307, f"{small.url}{TRAP}")
    line = http.client.HTTPConnection("127.0.0.1", small.server_port)
    line.request("POST", TRAP)
    line.getresponse().read()
    line.close()
    assert small.seen[-1].fault == "followed a redirect"


def test_the_type_lies_and_the_length_is_told_twice(small, raw):
    small.luck.befall(["mistyped", "doubled"])
    assert b"Content-Type: image/png" in raw()
    assert raw().count(b"Content-Length") == 2


def test_what_is_no_http_is_none(small, raw):
    small.luck.befall(["tls", "garbage"])
    assert [raw()[:1], raw()[:1]] == [b"\x15", b"\x00"]


def test_silence_ends_when_the_caller_hangs_up(small, egress):
    small.luck.befall(["silence"])
    with pytest.raises(UnreachableError, match="did not answer in time"):
        egress.ask("POST", f"{small.url}/notes", body=NOTE, headers=JSON)
    assert len(small.fake.notes) == 1


def test_the_same_seed_brings_the_same_faults_and_each_kind_as_often():
    one, other = Luck(Odds(0.5, seed=7)), Luck(Odds(0.5, seed=7))
    drawn = [one.draw() for _ in range(14_000)]
    assert [other.draw() for _ in range(14_000)] == drawn
    met = [fault.kind for fault in drawn if fault]
    assert 6_500 < len(met) < 7_500
    assert all(350 < met.count(kind) < 650 for kind in KINDS)


def test_only_what_is_on_the_menu_can_be_chosen():
    with pytest.raises(ConfigError, match="there is no fault 'earthquake'; there are: 400, 401"):
        Odds(1, ("earthquake",))
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Odds(1.5)
    with pytest.raises(ConfigError, match="no fault 'plague'"):
        Luck().befall(["plague"])


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /notes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"411"),
        (b"POST /notes HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
    ],
)
def test_what_has_no_length_or_too_great_a_one_is_refused(small, head, status):
    with socket.create_connection(small.server_address) as line:
        line.sendall(head)
        assert line.recv(100).split()[1] == status
    assert not small.fake.notes
