"""A draft beside what is published, over a history whose figures are worked out by hand."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.backtest import reading
from regportal.buying.backtest.course import turns_of
from regportal.buying.backtest.reading import stories
from regportal.buying.backtest.running import back_test
from regportal.buying.compiled import compiled
from regportal.buying.facts import moment, when
from regportal.buying.models import KeptStanding
from regportal.buying.reading import model_of
from regportal.buying.schema import Buying
from regportal.identity.models import Contact
from regportal.identity.people import join
from regportal.outbox.models import Message
from regportal.tracking.models import Attributed
from tests.buying.scene import CRM, NOON
from tests.buying.test_state_is_replay import Life

DAY = timedelta(days=1)


def rules(least, *silence):
    """Interest after so many downloads, comparison after a price list."""
    quiet = {"exit": {"any": [{"quiet": {"for": silence[0]}}]}, "falls_to": "unaware"}
    return Buying.model_validate(
        {
            "phases": [
                {"id": "unaware"},
                {
                    "id": "interest",
                    "enter": {
                        "any": [
                            {"event": "download", "count": {"at_least": least}, "within": "30d"}
                        ]
                    },
                    "exit": {"any": [{"quiet": {"for": "10d"}}]},
                },
                {
                    "id": "comparison",
                    "enter": {
                        "any": [
                            {
                                "event": "download",
                                "where": {"category": "price-list"},
                                "within": "45d",
                            }
                        ]
                    },
                }
                | (quiet if silence[0] else {}),
            ]
        }
    )


PUBLISHED, DRAFT = rules(1, None), rules(2, "20d")


@pytest.fixture
def history(scene):
    """
    One is won, one lost, one still open.

    d1: Ann takes a paper on day 1, prices on day 3; won on day 13.
    d2: Bob takes papers on days 2 and 14; lost on day 20.
    d3: begins on day 1, Cy takes prices on day 5.
    """
    scene.publish(PUBLISHED)
    for name, person, begun in (("d1", "ann", 0), ("d2", "bob", 0), ("d3", "cy", 1)):
        at = NOON + begun * DAY
        contact = scene.contact(f"{person}@example.com")
        scene.role(scene.opportunity(name, now=at, stage="Offer"), contact, now=at)
    for person, day, category in (
        ("ann", 1, "paper"),
        ("bob", 2, "paper"),
        ("ann", 3, "price-list"),
        ("cy", 5, "price-list"),
        ("bob", 14, "paper"),
    ):
        scene.did(scene.contact(f"{person}@example.com"), category, now=NOON + day * DAY)
    scene.opportunity("d1", now=NOON + 13 * DAY, is_closed=True, is_won=True)
    scene.opportunity("d2", now=NOON + 20 * DAY, is_closed=True)
    return scene


def tried(scene, draft=DRAFT, since=None, until=30):
    """The report of a back-test, as far as that day."""
    with scene.store.read() as session:
        published = scene.shelf.published(session)
    return back_test(
        scene.store,
        published,
        draft,
        since=None if since is None else NOON + since * DAY,
        until=NOON + until * DAY,
    )


def phases(model):
    """Of each phase: open now, stays, half left after, lead, won, decided."""
    return {
        one["phase"]: (
            one["open_now"],
            one["stays"],
            one["half_left_after_days"],
            one["won_that_were_here"]["lead_days"],
            one["win_rate"]["won"],
            one["win_rate"]["decided"],
        )
        for one in model["phases"]
    }


def test_both_are_run_over_what_was(history):
    told = tried(history)

    assert (told["from"], told["to"]) == ("2026-03-04T12:00:00Z", "2026-04-03T12:00:00Z")
    assert told["opportunities"] == {"open": 1, "won": 1, "lost": 1}
    # the draft leaves out interest of d1 (1) and d2 (2, 12), and lets d3 fall (25)
    assert told["moves"] == {"added": 1, "removed": 3, "opportunities": 3}
    assert told["moved_at_once"] == 1
    assert [told[one]["moves"] for one in ("published", "draft")] == [6, 4]
    # d2 fell from interest on day 12, and was there again on day 14
    assert [told[one]["again_within_a_week"] for one in ("published", "draft")] == [1, 0]
    assert told["published"]["writes"] == {
        "all": 6,
        "a_day": 0.2,
        "most": 1,
        "on": "2026-03-05",
    }


def test_each_phase_has_its_figures(history):
    told = tried(history)

    assert phases(told["published"]) == {
        "unaware": (0, 4, 2, 13, 1, 2),
        "interest": (0, 3, 6, 12, 1, 2),
        "comparison": (1, 2, 10, 10, 1, 1),
    }
    assert phases(told["draft"]) == {
        "unaware": (1, 4, 4, 13, 1, 2),
        "interest": (0, 1, 6, None, 0, 1),
        "comparison": (0, 2, 10, 10, 1, 1),
    }


def test_too_few_are_called_so(history):
    told = tried(history)

    assert all(one["win_rate"]["too_few"] for one in told["draft"]["phases"])
    assert told["forecasts"]["says"] == [
        "Too few to say who forecasts better: 2 opportunities were decided."
    ]


def test_only_a_part_of_the_history_may_be_looked_at(history):
    late, early = tried(history, since=12), tried(history, until=12)

    assert late["from"] == "2026-03-16T12:00:00Z"
    assert [late[one]["moves"] for one in ("published", "draft")] == [2, 2]
    assert early["opportunities"] == {"open": 3, "won": 0, "lost": 0}
    assert [early[one]["moves"] for one in ("published", "draft")] == [5, 2]
    assert tried(history, since=21)["opportunities"] == {"open": 1, "won": 0, "lost": 0}


def test_a_part_counts_while_somebody_has_it(history):
    bob, deal = history.contact("bob@example.com"), history.opportunity("d3", now=NOON + 6 * DAY)
    history.role(deal, bob, now=NOON + 15 * DAY)
    history.role(deal, bob, add=False, now=NOON + 17 * DAY)
    told = tried(history, PUBLISHED, until=16), tried(history, PUBLISHED)

    # Bob has brought interest, and takes it along; Cy's price list holds all the while
    assert [one["draft"]["moves"] for one in told] == [6, 6]

    history.role(deal, history.contact("cy@example.com"), add=False, now=NOON + 16 * DAY)
    moves = tried(history, PUBLISHED)["draft"]["moves"]

    # without Cy it is back at Bob's interest (16), without Bob at the beginning (17)
    assert moves == 8


def test_what_is_denied_counted_until_then(history):
    did = history.did(history.contact("cy@example.com"), "paper", now=NOON + 18 * DAY)
    kept = tried(history)["draft"]["moves"]
    history.attribute(None, did, now=NOON + 26 * DAY)

    # Cy was not silent for 20 days on day 25; when that is denied on day 26, he was
    assert kept == 3
    assert [tried(history, until=day)["draft"]["moves"] for day in (25, 26)] == [3, 4]


def test_what_is_open_again_is_left_out_while_it_was_closed(history):
    history.opportunity("d2", now=NOON + 25 * DAY, is_closed=False)

    assert tried(history, until=22)["opportunities"] == {"open": 1, "won": 1, "lost": 0}
    assert tried(history)["opportunities"] == {"open": 2, "won": 1, "lost": 0}


def test_what_was_lost_then_and_won_since_is_not_said_to_have_been_won(history):
    history.opportunity("d2", now=NOON + 25 * DAY, is_closed=False)
    history.opportunity("d2", now=NOON + 28 * DAY, is_closed=True, is_won=True)

    assert tried(history, until=22)["opportunities"] == {"open": 1, "won": 1, "lost": 0}
    assert tried(history)["opportunities"] == {"open": 1, "won": 2, "lost": 0}


def test_where_all_are_won_nothing_is_said_of_forecasts(history):
    history.opportunity("d2", now=NOON + 21 * DAY, is_closed=True, is_won=True)
    history.opportunity("d3", now=NOON + 25 * DAY, is_closed=True, is_won=True)
    told = tried(history)

    assert told["opportunities"] == {"open": 0, "won": 3, "lost": 0}
    assert told["forecasts"]["says"] == [
        "Too few to say who forecasts better: 3 opportunities were decided."
    ]


def test_two_addresses_of_one_person_count_as_one(history):
    both = Buying.model_validate(
        {
            "phases": [
                {"id": "unaware"},
                {
                    "id": "agreed",
                    "enter": {
                        "any": [
                            {
                                "event": "download",
                                "count": {"at_least": 2},
                                "within": "30d",
                                "by": "distinct_contacts",
                            }
                        ]
                    },
                },
            ]
        }
    )
    cy, home = history.contact("cy@example.com"), history.contact("cy@home.example")
    history.role(history.opportunity("d3", now=NOON + 7 * DAY), home, now=NOON + 7 * DAY)
    history.did(home, "paper", now=NOON + 8 * DAY)
    apart = tried(history, both)["draft"]["moves"]

    def together(session):
        kept, joined = (session.get_one(Contact, one) for one in (cy, home))
        join(session, kept, joined, because="told", by="administrator", now=NOON + 9 * DAY)

    history.store.write(together)

    assert (apart, tried(history, both)["draft"]["moves"]) == (1, 0)


def test_each_hears_as_sure_as_it_asks(history):
    cy = history.contact("cy@example.com")
    history.did(cy, "paper", attribution=Attributed.IMPORTED, now=NOON + 18 * DAY)
    sure = DRAFT.model_copy(update={"min_attribution": "imported"})

    # to whom an import is enough, Cy was not silent for 20 days on day 25
    assert [tried(history, draft)["draft"]["moves"] for draft in (DRAFT, sure)] == [4, 3]


def test_a_crm_that_wants_no_phases_is_told_of_none(history):
    history.publish(CRM.model_copy(update={"sends": ("contact",)}))

    assert tried(history)["draft"]["writes"] == {"all": 0, "a_day": 0, "most": 0, "on": None}


def test_what_is_published_differs_from_itself_in_nothing(history):
    told = tried(history, PUBLISHED)

    assert told["moves"] == {"added": 0, "removed": 0, "opportunities": 0}
    assert told["moved_at_once"] == 0
    assert told["published"] == told["draft"] | {"version": 1}


def test_it_is_read_page_by_page(history, monkeypatch):
    whole, pages = tried(history), []
    monkeypatch.setattr(reading, "PAGE", 1)
    with history.store.read() as session:
        published = history.shelf.published(session)
    again = back_test(
        history.store,
        published,
        DRAFT,
        since=None,
        until=NOON + 30 * DAY,
        on_page=pages.append,
    )

    assert again == whole
    assert pages == [1, 1, 1]


def test_nothing_is_written(history):
    def rows():
        with history.store.read() as session:
            return [
                session.scalar(sa.select(sa.func.count()).select_from(table))
                for table in (KeptStanding, Message)
            ]

    before, moves = rows(), history.moves()
    tried(history)

    assert (rows(), len(history.moves())) == (before, len(moves))


def test_a_score_that_was_never_published_is_named(history):
    asks = {
        "phases": [
            {"id": "a"},
            {
                "id": "b",
                "enter": {"all": [{"event": "call"}, {"score": {"name": "fit", "at_least": 5}}]},
            },
        ]
    }
    told = tried(history, Buying.model_validate(asks))

    assert told["notes"] == ["no score called 'fit' was ever published: its conditions never held"]
    assert phases(told["draft"])["a"][0] == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", range(8))
def test_the_rules_that_held_would_have_done_what_the_worker_did(scene, seed):
    life = Life(scene, seed)
    life.joins = life.does  # who is one person with whom is taken as it is known now
    life.says = life.takes_back = life.does  # a colleague's word is no rule
    for _ in range(30):
        life.step()
        scene.weigh(now=life.now)
    did = sorted((move.at, move.from_phase, move.to_phase) for move in scene.moves())
    with scene.store.read() as session:
        published = scene.shelf.published(session)
    model = compiled(model_of(published)[0])
    would = sorted(
        (when(turn.at), turn.came_from, turn.to)
        for page in stories(scene.store, published, [model])
        for story in page
        for turn in turns_of(model, story.deal, story.lives[0], moment(life.now))
    )

    assert would == did
