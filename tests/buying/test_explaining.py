"""What would move it next: counted honestly, nested as it is written, and tried on the engine."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regportal.buying.asking import Teller
from regportal.buying.compiled import compiled
from regportal.buying.conditions import Together, leaves_in
from regportal.buying.counting import Leaf
from regportal.buying.default import DEFAULT
from regportal.buying.explaining import explained
from regportal.buying.facts import Answered, Joined, Reached, Staged, moment, when
from regportal.buying.kept import written
from regportal.buying.lacking import Lack, by_time, lacking, way_back, ways_on
from regportal.buying.models import KeptStanding, Opportunity
from regportal.buying.rules import fold, start
from regportal.buying.schema import Buying, Condition
from regportal.buying.voice import Voice
from regportal.buying.words import come_as_far
from regportal.errors import NotHereError
from tests.buying.keeping import Keeper
from tests.buying.oracle import history, steps_of
from tests.buying.random_rules import ALL
from tests.buying.scene import NOON
from tests.buying.test_rules import CALL, NUMBERS, OFFER, day, done, model, quiet
from tests.buying.worlds import own_log, world
from tests.speech import left_of_english

TWO = {**CALL, "count": {"at_least": 2}}
TICKET = {"event": "ticket", "within": "30d"}


def standing_at(ready, lines, on):
    return fold(ready, lines, moment(day(on)))[0]


def needs(ready, lines=(), on=3):
    """What each later phase still needs on a day, in words."""
    found = ways_on(ready, standing_at(ready, lines, on), moment(day(on)))
    return {way.phase: Teller().tell(way.missing) for way in found}


@pytest.mark.parametrize(
    ("enter", "lines", "says"),
    [
        ({"any": [CALL]}, [], "a call within 7 days (0 of 1)"),
        ({"any": [TWO]}, [done("call", -9)], "2 calls within 7 days (0 of 2)"),
        ({"any": [TWO]}, [done("call", 1)], "1 more call until 12 Mar 2026 12:00 (1 of 2)"),
        (
            {"any": [{**TWO, "by": "same_contact"}]},
            [done("call", 1), done("call", 2, "bob")],
            "1 more call by the same person until 13 Mar 2026 12:00 (1 of 2)",
        ),
        (
            {"any": [{**TWO, "by": "distinct_contacts"}]},
            [done("call", 1), done("call", 2)],
            "1 more call by somebody else until 13 Mar 2026 12:00 (1 of 2)",
        ),
        (
            {"all": [OFFER, TWO, TICKET]},
            [done("reply", 0), done("call", 1)],
            "1 more call until 12 Mar 2026 12:00 (1 of 2), and a ticket within 30 days (0 of 1)",
        ),
        (
            {"any": [{"all": [TWO, TICKET]}, OFFER]},
            [],
            (
                "a reply within 30 days (0 of 1),"
                " or [2 calls within 7 days (0 of 2), and a ticket within 30 days (0 of 1)]"
            ),
        ),
        (
            {"any": [CALL], "none": [{"all": [TICKET, OFFER]}]},
            [done("ticket", 0), done("reply", 1), done("call", 2)],
            (
                "no ticket within 30 days (there is such a one until 3 Apr 2026 12:00),"
                " or no reply within 30 days (there is such a one until 4 Apr 2026 12:00)"
            ),
        ),
        (
            {"all": [CALL, {"none": [{"none": [TICKET]}]}]},
            [done("call", 1)],
            "a ticket within 30 days (0 of 1)",
        ),
        (
            {"all": [CALL, {"quiet": {"for": "10d"}}]},
            [done("call", 1)],
            "nobody does anything until 15 Mar 2026 12:00",
        ),
        (
            {"all": [CALL], "none": [{"crm": {"stage": "Lost", "within": "9d"}}]},
            [(moment(day(0)), [Staged("Lost")]), done("call", 1)],
            (
                "not the stage Lost in the CRM for less than 9 days"
                " (there is such a one until 13 Mar 2026 12:00)"
            ),
        ),
        (
            {"all": [CALL, {"answer": {"question": "timeframe", "equals": "0-3m"}}]},
            [(moment(day(0)), [Answered("ann", "timeframe", ("later",), day(0))]), done("call", 1)],
            "an answer to timeframe (0-3m)",
        ),
        (
            {"all": [CALL, {"role": "user"}], "none": [{"role": "boss"}]},
            [(moment(day(0)), [Joined("bob", frozenset({"boss"}))]), done("call", 1)],
            "somebody in the part of user, and nobody in the part of boss",
        ),
    ],
)
def test_what_is_missing_is_counted_and_nested_as_the_rule_means_it(enter, lines, says):
    assert needs(model({"enter": enter}), lines) == {"p1": says}


@pytest.mark.parametrize(
    ("group", "says"),
    [
        ({"quorum": 2}, "1 more person must come as far by himself (1 of 2)"),
        ({"any_role": ["Big boss"]}, "a big boss must come as far by himself"),
        (
            {"weighted": {"user": 1, "big boss": 3}, "at_least": 4},
            "people who weigh 3 more must come as far by themselves (1 of 4: user 1, big boss 3)",
        ),
    ],
)
def test_of_the_group_it_is_said_how_many_more(group, says):
    facts = [Joined("ann", frozenset({"user"})), Joined("bob", frozenset({"big_boss"}))]
    lines = [(moment(NOON), [*facts, Reached("ann", "p1")]), done("call", 1)]

    assert needs(model({"enter": {"any": [CALL]}, "group": group}), lines) == {"p1": says}


def test_the_nearest_comes_first_and_what_nobody_enters_is_left_out():
    assert list(needs(compiled(DEFAULT))) == ["interest", "comparison", "decision", "exploration"]


def test_what_a_fall_spent_is_said_to_be_spent():
    ready = model({"enter": {"any": [OFFER]}, "exit": quiet("5d")})

    assert needs(ready, [done("reply", 0)], on=6) == {
        "p1": "a reply within 30 days (0 of 1; what was done until 9 Mar 2026 12:00 is spent)"
    }


@pytest.mark.parametrize(
    ("phase", "lines", "goes"),
    [
        ({"enter": {"any": [CALL]}, "exit": quiet("9d")}, [done("call", 0)], ("p0", 9)),
        (
            {"enter": {"any": [CALL]}, "exit": quiet("9d"), "min_stay": "20d"},
            [done("call", 0)],
            ("p0", 20),
        ),
        (
            {"enter": {"any": [CALL], "none": [{**TICKET, "within": "4d"}]}},
            [done("ticket", 0), done("call", 1)],
            ("p1", 4),
        ),
        ({"enter": {"any": [CALL]}}, [done("call", 0)], None),
    ],
)
def test_what_time_alone_does_is_foreseen_as_it_then_happens(phase, lines, goes):
    ready = model(phase)
    standing, now = standing_at(ready, lines, 3), moment(day(3))
    before = written(standing, "")
    step = by_time(ready, standing, now)

    assert step is None if goes is None else (step[1].to, when(step[0])) == (goes[0], day(goes[1]))
    assert written(standing, "") == before


def test_people_whose_time_comes_move_the_group():
    entry = {"any": [CALL], "none": [{**TICKET, "within": "5d"}]}
    ready = model({"enter": {"any": [CALL]}}, {"enter": entry, "group": {"quorum": 2}})
    theirs = {
        who: [done("ticket", on, who), done("call", 2, who)] for who, on in [("ann", 0), ("bob", 1)]
    }
    now = moment(day(3))
    people = {who: fold(ready, did, now, alone=True)[0] for who, did in theirs.items()}
    joined = (moment(NOON), [Joined(who, frozenset()) for who in theirs])
    lines = sorted([joined, *theirs["ann"], *theirs["bob"]], key=lambda line: line[0])
    at, step = by_time(ready, standing_at(ready, lines, 3), now, people)

    assert (step.to, when(at)) == ("p2", day(6))


def test_what_somebody_could_do_to_take_it_back_is_told():
    exit_ = {"any": [TICKET, {"quiet": {"for": "9d"}}]}
    ready = model({"enter": {"any": [CALL]}, "exit": exit_})
    way = way_back(ready, standing_at(ready, [done("call", 1)], 3), moment(day(3)))

    assert (way.phase, Teller().tell(way.missing)) == (
        "p0",
        "a ticket within 30 days (0 of 1), or nobody does anything until 14 Mar 2026 12:00",
    )


# --- any rules at all ---


class Switch(Leaf):
    """A condition that holds or does not, as one likes."""

    def __init__(self, on):
        super().__init__(Condition(event=f"custom:{next(NUMBERS)}"))
        self.on = on

    def holds(self, standing, at, epoch):
        return self.on


def switches(random, depth=4):
    """All, any and none of switches, within each other."""
    if depth == 0 or random.random() < 0.3:
        return Switch(random.random() < 0.5)
    parts = [switches(random, depth - 1) for _ in range(random.randint(1, 4))]
    return Together(random.choice(("all", "any", "none")), parts)


def follow(missing, by_condition):
    """Do what is missing: all of it, or the nearest of several."""
    if isinstance(missing, Lack):
        by_condition[missing.condition].on = not missing.unwanted
        return
    for part in missing.parts if missing.how == "all" else missing.parts[:1]:
        follow(part, by_condition)


@given(st.randoms(use_true_random=False))
def test_who_does_what_is_missing_and_no_more_is_where_it_leads(random):
    root = switches(random)
    standing = start(compiled(DEFAULT))
    missing = lacking(root, standing, 0, 0)
    assert (missing is None) is root.holds(standing, 0, 0)

    if missing is not None:
        follow(missing, {leaf.condition: leaf for leaf in leaves_in(root)})
        assert root.holds(standing, 0, 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**64))
def test_whatever_the_rules_what_is_foreseen_happens_unless_something_else_does(seed):
    told = world(seed, ALL, own_log)
    if not told.log:
        return
    ready, steps = compiled(Buying.model_validate(told.model)), steps_of(told.log)
    subjects = history(told.model, told.log, told.log[-1].at)[0].standings
    keeper, foreseen, seen = Keeper(ready, steps, subjects), {}, 0
    for place in keeper.run(moment(told.log[-1].at)):
        now = moment(steps[place][0].at)
        new, seen = keeper.moves[seen:], len(keeper.moves)
        for subject, step in foreseen.items():
            moves = [(at, to) for whose, _, to, at in new if whose == subject and at < now]
            due = [(step[0], step[1].to)] if step and step[0] < now else []
            assert moves[:1] == due
        people = {who: one for (kind, who), one in keeper.standings.items() if kind == "contact"}
        for subject, standing in keeper.standings.items():
            foreseen[subject] = by_time(ready, standing, now, people)
            for way in ways_on(ready, standing, now):
                assert way.missing.steps > 0
                assert Teller().tell(way.missing)


@pytest.mark.parametrize(
    ("language", "number", "says"),
    [
        ("de", 1, "Anruf innerhalb von 7 Tagen (0 von 1)"),
        ("de", 2, "2 Anrufe innerhalb von 7 Tagen (0 von 2)"),
        ("ar", 1, "مكالمة خلال 7 أيام (0 من 1)"),
        ("ar", 2, "مكالمتان خلال 7 أيام (0 من 2)"),
        ("ar", 3, "3 مكالمات خلال 7 أيام (0 من 3)"),
        ("ar", 11, "11 مكالمة خلال 7 أيام (0 من 11)"),
    ],
)
def test_numbers_have_the_plurals_of_the_language(language, number, says):
    call = Condition.model_validate({**CALL, "count": {"at_least": number}})

    assert Teller(Voice(locale=language)).tell(Lack(call)) == says


@pytest.mark.parametrize("language", ["de", "ar"])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 14])
def test_who_has_come_as_far_is_said_in_each_language(language, number):
    told = come_as_far([f"W{each}" for each in range(number)], Voice(locale=language))

    assert "W0" in told
    assert left_of_english(told, language) == []


# --- as it is read ---


def why(scene, name, *, now=NOON):
    with scene.store.read() as session:
        return explained(session, scene.shelf.published(session), str(name), now=now)


def test_an_opportunity_is_explained_by_who_did_what_and_what_is_next(scene, ann, deal):
    scene.role(deal, scene.contact("bob@example.com"))
    scene.did(ann, "paper", name="a-paper")
    taken = scene.did(ann, now=NOON + timedelta(seconds=1))
    scene.weigh()
    told = why(scene, "crm:006", now=day(1))

    (condition,) = told["evidence"]
    assert condition["condition"] == "a download of a price list or a quote within 45 days"
    assert [(deed["id"], deed["text"]) for deed in condition["interactions"]] == [
        (str(taken), "4 Mar 2026 12:00 ann@example.com downloaded Price list 2026")
    ]
    assert [(one["email"], one["roles"], one["label"]) for one in told["group"]] == [
        ("ann@example.com", ["decision_maker"], "Comparison"),
        ("bob@example.com", [], "Unaware"),
    ]
    assert told["consensus"] == 0.5
    assert [(way["label"], way["needs"]) for way in told["next"]] == [
        ("Decision", "a download of an order form or a contract within 45 days (0 of 1)")
    ]
    assert told["by_time"]["text"] == "Stalled on 18 Apr 2026 12:00, if nobody does anything"


def test_where_nothing_can_be_foreseen_it_is_said_why(scene, ann, deal):
    scene.did(ann)
    scene.weigh()

    def phase(name):
        scene.store.write(lambda s: setattr(s.get_one(Opportunity, deal), "phase", name))

    phase("gone")
    assert "know no phase 'gone'" in why(scene, deal)["note"]

    phase("comparison")
    scene.store.write(lambda s: s.delete(s.get_one(KeptStanding, deal)))
    assert "has not worked out yet" in why(scene, deal)["note"]

    scene.opportunity("006", is_won=True, is_closed=True, now=day(1))
    told = why(scene, deal)
    assert told["note"].startswith("it is won: its phase stays as it is")
    assert (told["next"], told["by_time"], told["label"]) == ([], None, "Comparison")


@pytest.mark.parametrize("name", ["", "crm:007", "a\x00b", "nobody"])
def test_a_name_of_nothing_is_refused(scene, deal, name):
    with pytest.raises(NotHereError, match="there is no opportunity"):
        why(scene, name)
