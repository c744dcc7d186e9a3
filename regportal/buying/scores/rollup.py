"""What the people of one company are worth together, and how somebody compares with others."""

import math
from collections.abc import Sequence
from typing import NamedTuple

FIT, ENGAGEMENT = "ABC", "123"


class Member(NamedTuple):
    """One person of an account: his score, and the part he has, if we know one."""

    value: float
    role: str | None = None


class Account(NamedTuple):
    """What an account is worth, and how many of its roles are engaged."""

    value: float
    people: int
    roles: tuple[str, ...]
    """Roles of people with at least a point: one keen person is not a buying group."""


def rolled_up(how: str, members: Sequence[Member]) -> Account:
    """
    Return what the people of an account are worth together.

    ``noisy_or``: everybody adds what the others left open. Two at 50 are worth 75:

    >>> rolled_up("noisy_or", [Member(50, "user"), Member(50, "user"), Member(0, "buyer")])
    Account(value=75.0, people=3, roles=('user',))

    ``max``: the best; ``top_3``: the mean of the best three, missing ones at 0:

    >>> everybody = [Member(90), Member(60), Member(30), Member(10)]
    >>> rolled_up("max", everybody).value, rolled_up("top_3", everybody).value
    (90.0, 60.0)
    >>> rolled_up("top_3", [Member(90)]).value, rolled_up("noisy_or", []).value
    (30.0, 0.0)
    """
    values = sorted((one.value for one in members), reverse=True)
    if how == "max":
        value = values[0] if values else 0.0
    elif how == "top_3":
        value = math.fsum(values[:3]) / 3
    else:
        value = 100.0 * (1.0 - math.prod(1.0 - one / 100.0 for one in values))
    roles = {one.role for one in members if one.role is not None and one.value >= 1}
    return Account(float(value), len(values), tuple(sorted(roles)))


def social(of_each: float, at_most: float, colleagues: Sequence[float]) -> float:
    """
    Return what colleagues' behaviour gives somebody: a little of each, the less the more they are.

    An edge between people of one account weighs 0.2 by the root of their number:

    >>> social(40, 10, [40]), social(40, 10, [40, 40, 40, 40]), social(40, 10, [])
    (8.0, 10.0, 0.0)
    """
    if not colleagues:
        return 0.0
    weight = 0.2 / math.sqrt(len(colleagues))
    counted = math.fsum(min(of_each, max(0.0, one)) for one in colleagues)
    return min(float(at_most), weight * counted)


def thirds(values: Sequence[float]) -> tuple[float, float] | None:
    """
    Return where the last and the middle third of some values end; None: there are too few.

    >>> thirds([10, 20, 30, 40, 50, 60]), thirds([10, 20])
    ((20, 40), None)
    """
    if len(values) < 3:  # noqa: PLR2004 - a third of two is nobody
        return None
    ordered = sorted(values)
    return ordered[len(ordered) // 3 - 1], ordered[2 * len(ordered) // 3 - 1]


def grade(
    fit: float,
    engagement: float,
    among: tuple[tuple[float, float] | None, tuple[float, float] | None],
) -> str | None:
    """
    Return how somebody compares with the others: A to C for who he is, 1 to 3 for what he does.

    >>> grade(40, 5, ((10, 30), (10, 30))), grade(5, 31, ((10, 30), (10, 30)))
    ('A3', 'C1')
    >>> grade(40, 5, (None, (10, 30))) is None
    True
    """
    fits, engages = among
    if fits is None or engages is None:
        return None
    return f"{FIT[_third(fit, fits)]}{ENGAGEMENT[_third(engagement, engages)]}"


def _third(value: float, bounds: tuple[float, float]) -> int:
    """
    Return 0 for the best third, 2 for the last.

    Where nearly all are the same, nobody is better than they are:

    >>> _third(0, (0, 0)), _third(1, (0, 0))
    (2, 0)
    """
    last, middle = bounds
    return 0 if value > middle else 1 if value > last else 2
