"""A draft of rules, run over the history of this installation beside the rules that hold."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from regportal.buying.backtest.course import Turn, closed_at, turns_of
from regportal.buying.backtest.forecasting import (
    Case,
    Course,
    Found,
    Sample,
    compare,
    half_way,
    mondays,
)
from regportal.buying.backtest.reading import Story, stories
from regportal.buying.backtest.tally import Tally, Way
from regportal.buying.compiled import Model, compiled
from regportal.buying.facts import Staged, moment, when
from regportal.buying.reading import model_of
from regportal.buying.schema import Buying
from regportal.buying.scores.schema import Score
from regportal.buying.standing import NEVER
from regportal.connectors.rules import in_full
from regportal.connectors.schema import Connector
from regportal.store.documents import Published
from regportal.store.sessions import Store

STAGE, STAGE_AGE = "seller's stage", "stage and its age"
PUBLISHED, DRAFT = "published phase and dwell", "draft phase and dwell"
WAYS = (STAGE, STAGE_AGE, PUBLISHED, DRAFT)
PAIRS = ((DRAFT, STAGE), (DRAFT, PUBLISHED))
MOST = 2_000
"""Decided opportunities by which forecasts are compared; of more, so many at random."""
FEWEST = 100
"""Fewer won, or fewer lost ones, are too few to say whose forecast is better."""
WIDEST = 0.15
"""An interval of AUC that is wider than this says nothing."""


@dataclass(slots=True)
class BackTest:
    """What two models would have done in [since, until]."""

    published: Tally
    draft: Tally
    told: Mapping[str, bool]
    """By connector whether it is told of phases."""
    first: int | None = None
    """When the first opportunity began."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many are open, won, lost; moves added and removed; those that go another way."""
    stands: Counter[tuple[str, str]] = field(default_factory=Counter)
    """In which phase those are that are open: as published, and by the draft."""
    cases: Sample = field(default_factory=lambda: Sample(MOST))

    def add(self, story: Story) -> None:
        """Run both over one opportunity."""
        until, since = self.draft.until, self.draft.since
        if story.begun > until:
            return
        ended = closed_at(story.deal.told, until)
        if ended is not None and (ended < since or ended != closed_at(story.deal.told)):
            return  # over before, or closed then and open again since: it has not ended as it did
        self.first = story.begun if self.first is None else min(self.first, story.begun)
        is_won = ended is not None and story.is_won
        self.counts["open" if ended is None else "won" if is_won else "lost"] += 1
        is_told = self.told.get(story.connector, False)
        ways = []
        for tally, lives in zip((self.published, self.draft), story.lives, strict=True):
            turns = turns_of(tally.model, story.deal, lives, until)
            ways.append(Way(story.begun, ended, is_won, turns, is_told))
            tally.add(ways[-1])
        self._compare(*ways)
        if ended is not None:
            self.cases.offer(self._case(story, ended, ways))

    def _compare(self, before: Way, after: Way) -> None:
        """Count what the draft would have done otherwise."""
        old, new = (
            {(turn.at, turn.to) for turn in way.turns if turn.at >= self.draft.since}
            for way in (before, after)
        )
        self.counts["added"] += len(new - old)
        self.counts["removed"] += len(old - new)
        self.counts["differ"] += new != old
        if after.ended is None:
            old_phase, new_phase = (
                way.turns[-1].to if way.turns else tally.model.names[0]
                for way, tally in ((before, self.published), (after, self.draft))
            )
            self.stands[old_phase, new_phase] += 1
            self.counts["at_once"] += old_phase != new_phase

    def _case(self, story: Story, ended: int, ways: Sequence[Way]) -> Case:
        """Return a decided opportunity as the forecasts see it."""
        stages = Course(
            [
                (known.since, known.fact.stage)
                for known in story.deal.told
                if isinstance(known.fact, Staged)
            ]
        )
        phases = [
            Course(_steps(tally.model, story.begun, way.turns))
            for tally, way in zip((self.published, self.draft), ways, strict=True)
        ]
        places = []
        for monday in mondays(max(story.begun, self.draft.since), ended):
            stage = stages.place(monday)
            there = (one.place(monday) for one in phases)
            places.append((monday, (stage[0], stage, *there)))
        return Case(ended, story.is_won, places)


def _steps(model: Model, begun: int, turns: Sequence[Turn]) -> list[tuple[int, str | None]]:
    """Return since when an opportunity was in which phase."""
    return [(begun, model.names[0]), *((turn.at, turn.to) for turn in turns)]


def back_test(
    store: Store,
    published: Published,
    draft: Buying,
    *,
    since: datetime | None,
    until: datetime,
    on_page: Callable[[int], object] = lambda _: None,
) -> dict[str, Any]:
    """
    Return what a draft would have done in [since, until] beside what is published, as JSON.

    Both are run over everything that is known of every opportunity, in the order in which it
    became known, by the same code as the worker's; nothing is written. ``on_page`` hears of how
    many opportunities more were read.
    """
    held, version = model_of(published)
    begin = NEVER if since is None else moment(since)
    models = compiled(held), compiled(draft)
    found = BackTest(
        published=Tally(models[0], begin, moment(until)),
        draft=Tally(models[1], begin, moment(until)),
        told={one.key: "phase" in one.sends for one in published.all(Connector)},
    )
    for page in stories(store, published, models):
        for story in page:
            found.add(story)
        on_page(len(page))
    notes = [*_notes(published, draft)]
    if found.first is None:
        notes.append("no opportunity was there in this time")
    first = moment(until) if found.first is None else max(begin, found.first)
    return {
        "from": in_full(when(first)),
        "to": in_full(until),
        "opportunities": {name: found.counts[name] for name in ("open", "won", "lost")},
        "moves": {
            "added": found.counts["added"],
            "removed": found.counts["removed"],
            "opportunities": found.counts["differ"],
        },
        "moved_at_once": found.counts["at_once"],
        "stands": [
            {"published": old, "draft": new, "open": many}
            for (old, new), many in found.stands.most_common()
        ],
        "published": {"version": version} | found.published.told(first),
        "draft": found.draft.told(first),
        "forecasts": _forecasts(found.cases),
        "notes": notes,
    }


def _notes(published: Published, draft: Buying) -> Iterator[str]:
    """Yield what to bear in mind of a draft."""
    asked = {one.score.name for one in draft.conditions() if one.score}
    known = {score.key for score in published.all(Score)}
    if asked & known:
        yield "scores are those that were published then: a draft of scores is not tried"
    for name in sorted(asked - known):
        yield f"no score called {name!r} was ever published: its conditions never held"


# --- forecasts ---


def _forecasts(sample: Sample) -> dict[str, Any]:
    """Return how good each way of looking was as a forecast, and what that says."""
    cases = sample.kept
    split = half_way(cases) if cases else 0
    found = compare(cases, WAYS, split, PAIRS) if cases else None
    if found is None:
        few = f"Too few to say who forecasts better: {_decided(sample.seen)}."
        return {"too_few": True, "says": [few]}
    return {
        "too_few": min(found.won, found.opportunities - found.won) < FEWEST,
        "from": in_full(when(split)),
        "opportunities": found.opportunities,
        "won": found.won,
        "mondays": found.mondays,
        "learned_from": found.earlier,
        "figures": [
            {"by": way, "auc": round(area, 4), "brier": round(error, 4)}
            for way, (area, error) in found.figures.items()
        ],
        "ahead": [
            {
                "by": ahead,
                "of": other,
                "auc": [round(each, 4) for each in area],
                "brier": [round(each, 4) for each in error],
            }
            for (ahead, other), (area, error) in found.ahead.items()
        ],
        "says": [*says(found)],
    }


def _decided(seen: int) -> str:
    """Return how many were decided, in words."""
    return "1 opportunity was decided" if seen == 1 else f"{seen} opportunities were decided"


def says(found: Found) -> Iterator[str]:
    """Yield what the comparison says, one sentence each; that it says nothing, where so."""
    lost = found.opportunities - found.won
    if min(found.won, lost) < FEWEST:
        yield (
            f"Too few to say who forecasts better: {found.won} won and {lost} lost ones to test"
            f" with; {FEWEST} of each are needed."
        )
        return
    for (ahead, other), ((low, high), _) in found.ahead.items():
        if high - low > WIDEST:
            yield f"Too few to say whether the {ahead} forecast better than the {other}."
        elif low > 0:
            yield f"The {ahead} forecast better than the {other}."
        elif high < 0:
            yield f"The {ahead} forecast worse than the {other}."
        else:
            yield f"The {ahead} and the {other} forecast equally well, as far as can be said."
