"""`regportal bench rules-50`, and the rules without a database in `regportal bench weigh`."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path

from regportal.buying.compiled import Model, compiled
from regportal.buying.default import DEFAULT
from regportal.buying.facts import Sign, Watched, moment, when
from regportal.buying.films import MOST_TOLD
from regportal.buying.foreign import FactRow, RoleRow
from regportal.buying.glance import furthest
from regportal.buying.lint import MOST_FILMED, MOST_TOUCHED
from regportal.buying.replaying import Replay
from regportal.buying.rows import interactions
from regportal.buying.rules import hear, settle, start
from regportal.buying.schema import Buying, Condition, Enter, Phase
from regportal.buying.standing import NEVER, Standing
from regportal.buying.vocabulary import AtLeast, Where
from regportal.cli.bench.measure import Figures, Goal, Measured, ratio, rounds
from regportal.cli.bench.report import Report
from regportal.cli.bench.visits import WrongAnswerError

RULES = 50
KINDS = ("page_view", "download", "price_lookup", "search", "video_watch")
CATEGORIES = tuple(f"category-{number}" for number in range(RULES // len(KINDS)))
MICRO = 1_000_000
LITTLE = 20
NEXT = 20_000
"""Events of a contact that are measured after what he had done before."""
FILM = 3_600_000
"""Milliseconds of a film."""
FEW = 20
"""The same for a replay that reads all of it again each time."""
PAGE: tuple[str, str | None] = ("page_view", None)
PAPER: tuple[str, str | None] = ("download", "paper")
BEGAN = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
HOUR = timedelta(hours=1)


def bench_rules(
    count: int, events: int, *, even_if_busy: bool, progress: Callable[[str], None]
) -> Report:
    """Measure which of 50 rules an event touches, beside a loop over all of them."""
    buying, dear = fifty(), dearest()
    signs = _signs(events)
    deep, seen, of_films = _counted(events // 10), _watched(events // 20), dearest_of_films()
    model = compiled(buying)
    touching = _touched(model, signs), _looped(buying, signs)
    if touching[0] != touching[1]:
        raise WrongAnswerError(f"{touching[0]} rules touched instead of {touching[1]}")

    def one() -> Measured:
        return {
            "indexed": timed(len(signs), lambda: _touched(model, signs)),
            "naive loop": timed(len(signs), lambda: _looped(buying, signs)),
            "heard and settled": timed(len(signs), lambda: _followed(model, signs)),
            "default model": timed(len(deep), lambda: _followed(compiled(DEFAULT), deep)),
            "dearest model": timed(len(deep), lambda: _followed(compiled(dear), deep)),
            "dearest of films": timed(len(seen), lambda: _followed(compiled(of_films), seen)),
        }

    measured = rounds(count, one, even_if_busy=even_if_busy, progress=progress)
    return Report(
        "rules-50",
        measured,
        [
            _micro("µs to find the rules of an event", measured, "indexed", 1),
            ratio("indexed / naive loop", measured, "indexed", "naive loop", 30),
            _micro("µs to count it and settle", measured, "heard and settled", None),
            _dearer("the dearest model that is accepted", measured, "dearest model"),
            _dearer("the dearest that asks for films", measured, "dearest of films"),
        ],
        [
            f"{len(signs):,} events of {len(KINDS)} types and {len(CATEGORIES)} categories: each",
            "touches one rule, and the loop finds the same; the dearest model has as many",
            f"conditions for an event as are accepted: {MOST_TOUCHED}, a hundred times one",
            f"contact; of films {MOST_FILMED}, each in as many pieces as are remembered",
        ],
    )


def _dearer(what: str, measured: Sequence[Measured], name: str) -> Goal:
    """Return how much more an event costs under a model than under the one that ships."""
    each = (one["default model"].per_second / one[name].per_second for one in measured)
    says = f"cost of an event under {what} / default model"
    return Goal(says, at_least=False, wanted=50, each=tuple(each))


def fifty() -> Buying:
    """Return a model of 50 conditions, in ten phases."""
    told = [
        Condition(event=kind, where=Where(category=category), count=AtLeast(at_least=3))
        for category, kind in product(CATEGORIES, KINDS)
    ]
    phases = [
        Phase(id=f"p{number}", enter=Enter(any=tuple(told[number * 5 : number * 5 + 5])))
        for number in range(RULES // 5)
    ]
    return Buying(phases=(Phase(id="start"), *phases))


def dearest() -> Buying:
    """Return a model with as many conditions on one event as are accepted, none ever met."""
    told = [
        Condition(
            event=("download", "page_view")[number % 2],
            where=Where(object=("/x", f"/{number}")),
            count=AtLeast(at_least=100),
            within="1h",
            by="same_contact",
        )
        for number in range(2 * MOST_TOUCHED)
    ]
    phases = [
        Phase(id=f"p{number}", enter=Enter(any=tuple(told[number * 64 : number * 64 + 64])))
        for number in range(-(-2 * MOST_TOUCHED // 64))
    ]
    return Buying(phases=(Phase(id="start"), *phases))


def dearest_of_films() -> Buying:
    """Return a model with as many conditions on how much was watched as are accepted."""
    told = tuple(
        Condition(
            event="video_watch",
            where=Where(object=("/x", f"/{number}")),
            watched=f"{99 - number}%",
            count=AtLeast(at_least=100),
            by="same_contact",
        )
        for number in range(MOST_FILMED)
    )
    return Buying(phases=(Phase(id="start"), Phase(id="seen", enter=Enter(any=told))))


def _watched(events: int) -> list[Sign]:
    """Return events of one film, one a minute, each of as many short stretches as count."""
    draws = random.Random(50)  # noqa: S311 - which seconds, nobody need guess
    found = []
    for number in range(events):
        at = BEGAN + timedelta(minutes=number)
        ends = sorted(draws.sample(range(FILM), 2 * MOST_TOLD))
        watched = Watched(tuple(zip(ends[::2], ends[1::2], strict=True)), FILM)
        found.append(Sign(number, "ann", "video_watch", None, at, at, "/x", watched))
    return found


def _signs(events: int) -> list[Sign]:
    """Return events of all types and categories, one a minute."""
    draws = random.Random(50)  # noqa: S311 - which events, nobody need guess
    moments = (BEGAN + timedelta(minutes=number) for number in range(events))
    return [
        Sign(number, "ann", draws.choice(KINDS), draws.choice(CATEGORIES), at, at, "/x")
        for number, at in enumerate(moments)
    ]


def _counted(events: int) -> list[Sign]:
    """Return events that the default model counts, one a minute: half of them papers."""
    kinds = (("download", "paper"), ("page_view", "product"))
    moments = (BEGAN + timedelta(minutes=number) for number in range(events))
    return [
        Sign(number, "ann", *kinds[number % 2], at, at, "/x") for number, at in enumerate(moments)
    ]


def _touched(model: Model, signs: Sequence[Sign]) -> int:
    """Return how many rules the events touch, by the index."""
    touched, found = model.touched, 0
    for sign in signs:
        found += len(touched(sign.type, sign.category, sign.object))
    return found


def _looped(buying: Buying, signs: Sequence[Sign]) -> int:
    """Return the same by looking at every rule for every event."""
    conditions = tuple(buying.conditions())
    return sum(_concerns(condition, sign) for sign in signs for condition in conditions)


def _concerns(condition: Condition, sign: Sign) -> bool:
    """Return whether an event can count for a condition."""
    if condition.event != sign.type:
        return False
    return not condition.categories or sign.category in condition.categories


def _followed(model: Model, signs: Sequence[Sign]) -> Standing:
    """Return where an opportunity stands after these events."""
    standing = start(model)
    follow(model, standing, signs)
    return standing


def follow(model: Model, standing: Standing, signs: Sequence[Sign]) -> None:
    """Let a standing hear of events as they happen, and settle after each."""
    for sign in signs:
        at = moment(sign.occurred_at)
        settle(model, standing, at, hear(model, standing, sign, at))


def timed(events: int, work: Callable[[], object]) -> Figures:
    """Return how long some work took, by the event."""
    cpu, began = time.process_time(), time.perf_counter()
    work()
    took = time.perf_counter() - began
    cpu = time.process_time() - cpu
    return Figures(
        events / took, 1000 * took / events, 1000 * took / events, 1000 * cpu / events, 0
    )


def _micro(says: str, measured: Sequence[Measured], name: str, wanted: float | None) -> Goal:
    """Return how long each event took, a round."""
    each = tuple(MICRO / one[name].per_second for one in measured)
    return Goal(says, at_least=False, wanted=wanted, each=each)


# --- the engine, as `bench weigh` measures it ---


def engine(rows: Sequence[FactRow], much: int) -> Measured:
    """Measure the rules alone: a log from its rows to moves, and contacts with a long past."""
    contacts = {row.contact: None for row in rows}
    roles = [RoleRow(contact, contact, "", NEVER, None) for contact in contacts]
    replay = Replay(compiled(DEFAULT))

    def run() -> None:
        for _ in replay.run(roles, [], rows, None):
            pass

    short, long = names_of(much)
    return {
        "engine": timed(len(rows), run),
        f"engine, {short}": _after(LITTLE),
        f"engine, {long}": _after(much),
        f"read again, {short}": _again(LITTLE),
        f"read again, {long}": _again(much),
    }


def names_of(much: int) -> tuple[str, str]:
    """Return what contacts with a short and with a long past are called."""
    return f"{LITTLE} before", f"{much:,} before"


def log_of(file: Path | None, people: int, each: int) -> list[FactRow]:
    """Return the rows of a log, or of one that is made up."""
    if file is not None:
        return interactions(file, lambda _: None)
    story = [PAPER if hour == each // 2 else PAGE for hour in range(each)]
    return [
        FactRow(name, moment(at), Sign((name, hour), name, *kind, at, at))
        for hour, kind in enumerate(story)
        for at in [BEGAN + hour * HOUR]
        for name in [f"contact-{number}" for number in range(people)]
    ]


def _past(much: int) -> list[Sign]:
    """Return what a contact did, one look at a price an hour: a model counts each of them."""
    at = moment(BEGAN)
    hours = (when(at + number * 3600 * MICRO) for number in range(much))
    return [Sign(number, "ann", "price_lookup", None, at, at) for number, at in enumerate(hours)]


def _after(much: int) -> Figures:
    """Measure the next events of a contact who had done so much before."""
    model, signs = compiled(DEFAULT), _past(much + NEXT)
    standing = start(model)
    follow(model, standing, signs[:much])
    return timed(NEXT, lambda: follow(model, standing, signs[much:]))


def _again(much: int) -> Figures:
    """Measure the same where everything is read again after each event."""
    signs = _past(much + FEW)

    def read() -> None:
        for number in range(much, much + FEW):
            furthest(DEFAULT, "unaware", signs[: number + 1], signs[number].occurred_at)

    return timed(FEW, read)
