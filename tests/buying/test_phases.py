"""What moves a phase, as properties of the pure rules."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from regportal.buying.default import DEFAULT
from regportal.buying.facts import Sign
from regportal.buying.glance import furthest
from regportal.buying.schema import AtLeast, Buying, Condition, Enter, Phase, Where

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
EVENTS = ("download", "page_view", "custom:trade-fair")
CATEGORIES = ("paper", "price-list", None)

conditions = st.builds(
    Condition,
    event=st.sampled_from(EVENTS),
    where=st.none() | st.builds(Where, category=st.sampled_from(["paper", "price-list"])),
    count=st.builds(AtLeast, at_least=st.integers(1, 3)),
    within=st.sampled_from(["1h", "1d", "3d"]),
)
several = st.lists(conditions, min_size=1, max_size=3).map(tuple)
enters = st.builds(Enter, any=several) | st.builds(Enter, all=several)
models = st.lists(st.none() | enters, min_size=1, max_size=5).map(
    lambda steps: Buying(
        phases=tuple(Phase(id=f"p{number}", enter=enter) for number, enter in enumerate(steps))
    )
)
hours = st.integers(0, 24 * 7)
signs = st.builds(
    lambda kind, category, happened, late: Sign(
        uuid.uuid4(),
        uuid.UUID(int=0),
        kind,
        category,
        NOON + timedelta(hours=happened),
        NOON + timedelta(hours=happened + late),
    ),
    st.sampled_from(EVENTS),
    st.sampled_from(CATEGORIES),
    hours,
    st.integers(0, 24 * 3),
)
histories = st.lists(signs, max_size=12).map(
    lambda found: sorted(found, key=lambda sign: sign.received_at)
)


def taken(at, category="price-list"):
    return Sign(uuid.uuid4(), uuid.uuid4(), "download", category, at, at)


def entered(enter, signs, at):
    """What lets these signs enter such a phase."""
    step = furthest(Buying(phases=(Phase(id="a"), Phase(id="b", enter=enter))), "a", signs, at)
    return step.because if step else ()


def holds(condition, signs, at):
    """What makes a condition hold."""
    return next(iter(entered(Enter(any=(condition,)), signs, at)), None)


def rank(model, phase):
    return [each.id for each in model.phases].index(phase)


def moves(model, log, phase="p0"):
    """Read a log line by line, each at the time it became known."""
    found = []
    for number in range(1, len(log) + 1):
        known = log[:number]
        at = max(sign.received_at for sign in known)
        step = furthest(model, phase, known, at)
        if step:
            found.append((at, phase, step.to))
            phase = step.to
    return found, phase


@settings(max_examples=150)
@given(models, histories)
def test_behaviour_never_moves_anybody_back(model, log):
    found, _ = moves(model, log)

    assert all(rank(model, before) < rank(model, after) for _, before, after in found)


@settings(max_examples=150)
@given(models, histories, st.lists(signs, max_size=4), hours)
def test_more_evidence_never_leads_less_far(model, log, more, hour):
    at = NOON + timedelta(hours=hour)
    less = furthest(model, "p0", log, at)
    further = furthest(model, "p0", [*log, *more], at)

    assert less is None or (further and rank(model, further.to) >= rank(model, less.to))


@settings(max_examples=150)
@given(models, histories, st.data())
def test_reading_any_part_of_the_log_again_changes_nothing(model, log, data):
    found, phase = moves(model, log)
    again = data.draw(st.integers(0, len(log)))

    assert moves(model, log[:again], phase) == ([], phase)
    assert moves(model, log) == (found, phase)


@settings(max_examples=150)
@given(models, histories, hours)
def test_the_evidence_alone_leads_as_far(model, log, hour):
    at = NOON + timedelta(hours=hour)
    step = furthest(model, "p0", log, at)
    counted = {sign for met in step.because for sign in met.signs} if step else set()
    evidence = [sign for sign in log if sign.id in counted]

    assert step is None or furthest(model, "p0", evidence, at) == step


@settings(max_examples=150)
@given(conditions, st.lists(signs, max_size=8), hours)
def test_a_condition_counts_exactly_what_lies_in_its_window(condition, log, hour):
    at = NOON + timedelta(hours=hour)
    wanted = condition.where.category if condition.where else None
    counted = [
        sign
        for sign in log
        if sign.type == condition.event
        and wanted in {None, sign.category}
        and at - condition.window < sign.occurred_at <= at
    ]
    met = holds(condition, log, at)

    assert (met is not None) == (len(counted) >= condition.count.at_least)
    assert met is None or len(met.signs) == condition.count.at_least


def test_the_same_interaction_twice_is_one():
    once = taken(NOON)
    two = Condition(event="download", count=AtLeast(at_least=2), within="1d")

    assert holds(two, [once, once], NOON) is None
    assert holds(two, [once, taken(NOON)], NOON)


def test_all_conditions_must_hold_where_all_are_asked():
    both = Enter(
        all=(
            Condition(event="download", where=Where(category="paper"), within="1d"),
            Condition(event="download", where=Where(category="price-list"), within="1d"),
        )
    )

    assert not entered(both, [taken(NOON)], NOON)
    assert len(entered(both, [taken(NOON), taken(NOON, "paper")], NOON)) == 2


def test_any_condition_is_enough_and_every_one_that_holds_is_evidence():
    either = Enter(
        any=(
            Condition(event="download", where=Where(category="paper"), within="1d"),
            Condition(event="download", where=Where(category="price-list"), within="1d"),
            Condition(event="download", within="1d"),
        )
    )
    met = entered(either, [taken(NOON)], NOON)

    assert [each.condition.where for each in met] == [Where(category="price-list"), None]


@pytest.mark.parametrize(
    ("category", "often", "phase"),
    [
        ("paper", 1, "interest"),
        ("paper", 2, "exploration"),
        ("price-list", 1, "comparison"),
        ("quote", 1, "comparison"),
        ("contract", 1, "decision"),
    ],
)
def test_the_default_model_reads_downloads(category, often, phase):
    step = furthest(DEFAULT, "unaware", [taken(NOON, category) for _ in range(often)], NOON)

    assert step.to == phase


def test_a_price_list_of_long_ago_no_longer_says_comparison():
    step = furthest(DEFAULT, "unaware", [taken(NOON)], NOON + timedelta(days=45))

    assert step.to == "interest"


def test_what_has_not_happened_yet_does_not_count():
    assert furthest(DEFAULT, "unaware", [taken(NOON + timedelta(seconds=1))], NOON) is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"phases": []}, "at least 1"),
        ({"phases": [{"id": "a"}, {"id": "a"}]}, "two phases called 'a'"),
        ({"phases": [{"id": "a", "enter": {}}]}, "either any or all"),
        (
            {
                "phases": [
                    {"id": "a", "enter": {"any": [{"event": "form"}], "all": [{"event": "form"}]}}
                ]
            },
            "either any or all",
        ),
        ({"phases": [{"id": "a", "enter": {"any": [{"event": "downlod"}]}}]}, "download"),
        (
            {"phases": [{"id": "a", "enter": {"any": [{"event": "form", "within": "731d"}]}}]},
            "at most 730d",
        ),
        ({"phases": [{"id": "a"}], "timezone": "Europe/Atlantis"}, "not a time zone"),
        ({"phases": [{"id": "a"}], "min_attribution": "guessed"}, "verified"),
    ],
)
def test_a_model_that_could_mislead_is_refused(wrong, says):
    with pytest.raises(ValidationError, match=says):
        Buying.model_validate(wrong)
