"""A rule in controls is the rule as it was written: whatever stands in it."""

from random import Random

import pytest

from regportal.buying.asking import Teller
from regportal.buying.default import DEFAULT
from regportal.buying.schema import Buying
from regportal.documents.rule_controls import KINDS_CHOSEN, begun, controls, kind_of, phase_written
from regportal.documents.rule_editing import part_done, phases_done
from regportal.documents.rule_lines import block_of
from regportal.documents.rule_sent import LONGEST_NAME, MOST_CONTROLS, Sent
from regportal.errors import BadRequestError
from tests.buying import random_rules


def controls_of(phase):
    """Everything a page of this phase would send."""
    found = [("label", str(phase.get("label", "")))]
    for name in ("enter", "exit"):
        found += in_block(block_of(phase.get(name), name, {}, Teller()))
    found.append(("falls_to", phase.get("falls_to", "")))
    stay = phase.get("min_stay", "0d")
    number = stay.rstrip("smhdo")
    found += [("min_stay.number", number), ("min_stay.unit", stay.removeprefix(number))]
    group = phase.get("group", {})
    if "quorum" in group:
        found += [("group.way", "quorum"), ("group.quorum", str(group["quorum"]))]
    elif "any_role" in group:
        found += [("group.way", "any_role")]
        found += [("group.any_role", one) for one in group["any_role"]]
    elif "weighted" in group:
        found += [("group.way", "weighted"), ("group.at_least", str(group["at_least"]))]
        for place, (role, weight) in enumerate(group["weighted"].items()):
            found.append((f"group.weighted[{place}].role", role))
            found.append((f"group.weighted[{place}].weight", str(weight)))
    return found


def in_block(block):
    found = [(f"{block.path}.how", block.how)]
    for line in (*block.lines, *block.none):
        if line.below:
            found.append((f"{line.path}.kind", line.kind))
            found += in_block(line.below)
        else:
            found += sent_of(line)
    return found


def sent_of(line):
    return [(name, text) for name, texts in line.values._values.items() for text in texts]


def meaning(told):
    """A rule as it is meant: one value alone is a list of one, and any value is any value."""
    if isinstance(told, list | tuple):
        return [meaning(one) for one in told]
    if not isinstance(told, dict):
        return told
    new = {name: meaning(one) for name, one in told.items() if one is not None}
    if "equals" in new:
        new["in"] = [new.pop("equals")]
    if "within" in new and "question" in new:
        new.pop("known", None)
    for name in ("category", "object", "stage", "role"):
        if isinstance(new.get(name), str):
            new[name] = [new[name]]
    return new


def same(phase, again):
    models = [Buying.model_validate({"phases": [one]}) for one in (phase, again)]
    one, other = (meaning(model.model_dump(by_alias=True)) for model in models)
    return one == other


def phases_at_random():
    """Some hundreds of phases, whatever stands in them."""
    for seed in range(300):
        yield from random_rules.model(Random(seed), random_rules.ALL)["phases"]


def test_a_phase_that_nobody_changed_is_written_as_before():
    for phase in phases_at_random():
        assert phase_written(Sent(controls_of(phase)), phase, "en") == phase


def test_a_phase_is_the_same_rule_from_its_controls_alone():
    for phase in phases_at_random():
        bare = {"id": phase["id"]}

        assert same(phase, phase_written(Sent(controls_of(phase)), bare, "en")), phase


def test_the_model_that_ships_stays_what_it_is():
    for phase in DEFAULT.as_written()["phases"]:
        assert phase_written(Sent(controls_of(phase)), phase, "en") == phase


def test_the_hard_ones_are_the_same_rule_too():
    rules = [
        {"event": "page_view", "where": {"object": {"prefix": "https://a.example/p"}}},
        {"event": "download", "where": {"category": {"prefix": "pri"}, "object": ["a", "b"]}},
        {"event": "custom:trade-fair", "count": {"at_least": 3}, "by": "distinct_contacts"},
        {"event": "video_watch", "watched": "75%", "within": "90m"},
        {"answer": {"question": "size", "at_least": 10, "at_most": 500}},
        {"answer": {"question": "size", "within": "9d"}},
        {"answer": {"question": "when", "in": ["now"], "within": "2mo"}},
        {"field": {"name": "country", "in": ["DE", "AT"]}},
        {"crm": {"stage": ["Open", "On hold"], "within": "30d"}},
        {"crm": {"within": "30d"}},
        {"score": {"name": "fit", "at_least": 40}},
        {"role": ["boss", "user"]},
        {"quiet": {"for": "36h"}},
        {"any": [{"role": "a"}], "none": [{"all": [{"event": "call"}, {"role": "b"}]}]},
    ]
    phase = {"id": "p", "enter": {"all": rules}}
    bare = phase_written(Sent(controls_of(phase)), {"id": "p"}, "en")

    assert same(phase, bare)
    assert phase_written(Sent(controls_of(phase)), phase, "en") == phase


@pytest.mark.parametrize("kind", KINDS_CHOSEN)
def test_another_kind_begins_with_something_to_go_on_from(kind):
    phase = {"id": "p", "enter": {"any": [{"event": "call"}]}}
    told = dict(controls_of(phase)) | {"enter.any[0].kind": kind}
    [new] = phase_written(Sent(told.items()), phase, "en")["enter"]["any"]

    assert new == ({"event": "call"} if kind == "event" else begun(kind))
    assert kind_of(new) == kind


def test_any_becomes_all_where_somebody_chose_that():
    phase = {"id": "p", "enter": {"any": [{"event": "call"}, {"event": "form"}]}}
    told = dict(controls_of(phase)) | {"enter.how": "all"}
    new = phase_written(Sent(told.items()), phase, "en")

    assert new["enter"] == {"all": [{"event": "call"}, {"event": "form"}]}
    assert part_done(new, "remove:enter.any[0]")["enter"] == {"all": [{"event": "form"}]}


def test_what_is_no_number_stays_as_it_was_typed():
    phase = {"id": "p", "enter": {"any": [{"event": "call"}]}}
    typed = {"enter.any[0].count": "many", "enter.any[0].within.number": "4 5"}
    told = dict(controls_of(phase)) | typed
    [new] = phase_written(Sent(told.items()), phase, "en")["enter"]["any"]

    assert new == {"event": "call", "count": {"at_least": "many"}, "within": "4 5d"}


def test_a_text_in_several_languages_keeps_the_others():
    phase = {"id": "p", "label": {"en": "Warm", "de": "Warm"}}
    new = phase_written(Sent([("label", "Lauwarm")]), phase, "de")

    assert new["label"] == {"en": "Warm", "de": "Lauwarm"}


def test_signs_that_cannot_be_printed_are_left_out():
    sent = Sent([("label", "a\x00b\x1b[31m\u202ec\ud800")])

    assert sent.text("label") == "ab[31mc"


@pytest.mark.parametrize(
    "fields",
    [
        [("label", "x")] * (MOST_CONTROLS + 1),
        [("a" * (LONGEST_NAME + 1), "x")],
        [("enter" + ".any[0]" * 7 + ".kind", "several")],
    ],
)
def test_more_than_any_page_sends_is_refused(fields):
    with pytest.raises(BadRequestError):
        Sent(fields)


@pytest.mark.parametrize(
    "deed",
    [
        *("", "up", "add:", "add:label", "add:id.any", "remove:enter", "remove:enter.any[7]"),
        *("burn:enter.any[0]", "up:exit.any[0]", "add:enter.any[0].any[3]", "up:enter.none[0]"),
    ],
)
def test_a_part_that_is_not_there_is_refused(deed):
    phase = {"id": "p", "enter": {"any": [{"event": "call"}]}}
    with pytest.raises(BadRequestError):
        part_done(phase, deed)


def test_a_group_of_which_nothing_is_left_goes_too():
    inner = {"all": [{"event": "call"}]}
    phase = {"id": "p", "enter": {"any": [{"event": "form"}, inner], "none": [{"role": "a"}]}}
    new = part_done(phase, "remove:enter.any[1].all[0]")

    assert new["enter"] == {"any": [{"event": "form"}], "none": [{"role": "a"}]}
    assert phase["enter"]["any"][1] == inner


@pytest.mark.parametrize("deed", ["up:7", "up:-1", "up:x", "burn:0", "remove:", "remove:²"])
def test_a_phase_that_is_not_there_is_refused(deed):
    with pytest.raises(BadRequestError):
        phases_done([{"id": "a"}], deed)


def test_a_new_phase_has_a_key_of_its_own():
    phases = phases_done([{"id": "a-b"}], "add", "A b!")

    assert phases[-1]["id"] == "a-b-2"
    assert phases[-1]["label"] == "A b!"
    assert Buying.model_validate({"phases": phases})


def test_whatever_else_stands_in_a_phase_is_shown_without_breaking():
    for broken in (None, 7, "x", [], {"any": 7}, {"any": [None, 7, "x", {}, {"event": 7}]}):
        block = block_of(broken, "enter", {}, Teller())
        assert all(line.says == "" for line in block.lines)
    assert controls({"event": 7, "where": 3, "count": 1, "within": []}, "enter.any[0]")
