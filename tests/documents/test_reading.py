import pytest

from regportal.documents.nodes import DEEPEST, LARGEST, MOST_FAULTS
from regportal.documents.reading import read_text
from regportal.errors import DocumentError

RULES = """\
buying:
  phases:
    - {id: cold, label: Not yet}
    - {id: warm, label: Warm, enter: {any: [%s]}}
"""
QUESTION = "questions:\n  - key: a\n    label: A?\n    type: text\n"


def faults(text):
    content = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(DocumentError) as refused:
        read_text(content).refuse_faults()
    return str(refused.value)


def values(text, kind="question", key="a"):
    book = read_text(text.encode())
    book.refuse_faults()
    return book.documents[kind, key].model_dump(mode="json", by_alias=True, exclude_unset=True)


REFUSED = {
    "an unknown section": ("gate:\n  - a\n", 1, "gate", "did you mean 'gates'?"),
    "an unknown key": (QUESTION + "    colour: red\n", 5, "questions[0].colour", "there are key"),
    "a misspelled key": (
        QUESTION.replace("label", "lable"),
        3,
        "questions[0].lable",
        "did you mean 'label'?",
    ),
    "a key that is missing": (
        "questions:\n  - key: a\n    type: text\n",
        2,
        "questions[0].label",
        "is missing",
    ),
    "a key written twice": (
        QUESTION + "    type: date\n",
        5,
        "questions[0].type",
        "is written twice: first in line 4",
    ),
    "two documents of one key": (
        QUESTION + "  - key: a\n    label: B?\n    type: text\n",
        5,
        "questions[1].key",
        "'a' is taken: first in line 2",
    ),
    "an anchor": (
        "questions: &x\n  - key: a\n    label: A?\n    type: text\n",
        1,
        "questions",
        "&x names a place for others",
    ),
    "an alias": (
        QUESTION + "newsletters: *x\n",
        5,
        "newsletters",
        "*x refers to another place",
    ),
    "a tag": (
        QUESTION.replace("A?", "!!python/object:os.system A?"),
        3,
        "questions[0].label",
        "the tag",
    ),
    "a merge key": (QUESTION + "    <<: {why: B}\n", 5, "questions[0].<<", "is not a key"),
    "a list as a key": (QUESTION + "    [x]: B\n", 5, "questions[0]", "a key must be one text"),
    "a second document": (QUESTION + "---\nsite: {}\n", 5, "file", "a second document"),
    "a list where a text belongs": (
        QUESTION.replace("A?", "[A]"),
        3,
        "questions[0].label",
        "must be a text or keys with values below it",
    ),
    "a text where a list belongs": ("gates: price-list\n", 1, "gates", "must be a list"),
    "an empty value": (
        QUESTION.replace("A?", ""),
        3,
        "questions[0].label",
        "has no value",
    ),
    "an empty text": (QUESTION.replace("A?", "' '"), 3, "questions[0].label", "is empty"),
    "an empty list": (
        QUESTION + "    when: {answer: {question: b, in: []}}\n",
        5,
        "questions[0].when.answer.in",
        "the list is empty",
    ),
    "yes for true": (
        QUESTION + "    sensitive: yes\n",
        5,
        "questions[0].sensitive",
        "must be true or false, without quotes",
    ),
    "true in quotes": (
        QUESTION + "    sensitive: 'true'\n",
        5,
        "questions[0].sensitive",
        "must be true or false, without quotes",
    ),
    "a number with a low line": (
        QUESTION + "    declined: {at_most: 1_0}\n",
        5,
        "questions[0].declined.at_most",
        "must be a whole number",
    ),
    "an octal number": (
        QUESTION + "    declined: {at_most: 010}\n",
        5,
        "questions[0].declined.at_most",
        "must be a whole number",
    ),
    "a number out of bounds": (
        QUESTION + "    declined: {at_most: 21}\n",
        5,
        "questions[0].declined.at_most",
        "must be from 1 to 20",
    ),
    "a length of time without a unit": (
        QUESTION + "    ask_again_after: 90\n",
        5,
        "questions[0].ask_again_after",
        "'90' is not a length of time like 30m",
    ),
    "a number where its key is missing": (
        RULES % "{event: call, count: 3}",
        4,
        "buying.phases[1].enter.any[0].count",
        "must be keys with values below it: write {at_least: 3}",
    ),
    "a label where a key is wanted": (
        RULES.replace("label: Warm", "falls_to: Not yet") % "{event: call}",
        4,
        "buying.phases[1].falls_to",
        "'Not yet' is a label, for people: write 'cold'",
    ),
    "a type nobody knows": (
        QUESTION.replace("text", "txet"),
        4,
        "questions[0].type",
        "did you mean 'text'?",
    ),
    "a key with capitals": (
        QUESTION.replace("key: a", "key: Länder"),
        2,
        "questions[0].key",
        "'Länder' cannot be a key",
    ),
    "a language nobody speaks": (
        QUESTION.replace("A?", "{english: A}"),
        3,
        "questions[0].label.english",
        "is not a language",
    ),
    "a text that is too long": (
        QUESTION.replace("A?", "A" * 2001),
        3,
        "questions[0].label",
        "is longer than 2000 characters",
    ),
    "a choice of nothing": (
        QUESTION.replace("text", "choice"),
        2,
        "questions[0]",
        "a question of type choice needs choices",
    ),
    "a control character": (
        QUESTION.replace("A?", '"A\\x1b[2J"'),
        3,
        "questions[0].label",
        "a control character",
    ),
    "a zero character": (QUESTION.replace("A?", '"A\\0"'), 3, "questions[0].label", "control"),
    "half a character": (
        QUESTION.replace("A?", '"A\\ud800"'),
        3,
        "questions[0].label",
        "control character",
    ),
    "a character there is not": (
        QUESTION.replace("A?", '"A\\UFFFFFFFF"'),
        1,
        "questions[0].label",
        "an escape or a directive",
    ),
    "a tab": ("questions:\n\t- key: a\n", 2, "questions", "indent with spaces only"),
    "a second colon": (
        QUESTION.replace("A?", "A: which?"),
        3,
        "questions[0]",
        "put the text into quotes",
    ),
    "an open quote": (QUESTION.replace("A?", "'A?"), 5, "questions[0].label", "quote"),
    "a question mark between brackets": (
        QUESTION.replace("A?", "{en: A?}"),
        3,
        "questions[0].label",
        "a text with ? that stands between brackets needs quotes",
    ),
    "an event nobody records": (
        "buying:\n  phases: [{id: a}, {id: b, enter: {any: [{event: downlod}]}}]\n",
        2,
        "buying.phases[1].enter.any[0].event",
        "did you mean 'download'?",
    ),
    "a window of more than two years": (
        (
            "buying:\n  phases:\n    - {id: a}\n    - id: b\n      enter:\n        all:\n"
            "          - event: download\n            within: 731d\n"
        ),
        8,
        "buying.phases[1].enter.all[0].within",
        "must be at most 730d",
    ),
    "an entry without conditions": (
        "buying:\n  phases:\n    - {id: a}\n    - id: b\n      enter: {}\n",
        5,
        "buying.phases[1].enter",
        "needs conditions",
    ),
    "too many conditions": (
        "buying:\n  phases:\n    - {id: a}\n    - id: b\n      enter:\n        any: ["
        + ", ".join(["{event: download}"] * 65)
        + "]\n",
        6,
        "buying.phases[1].enter.any",
        "has more than 64 items",
    ),
    "too many phases": (
        "buying:\n  phases:\n" + "".join(f"    - id: p{n}\n" for n in range(33)),
        2,
        "buying.phases",
        "has more than 32 items",
    ),
    "two phases of one name": (
        "buying:\n  phases:\n    - id: a\n    - id: b\n    - label: Again\n      id: a\n",
        6,
        "buying.phases[2].id",
        "there are two phases called 'a'",
    ),
    "two groups of one name": (
        "scores:\n  - key: s\n    behaviour:\n"
        + "".join(
            f"      - group: {name}\n        half_life: 30d\n"
            "        points: [{event: call, points: 5}]\n"
            for name in "aba"
        ),
        10,
        "scores[0].behaviour[2].group",
        "there are two groups called 'a'",
    ),
    "a time zone there is not": (
        "buying: {timezone: Mars, phases: [{id: a}]}\n",
        1,
        "buying.timezone",
        "'Mars' is not a time zone",
    ),
    "a score of nothing": ("scores:\n  - key: a\n", 2, "scores[0]", "needs at least one of"),
    "a half-life of nothing": (
        "scores:\n  - key: a\n    temporal: {recency: {half_life: 0d}}\n",
        3,
        "scores[0].temporal.recency.half_life",
        "'0d' is not a length of time",
    ),
    "a half-life that never ends": (
        "scores:\n  - key: a\n    temporal: {recency: {half_life: 99mo}}\n",
        3,
        "scores[0].temporal.recency.half_life",
        "must be from 1h to 730d",
    ),
    "a threshold out of range": (
        "scores:\n  - key: a\n    thresholds: {hot: 101}\n",
        3,
        "scores[0].thresholds.hot",
        "must be from 1 to 100",
    ),
    "an event nobody knows": (
        (
            "scores:\n  - key: a\n    behaviour:\n"
            "      - {group: g, half_life: 7d, points: [{event: downlod, points: 1}]}\n"
        ),
        4,
        "scores[0].behaviour[0].points[0].event",
        "did you mean 'download'?",
    ),
    "how much of a paper": (
        (
            "buying:\n  phases:\n    - id: a\n    - id: b\n      enter:\n"
            "        any: [{event: download, watched: 50%}]\n"
        ),
        6,
        "buying.phases[1].enter.any[0]",
        "watched stands beside the event video_watch only",
    ),
    "more than all of a film": (
        (
            "buying:\n  phases:\n    - id: a\n    - id: b\n      enter:\n"
            "        any: [{event: video_watch, watched: 101%}]\n"
        ),
        6,
        "buying.phases[1].enter.any[0].watched",
        "'101%' is not a share of a film like 75%",
    ),
    "points for how much of a paper": (
        (
            "scores:\n  - key: a\n    behaviour:\n      - group: g\n        half_life: 7d\n"
            "        points: [{event: download, points: 1, watched: 50%}]\n"
        ),
        6,
        "scores[0].behaviour[0].points[0]",
        "watched stands beside the event video_watch only",
    ),
    "limits that contradict": (
        (
            "scores:\n  - key: a\n    behaviour:\n      - group: g\n        half_life: 7d\n"
            "        points: [{event: download, points: 1, max: {24h: 3, 7d: 2}}]\n"
        ),
        6,
        "scores[0].behaviour[0].points[0].max",
        "contradict each other",
    ),
    "a deed worth more than its group": (
        (
            "scores:\n  - key: a\n    behaviour:\n      - group: g\n        half_life: 7d\n"
            "        at_most: 10\n        points: [{event: download, points: 11}]\n"
        ),
        4,
        "scores[0].behaviour[0]",
        "one deed gives 11 points, but the group at most 10",
    ),
    "points for silence": (
        (
            "scores:\n  - key: a\n    profile:\n"
            "      points: [{field: {name: level, known: false}, points: 5}]\n"
        ),
        4,
        "scores[0].profile.points[0].field.known",
        "what is not known gives no points and takes none",
    ),
    "a condition of nothing": (
        "scores:\n  - key: a\n    profile:\n      points: [{answer: {question: q}, points: 5}]\n",
        4,
        "scores[0].profile.points[0].answer",
        "needs one of equals, in, known, at_least, at_most",
    ),
    "two thresholds in one place": (
        "scores:\n  - key: a\n    temporal: {momentum: {}}\n    thresholds: {a: 5, b: 5}\n",
        2,
        "scores[0]",
        "two thresholds are at 5",
    ),
    "exit criteria": (
        "buying:\n  phases:\n    - id: a\n      exit: {any: []}\n",
        4,
        "buying.phases[0].exit",
        "needs conditions under either any or all, or under none",
    ),
    "segments": (
        "buying:\n  phases:\n    - id: a\n      enter: {any: [{segment: x}]}\n",
        4,
        "buying.phases[0].enter.any[0].segment",
        "not built yet",
    ),
    "a version": ("buying:\n  version: 7\n  phases: [{id: a}]\n", 2, "buying.version", "by us"),
    "a key of the site": ("site: {key: x}\n", 1, "site.key", "is not a key of this place"),
    "the content of a file": (
        "assets:\n  - key: a\n    content: {}\n",
        3,
        "assets[0].content",
        "is not a key of this place",
    ),
    "a type of CRM that can be none": (
        "connectors:\n  - {key: c, type: Odoo!, url: 'https://a.example', secret: 'env:A'}\n",
        2,
        "connectors[0].type",
        "'Odoo!' cannot be a key",
    ),
    "an empty file": ("# nothing\n", 1, "file", "the file is empty"),
    "a file of text": ("hello\n", 1, "file", "must begin with a section"),
    "bytes that are not UTF-8": (b"site:\n  name: \xff\n", 2, "file", "is not UTF-8"),
    "a file that is too large": (b"#" * (LARGEST + 1), 1, "file", "is larger than 1 MiB"),
    "a character no file may have": (b"site:\n  name: \x07\n", 2, "file", "no text may have"),
}


@pytest.mark.parametrize(("text", "line", "key", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_taken_is_named_by_file_line_and_key(text, line, key, says):
    told = faults(text).splitlines()

    assert any(one.startswith(f"regportal.yaml:{line}: {key}: ") and says in one for one in told), (
        told
    )


def test_all_faults_are_told_at_once_in_the_order_of_the_file():
    told = faults(
        "gate: 1\n" + QUESTION.replace("text", "txet") + "    sensitive: no\nscoring: []\n"
    )
    lines = [int(one.split(":")[1]) for one in told.splitlines()]

    assert lines == [1, 5, 6, 7]


def test_a_fault_is_told_once_and_not_what_follows_from_it():
    told = faults(QUESTION.replace("label", "lable"))

    assert len(told.splitlines()) == 1


TRAPS = {
    "no": "no",
    "off": "off",
    "y": "y",
    "null": "null",
    "~": "~",
    "007": "007",
    "1_000": "1_000",
    "12:30:45": "12:30:45",
    "0x1F": "0x1F",
    "1e3": "1e3",
    ".inf": ".inf",
    "2026-11-21": "2026-11-21",
    "'true'": "true",
}


@pytest.mark.parametrize(("written", "meant"), TRAPS.items())
def test_a_text_stays_the_text_that_was_written(written, meant):
    assert values(QUESTION.replace("A?", written))["label"] == meant


def test_keys_stay_what_was_written_and_in_that_order():
    text = """\
questions:
  - key: 007
    label: When?
    type: choice
    choices: {0-3m: Soon, no: Never, 12:30: At noon, 1_000: Later}
    when: {answer: {question: country, in: [NO, US, yes]}}
"""
    question = values(text, key="007")

    assert list(question["choices"]) == ["0-3m", "no", "12:30", "1_000"]
    assert question["when"]["answer"]["in"] == ["NO", "US", "yes"]


def test_numbers_and_truths_are_read_where_they_are_asked_for():
    text = QUESTION + "    sensitive: true\n    declined: {at_most: 5}\n"

    assert values(text)["sensitive"] is True
    assert values(text)["declined"] == {"at_most": 5}


def test_a_byte_order_mark_and_the_line_ends_of_windows_do_no_harm():
    content = b"\xef\xbb\xbf" + QUESTION.replace("\n", "\r\n").encode()

    assert ("question", "a") in read_text(content).documents


def test_a_bomb_of_aliases_is_refused_before_anything_is_expanded():
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    told = faults("\n".join(rows))

    assert "regportal.yaml:2: a1[0]: *a0 refers to another place: write it out" in told


@pytest.mark.parametrize(
    "text",
    [
        "buying: {" + ", ".join(f"k{n}: 1" for n in range(3_000)) + "}\n",
        "".join(f"k{n}: &a{n} x\n" for n in range(3_000)),
    ],
)
def test_of_faults_without_end_a_hundred_are_told(text):
    assert len(faults(text).splitlines()) == MOST_FAULTS


def test_of_a_list_that_is_too_long_no_more_is_read_than_it_may_have():
    phases = "".join(f"    - {{id: p{n}, lable: x}}\n" for n in range(50))
    told = faults(f"buying:\n  phases:\n{phases}").splitlines()

    assert told[0] == "regportal.yaml:2: buying.phases: has more than 32 items"
    assert len(told) == 33


def test_a_tag_is_the_only_fault_of_what_it_is_on():
    (told,) = faults("buying: !!binary aGVsbG8=\n").splitlines()

    assert "buying: the tag 'tag:yaml.org,2002:binary' is not taken here: leave it out" in told


def test_a_key_without_end_is_cut_where_it_is_named():
    told = faults(f"site:\n  {'k' * 900}: 1\n")

    assert f"regportal.yaml:2: site.{'k' * 63}…: is not a key of this place" in told


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_however_deep(opening):
    told = faults("site: " * (opening != "- ") + opening * 100_000)

    assert f"is nested deeper than {DEEPEST} levels" in told


def test_a_secret_is_never_repeated():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    text = f"connectors:\n  - {{key: c, type: {secret}, url: {secret}, secret: {secret}}}\n"
    told = faults(text)

    assert "connectors[0].secret: must name an environment variable" in told
    assert "MfKQ" not in told
