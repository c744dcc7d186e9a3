"""`regportal bench grow`: what lists take among very many people, beside some thousands."""

import contextlib
import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.lists.models import ListedPerson
from regportal.buying.models import Opportunity
from regportal.buying.reading import model_of
from regportal.buying.scores.models import ScoreState
from regportal.buying.scores.schema import Score
from regportal.cli.bench.databases import publish, scratch
from regportal.cli.bench.made_up import EACH
from regportal.cli.bench.measure import Figures, Goal, Measured, rounds
from regportal.cli.bench.report import Report
from regportal.cli.bench.seed import new_mark, seed, world_of
from regportal.cli.bench.visits import WrongAnswerError
from regportal.insight import accounts, opportunities, people, timeline
from regportal.insight.accounts import Accounts
from regportal.insight.opportunities import Opportunities
from regportal.insight.paging import Page
from regportal.insight.people import Claims, People
from regportal.insight.timeline import Deeds
from regportal.store.documents import Published, Shelf
from regportal.store.marks import written
from regportal.store.migrate import upgrade
from regportal.store.sessions import Store, make_engine

FEW = 10_000
WANTED = 1.5
DRAWN = 50
"""People, opportunities and places in lists that are drawn, so that not one is asked for always."""
SCORE = Score.model_validate(
    {
        "key": "interest",
        "behaviour": [
            {
                "group": "all",
                "half_life": "30d",
                "at_most": 100,
                "points": [
                    {"event": "download", "points": 10},
                    {"event": "page_view", "points": 1},
                ],
            }
        ],
        "thresholds": {"warm": 10, "hot": 40},
    }
)
Ask = Callable[[Session, int], Page[Any]]
"""Reads a page; which of those that were drawn it is about is the number's to say."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is asked for, drawn from a database."""

    published: Published
    now: datetime
    people: Sequence[Any]
    deals: Sequence[Any]
    ranks: Sequence[Any]
    accounts: Sequence[str]

    @property
    def questions(self) -> dict[str, Ask]:
        """Return every question by its name."""
        page = partial(people.page, published=self.published, now=self.now)

        def listed(**asked: Any) -> Ask:
            return lambda session, _: page(session, filters=People(**asked))

        def at(one: Any) -> str:
            return written("n", 0, one.last_at, one.contact_id)

        def deals(**asked: Any) -> Ask:
            return lambda session, _: opportunities.page(session, Opportunities(**asked))

        many, purchases = len(self.people), len(self.deals)
        buying, _ = model_of(self.published)
        phase = buying.phases[0].id
        done, places = self.people, _middle(self.people, "last_at")
        since = _middle(self.deals, "phase_since")
        return {
            "people": listed(),
            "people, in the middle": lambda session, n: page(
                session, filters=People(), at=at(places[n % len(places)])
            ),
            "people, a phase": listed(phase=phase),
            "people, a phase, in the middle": lambda session, n: page(
                session, filters=People(phase=phase), at=at(places[n % len(places)])
            ),
            "people, verified": listed(assurance="verified"),
            "people, imported": listed(assurance="imported"),
            "people, an account": lambda session, n: page(
                session, filters=People(account=self.accounts[n % len(self.accounts)])
            ),
            "people, hot": listed(score=SCORE.key, level="hot"),
            "people, by score": listed(score=SCORE.key, order="score"),
            "people, by score, in the middle": lambda session, n: page(
                session,
                filters=People(score=SCORE.key, order="score"),
                at=written("n", 4, *self.ranks[n % len(self.ranks)]),
            ),
            "people, a phase and verified": listed(phase=phase, assurance="verified"),
            "people, searched": lambda session, n: page(
                session, filters=People(q=done[n % many].address[:3])
            ),
            "people, of a seller": lambda session, n: page(
                session, filters=People(), owners=frozenset({self.deals[n % purchases].owner_key})
            ),
            "unconfirmed": lambda session, _: people.unconfirmed(session, Claims()),
            "accounts": lambda session, _: accounts.page(session, Accounts()),
            "opportunities": deals(),
            "opportunities, in the middle": lambda session, n: opportunities.page(
                session,
                Opportunities(),
                at=written("n", 0, since[n % len(since)].phase_since, uuid.UUID(int=0)),
            ),
            "opportunities, a phase": lambda session, n: opportunities.page(
                session, Opportunities(phase=self.deals[n % purchases].phase)
            ),
            "opportunities, of a seller": lambda session, n: opportunities.page(
                session, Opportunities(owner=self.deals[n % purchases].owner_key)
            ),
            "opportunities, won": deals(state="won"),
            "one's interactions": lambda session, n: timeline.proven(
                session, done[n % many].contact_id, Deeds()
            ),
            "one's interactions, in the middle": lambda session, n: timeline.proven(
                session,
                done[n % many].contact_id,
                Deeds(),
                written("n", 0, done[n % many].last_at, uuid.UUID(int=0)),
            ),
        }


def bench_grow(
    folder: Path,
    count: int,
    requests: int,
    sizes: tuple[int, int],
    server: str | None,
    *,
    even_if_busy: bool,
    progress: Callable[[str], None],
) -> Report:
    """Measure every list in two databases, with so many contacts, the greater one last."""
    few, most = sizes
    with contextlib.ExitStack() as open_ones:
        found = {
            size: open_ones.enter_context(_grown(server, folder, size, progress)) for size in sizes
        }
        names = [*found[few][1]]

        def one() -> Measured:
            return {
                f"{name}, among {size:,}": _timed(store, questions[name], requests)
                for name in names
                for size, (store, questions) in found.items()
            }

        measured = rounds(count, one, even_if_busy=even_if_busy, progress=progress)
    goals = [_goal(name, measured, few, most) for name in names]
    database = "SQLite" if server is None else "PostgreSQL"
    return Report(
        "grow",
        measured,
        goals,
        [
            f"on {database}; {most:,} contacts with {EACH * most:,} interactions, and {few:,} with",
            f"{EACH * few:,}; pages of 50, other people and other places each time",
        ],
    )


@contextlib.contextmanager
def _grown(server: str | None, folder: Path, size: int, progress: Callable[[str], None]) -> Any:
    """Give a database of so many contacts, open, and what is asked of it."""
    with scratch(server, folder, f"grow{size}") as url:
        upgrade(url)
        engine = make_engine(url)
        with contextlib.closing(Store(engine)) as store:
            store.write(partial(publish, document=SCORE))
            now = datetime.now(UTC)
            with store.read() as session:
                published = Shelf().published(session)
            world = world_of(published, size, now=now.timestamp(), mark=new_mark())
            seed(engine, world, is_new=True, progress=progress)
            yield store, draw(store, published, now).questions


def draw(store: Store, published: Published, now: datetime) -> Drawn:
    """Return some of what a database has, to ask for it."""
    with store.read() as session:
        listed = _some(session, ListedPerson, ListedPerson.contact_id)
        deals = _some(session, Opportunity, Opportunity.id)
        ranks = [
            (row.rank, row.contact_id)
            for row in _some(session, ScoreState, ScoreState.contact_id)
            if row.rank is not None
        ]
    kept = [one.account for one in listed if one.account]
    return Drawn(published, now, listed, deals, ranks, kept)


def _middle(drawn: Sequence[Any], by: str) -> Sequence[Any]:
    """Return those in the middle of what was drawn: behind each there is a whole page."""
    ordered = sorted(drawn, key=lambda one: getattr(one, by))
    return ordered[len(ordered) // 4 : -len(ordered) // 4]


def _some(session: Session, model: Any, key: Any) -> Sequence[Any]:
    """Return rows after keys that were drawn."""
    first, last = (
        session.scalars(sa.select(key).order_by(end).limit(1)).one() for end in (key, key.desc())
    )
    chance = random.Random(DRAWN)  # noqa: S311 - not a secret
    keys = [uuid.UUID(int=chance.randint(first.int, last.int)) for _ in range(DRAWN)]
    return [
        session.scalars(sa.select(model).where(key >= one).order_by(key).limit(1)).one()
        for one in keys
    ]


def _timed(store: Store, ask: Ask, requests: int) -> Figures:
    """Return how long a page takes, from opening a session to its rows."""
    took, rows = [], 0
    cpu = time.process_time()
    for number in range(requests):
        began = time.perf_counter()
        with store.read() as session:
            page = ask(session, number)
        took.append((time.perf_counter() - began) * 1000)
        rows += len(page.rows)
    if not rows:
        raise WrongAnswerError("a list that was measured is empty")
    cpu = time.process_time() - cpu
    took.sort()
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    return Figures(1000 / p50, p50, p99, cpu * 1000 / requests, 0.0)


def _goal(name: str, measured: Sequence[Measured], few: int, most: int) -> Goal:
    """Return how many times as long a list takes among so many, a round."""
    each = tuple(
        one[f"{name}, among {most:,}"].p50_ms / one[f"{name}, among {few:,}"].p50_ms
        for one in measured
    )
    return Goal(f"{name}: among {most:,} / among {few:,}", at_least=False, wanted=WANTED, each=each)
