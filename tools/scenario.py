"""What every connector must have done to a real CRM, twice: told step by step."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from regportal.connectors.base import Change, Notice, Outcome, Result, Vocabulary
from regportal.connectors.records import Records
from regportal.connectors.rules import TAKEN
from regportal.connectors.schema import Connector as Document
from tests.connectors.changes import Outbox
from tools.hands.base import Hands

VOCABULARY = Vocabulary({"interest": "Interest", "comparison": "Comparison"})
BAD, ATTEMPTS, PAGE = "no-such-phase", 3, 200
COMPANY, NEWSLETTER = "company", "prices"


class FailedError(Exception):
    """A step did not end as it must."""


@dataclass(slots=True)
class Walk:
    """
    One walk through the scenario, and another; whatever it makes is named after ``tag``.

    Everything it tells is worked out from ``tag`` and ``now``: the same walk makes the same calls.
    """

    document: Document
    connector: Records
    hands: Hands
    tag: str
    now: datetime
    stop: Callable[[], None] | None = None
    start: Callable[[], None] | None = None
    _number: int = 0
    _cursor: str | None = None
    _seen: list[Notice] = field(default_factory=list)
    _outbox: Any = field(init=False)
    _key: str = field(init=False)

    def __post_init__(self) -> None:
        """Make up who he is."""
        outbox: Any = Outbox
        self._outbox = outbox(self.connector, self.now, new_id=self._id)
        self._key = str(self._id())

    def steps(self) -> Iterator[tuple[str, str]]:
        """Yield step after step, as it was seen; raise FailedError at the first that fails."""
        yield "let in", self._check()
        self.hands.make_list(self._list)
        for number in (1, 2):
            yield f"{number}. cursor", self._pull()
            yield f"{number}. person and company", self._known(number)
            deal = self.hands.opportunity(self._person(), name=f"{self.tag} {number}")
            yield f"{number}. open opportunity", self._found(deal)
            yield f"{number}. phase", self._moved(deal)
            yield f"{number}. bad phase", self._refused(deal)
            yield f"{number}. note", self._noted(deal, number)
            yield f"{number}. opt-in", self._allowed("confirmed", wants=True)
            yield f"{number}. opt-out", self._allowed("withdrawn", wants=False)
            self.hands.win(deal)
            yield f"{number}. won", self._won(deal)

    # --- the steps ---

    def _check(self) -> str:
        """Look whether all is there."""
        found = self.connector.check(VOCABULARY)
        amiss = [f"{one.subject} {one.says}" for one in found if not one.fine]
        _must(not amiss, "; ".join(amiss))
        return "; ".join(one.says for one in found[:3])

    def _known(self, number: int) -> str:
        """Let a person and his company be there; told again, there is nothing to do."""
        name = self.document.fields.get(COMPANY, COMPANY)
        change = self._outbox.knows(self._key, self._email, **{name: self._company})
        result = self._told(change)
        is_new = result.created is True
        _must(is_new == (number == 1), f"was {'' if is_new else 'not '}made")
        _must(self._told(change).outcome is Outcome.NOOP, "was written again")
        person = self._person()
        companies = self.hands.companies(self._company)
        _must(len(companies) == 1, f"{len(companies)} companies are there")
        _must(self.hands.company_of(person) == self._company, "is of another company")
        return f"contact {person} of company {companies[0]}, {'made' if is_new else 'found'}"

    def _found(self, deal: str) -> str:
        """Find the open opportunity of the person: one, the other is won already."""
        person = self._person()
        found = [one.id for one in self.connector.open_opportunities([person]).get(person, ())]
        _must(found == [deal], f"{found} instead of {deal}")
        return f"opportunity {deal}"

    def _moved(self, deal: str) -> str:
        """Write the phase, and again."""
        change = self._outbox.moves(deal, "comparison")
        first, again = self._told(change), self._told(change)
        _must(first.outcome is Outcome.DONE, first.says or first.outcome)
        _must(again.outcome is Outcome.NOOP, again.says or again.outcome)
        _must(self.hands.phase(deal) == "comparison", str(self.hands.phase(deal)))
        return "comparison is written, once"

    def _refused(self, deal: str) -> str:
        """Refuse a phase the field does not have: it is never sent."""
        result = self._told(self._outbox.moves(deal, BAD))
        _must(result.outcome is Outcome.REJECTED, str(result.outcome))
        _must(self.hands.phase(deal) == "comparison", str(self.hands.phase(deal)))
        return result.says

    def _noted(self, deal: str, number: int) -> str:
        """Log what he did, while the server is stopped, and when it is there again, and again."""
        title = f"Price list {self.tag} {number}"
        change = self._outbox.did(self._key, self._email, deal, title=title)
        down = "the server was not stopped"
        if self.stop and self.start:
            self.stop()
            result = self._told(change, attempts=1)
            _must(result.outcome is Outcome.RETRY, str(result.outcome))
            self.start()
            down = "the server was stopped before and started after"
        results = [self._told(change) for _ in range(2)]
        _must(all(one.outcome in TAKEN for one in results), str(results[-1].outcome))
        seen = [text for text in self.hands.notes(self._person()) if title in text]
        _must(len(seen) == 1, f"{len(seen)} notes are there")
        return f"one note is there; {down}"

    def _allowed(self, state: str, *, wants: bool) -> str:
        """Let a newsletter be allowed, or no longer, and again."""
        self._outbox.now += timedelta(minutes=1)
        change = self._outbox.allows(self._key, self._email, NEWSLETTER, state)
        outcomes = [self._told(change).outcome for _ in range(2)]
        _must(outcomes == [Outcome.DONE, Outcome.NOOP], ", ".join(outcomes))
        seen = self.hands.wants(self._person(), self._email, self._list)
        _must(seen is wants, f"the list says {seen}")
        return f"{state}: the list says {'yes' if seen else 'no'}"

    def _won(self, deal: str) -> str:
        """Pull that it was won; it keeps its phase."""
        self._pull()
        ids = {one.id for one in self._seen}
        told = [one.body for one in self._seen if one.body["type"] == "opportunity.upserted"]
        ours = [one["data"] for one in told if one["data"]["external_id"] == deal]
        _must(bool(ours) and ours[-1].get("is_won") is True, "no news of it")
        before = self._cursor
        self._pull()
        _must({one.id for one in self._seen} <= ids, "what was told has another name now")
        self._cursor = before
        late = self._told(self._outbox.moves(deal, "interest"))
        _must(late.outcome is Outcome.NOOP, str(late.outcome))
        return f"opportunity {deal} is won, at {ours[-1].get('stage')}"

    # --- inside ---

    def _pull(self) -> str:
        """Ask what happened, to the end."""
        self._seen = []
        while True:
            news, after = self.connector.changes(self._cursor, PAGE)
            self._seen += news
            is_end = after == self._cursor or len(news) < PAGE
            self._cursor = after
            if is_end:
                return f"{len(self._seen)} pieces of news"

    def _told(self, change: Change, attempts: int = ATTEMPTS) -> Result:
        """Tell one change; again, where a connection of before was broken."""
        (result,) = self._outbox.deliver(change)
        if result.outcome is Outcome.RETRY and attempts > 1:
            return self._told(change, attempts - 1)
        told: Result = result
        return told

    def _person(self) -> str:
        """Return the only contact with the address."""
        people: Sequence[str] = self.hands.people(self._email)
        _must(len(people) == 1, f"{len(people)} contacts are there")
        return people[0]

    def _id(self) -> uuid.UUID:
        """Return the next id."""
        self._number += 1
        return uuid.uuid5(uuid.NAMESPACE_URL, f"regportal:{self.tag}:{self._number}")

    @property
    def _email(self) -> str:
        """Return his address."""
        return f"ann.{self.tag}@acme.example"

    @property
    def _company(self) -> str:
        """Return what his company is called."""
        return f"Acme {self.tag} Widgets"

    @property
    def _list(self) -> str:
        """Return what the CRM calls the newsletter."""
        return self.document.newsletters.get(NEWSLETTER, NEWSLETTER)


def _must(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - the condition itself
    """Raise FailedError where something does not hold."""
    if not holds:
        raise FailedError(otherwise)


def whole_second(at: datetime) -> datetime:
    """Return a moment as a transcript keeps it."""
    return at.astimezone(UTC).replace(microsecond=0)
