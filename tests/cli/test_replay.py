"""Any log in, phases out: what `regportal replay` reads, writes and refuses."""

import csv
import gzip
import io
import json
import signal
import subprocess
import sys

import pytest

from tests.patience import PATIENCE

RULES = """\
buying:
  phases:
    - id: unaware
    - id: interest
      enter: {any: [{event: page_view, within: 30d}]}
      exit: {any: [{quiet: {for: 30d}}]}
    - id: comparison
      label: Comparing suppliers
      enter:
        any:
          - event: download
            where: {category: [price-list, quote]}
            within: 45d
          - answer: {question: timeframe, equals: 0-3m}
          - all: [{event: call}, {score: {name: fit, at_least: 50}}]
      exit: {any: [{quiet: {for: 10d}}, {all: [{crm: {stage: Lost}}]}]}
      falls_to: interest
"""
ALONE = RULES.partition("\n")[2]
DONE = """\
time,contact,type,category,object,id
2026-03-01T09:00:00Z,ann,page_view,,/widgets,1
2026-03-04T13:12:00+01:00,ann,download,price-list,Price list 2026,2
2026-03-04T13:12:00+01:00,ann,download,price-list,Price list 2026,2
"""
PARTS = "opportunity,contact,role,from,to\ndeal,ann,buyer,,\n"
FIRST = ("deal", "unaware", "interest", "2026-03-01T09:00:00Z", "event")
SECOND = ("deal", "interest", "comparison", "2026-03-04T12:12:00Z", "event")
OVER = ("--roles", "parts.csv", "--out", "parts.csv")
HEADING = ["opportunity", "from", "to", "at", "cause", "reason"]


@pytest.fixture
def replay(regportal, tmp_path):
    """Replay files; return what the command said, and the moves that it wrote."""

    def replays(done=DONE, parts=PARTS, *more, rules=RULES, out="moves.csv", **others):
        names = {"rules": ("rules.yaml", rules), "roles": ("parts.csv", parts)}
        names["interactions"] = ("done.csv", done)
        names |= {name: (f"{name}.csv", text) for name, text in others.items()}
        given = []
        for option, (name, text) in names.items():
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
            given += [f"--{option}", name]
        ran = regportal("replay", *given, "--out", out, *more)
        path = tmp_path / out
        return ran, rows(path) if path.exists() else None

    return replays


def rows(path):
    """The moves in a file, without their reasons."""
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if "jsonl" in path.name:
        return [tuple(json.loads(line).values())[:5] for line in raw.decode().splitlines()]
    heading, *found = csv.reader(io.StringIO(raw.decode()))
    assert heading == HEADING
    return [tuple(row[:5]) for row in found]


def test_every_move_is_written_with_its_reason(replay, tmp_path):
    ran, moves = replay()

    assert (ran.code, ran.out, moves) == (0, "", [FIRST, SECOND])
    assert "Wrote 2 moves" in ran.err
    assert (
        (tmp_path / "moves.csv")
        .read_text()
        .splitlines()[2]
        .endswith(
            ",Comparing suppliers since 4 Mar 2026 12:12: ann downloaded Price list 2026"
            " (1 needed in 45 days)"
        )
    )


def test_what_no_condition_counts_and_who_has_no_part_is_said_at_the_end(replay):
    more = "2026-03-02T09:00:00Z,ann,search,,x,3\n2026-03-02T09:00:00Z,eve,download,paper,y,4\n"
    ran, _ = replay(DONE + more)
    used, _ = replay()

    assert ran.err.splitlines()[-2:] == [
        "No condition counts 2 of 5 interactions: search 1, download 1.",
        "1 of 5 rows are of contacts who never have a part.",
    ]
    assert used.err.splitlines()[-1] == "Wrote 2 moves to moves.csv."


def test_where_nothing_can_be_written_nothing_is_read_first(replay):
    ran, _ = replay("this is no log\n", out="nowhere/moves.csv")

    assert ran.code == 1
    assert "nowhere/moves.csv cannot be written: No such file or directory" in ran.err


def test_time_goes_on_after_the_last_row_only_if_it_is_asked_to(replay):
    _, moves = replay(DONE, PARTS, "--until", "2026-04-05")

    assert moves[2:] == [
        ("deal", "comparison", "interest", "2026-03-14T12:12:00Z", "timer"),
        ("deal", "interest", "unaware", "2026-04-03T12:12:00Z", "timer"),
    ]


def test_what_lies_after_the_last_moment_is_not_read(replay):
    assert replay(DONE, PARTS, "--until", "2026-03-04T12:11:59Z")[1] == [FIRST]
    assert replay(DONE, PARTS, "--until", "2026-03-04T12:12:00Z")[1] == [FIRST, SECOND]


def test_a_part_holds_from_its_first_moment_until_just_before_its_last(replay):
    parts = "opportunity,contact,from,to\ndeal,ann,{},{}\n".format
    begun = ("deal", "unaware", "comparison", "2026-03-04T12:12:00Z", "event")

    assert replay(parts=parts("2026-03-04T12:12:00Z", ""))[1] == [
        ("deal", "unaware", "interest", "2026-03-04T12:12:00Z", "crm"),
        SECOND,
    ]
    assert replay(parts=parts("", "2026-03-04T12:12:00Z"))[1] == [
        FIRST,
        ("deal", "interest", "unaware", "2026-03-04T12:12:00Z", "crm"),
    ]
    assert begun not in replay(parts=parts("2026-03-05", ""))[1]


def test_a_part_that_goes_on_as_another_one_is_one_part(replay):
    parts = "opportunity,contact,role,from,to\n"
    parts += "deal,ann,user,,2026-03-02\ndeal,ann,buyer,2026-03-02,\n"

    assert replay(parts=parts)[1] == [FIRST, SECOND]


def test_a_part_is_named_as_people_say_it(replay, tmp_path):
    asks = "{all: [{event: download}, {role: [decision maker, user]}]}"
    rules = f"buying: {{phases: [{{id: unaware}}, {{id: comparison, enter: {asks}}}]}}\n"
    parts = "opportunity,contact,role\ndeal,ann,Decision_Maker\ndeal,ann,user\n"
    replay(DONE, parts, rules=rules, out="moves.jsonl")
    (move,) = map(json.loads, (tmp_path / "moves.jsonl").read_text().splitlines())

    assert move["reason"].endswith("; role: ann: decision maker, user")


def test_what_is_closed_stays_and_what_is_open_again_needs_new_signs(replay):
    told = "time,opportunity,stage,is_closed\n2026-03-03,deal,Won,true\n2026-03-10,deal,,false\n"
    more = DONE + "2026-03-11T00:00:00Z,ann,download,quote,Quote,3\n"

    assert replay(opportunities=told)[1] == [FIRST]
    assert replay(more, opportunities=told)[1][1:] == [
        ("deal", "interest", "comparison", "2026-03-11T00:00:00Z", "event")
    ]


def test_a_stage_that_the_seller_sets_is_the_crms(replay):
    told = "time,opportunity,stage\n2026-03-05,deal,Lost\n"

    assert replay(opportunities=told)[1][2:] == [
        ("deal", "comparison", "interest", "2026-03-05T00:00:00Z", "crm")
    ]


def test_answers_and_scores_have_a_file_of_their_own(replay):
    facts = "time,contact,kind,name,value\n2026-03-02,ann,answer,timeframe,0-3m\n"
    called = "time,contact,type\n2026-03-01,ann,call\n"
    scored = "time,contact,kind,name,value\n2026-03-02,ann,score,fit,{}\n".format
    moved = [("deal", "unaware", "comparison", "2026-03-02T00:00:00Z", "event")]

    assert replay(facts=facts)[1][1] == ("deal", "interest", *moved[0][2:])
    assert replay(called, facts=scored(49.5))[1] == []
    assert replay(called, facts=scored(50))[1] == moved


@pytest.mark.parametrize("rules", [ALONE.replace("\n  ", "\n").lstrip(), RULES])
def test_rules_may_stand_alone(replay, rules):
    assert replay(rules=rules)[1] == [FIRST, SECOND]


@pytest.mark.parametrize("out", ["moves.csv.gz", "moves.jsonl", "moves.jsonl.gz"])
def test_the_name_says_how_moves_are_written(replay, out):
    assert replay(out=out)[1] == [FIRST, SECOND]


def test_files_may_be_packed_and_json_and_have_more_columns(replay):
    heading, *told = csv.reader(io.StringIO(DONE))
    objects = [dict(zip(heading, row, strict=True)) | {"x": 1} for row in told]
    lines = "".join(json.dumps(each) + "\n" for each in objects)

    assert replay(lines)[1] == [FIRST, SECOND]
    assert replay(gzip.compress(lines.encode()))[1] == [FIRST, SECOND]
    assert replay(DONE.replace(",", ";"))[1] == [FIRST, SECOND]
    assert replay("\ufeff" + DONE)[1] == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"done": "time,contact\n"}, "done.csv, row 1: it must name the columns"),
        ({"done": ""}, "done.csv, row 1: it must name the columns"),
        ({"done": DONE + "soon,ann,call,,,\n"}, "done.csv, row 5: time: is not a moment like"),
        ({"done": DONE + ",ann,call,,,\n"}, "done.csv, row 5: time: is missing"),
        ({"done": DONE + "2026-03-01,ann,downlod,,,\n"}, "row 5: type: 'downlod' is not one of"),
        ({"done": DONE + "2026-03-01,,call,,,\n"}, "row 5: contact: is missing"),
        ({"done": DONE + "2026-03-01,ann,call\n"}, "row 5: has 3 cells under 6 columns"),
        ({"done": DONE + '2026-03-01,"ann,call,,,\n'}, "row 5: its quotes do not close"),
        ({"done": DONE.encode() + b"2026-03-01,\xff,call,,,\n"}, "row 5: the line is not UTF-8"),
        ({"done": DONE + "2026-03-01,a\x1bn,call,,,\n"}, "row 5: there is a character"),
        ({"done": DONE + "2026-03-01," + "a" * 70_000 + ",call,,,\n"}, "row 5: the line is longer"),
        ({"done": gzip.compress(DONE.encode())[:-9]}, "done.csv cannot be unpacked"),
        ({"done": b"\x1f\x8b" + b"x" * 40}, "done.csv cannot be read"),
        ({"done": '{"time": "2026-03-01"'}, "done.csv, row 1"),
        ({"parts": PARTS + "deal,bob,,2026-03-02,2026-03-01\n"}, "row 3: to: is before from"),
        ({"parts": PARTS + "deal,bob,,9999999-01-01,\n"}, "row 3: from: is not a moment"),
        (
            {"opportunities": "time,opportunity,is_closed\n2026-03-01,a,maybe\n"},
            "is_closed: must",
        ),
        ({"facts": "time,contact,kind,name,value\n2026-03-01,a,mood,x,y\n"}, "kind: 'mood'"),
        ({"facts": "time,contact,kind,name,value\n2026-03-01,a,score,x,y\n"}, "must be a number"),
        ({"rules": "buying: {phases: []}"}, "rules.yaml:1: buying.phases"),
        ({"rules": "gates: []"}, "rules.yaml:1: buying: is missing"),
        ({"rules": RULES.replace("falls_to: interest", "falls_to: x")}, "no phase called 'x'"),
    ],
)
def test_a_row_or_file_that_cannot_be_taken_is_named_and_nothing_is_written(
    replay, tmp_path, files, says
):
    (tmp_path / "moves.csv").write_text(",".join(HEADING) + "\n")
    ran, moves = replay(**files)

    assert (ran.code, moves) == (1, [])
    assert says in ran.err
    assert "Traceback" not in ran.err
    assert [each.name for each in tmp_path.iterdir() if "part" in each.suffix] == []


def test_no_file_that_is_read_is_written_over(replay, regportal):
    assert replay()[0].code == 0
    ran = regportal("replay", "--rules", "rules.yaml", "--interactions", "done.csv", *OVER)

    assert (ran.code, "would write over" in ran.err) == (2, True)


def test_no_spreadsheet_runs_what_somebody_is_called(replay):
    ran, moves = replay(parts="opportunity,contact\n=1+1,ann\n")

    assert ran.code == 0
    assert {move[0] for move in moves} == {"'=1+1"}


def test_it_may_be_stopped_and_leaves_what_was_there(tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "parts.csv").write_text(PARTS)
    line = "2026-03-01T09:00:00Z,ann,page_view,,/widgets,\n"
    (tmp_path / "done.csv").write_text(DONE + line * 400_000)
    (tmp_path / "moves.csv").write_text("kept")
    files = ["--rules", "rules.yaml", "--interactions", "done.csv", "--roles", "parts.csv"]
    command = [sys.executable, "-m", "regportal", "replay", *files, "--out", "moves.csv"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - whoever runs tests in the background ignores Ctrl-C
    ) as running:
        while b"Reading" not in running.stderr.readline():
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=PATIENCE)

    assert running.returncode == 1
    assert (tmp_path / "moves.csv").read_text() == "kept"
    assert len([*tmp_path.iterdir()]) == 4
