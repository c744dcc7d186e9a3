"""Comparing what a CRM holds with what it would be told; nothing is written anywhere."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import zip_longest

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.base import Change, Connector, Kind, Link, Result
from regportal.connectors.desk import NotTakenError
from regportal.connectors.rules import Outcome
from regportal.errors import RegportalError, UnreachableError
from regportal.outbox.actions import News
from regportal.outbox.links import links_of
from regportal.outbox.models import Message, MessageState
from regportal.store.among import among
from regportal.sync.present import Present, Telling

WAITING = sa.select(Message.subject, Message.merges).where(
    Message.connector == sa.bindparam("connector"),
    among(Message.subject, "subjects"),
    Message.state.in_([MessageState.DUE, MessageState.PARKED]),
)
NOT_ASKED = frozenset({Outcome.RETRY, Outcome.THROTTLED, Outcome.AUTH, Outcome.GONE})
"""Outcomes that say nothing of a record: the CRM could not be asked."""


class Stands(StrEnum):
    """How something stands in a CRM beside what it would be told."""

    EQUAL = "equal"
    NEW = "new"
    """It is not there, and would be made."""
    DIFFERS = "differs"
    """It is there, and would be written."""
    CONFLICT = "conflict"
    """People there said otherwise, or it cannot be told which record it is: it stays."""
    REFUSED = "refused"
    """The CRM has no place for it."""
    GONE = "gone"
    """It was there, and is not any more."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How one thing stands: a contact, what he allows, a score, or a phase."""

    what: str
    """``contact``, ``consent``, ``score`` or ``phase``."""
    name: str
    stands: Stands
    says: str = ""
    waits: bool = False
    """Whether a message about it waits: what differs may only not have been told yet."""


class NotAskedError(RegportalError):
    """The CRM could not be asked, or not to the end."""


def compare(
    session: Session, telling: Telling, connector: Connector, *, now: datetime
) -> Iterator[tuple[int, Sequence[Compared]]]:
    """
    Yield how everything stands in a CRM, of so many subjects at a time; nothing is written.

    Raises NotAskedError where it cannot be asked.
    """
    _rehearsed(connector, (), now=now)
    comparison = _Comparison(session, telling.connector.key, connector, now)
    for page in telling.contacts(session, now=now):
        yield len(page), [*comparison.of("contact", page)]
    for page in telling.opportunities(session):
        yield len(page), [*comparison.of("opportunity", page)]


def compare_one(
    session: Session, telling: Telling, connector: Connector, one: Present, *, now: datetime
) -> Iterator[Compared]:
    """Yield how one contact stands in a CRM, as :func:`compare` does; raises as it does."""
    _rehearsed(connector, (), now=now)
    yield from _Comparison(session, telling.connector.key, connector, now).of("contact", [one])


def missing(connector: Connector, kind: Kind, ids: Sequence[str]) -> set[str]:
    """Return which records are not there any more; raise NotAskedError where nobody can tell."""
    try:
        found = connector.read(kind, ids, ())
    except (NotTakenError, UnreachableError) as error:
        raise NotAskedError(f"the CRM could not be asked: {error}") from error
    if found is Outcome.UNSUPPORTED:
        raise NotAskedError("it takes messages: there is nothing to be looked up there")
    return {*ids} - {*found}


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One CRM, asked about pages of subjects."""

    session: Session
    key: str
    connector: Connector
    now: datetime

    def of(self, kind: Kind, page: Sequence[Present]) -> Iterator[Compared]:
        """Yield how the subjects of a page stand."""
        links = links_of(self.session, self.key, [one.subject for one in page])
        refs = _refs(kind, page, links)
        gone = missing(self.connector, kind, [*refs.values()]) if refs else set()
        waiting = self._waiting(page)
        self.session.rollback()  # asking takes long: nobody waits for us meanwhile
        there = []
        for one in page:
            if refs.get(one.subject) in gone:
                says = f"record {refs[one.subject]} is not there any more"
                yield Compared(_what(one.news[0]), one.name, Stands.GONE, says)
            else:
                there.append(one)
        # Each turn tells of every subject one thing: first who it is, then all else, also of whom
        # it would make; of whom nobody can say which record he is, nothing else would be written.
        unknown: set[str] = set()
        for turn in zip_longest(*(one.news for one in there)):
            told = [
                (one, news)
                for one, news in zip(there, turn, strict=True)
                if news is not None and one.subject not in unknown
            ]
            for one, news, result in self._asked(told, links):
                found = _compared(one, news, result, waits=(one.subject, news.merges) in waiting)
                if found.what == "contact" and found.stands is Stands.CONFLICT:
                    unknown.add(one.subject)
                yield found

    def _asked(
        self, told: Sequence[tuple[Present, News]], links: Mapping[str, Link]
    ) -> Iterator[tuple[Present, News, Result]]:
        """Yield what would become of news, in batches as the CRM takes them."""
        size = max(self.connector.capabilities.batch, 1)
        for first in range(0, len(told), size):
            some = told[first : first + size]
            changes = [_change(news, links.get(one.subject)) for one, news in some]
            results = _rehearsed(self.connector, changes, now=self.now)
            for (one, news), result in zip(some, results, strict=True):
                if result.outcome in NOT_ASKED:
                    raise NotAskedError(f"the CRM could not be asked: {result.says}")
                yield one, news, result

    def _waiting(self, page: Sequence[Present]) -> set[tuple[str, str | None]]:
        """Return of which states a message waits."""
        asked = {"connector": self.key, "subjects": [one.subject for one in page]}
        return {(subject, merges) for subject, merges in self.session.execute(WAITING, asked)}


def _rehearsed(
    connector: Connector, changes: Sequence[Change], *, now: datetime
) -> Sequence[Result]:
    """Return what would become of changes; raise NotAskedError where nothing can be looked up."""
    results = connector.rehearse(changes, now=now)
    if results is Outcome.UNSUPPORTED:
        raise NotAskedError("it takes messages: there is nothing to be looked up there")
    return results


def _refs(kind: Kind, page: Sequence[Present], links: Mapping[str, Link]) -> dict[str, str]:
    """Return which records subjects are, as far as we know."""
    if kind == "opportunity":
        return {one.subject: one.name.partition(":")[2] for one in page}
    return {subject: link.ref for subject, link in links.items() if link.ref}


def _change(news: News, link: Link | None) -> Change:
    """Return news as a connector is given it."""
    return Change(
        uuid.uuid4(), news.topic, news.subject, 0, news.occurred_at, news.payload, link=link
    )


def _what(news: News) -> str:
    """Return what news is about."""
    return news.topic.partition(".")[0]


def _compared(one: Present, news: News, result: Result, *, waits: bool) -> Compared:
    """Return what a result says of how something stands."""
    match result.outcome:
        case Outcome.NOOP:
            stands = Stands.EQUAL
        case Outcome.DONE:
            stands = Stands.NEW if result.created else Stands.DIFFERS
        case Outcome.LATER:  # another one with its address would be made first
            stands = Stands.NEW
        case Outcome.CONFLICT | Outcome.AMBIGUOUS:
            stands = Stands.CONFLICT
        case _:
            stands = Stands.REFUSED
    about = {"consent": news.payload.get("newsletter"), "score": news.payload.get("score")}
    detail = about.get(_what(news))
    name = f"{one.name} {detail}" if detail else one.name
    says = "" if stands in {Stands.EQUAL, Stands.NEW} else result.says
    return Compared(_what(news), name, stands, says, waits)
