"""Scores and histories made up at random."""

from hypothesis import strategies as st

from regportal.buying.facts import Watched
from regportal.buying.scores.schema import Score

NOON = 1_772_625_600.0
EVENTS = ["download", "page_view", "ticket", "video_watch"]
FILMS = ["tour", "talk"]
CATEGORIES = ["price-list", "paper"]
SPANS = st.sampled_from(["1h", "1d", "7d", "30d", "365d"])


@st.composite
def deeds(draw, most):
    points = draw(st.integers(-20, most).filter(bool))
    deed = {"event": draw(st.sampled_from(EVENTS)), "points": points}
    if draw(st.booleans()):
        deed["where"] = {"category": draw(st.sampled_from(CATEGORIES))}
    if deed["event"] == "video_watch" and draw(st.booleans()):
        deed["watched"] = draw(st.sampled_from(["25%", "50%", "75%", "100%"]))
    if draw(st.booleans()):
        day = draw(st.integers(1, 3))
        deed["max"] = draw(
            st.sampled_from([{"24h": day}, {"7d": day}, {"24h": day, "7d": day + 2}])
        )
        if deed["max"].get("24h") and deed["max"].get("7d", 0) > 7 * day:
            deed["max"] = {"24h": day}
    return deed


@st.composite
def groups(draw, name):
    most = draw(st.integers(5, 60))
    return {
        "group": name,
        "half_life": draw(SPANS),
        "at_most": most,
        "points": draw(st.lists(deeds(most), min_size=1, max_size=3)),
    }


@st.composite
def scores(draw, key="s"):
    names = [f"g{index}" for index in range(draw(st.integers(0, 3)))]
    written = {"key": key, "behaviour": [draw(groups(name)) for name in names]}
    temporal = {}
    if not names or draw(st.booleans()):
        temporal["recency"] = {"half_life": draw(SPANS), "at_most": draw(st.integers(1, 40))}
    if draw(st.booleans()):
        temporal["momentum"] = {"at_most": draw(st.integers(1, 40))}
    if temporal:
        written["temporal"] = temporal
    if draw(st.booleans()):
        points = draw(st.lists(st.integers(-60, 60).filter(bool), min_size=2, max_size=2))
        written["profile"] = {
            "at_least": -40,
            "at_most": 40,
            "points": [
                {"field": {"name": "address", "equals": kind}, "points": one}
                for kind, one in zip(("business", "free"), points, strict=True)
            ],
        }
    at = draw(st.lists(st.integers(1, 100), unique=True, max_size=3))
    written["thresholds"] = {f"t{one}": one for one in at}
    return Score.model_validate(written)


@st.composite
def signs(draw, most=30):
    """(type, category, moment, id, film), in the order in which they arrive."""
    moments = draw(st.lists(st.integers(0, 40 * 86_400), max_size=most))
    return [
        (
            kind := draw(st.sampled_from(EVENTS)),
            draw(st.sampled_from([*CATEGORIES, None])),
            NOON - seconds,
            f"{index:03}",
            draw(films()) if kind == "video_watch" else None,
        )
        for index, seconds in enumerate(moments)
    ]


@st.composite
def films(draw):
    """A film of twelve seconds, or so, and what was watched of it."""
    cuts = sorted(draw(st.sets(st.integers(0, 14), min_size=4, max_size=4)))
    stretches = tuple(
        (1000 * cut, 1000 * end) for cut, end in zip(cuts[::2], cuts[1::2], strict=True)
    )
    length = draw(st.sampled_from([12_000, 12_000, 8_000, None]))
    return draw(st.sampled_from(FILMS)), Watched(stretches, length)


def as_told(thing, watched):
    """A film as an interaction is about it: its name, and what its properties say."""
    properties = {"watched": [[start / 1000, end / 1000] for start, end in watched.stretches]}
    if watched.length:
        properties["duration"] = watched.length / 1000
    return {"name": thing, "properties": properties}
