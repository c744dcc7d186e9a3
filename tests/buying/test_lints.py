"""Models in which everything is spelled right, and that could not work as they were meant."""

import pytest

from regportal.buying.default import DEFAULT
from regportal.buying.lint import lints
from regportal.documents.reading import read_text
from regportal.documents.remarks import remarks_on
from regportal.errors import DocumentError

CALL = "any: [{event: call}]"
PRICES = "{event: download, where: {category: price-list}}"


def model(enter="", exit_="", more="", later="", first="", top=""):
    """A model of three phases, as it is written; the middle one is what matters."""
    entry = f", enter: {{{enter}}}" if enter else ""
    leave = f", exit: {{{exit_}}}" if exit_ else ""
    return (
        f"buying: {{{top} phases: [{{id: a{first}}}, {{id: b{entry}{leave}{more}}},"
        f" {{id: c{later}}}]}}\n"
    )


def said(text):
    """Every fault of a model: where, and what."""
    book = read_text(text.encode())
    book.refuse_faults()
    return [
        (".".join(map(str, path)), says)
        for path, says in lints(book.documents["buying", "default"])
    ]


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        (model("none: [{event: call}]"), "phases.1.enter", "although nobody did anything"),
        (model("any: [{quiet: {for: 3d}}]"), "phases.1.enter", "although nobody did anything"),
        (model("all: [{role: user}]"), "phases.1.enter", "although nobody did anything"),
        (
            model(f"any: [{PRICES}, {{field: {{name: country, known: true}}}}]"),
            "phases.1.enter",
            "although nobody did anything",
        ),
        (
            model(f"all: [{PRICES}], none: [{{event: download}}]"),
            "phases.1.enter",
            "for its opposite",
        ),
        (
            model("all: [{event: call, within: 7d}, {quiet: {for: 7d}}]"),
            "phases.1.enter",
            "for its opposite",
        ),
        *(
            (
                model(f"all: [{{event: call}}, {told}], none: [{against}]"),
                "phases.1.enter",
                "its opposite",
            )
            for told, against in (
                ("{answer: {question: q, equals: x}}", "{answer: {question: q, known: true}}"),
                ("{answer: {question: q, at_least: 9}}", "{answer: {question: q, at_least: 3}}"),
                ("{field: {name: country, in: [DE]}}", "{field: {name: country, known: true}}"),
                ("{role: user}", "{role: [User, buyer]}"),
                ("{crm: {stage: A}}", "{crm: {stage: [A, B]}}"),
                ("{crm: {stage: A, within: 7d}}", "{crm: {stage: A}}"),
                ("{crm: {stage: A, within: 7d}}", "{crm: {within: 30d}}"),
            )
        ),
        (
            model("all: [{event: call}, {crm: {stage: A}}, {crm: {stage: [B, C]}}]"),
            "phases.1.enter",
            "for its opposite",
        ),
        (
            model(
                "any: [{event: call, count: {at_least: 2}}]",
                later=", enter: {any: [{event: call}]}",
            ),
            "phases.1.enter",
            "'c' comes later and asks for no more",
        ),
        (
            model(
                "any: [{event: video_watch, watched: 75%}]",
                later=", enter: {any: [{event: video_watch, watched: 50%}]}",
            ),
            "phases.1.enter",
            "'c' comes later and asks for no more",
        ),
        (
            model(f"any: [{PRICES}]", f"any: [{PRICES}]"),
            "phases.1.exit",
            "out again at once",
        ),
        (
            model(f"any: [{PRICES}], none: [{{event: call}}]", "none: [{event: call}]"),
            "phases.1.exit",
            "out again at once",
        ),
        (
            model(f"any: [{PRICES}]", "any: [{quiet: {for: 3d}}]", ", min_stay: 7d"),
            "phases.1.exit.any.0",
            "3 days is over before the phase may be left (min_stay: 7d)",
        ),
        (
            model(f"any: [{PRICES}]", "any: [{quiet: {for: 3d}}]", top="forward_only: true,"),
            "phases.1.exit",
            "forward_only",
        ),
        (
            model(f"any: [{PRICES}]", "any: [{quiet: {for: 3d}}]", ", falls_to: c"),
            "phases.1.falls_to",
            "does not come before",
        ),
        (
            model(f"any: [{PRICES}]", "any: [{quiet: {for: 3d}}]", ", falls_to: d"),
            "phases.1.falls_to",
            "no phase called 'd'",
        ),
        (model(f"any: [{PRICES}]", more=", falls_to: a"), "phases.1.falls_to", "there is none"),
        (model(more=", group: {quorum: 2}"), "phases.1.group", "there is none"),
        (
            model(first=", enter: {any: [{event: call}]}"),
            "phases.0.enter",
            "begins in the first phase",
        ),
        (
            model(first=", exit: {any: [{quiet: {for: 3d}}]}"),
            "phases.0.exit",
            "nothing before the first",
        ),
    ],
)
def test_what_could_not_work_is_refused_with_its_place_and_reason(text, place, says):
    found = said(text)

    assert any(where == place and says in why for where, why in found), found


@pytest.mark.parametrize(
    "text",
    [
        model(f"any: [{PRICES}]", "any: [{quiet: {for: 30d}}]", ", falls_to: a"),
        model("any: [{event: call, within: 30d}], none: [{event: call, within: 7d}]"),
        model("any: [{event: call}]", later=", enter: {all: [{event: call}, {role: user}]}"),
        model("any: [{event: call}]", later=", enter: {any: [{event: call}]}, group: {quorum: 2}"),
        model("all: [{event: call}, {quiet: {for: 7d}}]"),
        model(
            "all: [{answer: {question: q, at_least: 3}}],"
            " none: [{answer: {question: q, at_most: 9}}]"
        ),
        model("all: [{event: call}, {role: [user, buyer]}], none: [{role: user}]"),
        model("all: [{event: call}, {crm: {stage: A}}], none: [{crm: {stage: A, within: 7d}}]"),
        model("all: [{event: call}, {crm: {within: 7d}}], none: [{crm: {stage: A}}]"),
        model(),
    ],
)
def test_what_can_work_is_left_alone(text):
    assert said(text) == []


def test_the_model_that_ships_has_no_fault():
    assert list(lints(DEFAULT)) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (model("any: [{event: call, within: 731d}]"), "at most 730d"),
        (model("any: [{event: call, count: {at_least: 101}}]"), "from 1 to 100"),
        (model("any: [{event: call, quiet: {for: 3d}}]"), "no two of them"),
        (model("any: [{role: user, by: same_contact}]"), "beside event only"),
        (model("any: [{event: call}], all: [{event: form}]"), "either any or all"),
        (model("any: [{answer: {question: q}}]"), "needs one of equals"),
        (model("any: [{answer: {question: q, at_least: 3, at_most: 2}}]"), "no number"),
        (model("any: [{answer: {question: q, known: false}}]"), "under none"),
        (model("any: [{event: call, where: {}}]"), "a category or an object"),
        (model(CALL, more=", group: {quorum: 2, any_role: [x]}"), "one of quorum"),
        (model(CALL, more=", group: {weighted: {x: 1}}"), "belong together"),
    ],
)
def test_what_says_nothing_or_two_things_at_once_is_refused(text, says):
    with pytest.raises(DocumentError, match=says):
        said(text)


def test_roles_and_stages_no_crm_has_told_of_are_remarked(scene, ann):
    deal = scene.opportunity(stage="Offer")
    scene.role(deal, ann, role="Decision Maker")
    asks = "all: [{event: call}, {role: [decision-maker, decison maker]}, {crm: {stage: Ofer}}]"
    later = f", enter: {{{CALL}}}"
    book = read_text(model(asks, more=", group: {any_role: [Usr]}", later=later).encode())
    with scene.store.read() as session:
        before = [*remarks_on(session, {}, {})]
        found = [one for one in remarks_on(session, {}, book.documents) if "exit" not in one]

    assert before == []
    assert found == [
        "nobody has had the role 'decison maker' so far; did you mean 'Decision Maker'?",
        "nobody has had the role 'Usr' so far",
        "no opportunity is in the stage 'Ofer' now; did you mean 'Offer'?",
    ]


def test_before_any_crm_has_told_of_roles_none_is_remarked(scene):
    asks = "all: [{event: call}, {role: user}, {crm: {stage: A}}]"
    book = read_text(model(asks, later=f", enter: {{{CALL}}}").encode())
    with scene.store.read() as session:
        found = [*remarks_on(session, {}, book.documents)]

    assert not any("role" in one for one in found)
