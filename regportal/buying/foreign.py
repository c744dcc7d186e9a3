"""The rows of a foreign log, and in which order they are taken."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from regportal.buying.facts import Answered, Noted, Scored, Sign
from regportal.buying.standing import NEVER
from regportal.buying.vocabulary import named


@dataclass(frozen=True, slots=True)
class RoleRow:
    """A contact's part in an opportunity, in [since, until)."""

    opportunity: str
    contact: str
    role: str
    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class ToldRow:
    """What the seller did with an opportunity: another stage, closed, or open again."""

    opportunity: str
    at: int
    stage: str | None
    is_closed: bool | None


@dataclass(frozen=True, slots=True)
class FactRow:
    """What became known of a contact: an interaction, an answer, a score, a field."""

    contact: str
    at: int
    fact: Sign | Answered | Scored | Noted


@dataclass(frozen=True, slots=True)
class Changes:
    """Which parts contacts have in an opportunity from a moment on; None for no part."""

    opportunity: str
    roles: dict[str, frozenset[str] | None]


def in_order(
    roles: Sequence[RoleRow], told: Sequence[ToldRow], facts: Sequence[FactRow]
) -> list[tuple[int, int, int, FactRow | ToldRow | Changes]]:
    """Return all rows with their moment, the kind of file, and a number, in their order."""
    changes = _changes(roles)
    rows: list[tuple[int, int, int, FactRow | ToldRow | Changes]] = [
        *((at, 0, 0, change) for at, change in changes),
        *((row.at, 1, 0, row) for row in told),
        *((row.at, 2, 0, row) for row in facts),
    ]
    rows.sort(key=itemgetter(0, 1))
    return [(at, kind, number, row) for number, (at, kind, _, row) in enumerate(rows)]


def _changes(roles: Sequence[RoleRow]) -> Iterator[tuple[int, Changes]]:
    """Yield when parts begin and end, by opportunity; parts that touch or overlap are one."""
    by_deal: defaultdict[str, list[RoleRow]] = defaultdict(list)
    for row in roles:
        if row.until is None or row.since < row.until:
            by_deal[row.opportunity].append(row)
    for opportunity, rows in by_deal.items():
        starts: defaultdict[int, list[RoleRow]] = defaultdict(list)
        ends: defaultdict[int, list[RoleRow]] = defaultdict(list)
        for row in rows:
            starts[row.since].append(row)
            if row.until is not None:
                ends[row.until].append(row)
        holding: defaultdict[str, list[RoleRow]] = defaultdict(list)
        for at in sorted({*starts, *ends}):
            touched = [*ends[at], *starts[at]]
            for row in ends[at]:
                holding[row.contact].remove(row)
            for row in starts[at]:
                holding[row.contact].append(row)
            yield (
                at,
                Changes(
                    opportunity,
                    {
                        row.contact: frozenset(
                            named(one.role) for one in holding[row.contact] if one.role
                        )
                        if holding[row.contact]
                        else None
                        for row in touched
                    },
                ),
            )


def latest(roles: Iterable[RoleRow], told: Iterable[ToldRow], facts: Iterable[FactRow]) -> int:
    """Return the last moment that any row names."""
    parts = (at for row in roles for at in (row.since, row.until) if at is not None)
    others = (row.at for rows in (told, facts) for row in rows)
    return max((*parts, *others), default=NEVER)
