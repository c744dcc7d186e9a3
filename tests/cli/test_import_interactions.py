r"""
Bringing in the past: every row taken once or refused with its reason.

Of the eight downloads in the real log (tests/tracking/test_access_log.py says how they were
counted) one is a machine's: this prints the agents, and one names itself Googlebot::

    awk -F'"' '$2 ~ /\.pdf HTTP/ && $3 ~ /^ 20[06] / {split($1,a," "); print a[1] " | " $6}' \
        apache_access_dev.log | sort -u
"""

import contextlib
import csv
import gzip
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.identity.actions import find_contact
from regportal.identity.models import Contact
from regportal.tracking.models import Interaction, Parcel
from tests.cli.conftest import regportal  # noqa: F401 - a fixture
from tests.patience import PATIENCE
from tests.portal import FIREFOX, SITE

ANN, BOB = "ann@widgetworks.example", "bob@initech.example"
HEADING = "type,object,category,occurred_at,contact,property.subject,property.seconds\n"
MEETING = f"meeting,fair,,2024-05-01T09:00:00+02:00,{ANN},Widgets,1800\n"


@pytest.fixture
def company(portal, monkeypatch, tmp_path):
    """The commands of the installation of ``portal``, and its files."""
    monkeypatch.chdir(tmp_path)
    url = portal.settings.database_url.get_secret_value()
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", url)
    monkeypatch.setenv("REGPORTAL_INSTANCE", str(portal.settings.instance))
    return portal


@pytest.fixture
def run(company, regportal):  # noqa: F811 - the fixture
    """Import a file; return what the command said."""

    def imports(text, *more, name="past.csv"):
        raw = text if isinstance(text, bytes) else text.encode()
        (company.folder / name).write_bytes(raw)
        return regportal("import", "interactions", name, *more)

    imports.command = regportal
    return imports


def kept(portal, kind=Interaction):
    portal.work()
    with portal.store.read() as session:
        return session.scalars(sa.select(kind).order_by(kind.id)).all()


def told(*events):
    """Events as JSON Lines."""
    return "".join(json.dumps(event) + "\n" for event in events)


def event(**more):
    at = "2024-05-01T07:00:00Z"
    return {"type": "call", "object": "hotline", "occurred_at": at, "contact": ANN, **more}


def line(path="/a.pdf", at="04/Mar/2025:12:00:00 +0000", status=200, address="192.0.2.7", **more):
    agent = more.get("agent", FIREFOX)
    return f'{address} - - [{at}] "GET {path} HTTP/1.1" {status} 100 "-" "{agent}"\n'


# --- events of contacts ---


def test_a_row_becomes_an_imported_interaction_with_its_own_time(company, run):
    done = run(HEADING + MEETING)
    (one,) = kept(company)
    with company.store.read() as session:
        ann = find_contact(session, ANN)

    assert (done.code, done.out) == (0, "1 accepted, 0 duplicate, 0 not counted, 0 refused\n")
    assert (one.type, one.object, one.contact_id) == ("meeting", "fair", ann.id)
    assert (one.attribution, one.judged) == ("imported", "person")
    assert one.occurred_at == datetime(2024, 5, 1, 7, tzinfo=UTC)
    assert one.properties == {"subject": "Widgets", "seconds": 1800.0}
    assert ann.assurance == "imported"


def test_it_stays_imported_where_the_address_is_proven(company, run):
    browser = company.browser()
    browser.claim(ANN)
    company.work()
    browser.prove(company)
    company.work()
    run(HEADING + MEETING)
    (one,) = [one for one in kept(company) if one.type == "meeting"]

    assert one.attribution == "imported"


def test_the_same_file_again_changes_nothing(company, run):
    run(HEADING + MEETING)
    before = [one.id for one in kept(company)], [one.id for one in kept(company, Parcel)]
    again = run(HEADING + MEETING + MEETING.replace(ANN, ANN.upper()))
    after = [one.id for one in kept(company)], [one.id for one in kept(company, Parcel)]

    assert again.out.startswith("0 accepted, 2 duplicate")
    assert before == after


def test_json_lines_say_the_same_as_csv(company, run):
    run(HEADING + MEETING)
    same = event(type="meeting", object="fair", properties={"subject": "Widgets", "seconds": 1800})
    again = run(told(same), name="past.jsonl")

    assert again.out.startswith("0 accepted, 1 duplicate")


def test_many_events_at_once_are_no_machine(company, run):
    run(told(*[event(object=f"ticket-{number}") for number in range(700)]), name="past.jsonl")

    assert Counter(one.judged for one in kept(company)) == {"person": 700}


def test_an_old_film_is_not_judged_by_the_time_of_the_import(company, run):
    watched = event(type="video_watch", object="film", properties={"watched": [[0, 3000]]})
    run(told(watched), name="past.jsonl")

    assert [one.judged for one in kept(company)] == ["person"]


def test_own_staff_never_counts(company, run):
    ignored = f"ignore: {{addresses: ['{ANN}'], networks: ['192.0.2.0/24']}}\n  origins:"
    company.publish(SITE.replace("origins:", ignored))
    run(HEADING + MEETING + MEETING.replace(ANN, BOB))
    run(line() + line(address="198.51.100.7"), name="access.log")

    assert Counter(one.judged_because for one in kept(company)) == {"own staff": 2, None: 2}


def test_each_refused_row_is_named_with_its_reason_and_the_others_are_taken(company, run):
    done = run(
        HEADING
        + MEETING
        + f"dance,fair,,2024-05-01T09:00:00Z,{ANN},,\n"
        + f"call,fair,,2099-05-01T09:00:00Z,{ANN},,\n"
        + f"call,fair,,1969-05-01T09:00:00Z,{ANN},,\n"
        + f"call,fair,,2024-05-01T09:00:00,{ANN},,\n"
        + "call,fair,,2024-05-01T09:00:00Z,no address,,\n"
        + "call,fair,,2024-05-01T09:00:00Z,,,\n"
        + f"call,fair,,2024-05-01T09:00:00Z,{ANN},,long\n"
        + f"call,fair,,2024-05-01T09:00:00Z,{ANN}\n"
        + f'call,"fair,,2024-05-01T09:00:00Z,{ANN},,\n'
        + f"call,fa\0ir,,2024-05-01T09:00:00Z,{ANN},,\n"
        + "\n"
        + f"call,fair,,2024-05-01T09:00:00Z,{ANN},,60\n",
        "--json",
        "--refused",
        "refused.csv",
    )
    with (company.folder / "refused.csv").open(newline="") as file:
        written = {int(row["row"]): row["reason"] for row in csv.DictReader(file)}

    assert (done.code, done.err.splitlines()[-1]) == (1, "10 rows were refused")
    assert (done.json()["accepted"], done.json()["refused"]) == (2, 10)
    assert written == {row["row"]: row["reason"] for row in done.json()["refused_first"]}
    assert sorted(written) == [*range(3, 13)]
    assert written[4] == "occurred_at: is in the future"
    assert written[5] == "occurred_at: is before 1970"
    assert written[7] == "contact: is not an e-mail address"
    assert written[8] == "contact: is missing: name the contact's e-mail address"
    assert written[9].startswith("properties.seconds: ")
    assert written[10] == "5 cells under 7 columns"
    assert written[11] == "not a row of CSV: its quotes do not close on the line"
    assert written[12] == "a cell has signs that cannot be printed"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "not JSON (line 1, column 2)"),
        (b"[]", "it is not an object"),
        (b"\xff{}", "not UTF-8"),
        (b'{"type": "call", "type": "call"}', "a key is there twice"),
        (b'{"a": "%s"}' % (b"x" * 70_000), "the line is longer than 64 KiB"),
        (told(event(id="7c9e6679-7425-40de-944b-e07fc1f90ae7")).encode(), "id: is not a UUID of"),
        (told(event(**{"\x1b[31m": 1})).encode(), "?[31m: is not known here: leave it out"),
    ],
)
def test_a_line_that_is_no_event_is_refused_alone(company, run, text, reason):
    done = run(text + b"\n" + told(event()).encode(), name="past.jsonl")
    named, last = done.err.splitlines()[-2:]

    assert done.out == "1 accepted, 0 duplicate, 0 not counted, 1 refused\n"
    assert named.startswith(f"row 1: {reason}")
    assert (done.code, last) == (1, "1 row was refused")


def test_of_very_many_refused_rows_the_first_are_named_and_all_are_counted(run):
    done = run("[]\n" * 60, name="past.jsonl")

    assert len([one for one in done.err.splitlines() if one.startswith("row ")]) == 50
    assert "refused in all, it is not an object: 60" in done.err


def test_who_was_erased_is_not_brought_back(company, run):
    run(HEADING + MEETING)
    company.work()
    run.command("contact", "forget", ANN, "--yes")
    done = run(HEADING + MEETING + MEETING.replace(ANN, BOB))

    assert done.out == "1 accepted, 0 duplicate, 0 not counted, 1 refused\n"
    assert "row 2: contact: was erased, and is not brought back" in done.err
    with company.store.read() as session:
        assert find_contact(session, ANN) is None


def test_a_dry_run_says_what_would_be_and_keeps_nothing(company, run):
    done = run(HEADING + MEETING + "meeting\n", "--dry-run")

    assert done.out == "1 would be accepted, 0 duplicate, 0 not counted, 1 refused\n"
    assert (done.code, done.err.splitlines()[-1]) == (1, "1 row would be refused")
    assert kept(company) == kept(company, Parcel) == kept(company, Contact) == []


# --- logs of web servers ---


def test_a_download_is_nobodys_and_says_only_how_many_bytes(company, run):
    done = run(line() + line(status=206) + line("/x.png"), name="access.log")
    (one,) = kept(company)

    assert done.out == (
        "1 accepted, 0 duplicate, 2 not counted, 0 refused\n"
        "not counted, not one of the files: 1\n"
        "not counted, the same download, continued: 1\n"
    )
    assert (one.type, one.object, one.properties) == ("download", "/a.pdf", {"bytes": 200})
    assert (one.attribution, one.judged) == ("anonymous", "person")
    assert (one.contact_id, one.visitor_id, one.claim_id) == (None, None, None)
    assert one.occurred_at == datetime(2025, 3, 4, 12, tzinfo=UTC)


def test_neither_address_nor_agent_is_in_what_is_kept_for_long(company, run):
    run(line(address="2001:db8::7"), name="access.log")
    (one,), (parcel,) = kept(company), kept(company, Parcel)

    assert FIREFOX not in str(vars(one))
    assert "2001:db8" not in f"{vars(one)}{vars(parcel)}"


def test_a_crawler_and_a_burst_are_machines(company, run):
    burst = "".join(line(f"/{number}.pdf", address="192.0.2.8") for number in range(8))
    run(line(agent="Googlebot/2.1") + line() + burst, name="access.log")

    assert Counter(one.judged_because for one in kept(company)) == {
        "a crawler: Googlebot/": 1,
        None: 1,
        "8 different objects within 2 seconds": 8,
    }


def test_a_log_of_the_future_or_of_noise_is_refused_line_by_line(company, run):
    noise = b"\xff\xfe\n" + b"x" * 200_000 + b"\n"
    future = line(at="04/Mar/2099:12:00:00 +0000").encode()
    done = run(noise + future + line().encode(), name="access.log")

    assert done.out.startswith("1 accepted, 0 duplicate, 0 not counted, 3 refused\n")
    assert done.err.splitlines()[-4:-1] == [
        "row 1: the line is not UTF-8",
        "row 2: the line is longer than 64 KiB",
        "row 3: the moment is in the future",
    ]


def test_the_real_log_brings_its_downloads_once(company, run, shared_data):
    log = shared_data / "apache_access_dev.log"
    first, again = (run.command("import", "interactions", log, "--json").json() for _ in "12")
    found = kept(company)

    assert (first["accepted"], first["duplicate"], first["refused"]) == (8, 0, 0)
    assert (again["accepted"], again["duplicate"]) == (0, 8)
    assert first["not_counted"] == again["not_counted"]
    assert sum(first["not_counted"].values()) == 4992
    assert Counter(one.judged for one in found) == {"person": 7, "machine": 1}
    assert {one.occurred_at.date().isoformat() for one in found} == {"2015-05-17", "2015-05-18"}


def test_a_log_that_has_grown_adds_only_what_is_new(company, run):
    run(line(), name="access.log")
    grown = run(line() + line(at="04/Mar/2025:13:00:00 +0000"), name="access.log")

    assert grown.out.startswith("1 accepted, 1 duplicate")


HEEDS = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("regportal", run_name="__main__", alter_sys=True)
"""
"""Runs a command that hears Ctrl-C, also where the tests run in the background and do not."""


def test_a_terminal_sees_how_far_it_is_and_a_pipe_does_not(company):
    """The bar is drawn over and over on stderr, up to the end; stdout has only the answer."""
    file = company.folder / "access.log"
    file.write_text(line() + line("/logo.png") * 30_000)
    command = [sys.executable, "-m", "regportal", "import", "interactions", str(file)]
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # so Linux says that nobody writes any more
            while some := screen.read(4096):
                seen += some
        said, _ = child.communicate(timeout=10 * PATIENCE)
    piped = subprocess.run(command, capture_output=True, check=True)
    shown = [int(one) for one in re.findall(rb"(\d+)%", seen)]

    assert (child.returncode, said.split(b",")[0]) == (0, b"1 accepted")
    assert b"Importing" in seen
    assert shown == sorted(shown)
    assert shown[-1] == 100
    assert any(0 < one < 100 for one in shown), seen
    assert b"%" not in piped.stderr + piped.stdout


def test_an_import_that_was_stopped_goes_on(company, run):
    """The process gets Ctrl-C while it reads a pipe that never ends: what was kept is whole."""
    begun = datetime(2025, 3, 4, tzinfo=UTC)
    ats = [begun + timedelta(minutes=31 * number) for number in range(700)]
    text = told(*[event(occurred_at=at.isoformat()) for at in ats])
    child = subprocess.Popen(
        [sys.executable, "-c", HEEDS, "import", "interactions", "/dev/stdin", "--format", "jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    child.stdin.write(text)
    child.stdin.flush()
    for _ in range(int(10 * PATIENCE)):
        if len(kept(company)) >= 300:
            break
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=PATIENCE)
    before = len(kept(company))
    again = run(text, "--json", name="past.jsonl").json()

    assert (child.returncode, before) in {(1, 300), (1, 600)}
    assert "run it again to go on" in err
    assert out.endswith("0 not counted, 0 refused\n")
    assert (again["accepted"], again["duplicate"]) == (700 - before, before)


# --- files that cannot be read ---


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("past", "hello\n", "it cannot be seen what kind of file this is; say --format"),
        ("past", "", "it cannot be seen what kind of file this is; say --format"),
        ("past.log.gz", gzip.compress(b"x", mtime=0), "the file is compressed; unpack it first"),
        ("past.csv", "", "the first line must name the columns; contact is not there"),
        ("past.csv", b"\xff\n", "the first line must name the columns: the line is not UTF-8"),
        ("past.csv", "type,object,contact\n", "the first line must name the columns; occurred_at"),
        ("past.csv", HEADING.replace("category", "colour"), "the columns may be category, contact"),
        ("past.csv", HEADING.replace("category", "type"), "the columns may be category, contact"),
    ],
)
def test_a_file_that_is_none_is_refused_whole(company, run, name, text, says):
    done = run(text, name=name)

    assert done.code == 1
    assert done.err.splitlines()[-1].startswith(says)
    assert kept(company, Parcel) == []


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("\ufeff" + HEADING.replace(",", ";") + MEETING.replace(",", ";"), 1),
        (told(event()), 1),
        (line(), 1),
    ],
)
def test_a_file_without_a_telling_name_is_known_by_its_first_line(run, text, taken):
    assert run(text, name="past").out.startswith(f"{taken} accepted")


def test_refused_rows_are_not_written_over_the_file(run):
    assert run(HEADING + MEETING, "--refused", "past.csv").code == 2
