"""What moves a phase, case by case; `test_engine_against_oracle.py` tries all of it."""

from datetime import UTC, datetime, timedelta

import pytest

from regportal.buying.compiled import compiled
from regportal.buying.default import DEFAULT
from regportal.buying.facts import Closed, Joined, Reached, Reopened, Sign, moment
from regportal.buying.glance import consensus
from regportal.buying.kept import written
from regportal.buying.rules import fold, hear, settle, start, tick
from regportal.buying.schema import Buying

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
NUMBERS = iter(range(10**6))
CALL = {"event": "call", "within": "7d"}
OFFER = {"event": "reply", "within": "30d"}


def day(number):
    return NOON + timedelta(days=number)


def done(kind, on, who="ann", category=None, known=None):
    """A line: something somebody did on a day, and became known then or on another."""
    sign = Sign(next(NUMBERS), who, kind, category, day(on), day(on))
    return moment(day(on if known is None else known)), [sign]


def model(*phases):
    named = [{"id": f"p{number}", **phase} for number, phase in enumerate(({}, *phases))]
    return compiled(Buying.model_validate({"phases": named}))


def moves(ready, lines, until=60):
    """The phases, and on which day they were come to."""
    _, steps = fold(ready, lines, moment(day(until)))
    return [(step.to, (at - moment(NOON)) / 86_400_000_000) for at, step in steps]


def quiet(long):
    return {"any": [{"quiet": {"for": long}}]}


def test_steps_may_be_left_out_and_only_the_last_is_told():
    ready = model(
        {"enter": {"any": [CALL]}}, {"enter": {"any": [{"event": "call", "within": "1d"}]}}
    )

    assert moves(ready, [done("call", 0)]) == [("p2", 0)]


def test_that_evidence_grows_old_moves_nobody():
    assert moves(model({"enter": {"any": [CALL]}}), [done("call", 0)]) == [("p1", 0)]


def test_silence_is_over_at_its_very_moment_and_ended_by_anything():
    ready = model({"enter": {"any": [CALL]}, "exit": quiet("10d")})

    assert moves(ready, [done("call", 0)]) == [("p1", 0), ("p0", 10)]
    assert moves(ready, [done("call", 0), done("search", 9)]) == [("p1", 0), ("p0", 19)]


def test_the_longer_the_silence_the_further_back():
    ready = model(
        {"enter": {"any": [CALL]}, "exit": quiet("20d")},
        {"enter": {"any": [OFFER]}, "exit": quiet("5d")},
    )

    assert moves(ready, [done("reply", 0)]) == [("p2", 0), ("p1", 5), ("p0", 20)]


def test_a_fall_spends_what_was_done_and_something_new_is_needed_to_climb():
    ready = model(
        {"enter": {"any": [OFFER]}, "exit": {"all": [{"event": "ticket", "within": "1d"}]}}
    )
    lines = [done("reply", 0), done("ticket", 1), done("search", 2), done("reply", 3)]

    assert moves(ready, lines) == [("p1", 0), ("p0", 1), ("p1", 3)]


def test_an_exit_that_holds_too_soon_waits_and_is_asked_again():
    ready = model({"enter": {"any": [CALL]}, "exit": quiet("2d"), "min_stay": "7d"})

    assert moves(ready, [done("call", 0)]) == [("p1", 0), ("p0", 7)]
    assert moves(ready, [done("call", 0), done("search", 6)]) == [("p1", 0), ("p0", 8)]


def test_what_must_not_have_happened_lately_lets_one_in_when_it_is_long_ago():
    ready = model({"enter": {"any": [OFFER], "none": [{"event": "ticket", "within": "5d"}]}})

    assert moves(ready, [done("ticket", 0), done("reply", 1)]) == [("p1", 5)]


def test_what_becomes_known_late_counts_from_then_on_if_it_is_young_enough():
    ready = model({"enter": {"any": [CALL]}})

    assert moves(ready, [done("call", 0, known=6)]) == [("p1", 6)]
    assert moves(ready, [done("call", 0, known=7)]) == []


def test_a_clock_that_goes_before_ours_is_believed_when_its_moment_comes():
    assert moves(model({"enter": {"any": [CALL]}}), [done("call", 3, known=0)]) == [("p1", 3)]


@pytest.mark.parametrize(
    ("by", "who", "enough"),
    [
        ("any_contact", "ann bob", True),
        ("same_contact", "ann bob", False),
        ("same_contact", "ann bob ann", True),
        ("distinct_contacts", "ann ann", False),
        ("distinct_contacts", "ann ann bob", True),
    ],
)
def test_it_may_matter_who_did_it(by, who, enough):
    ready = model({"enter": {"any": [{**CALL, "count": {"at_least": 2}, "by": by}]}})

    assert bool(moves(ready, [done("call", 0, each) for each in who.split()])) is enough


def test_what_is_closed_stays_and_what_is_open_again_needs_something_new():
    ready = model({"enter": {"any": [CALL]}, "exit": quiet("5d")}, {"enter": {"any": [OFFER]}})
    at = [moment(day(number)) for number in range(10)]
    lines = [
        done("call", 0),
        (at[1], [Closed()]),
        done("reply", 2),
        (at[3], [Reopened()]),
        done("reply", 4),
    ]

    assert moves(ready, lines[:3]) == [("p1", 0)]
    assert moves(ready, lines) == [("p1", 0), ("p2", 4)]


@pytest.mark.parametrize(
    ("group", "reached", "enough"),
    [
        ({"quorum": 1}, {}, True),
        ({"quorum": 2}, {"ann": "p1"}, False),
        ({"quorum": 2}, {"ann": "p1", "bob": "p1"}, True),
        ({"any_role": ["Boss"]}, {"ann": "p1"}, False),
        ({"any_role": ["boss"]}, {"bob": "p1"}, True),
        ({"weighted": {"boss": 3, "user": 1}, "at_least": 4}, {"bob": "p1"}, False),
        ({"weighted": {"boss": 3, "user": 1}, "at_least": 4}, {"ann": "p1", "bob": "p1"}, True),
    ],
)
def test_enough_of_the_group_must_have_come_as_far(group, reached, enough):
    ready = model({"enter": {"any": [CALL]}, "group": group})
    roles = {"ann": frozenset({"user"}), "bob": frozenset({"boss"})}
    facts = [Joined(who, had) for who, had in roles.items()]
    facts += [Reached(who, phase) for who, phase in reached.items()]

    assert bool(moves(ready, [(moment(NOON), facts), done("call", 0)])) is enough


def test_the_share_of_the_group_is_weighed_as_the_phase_weighs_it():
    told = {"weighted": {"boss": 3, "user": 1}, "at_least": 4}
    ready = model({"enter": {"any": [CALL]}}, {"enter": {"any": [OFFER]}, "group": told})
    standing = start(ready)
    for who, role, phase in [("ann", "user", "p1"), ("bob", "boss", "p2")]:
        hear(ready, standing, Joined(who, frozenset({role})), 0)
        hear(ready, standing, Reached(who, phase), 0)

    assert consensus(ready.buying, standing, "p1") == 1
    assert consensus(ready.buying, standing, "p2") == 0.75
    assert consensus(ready.buying, start(ready), "p1") is None


def test_the_model_that_ships_stalls_in_silence_and_goes_on_by_a_new_sign():
    lines = [
        done("download", 0, category="price-list"),
        done("page_view", 50, category="product"),
        done("download", 51, category="price-list"),
    ]

    assert moves(compiled(DEFAULT), lines) == [
        ("comparison", 0),
        ("stalled", 45),
        ("interest", 50),
        ("comparison", 51),
    ]


def test_a_standing_does_not_grow_with_the_history():
    ready, sizes = compiled(DEFAULT), []
    standing = start(ready)
    for number in range(2000):
        at, (sign,) = done("price_lookup", number / 100)
        list(tick(ready, standing, at))
        settle(ready, standing, at, hear(ready, standing, sign, at))
        sizes.append(len(written(standing, ready.digest)))

    assert sizes[1999] < sizes[20] + 20
