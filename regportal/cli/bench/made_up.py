"""
People who never were, and what they did: as rows of text that either database takes as they are.

Few companies have many people, few people did much, most did it lately. Names are combined from
lists, addresses end in ``.example``, and nothing is random but by the number one begins with.
"""

import json
import math
import random
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from regportal.buying.lists.models import ListedPerson
from regportal.buying.models import ContactRole, Opportunity
from regportal.buying.scores.decay import Sum
from regportal.buying.scores.models import ScoreState
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.standing import Standing
from regportal.identity.models import Claim, Contact, Visitor
from regportal.store.base import Base
from regportal.tracking.models import Interaction

FIRST = (
    *("ann", "ben", "carla", "deniz", "emeka", "fatima", "george", "hana", "ivo", "june", "karim"),
    *("lena", "marek", "nadia", "omar", "petra", "quentin", "rosa", "sven", "tara", "uma"),
)
LAST = (
    *("adler", "bauer", "costa", "dubois", "eriksen", "fischer", "garcia", "hughes", "ivanova"),
    *("jansen", "kowalski", "lopez", "martin", "novak", "okafor", "patel", "quinn", "rossi"),
    *("schmidt", "tanaka", "usman", "visser", "weber", "yilmaz", "zhang"),
)
COMPANY = ("north", "blue", "prime", "delta", "rapid", "union", "silver", "green", "solid", "urban")
TRADE = ("tools", "foods", "steel", "labs", "parts", "freight", "paper", "optics", "gas", "glass")
TYPES = (
    *(("page_view", None),) * 12,
    *(("download", "paper"), ("download", "paper"), ("download", "price-list")),
    *(("video_watch", "video"), ("search", None), ("price_lookup", "price")),
)
DAY = 86_400.0
SPAN = 730 * DAY
"""How far back it goes."""
EACH = 10
"""Interactions of a contact, on the average."""
SELLER = 250
"""Contacts for each of whom there is one seller."""
STAFF = 500
"""People of the greatest companies."""
FREE = 0.15
"""Of all that have an address anybody may have, and so belong to no company."""
MACHINES = 0.05
CONNECTOR = "bench"
SURE = (*("verified",) * 7, *("crm",) * 2, "imported")

Row = tuple[str | None, ...]


class Table(NamedTuple):
    """A table, the columns that are written, and how many rows there will be at most."""

    model: type[Base]
    columns: tuple[str, ...]
    rows: int

    @property
    def name(self) -> str:
        """Return what the database calls it."""
        return str(self.model.__tablename__)


@dataclass
class World:
    """
    So many contacts, and all that belongs to them; each kind of row is asked for once, in order.

    ``began`` is a number from which all follows; ``mark`` lets names be others than those of
    another world.
    """

    size: int
    now: float
    phases: Sequence[str]
    scorings: Sequence[Scoring] = ()
    mark: str = "made"
    began: int = 7
    keys: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    company: "array[int]" = field(default_factory=lambda: array("q"))
    last: "array[float]" = field(default_factory=lambda: array("d"))
    points: "array[int]" = field(default_factory=lambda: array("q"))
    sure: bytearray = field(default_factory=bytearray)
    _members: dict[int, list[int]] = field(default_factory=dict)
    _deals: list[tuple[str, int, str, float, bool]] = field(default_factory=list)
    _stands: dict[int, tuple[float, str, str]] = field(default_factory=dict)
    _of_crm: set[int] = field(default_factory=set)
    _visitors: list[tuple[str, str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with the number."""
        self._chance = random.Random(self.began)  # noqa: S311 - made up, no secret

    @property
    def tables(self) -> list[tuple[Table, Iterator[Row]]]:
        """Return every table with its rows, in the order in which they must be written."""
        size = self.size
        return [
            (Table(Contact, CONTACT, size), self._contacts()),
            (Table(Interaction, INTERACTION, EACH * size), self._interactions()),
            (Table(Opportunity, OPPORTUNITY, size // 10), self._opportunities()),
            (Table(ContactRole, ROLE, size // 10), self._roles()),
            (Table(ListedPerson, LISTED, size), self._listed()),
            (Table(ScoreState, SCORE, size * len(self.scorings)), self._scores()),
            (Table(Visitor, VISITOR, size // 20), self._visits()),
            (Table(Claim, CLAIM, size // 20), self._claims()),
        ]

    def _key(self, at: float) -> str:
        """Return a key of version 7, as hexadecimal digits."""
        bits = self._chance.getrandbits(72)
        return f"{int(at * 1000):012x}7{bits >> 60:03x}8{bits & (1 << 60) - 1:015x}"

    def _contacts(self) -> Iterator[Row]:
        """Yield contacts, in the order in which they became known."""
        chance, start = self._chance, self.now - SPAN
        for number, company in enumerate(self._staff()):
            at = start + SPAN * number / self.size
            if company >= 0:
                self._members.setdefault(company, []).append(number)
            host = "gmail.com" if company < 0 else self._domain(company)
            name = f"{chance.choice(FIRST)}.{chance.choice(LAST)}.{number}.{self.mark}"
            key, address, sure = self._key(at), f"{name}@{host}", chance.randrange(len(SURE))
            self.keys.append(key)
            self.addresses.append(address)
            self.company.append(company)
            self.last.append(at)
            self.points.append(0)
            self.sure.append(sure)
            yield key, address, address, SURE[sure], moment(at), "en", key

    def _staff(self) -> "array[int]":
        """Return of which company everybody is, if of any: most companies have few people here."""
        chance, places, company = self._chance, array("q"), 0
        places.extend([-1] * round(FREE * self.size))
        while len(places) < self.size:
            places.extend([company] * min(STAFF, int(chance.paretovariate(1.1))))
            company += 1
        del places[self.size :]
        chance.shuffle(places)
        return places

    def _domain(self, company: int) -> str:
        """Return the domain of a company."""
        name = f"{COMPANY[company % 10]}{TRADE[company // 10 % 10]}"
        return f"{name}-{company}-{self.mark}.example"

    def _interactions(self) -> Iterator[Row]:
        """Yield what contacts did, in the order in which they did it."""
        chance, start, size = self._chance, self.now - SPAN, self.size
        count = EACH * size
        for number in range(count):
            part = (number + 1) / count
            at = start + SPAN * part
            known = max(1, int(size * part))
            who = int(known * chance.random() ** 2.5)
            if number & 1:
                who = known - 1 - who
            kind, category = TYPES[chance.randrange(len(TYPES))]
            by_machine = chance.random() < MACHINES
            if not by_machine and at > self.last[who]:
                self.last[who] = at
            self.points[who] += 0 if by_machine else 1 if category is None else 10
            said = moment(at)
            yield (
                *(self._key(at), kind, f"https://www.bench.example/{kind}/{number % 97}", category),
                *("{}", said, said, self.keys[who], "verified"),
                *("machine" if by_machine else "person", "bench"),
            )

    def _opportunities(self) -> Iterator[Row]:
        """Yield opportunities of companies, of which some have many."""
        chance = self._chance
        for number in range(self.size // 10):
            company = self.company[chance.randrange(self.size)]
            seller = int((1 + self.size // SELLER) * chance.random())
            phase = self.phases[int(len(self.phases) * chance.random() ** 1.5)]
            since = self.now - 180 * DAY * chance.random() ** 2
            is_closed, is_won = chance.random() < 0.6, chance.random() < 0.3  # noqa: PLR2004 - a share
            key = self._key(since - 30 * DAY)
            self._deals.append((key, company, phase, since, is_closed))
            owner = {"name": f"Seller {seller}", "email": f"seller{seller}@bench.example"}
            account = None
            if company >= 0:
                account = {"external_id": self._external(company), "name": self._domain(company)}
            yield (
                *(key, CONNECTOR, f"{self.mark}-{number}", f"{chance.choice(TRADE)} {number}"),
                *(str(int(is_closed)), str(int(is_closed and is_won)), json.dumps(owner)),
                *(owner["email"], json.dumps(account) if account else None),
                *(moment(since), phase, moment(since)),
            )

    def _external(self, company: int) -> str:
        """Return the CRM's key of a company."""
        return f"{self.mark}-{company}"

    def _roles(self) -> Iterator[Row]:
        """Yield who has a part in an opportunity: one to three of its company."""
        chance = self._chance
        for key, company, phase, since, is_closed in self._deals:
            there = self._members.get(company, ())
            for who in sorted({chance.choice(there) for _ in range(3)}) if there else ():
                self._of_crm.add(who)
                if not is_closed:
                    self._stands[who] = max(
                        self._stands.get(who, (0.0, "", "")), (since, key, phase)
                    )
                said = moment(since - 30 * DAY)
                yield self._key(since - 30 * DAY), key, self.keys[who], "user", "0", said, said

    def _listed(self) -> Iterator[Row]:
        """Yield what lists show of everybody, as the weigher would write it."""
        for number, key in enumerate(self.keys):
            company, sure = self.company[number], SURE[self.sure[number]]
            account = None
            if number in self._of_crm:
                account = f"{CONNECTOR}:{self._external(company)}"
            elif company >= 0 and sure == "verified":
                account = self._domain(company)
            phase = self._stands.get(number, (0.0, "", None))[2]
            yield key, self.addresses[number], sure, moment(self.last[number]), account, phase

    def _scores(self) -> Iterator[Row]:
        """Yield how everybody stands under each score: some points, as of what he did last."""
        for scoring in self.scorings:
            for number, key in enumerate(self.keys):
                points, at = float(self.points[number]), self.last[number]
                standing = Standing(fixed=self.sure[number] % 5, last=at)
                if points and scoring.score.behaviour:
                    standing.gained[0] = Sum(points, at)
                level = scoring.level_name(scoring.level(standing.parts(scoring, self.now).total))
                ranked = standing.rank(scoring)
                yield (
                    *(key, scoring.key, str(scoring.version), str(standing.fixed)),
                    *(json.dumps(standing.kept()), None if ranked is None else repr(ranked), level),
                )

    def _visits(self) -> Iterator[Row]:
        """Yield browsers whose address nobody has confirmed."""
        for number in range(self.size // 20):
            at = self.now - 90 * DAY * (1 - number * 20 / self.size)
            visitor, claim = self._key(at), self._key(at)
            self._visitors.append((visitor, claim, at))
            yield visitor, moment(at), moment(at), "claimed", "0", "0", claim

    def _claims(self) -> Iterator[Row]:
        """Yield what they claim."""
        for number, (visitor, claim, at) in enumerate(self._visitors):
            address = f"somebody.{number}.{self.mark}@{self._domain(number % 97)}"
            yield (
                *(claim, visitor, address, address, address, "prices", "Firefox on Linux", "en"),
                *("open", moment(at)),
            )


CONTACT = ("id", "email", "match_key", "assurance", "first_seen", "locale", "person_id")
INTERACTION = (
    *("id", "type", "object", "category", "properties", "occurred_at", "received_at"),
    *("contact_id", "attribution", "judged", "judged_by"),
)
OPPORTUNITY = (
    *("id", "connector", "external_id", "name", "is_closed", "is_won", "owner", "owner_key"),
    *("account", "told_at", "phase", "phase_since"),
)
ROLE = ("id", "opportunity_id", "contact_id", "role", "is_primary", "since", "told_at")
LISTED = ("contact_id", "address", "assurance", "last_at", "account", "phase")
SCORE = ("contact_id", "score", "version", "fixed", "sums", "rank", "level")
VISITOR = ("id", "first_seen", "last_seen", "state", "remembered", "tracks", "claim_id")
CLAIM = (
    *("id", "visitor_id", "typed", "email", "match_key", "gate", "browser", "locale"),
    *("state", "opened_at"),
)


def moment(at: float) -> str:
    """
    Return a moment as both databases take it: in UTC, to the millisecond.

    >>> moment(1772625600.25)
    '2026-03-04 12:00:00.250000'
    """
    whole = math.floor(at * 1000) / 1000
    return datetime.fromtimestamp(whole, UTC).isoformat(" ", "microseconds")[:26]
