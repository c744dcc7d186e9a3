"""`regportal bench weigh`: from the lines of the log to moves, and to the news of them."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.default import DEFAULT
from regportal.buying.models import ContactRole, Move, Opportunity
from regportal.buying.weigher import weigh
from regportal.cli.bench.databases import publish, scratch
from regportal.cli.bench.measure import Figures, Goal, Measured, ratio, rounds
from regportal.cli.bench.phases import LITTLE, engine, log_of, names_of, timed
from regportal.cli.bench.report import Report
from regportal.cli.bench.visits import WrongAnswerError
from regportal.cli.serve import settle_down
from regportal.connectors.schema import Connector
from regportal.identity.models import Assurance, Contact
from regportal.outbox.models import Message
from regportal.store.bulk import Row, insert_all
from regportal.store.documents import Shelf
from regportal.store.ids import uuid7
from regportal.store.migrate import upgrade
from regportal.store.sessions import Store, make_engine
from regportal.tracking.actions import log_all
from regportal.tracking.models import Attributed, EntryKind, Interaction, Judged

EACH = 20
"""Interactions of each contact: most are pages, one a paper, and the last one a price list."""
PAGE, PAPER, PRICES = ("page_view", None), ("download", "paper"), ("download", "price-list")
STORY = (*[PAGE] * (EACH // 2 - 1), PAPER, *[PAGE] * (EACH // 2 - 1), PRICES)
STEPS = 2
"""The moves of such a contact's opportunity: to interest, and to comparison."""
FEW = 10
"""Contacts with so much before them."""
WORKERS = 2
"""So many weigh at once on PostgreSQL, beside what one weighs alone."""
SOON = 0.01
"""Seconds after which a worker looks again at what the other one has in hand."""
CRM = Connector(key="crm", type="webhook", url="https://crm.bench.example/in", secret="env:BENCH")  # noqa: S106 - the name of one
COLUMNS = (
    *("id", "type", "object", "category", "properties", "occurred_at", "received_at"),
    *("contact_id", "attribution", "judged"),
)
Weigh = Callable[[datetime], Any]
"""Weighs all there is, at a moment."""
KEY, AT, WHOSE = map(COLUMNS.index, ("id", "received_at", "contact_id"))


@dataclass(frozen=True, slots=True)
class Deal:
    """A contact, and the opportunity in which it has a part."""

    contact: Contact
    opportunity: Opportunity


def bench_weigh(  # noqa: PLR0913 - as many as the command has options
    folder: Path,
    count: int,
    lines: int,
    much: int,
    server: str | None,
    log: Path | None = None,
    *,
    even_if_busy: bool,
    progress: Callable[[str], None],
) -> Report:
    """
    Measure the weigher in memory and on a database, beside a replay by brute force.

    ``much`` is what some contacts had done before, one page an hour.
    """
    people = lines // EACH
    short, long = names_of(much)
    rows = log_of(log, people, EACH)
    with scratch(server, folder, "weigh") as url, _workers(url) as workers:
        upgrade(url)
        store, shelf = Store(make_engine(url)), Shelf()
        store.write(partial(publish, document=CRM))
        settle_down()  # as the worker does

        def alone(now: datetime) -> None:
            _weigh_on(store, shelf, now)

        settled = {short: _new(store, FEW), long: _new(store, FEW)}
        _live(store, settled[short], LITTLE)
        _live(store, settled[long], much)
        progress("written down")

        def one() -> Measured:
            return {
                **engine(rows, much),
                "database": _weighed(store, alone, _new(store, people), STORY),
                **{
                    name: _weighed(store, together, _new(store, people), STORY)
                    for name, together in workers.items()
                },
                **{
                    name: _weighed(store, alone, deals, [PAGE] * (lines // FEW // 4))
                    for name, deals in settled.items()
                },
            }

        measured = rounds(count, one, even_if_busy=even_if_busy, progress=progress)
        store.close()
    database = "SQLite" if server is None else "PostgreSQL"
    return Report(
        "weigh",
        measured,
        [
            _rate("events a second through the rules, in memory", measured, "engine", 25_000),
            ratio(
                f"rules with {long} / with {short}",
                measured,
                f"engine, {long}",
                f"engine, {short}",
                0.8,
            ),
            ratio(
                f"rules / all read again, {long}",
                measured,
                f"engine, {long}",
                f"read again, {long}",
                None,
            ),
            _rate(f"lines a second into {database}", measured, "database", 10_000),
            *(ratio(f"{name} / one worker", measured, name, "database", None) for name in workers),
            ratio(f"with {long} / with {short}", measured, long, short, 0.8),
        ],
        [
            f"{people * EACH:,} lines of {people:,} contacts, {STEPS} moves each; every line is",
            "told to a CRM, every move replaces the news of the one before it that still waits",
            "how far the worker is behind while calls come in: regportal bench track-20",
        ],
    )


def _rate(says: str, measured: Sequence[Measured], name: str, wanted: float) -> Goal:
    """Return how much was done a second, a round."""
    each = tuple(one[name].per_second for one in measured)
    return Goal(says, at_least=True, wanted=wanted, each=each)


def _check(says: str, found: object, wanted: object) -> None:
    """Raise WrongAnswerError unless the weigher found what there is."""
    if found != wanted:
        raise WrongAnswerError(f"{says}: {found} instead of {wanted}")


# --- on a database ---


def _new(store: Store, people: int) -> list[Deal]:
    """Return contacts who have done nothing yet."""
    return store.write(lambda session: _deals(session, people))


@contextlib.contextmanager
def _workers(url: str) -> Iterator[dict[str, Weigh]]:
    """Give the workers that weigh at once, by how many there are; on SQLite there are none."""
    if url.startswith("sqlite"):
        yield {}
        return
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        for ready in [pool.submit(time.sleep, 1) for _ in range(WORKERS)]:
            ready.result()  # each process has begun

        def together(now: datetime) -> None:
            for done in [pool.submit(_weigh_all, url, now) for _ in range(WORKERS)]:
                done.result()

        yield {f"{WORKERS} workers": together}


def _weigh_all(url: str, now: datetime) -> None:
    """Weigh until nothing is left, in a process of its own."""
    _weigh_on(*_opened(url), now)


def _weigh_on(store: Store, shelf: Shelf, now: datetime) -> None:
    """Weigh until nothing is left."""
    while weigh(store, shelf, now=now) is not None:
        time.sleep(SOON)


@cache
def _opened(url: str) -> tuple[Store, Shelf]:
    """Return the database as this process uses it."""
    settle_down()
    return Store(make_engine(url)), Shelf()


def _weighed(
    store: Store, work: Weigh, deals: Sequence[Deal], story: Sequence[tuple[str, str | None]]
) -> Figures:
    """Measure the weigher on what these contacts do, one thing each in turn."""
    before = _written(store)
    now = datetime.now(UTC)
    store.write(lambda session: _do(session, deals, story, now))
    lines = len(deals) * len(story)
    found = timed(lines, lambda: work(now))
    moves = STEPS * len(deals) if story is STORY else 0
    news = len(deals) if moves else 0
    told = [after - earlier for earlier, after in zip(before, _written(store), strict=True)]
    _check("moves and messages", told, [moves, lines + news])
    return found


def _written(store: Store) -> list[int]:
    """Return how many moves and how many messages there are."""
    with store.read() as session:
        return [
            session.scalar(sa.select(sa.func.count()).select_from(kind)) or 0
            for kind in (Move, Message)
        ]


def _do(
    session: Session, deals: Sequence[Deal], story: Sequence[tuple[str, str | None]], now: datetime
) -> None:
    """Write down what they do, and the lines by which the weigher hears of it."""
    moments = [now - timedelta(milliseconds=ago) for ago in reversed(range(len(story)))]
    rows = [
        _row(deal, kind, category, at)
        for at, (kind, category) in zip(moments, story, strict=True)
        for deal in deals
    ]
    insert_all(session, Interaction, COLUMNS, rows)
    heard = [(row[KEY], row[AT], row[WHOSE]) for row in rows]
    log_all(session, EntryKind.INTERACTION, heard)


def _live(store: Store, deals: Sequence[Deal], hours: int) -> None:
    """Let contacts have looked at one page an hour, which was weighed long ago."""
    now = datetime.now(UTC)
    rows = [
        _row(deal, *PAGE, now - timedelta(hours=hour + 1))
        for hour in range(hours)
        for deal in deals
    ]
    store.write(lambda session: insert_all(session, Interaction, COLUMNS, rows))


def _row(deal: Deal, kind: str, category: str | None, at: datetime) -> Row:
    """Return an interaction of a proven contact."""
    page = "https://www.bench.example/widgets"
    who = (deal.contact.id, Attributed.VERIFIED.value, Judged.PERSON.value)
    return (uuid7(), kind, page, category, {"title": "Widgets"}, at, at, *who)


def _deals(session: Session, people: int) -> list[Deal]:
    """Add so many contacts, each with an opportunity."""
    now = datetime.now(UTC) - timedelta(days=1)
    deals = [_deal(number, now) for number in range(people)]
    session.add_all(deal.contact for deal in deals)
    session.add_all(deal.opportunity for deal in deals)
    session.flush()
    session.add_all(
        ContactRole(
            id=uuid7(),
            opportunity_id=deal.opportunity.id,
            contact_id=deal.contact.id,
            is_primary=True,
            since=now,
            told_at=now,
        )
        for deal in deals
    )
    return deals


def _deal(number: int, now: datetime) -> Deal:
    """Return a contact and its opportunity."""
    key = uuid7()
    email = f"bench-{number}@{key.hex}.example"  # each a company of its own
    contact = Contact(
        id=key,
        email=email,
        match_key=email,
        assurance=Assurance.VERIFIED,
        first_seen=now,
        locale="en",
        person_id=key,
    )
    opportunity = Opportunity(
        id=uuid7(),
        connector=CRM.key,
        external_id=key.hex,
        is_closed=False,
        is_won=False,
        told_at=now,
        phase=DEFAULT.phases[0].id,
        phase_since=now,
    )
    return Deal(contact, opportunity)
