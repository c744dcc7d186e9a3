"""
Rules without end: a buying model that would keep us busy for ever.

Whoever may publish rules may be careless, or no longer who he was; and rules are passed around as
files. Elsewhere a pattern like ``(a+)+$``, or a rule that counts within a count, holds a server for
minutes. Here a rule cannot loop. What is too deep, too large or written by reference is refused at
once, with its place; what is accepted is read at once, and costs no interaction more than a bounded
time.
"""

import time

import pytest

from regportal.buying.lint import lints
from regportal.documents.reading import read_text
from regportal.errors import DocumentError

SOON = 5  # seconds of the processor's time; it takes a tenth of one


def pages(number):
    """So many conditions, each about a page of its own."""
    return ", ".join(f"{{event: page_view, where: {{object: '/{n}'}}}}" for n in range(number))


def model(enter, number=1, exit_="any: [{quiet: {for: 3d}}]"):
    """So many phases that are all entered and left so."""
    phases = [
        f"{{id: p{n}, enter: {{{enter}}}, exit: {{{exit_}}}, group: {{quorum: {n}}}}}"
        for n in range(1, number + 1)
    ]
    return f"buying: {{phases: [{{id: p0}}, {', '.join(phases)}]}}"


def said(text):
    """What the lints say of a model; raises DocumentError where it is refused before."""
    book = read_text(text.encode())
    book.refuse_faults()
    return [says for _, says in lints(book.documents["buying", "default"])]


def nested(levels):
    """A condition within so many others."""
    return "any: [{" * levels + "event: call" + "}]" * levels


BOMB = "buying:\n  model: &a a\n  phases: [" + "*a, " * 1000 + "]\n"
WIDE = "any: [" + ", ".join(["{all: [{event: call}, {event: form}]}"] * 16) + "]"
CROSS = "all: [" + ", ".join(["{any: [{event: call}, {event: form}]}"] * 16) + "]"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (model(nested(5)), "nested deeper than 4"),
        (model(nested(4000)), "nested deeper than 16"),
        (model(f"any: [{pages(65)}]"), "more than 64"),
        (model(f"any: [{pages(64)}]"), "more than 64"),
        (model("any: [{event: call}]", 32), "more than 32"),
        (BOMB, "refers to another place"),
    ],
    ids=["deep", "very deep", "long", "long with its exit", "many phases", "by reference"],
)
def test_what_is_too_much_is_refused_at_once(text, says):
    began = time.process_time()
    with pytest.raises(DocumentError, match=says):
        said(text)

    assert time.process_time() - began < SOON


@pytest.mark.parametrize("enter", [WIDE, CROSS, f"any: [{pages(22)}]", f"all: [{pages(22)}]"])
def test_more_ways_than_anybody_could_follow_are_still_looked_at_at_once(enter):
    began = time.process_time()
    said(model(enter, 11, enter))

    assert time.process_time() - began < SOON


def test_a_rule_that_contradicts_itself_is_no_rule():
    assert any(
        "for its opposite" in says
        for says in said(model("all: [{event: call}], none: [{event: call}]"))
    )


def test_no_interaction_meets_more_conditions_than_can_be_answered_quickly():
    alike = ", ".join(["{event: page_view}"] * 44)

    assert said(model(f"any: [{pages(63)}]", 31)) == []
    assert said(model(f"any: [{alike}]", 3)) == [
        "one page_view could meet 132 conditions: at most 100 may ask for it"
    ]


def test_nor_more_that_go_through_all_that_was_watched():
    shares = ", ".join(f"{{event: video_watch, watched: {share}%}}" for share in (10, 40, 70))
    others = "{event: video_watch, where: {category: demo}, watched: 90%}"

    assert said(model(f"any: [{shares}]")) == []
    assert said(model(f"any: [{shares}, {others}]")) == [
        "one video_watch could meet 4 conditions that ask how much was watched: at most 3 may"
    ]
