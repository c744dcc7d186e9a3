"""What a portal would remember of somebody who is simulated: of his browser, and of himself."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from regportal.forms.rules import Known, known_from, passed_over, ticked
from regportal.identity.addresses import Address
from regportal.identity.rules import Standing, is_alive
from regportal.store.schema import Site, span


@dataclass(frozen=True, slots=True)
class Said:
    """One answer, or that he would rather not say."""

    question: str
    value: Any
    declined: bool
    answered_at: datetime
    visit_id: int


@dataclass(slots=True)
class Memory:
    """Whose browser it is, and what was said and taken in it; beside it what we know of him."""

    address: Address | None = None
    proven_at: datetime | None = None
    claimed_at: datetime | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    remembered: bool = True
    said: list[Said] = field(default_factory=list)
    offered: dict[str, tuple[int, bool]] = field(default_factory=dict)
    """Newsletter → how often its box was shown, and whether he ticked it."""
    taken: dict[int, set[str]] = field(default_factory=dict)
    """Visit → the assets taken in it."""
    visit: int = 0
    last_at: datetime | None = None
    """When he last sent a form: a visit ends so long after it."""
    known_of_him: list[Said] = field(default_factory=list)
    decided_by_him: set[str] = field(default_factory=set)

    @property
    def proven(self) -> bool:
        """Whether this browser's owner has proven his address."""
        return self.proven_at is not None

    @property
    def state(self) -> str:
        """Return how sure it is who he is, as design.md 4 calls it."""
        if self.address is None:
            return "none"
        return "verified" if self.proven else "claimed"

    def known(self, visit: int | None) -> Known:
        """Return what may be taken into account; ``visit`` is the one that goes on."""
        if self.address is None:
            return Known(passed_over=passed_over(self.offered), decided=ticked(self.offered))
        return known_from(
            self.said,
            self.offered,
            decided=self.decided_by_him if self.proven else (),
            visit=visit,
            taken=frozenset(self.taken.get(visit, ())) if visit is not None else (),
        )

    def values(self) -> dict[str, Any]:
        """Return what he answered, the newest to each question."""
        return {one.question: one.value for one in self.said if not one.declined}

    def newsletters(self) -> list[str]:
        """Return the newsletters he asked for."""
        return sorted(ticked(self.offered) | (self.decided_by_him if self.proven else set()))

    def claim(self, address: Address, at: datetime, *, remember: bool) -> None:
        """Take an address that he typed."""
        self.address, self.proven_at, self.remembered = address, None, remember
        self.first_seen, self.last_seen = self.first_seen or at, at
        self.claimed_at, self.said = at, []

    def prove(self, at: datetime) -> None:
        """Know him again by his address: all that he ever said is taken into account."""
        self.proven_at = at
        before = [one for one in self.known_of_him if one not in self.said]
        self.said = sorted([*before, *self.said], key=lambda one: one.answered_at)

    def keep(self) -> None:
        """Keep what his browser knows beside his address, once that is proven."""
        if self.proven:
            self.known_of_him = list(self.said)
            self.decided_by_him |= ticked(self.offered)

    def forgets(self, site: Site, at: datetime) -> bool:
        """
        Forget what nobody would know any more; return whether an address was that nobody proved.

        By the rules of visitors: whose browser it is holds for a time, and a claim as well.
        """
        if self.claimed_at is None or self.first_seen is None or self.last_seen is None:
            return False
        seen = Standing(self.first_seen, self.last_seen, self.remembered, self.proven_at)
        is_gone = not is_alive(seen, at)
        is_over = not self.proven and at - self.claimed_at >= span(site.keep.claims)
        was_claimed = not self.proven
        if is_gone or is_over:
            self.address = self.proven_at = self.claimed_at = None
            self.said = []
        if is_gone:
            self.first_seen = self.last_seen = self.last_at = None
            self.offered = {}
        return was_claimed and (is_gone or is_over)
