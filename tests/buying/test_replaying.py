"""The engine against `naive.py`, which reads everything again each time, on random logs."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regportal.buying.compiled import compiled
from regportal.buying.facts import Answered, Noted, Scored, Sign, moment, when
from regportal.buying.foreign import FactRow, RoleRow, ToldRow
from regportal.buying.replaying import Replay
from regportal.buying.rules import fold, hear, settle, tick
from regportal.buying.schema import Buying, Condition, Enter, Group, Phase
from regportal.buying.standing import NEVER, read, written
from tests.buying.naive import Naive, replayed

HOUR = 3_600_000_000
START = moment(when(0) + timedelta(days=20_000))
LAST = 72
PEOPLE = ("ann", "bob", "cy")
DEALS = ("one", "two")
ROLES = ("user", "Decision Maker")
spans = st.sampled_from(["3h", "12h", "1d", "2d", "3d"])


def made(**told):
    return Condition.model_validate(told)


categories = st.sampled_from(["paper", "prices", ["paper", "prices"], {"prefix": "p"}])
wheres = (
    st.none()
    | st.none()
    | st.one_of(
        st.builds(lambda chosen: {"category": chosen}, categories),
        st.just({"object": "a"}),
        st.just({"object": {"prefix": "a"}}),
    )
)
events = st.builds(
    lambda event, where, count, within, by: made(
        event=event, where=where, count={"at_least": count}, within=within, by=by
    ),
    st.sampled_from(["download", "page_view"]),
    wheres,
    st.integers(1, 3),
    spans,
    st.sampled_from(["any_contact", "same_contact", "distinct_contacts"]),
)
answers = st.one_of(
    st.builds(lambda value: {"equals": value}, st.sampled_from(["1", "2"])),
    st.just({"in": ["1", "3"]}),
    st.just({"known": True}),
    st.just({"at_least": 2}),
    st.just({"at_most": 2}),
    st.builds(lambda within: {"within": within}, spans),
    st.builds(lambda within: {"equals": "2", "within": within}, spans),
).map(lambda told: made(answer={"question": "size", **told}))
states = st.one_of(
    st.builds(lambda long: made(quiet={"for": long}), spans),
    st.just(made(score={"name": "fit", "at_least": 50})),
    st.just(made(field={"name": "country", "in": ["DE", "FR"]})),
    st.just(made(field={"name": "country", "known": True})),
    st.just(made(crm={"stage": "offer"})),
    st.builds(lambda within: made(crm={"stage": ["offer", "call"], "within": within}), spans),
    st.builds(lambda within: made(crm={"within": within}), spans),
    st.just(made(role="decision_maker")),
)
leaves = events | answers | states
trees = st.recursive(
    leaves,
    lambda below: st.builds(
        lambda how, parts: made(**{how: tuple(parts)}),
        st.sampled_from(["any", "all", "none"]),
        st.lists(below, min_size=1, max_size=2),
    ),
    max_leaves=3,
)
"""At most three levels within each other: an entry is a fourth."""


def depth_of(one):
    return (
        0
        if one.kind
        else 1 + max(depth_of(each) for every in one.groups.values() for each in every)
    )


shallow = trees.filter(lambda one: depth_of(one) <= 3)
enters = st.one_of(
    st.builds(
        lambda first, rest: Enter(all=(first, *rest)),
        events | answers,
        st.lists(shallow, max_size=1),
    ),
    st.builds(
        lambda some: Enter(any=tuple(some)), st.lists(events | answers, min_size=1, max_size=2)
    ),
    st.builds(lambda one, but: Enter(any=(one,), none=(but,)), events, shallow),
)
exits = st.builds(
    lambda how, some: Enter.model_validate({how: tuple(some)}),
    st.sampled_from(["any", "all", "none"]),
    st.lists(shallow, min_size=1, max_size=2),
)
groups = st.sampled_from(
    [
        None,
        None,
        {"quorum": 1},
        {"quorum": 2},
        {"any_role": ["decision_maker"]},
        {"weighted": {"decision_maker": 3, "user": 1}, "at_least": 2},
    ]
)


@st.composite
def models(draw):
    size = draw(st.integers(2, 5))
    phases = [Phase(id="p0")]
    for place in range(1, size):
        group = draw(groups)
        phases.append(
            Phase(
                id=f"p{place}",
                enter=draw(enters),
                exit=draw(st.none() | exits),
                falls_to=draw(st.none() | st.sampled_from([one.id for one in phases])),
                min_stay=draw(st.sampled_from(["0d", "0d", "3h", "1d"])),
                group=Group.model_validate(group) if group else None,
            )
        )
    return Buying(phases=tuple(phases))


moments = st.integers(0, LAST).map(lambda hour: START + hour * HOUR)
signs = st.builds(
    lambda at, who, kind, category, thing, key: FactRow(
        who, at, Sign(key, who, kind, category, when(at), when(at), thing)
    ),
    moments,
    st.sampled_from(PEOPLE),
    st.sampled_from(["download", "page_view", "search"]),
    st.sampled_from(["paper", "prices", None]),
    st.sampled_from(["a", "ab", "b"]),
    st.integers(0, 40),
)
facts = st.one_of(
    signs,
    signs,
    signs,
    st.builds(
        lambda at, who, value: FactRow(who, at, Answered(who, "size", (value,), when(at))),
        moments,
        st.sampled_from(PEOPLE),
        st.sampled_from(["1", "2", "3"]),
    ),
    st.builds(
        lambda at, who, value: FactRow(who, at, Scored(who, "fit", value)),
        moments,
        st.sampled_from(PEOPLE),
        st.sampled_from([20, 50, 80]),
    ),
    st.builds(
        lambda at, who, value: FactRow(who, at, Noted(who, "country", value)),
        moments,
        st.sampled_from(PEOPLE),
        st.sampled_from(["DE", "GB", None]),
    ),
)
parts = st.builds(
    lambda deal, who, role, since, long: RoleRow(
        deal, who, role, since, None if long is None else since + long * HOUR
    ),
    st.sampled_from(DEALS),
    st.sampled_from(PEOPLE),
    st.sampled_from([*ROLES, ""]),
    st.one_of(st.just(NEVER + HOUR), st.just(START), moments),
    st.one_of(st.none(), st.none(), st.integers(0, 30)),
)
told = st.builds(
    ToldRow,
    st.sampled_from(DEALS),
    moments,
    st.sampled_from([None, "call", "offer"]),
    st.sampled_from([None, None, True, False]),
)
logs = st.tuples(
    st.lists(parts, min_size=3, max_size=8),
    st.lists(told, max_size=3),
    st.lists(facts, min_size=20, max_size=45),
)
UNTIL = START + (LAST + 60) * HOUR


def moves_of(model, log, until=UNTIL):
    replay = Replay(compiled(model))
    for _ in replay.run(*log, until):
        pass
    return [
        (one.opportunity, one.step.came_from, one.step.to, one.at, one.cause)
        for one in replay.moves
    ]


def check(model, log):
    """Replay a log by the engine, and by reading everything again."""
    found = sorted(moves_of(model, log), key=lambda move: (move[3], move[0]))

    assert found == replayed(model, *log, UNTIL)


@settings(max_examples=250)
@given(models(), logs)
def test_a_replay_finds_the_moves_that_reading_everything_again_finds(model, log):
    check(model, log)


wild = st.builds(
    lambda some: Buying(
        phases=(Phase(id="p0"), *(Phase(id=f"p{n}", **one) for n, one in enumerate(some, 1)))
    ),
    st.lists(st.fixed_dictionaries({"enter": exits, "exit": exits}), min_size=1, max_size=4),
)
"""Models that no lint has seen: a phase may be entered although nobody did anything."""


@settings(max_examples=100)
@given(wild, logs)
def test_even_rules_that_would_be_refused_come_to_an_end(model, log):
    assert len(moves_of(model, log)) < 2000


@pytest.mark.soak
@settings(max_examples=5000)
@given(models(), logs)
def test_thousands_of_replays_find_what_reading_everything_again_finds(model, log):
    check(model, log)


def known_by(told):
    """What is the same is one interaction, however often it is told."""
    fact, at = told
    same = isinstance(fact, Sign) and (fact.contact, fact.type, fact.category, fact.object)
    return at, replace(fact, id=f"{same} {fact.occurred_at}") if same else fact


late = st.lists(
    st.tuples(facts.map(lambda row: row.fact), moments).map(known_by), min_size=10, max_size=30
).map(lambda told: sorted(told, key=lambda one: one[0]))
"""Facts of one contact, each with the moment at which it became known: before, when, or after."""


@settings(max_examples=200)
@given(models(), late)
def test_late_and_early_facts_lead_where_reading_everything_again_leads(model, lines):
    ready, naive, now, expected = compiled(model), Naive(model), NEVER, []
    _, steps = fold(ready, [(at, [fact]) for at, fact in lines], UNTIL)
    for at, fact in [*lines, (UNTIL, None)]:
        while (due := naive.due(now, at)) is not None:
            now = due
            expected += [(now, step) for step in [naive.settle(now)] if step]
        now = max(now, at)
        if fact is not None:
            naive.hear(fact, at)
            expected += [(at, step) for step in [naive.settle(at)] if step]

    assert [(at, (step.came_from, step.to)) for at, step in steps] == expected


@settings(max_examples=100)
@given(models(), late, st.data())
def test_a_standing_goes_on_from_its_row_as_if_it_had_never_been_written(model, lines, data):
    ready = compiled(model)
    lines = [(at, [fact]) for at, fact in lines]
    break_at = data.draw(st.integers(0, len(lines)))
    first, _ = fold(ready, lines[:break_at], lines[break_at - 1][0] if break_at else START)
    row = written(first, ready.digest)
    again = read(row, ready.digest, key=str)
    for at, (fact,) in lines[break_at:]:
        both = []
        for one in (first, again):
            fired = list(tick(ready, one, at))
            both.append((fired, settle(ready, one, at, hear(ready, one, fact, at))))

        assert both[0] == both[1]
    assert written(again, ready.digest) == written(first, ready.digest)
    assert read(row, "another model") is None
