"""
Small stories about a purchase, and the moves the texts demand of it, worked out by hand.

Times are days after the beginning; `moves` are those of the pump: (day, from, to, cause).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.buying.log import Closed, Did, Reopened, RoleBegins, RoleEnds, Row, Staged
from tests.buying.worlds import START

SECOND = 1 / 86400


@dataclass(frozen=True)
class Story:
    """Rules, what happened, and what must come of it."""

    name: str
    phases: list[dict[str, Any]]
    log: list[Row]
    moves: list[tuple[float, str, str, str]]
    until: float = 100


def day(number):
    """Return the moment so many days after the beginning, to the second."""
    return START + timedelta(seconds=round(number * 86400))


def did(at, what="download", category=None, *, who="ann", id=None):
    """Let somebody do something; each time is another unless an id says otherwise."""
    named = id or f"{who}-{what}-{category}-{at}"
    return Did(at=day(at), id=named, contact=who, type=what, category=category)


def part(who="ann", begins=0.0, ends=None, *, role="buyer"):
    """Give somebody a part in the pump."""
    name = f"{who}-{begins}"
    rows = [RoleBegins(at=day(begins), part=name, opportunity="pump", contact=who, role=role)]
    return rows if ends is None else [*rows, RoleEnds(at=day(ends), part=name, opportunity="pump")]


def event(what="download", within="10d", at_least=1, **more):
    """Return a condition on what was done."""
    return {"event": what, "count": {"at_least": at_least}, "within": within, **more}


def phase(name, *ways, **more):
    """Return a phase that any of these lets enter."""
    return {"id": name, "enter": {"any": [*ways]}, **more} if ways else {"id": name, **more}


def quiet(length):
    """Return an exit by silence."""
    return {"any": [{"quiet": {"for": length}}]}


PRICES = event(where={"category": ["price-list", "quote"]})
START_PHASE = phase("unaware")
INTEREST = phase("interest", event("page_view", "30d"))

STORIES = [
    Story(
        # two downloads needed within 10 days: t-W < s <= t, so one of exactly 10 days ago is gone
        "what happened exactly a window ago no longer counts",
        [START_PHASE, phase("comparison", event(at_least=2))],
        [*part(), did(0), did(10), did(20 - SECOND)],
        [(20 - SECOND, "unaware", "comparison", "event")],
    ),
    Story(
        # forward jumps: the furthest phase whose enter holds; "never merely because an older-phase
        # event happened"; the end of the entry's window moves nobody
        "the price list first is comparison at once, and a page later changes nothing",
        [START_PHASE, INTEREST, phase("comparison", PRICES)],
        [*part(), did(1, category="price-list"), did(2, "page_view")],
        [(1, "unaware", "comparison", "event")],
    ),
    Story(
        # the last event of any kind is the page of day 3 and a second; interest has no exit
        "silence ends a phase at the exact second",
        [START_PHASE, INTEREST, phase("comparison", PRICES, exit=quiet("30d"))],
        [*part(), did(1, category="quote"), did(3 + SECOND, "page_view")],
        [(1, "unaware", "comparison", "event"), (33 + SECOND, "comparison", "interest", "timer")],
    ),
    Story(
        # the timer of day 31 fires before the quote of that second (D 8); and the quote is not
        # newer than the fall, "occurred_at > epoch" (L 3): only the next one climbs
        "a row at the moment of a timer comes after it, and is not newer than the fall",
        [START_PHASE, INTEREST, phase("comparison", PRICES, exit=quiet("30d"))],
        [*part(), *(did(at, category="quote") for at in (1, 31, 31 + SECOND))],
        [
            (1, "unaware", "comparison", "event"),
            (31, "comparison", "interest", "timer"),
            (31 + SECOND, "interest", "comparison", "event"),
            (61 + SECOND, "comparison", "interest", "timer"),
        ],
    ),
    Story(
        # opted out on day 2, but min_stay of 5 days: day 6; the exit's window (10d) still holds it
        "an exit waits until the phase was held long enough",
        [
            START_PHASE,
            phase("comparison", PRICES, exit={"any": [event("form")]}, min_stay="5d"),
        ],
        [*part(), did(1, category="quote"), did(2, "form")],
        [(1, "unaware", "comparison", "event"), (6, "comparison", "unaware", "timer")],
    ),
    Story(
        # the same with a window of 2 days: when min_stay ends the exit holds no longer
        "an exit that no longer holds when it may is none",
        [
            START_PHASE,
            phase("comparison", PRICES, exit={"any": [event("form", "2d")]}, min_stay="5d"),
        ],
        [*part(), did(1, category="quote"), did(2, "form")],
        [(1, "unaware", "comparison", "event")],
    ),
    Story(
        # fall on day 4 by the form; the quotes of day 1 and 2 are in the window and spent: two
        # newer ones are needed, that of day 5 alone is not enough
        "a fall spends the old clicks",
        [
            START_PHASE,
            phase(
                "comparison", event(within="60d", at_least=2), exit={"any": [event("form", "1d")]}
            ),
        ],
        [*part(), did(1), did(2), did(4, "form"), did(5), did(7)],
        [
            (2, "unaware", "comparison", "event"),
            (4, "comparison", "unaware", "event"),
            (7, "unaware", "comparison", "event"),
        ],
    ),
    Story(
        # closed from day 2 to day 40: neither the quote nor silence moves it; at the reopening
        # the phase goes on, and as it has been silent for 30 days since day 3 it ends there
        "a closed purchase is frozen, and a reopened one goes on from there",
        [
            START_PHASE,
            INTEREST,
            phase("comparison", PRICES, exit=quiet("30d")),
            phase("decision", event("form", "90d")),
        ],
        [
            *part(),
            *(did(1, category="quote"), did(3, "form"), did(45, "form", id="anew")),
            *(Closed(at=day(2), opportunity="pump"), Reopened(at=day(40), opportunity="pump")),
        ],
        [
            (1, "unaware", "comparison", "event"),
            (40, "comparison", "interest", "crm"),
            (45, "interest", "decision", "event"),
        ],
    ),
    Story(
        # D 7: a role added today counts what the contact did before, inside the windows (10d)
        "a part given today counts what was done before, inside the windows",
        [START_PHASE, INTEREST, phase("comparison", PRICES)],
        [*part(begins=12), did(1, category="quote"), did(2, "page_view")],
        [(12, "unaware", "interest", "crm")],
    ),
    Story(
        # what ann did goes with her; bob's page of day 2 stays: the fold over it is interest
        "a part taken away takes its signs along, in one move",
        [START_PHASE, INTEREST, phase("comparison", PRICES)],
        [*part(ends=5), *part("bob"), did(1, category="quote"), did(2, "page_view", who="bob")],
        [(1, "unaware", "comparison", "event"), (5, "comparison", "interest", "crm")],
    ),
    Story(
        # on day 5 ann is a user no more and a boss; her quote is out of its window by then
        "who changes the role without a break leaves nothing behind",
        [START_PHASE, phase("comparison", event(within="2d"))],
        [*part("ann", 0, 5, role="user"), *part("ann", 5, role="boss"), did(1)],
        [(1, "unaware", "comparison", "event")],
    ),
    Story(
        # ann's part ends on day 5, when the pump is closed; from the reopening on day 7 the phase
        # goes on; bob's end on day 9 makes the fold be done anew, and nothing is left of it
        "what is taken away while a purchase is closed moves nothing yet",
        [START_PHASE, phase("comparison", event())],
        [
            *(*part(ends=5), *part("bob", 0, 9), did(1)),
            *(Closed(at=day(2), opportunity="pump"), Reopened(at=day(7), opportunity="pump")),
        ],
        [(1, "unaware", "comparison", "event"), (9, "comparison", "unaware", "crm")],
    ),
    Story(
        # the union has a quote on day 1; but two people must have come as far by themselves
        "a quorum of two waits for the second person",
        [START_PHASE, INTEREST, phase("comparison", PRICES, group={"quorum": 2})],
        [
            *(*part(), *part("bob"), did(1, category="quote"), did(2, "page_view")),
            did(4, category="quote", who="bob"),
        ],
        [(2, "unaware", "interest", "event"), (4, "interest", "comparison", "event")],
    ),
    Story(
        # ann comes as far by herself as a user on day 1; only a boss's coming lets the pump in,
        # and she is one from day 3
        "only one of the right role opens the phase",
        [START_PHASE, phase("comparison", PRICES, group={"any_role": ["boss"]})],
        [*part("ann", 0, 2, role="user"), *part("ann", 3, role="boss"), did(1, category="quote")],
        [(3, "unaware", "comparison", "crm")],
    ),
    Story(
        # boss 3 + user 1 >= 4
        "weights of those who came as far are added",
        [
            START_PHASE,
            phase("comparison", PRICES, group={"weighted": {"boss": 3, "user": 1}, "at_least": 4}),
        ],
        [
            *(*part("ann", role="boss"), *part("bob", role="user"), *part("cyd", role="buyer")),
            *(did(n, category="quote", who=who) for n, who in enumerate(["ann", "cyd", "bob"], 1)),
        ],
        [(3, "unaware", "comparison", "event")],
    ),
    Story(
        # day 2: two by two people; day 3: two by ann alone
        "two by the same person is more than two by two, and two people more than two by one",
        [
            START_PHASE,
            phase("both", event(at_least=2, by="distinct_contacts")),
            phase("alone", event(at_least=2, by="same_contact")),
        ],
        [*part(), *part("bob"), did(1), did(2, who="bob"), did(3)],
        [(2, "unaware", "both", "event"), (3, "both", "alone", "event")],
    ),
    Story(
        # the page of day 1 stands in the way for exactly 5 days, then the quote of day 2 counts
        "what must not have happened stands in the way as long as its window",
        [
            START_PHASE,
            {
                "id": "comparison",
                "enter": {"any": [PRICES], "none": [event("page_view", "5d")]},
            },
        ],
        [*part(), did(1, "page_view"), did(2, category="quote")],
        [(6, "unaware", "comparison", "timer")],
    ),
    Story(
        "what is told twice happened once",
        [START_PHASE, phase("comparison", event(at_least=2))],
        [*part(), did(1, id="x"), did(1, id="x"), did(2, id="x"), did(4, id="y")],
        [(4, "unaware", "comparison", "event")],
    ),
    Story(
        # the belt is bob's alone; ann's quote moves the pump (and would move the belt)
        "each purchase counts those who have a part in it",
        [START_PHASE, phase("comparison", PRICES, exit=quiet("30d"))],
        [
            *part(),
            RoleBegins(at=day(0), part="ann-belt", opportunity="belt", contact="ann", role="user"),
            RoleBegins(at=day(0), part="bob-belt", opportunity="belt", contact="bob", role="user"),
            *(did(1, category="quote"), did(9, "page_view", who="bob")),
        ],
        [(1, "unaware", "comparison", "event"), (31, "comparison", "unaware", "timer")],
    ),
    Story(
        # the stage alone moves nobody before the quote; then its change does: 3 days of grace
        "the seller's stage may be asked for, and how fresh it is",
        [
            START_PHASE,
            {
                "id": "comparison",
                "enter": {"all": [PRICES, {"crm": {"stage": "offer", "within": "3d"}}]},
            },
        ],
        [
            *(*part(), did(4, category="quote"), did(13, category="quote", id="late")),
            *(Staged(at=day(n), opportunity="pump", stage="offer") for n in (1, 3)),
            *(
                Staged(at=day(n), opportunity="pump", stage=s)
                for n, s in ((5, "open"), (12, "offer"))
            ),
        ],
        [(12, "unaware", "comparison", "crm")],
    ),
]
