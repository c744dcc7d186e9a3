"""All other conditions, made ready; and several put together."""

from collections.abc import Hashable, Iterator, Sequence

from regportal.buying.counting import Counted, CountedFilms, CountedOfOne, Holds, Leaf, Met
from regportal.buying.facts import length
from regportal.buying.schema import Condition
from regportal.buying.standing import Standing
from regportal.store.schema import span


class Silence(Leaf):
    """Nobody did or answered anything for so long."""

    fades = False

    def __init__(self, condition: Condition, long: str) -> None:
        """Make a condition ready."""
        super().__init__(condition)
        self.span = self.long = length(span(long))

    def holds(self, standing: Standing, at: int, epoch: int) -> bool:
        """Return whether the last is so long ago."""
        del epoch
        return standing.last is None or standing.last <= at - self.long

    def met(self, standing: Standing, at: int, epoch: int) -> Iterator[Met]:
        """Yield it as it is."""
        if self.holds(standing, at, epoch):
            yield Met(self.condition)

    def flip(self, standing: Standing, at: int, epoch: int) -> int | None:
        """Return when it will have been so long."""
        del at, epoch
        return None if standing.last is None else standing.last + self.long


class Said(Leaf):
    """Somebody answered a question so, and not longer ago."""

    def __init__(self, condition: Condition) -> None:
        """Make a condition ready."""
        super().__init__(condition)
        told = condition.answer
        assert told is not None  # noqa: S101 - who calls it has looked
        self.told = told
        self.wanted = told.wanted
        self.window = None if told.within is None else length(span(told.within))
        self.fades = None if self.window is None else True

    def holds(self, standing: Standing, at: int, epoch: int) -> bool:
        """Return whether anybody did."""
        return any(True for _ in self._theirs(standing, at, epoch))

    def met(self, standing: Standing, at: int, epoch: int) -> Iterator[Met]:
        """Yield all who did."""
        told = [(who, ", ".join(values)) for who, values, _ in self._theirs(standing, at, epoch)]
        if told:
            yield Met(self.condition, told=tuple(told))

    def flip(self, standing: Standing, at: int, epoch: int) -> int | None:
        """Return when the last of these answers is too old."""
        if self.window is None:
            return None
        theirs = [given for _, _, given in self._theirs(standing, at, epoch)]
        return max(theirs) + self.window if theirs else None

    def _theirs(
        self, standing: Standing, at: int, epoch: int
    ) -> Iterator[tuple[Hashable, tuple[str, ...], int]]:
        """Yield the answers that will do: whose, what, and when they were given."""
        latest = epoch if self.window is None else max(epoch, at - self.window)
        for who, (values, given) in standing.answers.get(self.told.question, {}).items():
            if given > latest and self._fits(values):
                yield who, values, given

    def _fits(self, values: tuple[str, ...]) -> bool:
        """Return whether an answer is one of those asked for."""
        if self.wanted is not None:
            return not self.wanted.isdisjoint(values)
        low, high = self.told.at_least, self.told.at_most
        if low is None and high is None:
            return True
        return any(
            (low is None or number >= low) and (high is None or number <= high)
            for number in (_number(value) for value in values)
            if number is not None
        )


def _number(text: str) -> float | None:
    """Return the number that an answer is, if it is one."""
    try:
        return float(text)
    except ValueError:
        return None


class High(Leaf):
    """Somebody's score is so high."""

    def holds(self, standing: Standing, at: int, epoch: int) -> bool:
        """Return whether anybody's is."""
        return any(True for _ in self.met(standing, at, epoch))

    def met(self, standing: Standing, at: int, epoch: int) -> Iterator[Met]:
        """Yield whose it is."""
        del at, epoch
        told = self.condition.score
        assert told is not None  # noqa: S101 - who calls it has looked
        theirs = standing.scores.get(told.name, {}).items()
        high = tuple((who, f"{value:g}") for who, value in theirs if value >= told.at_least)
        if high:
            yield Met(self.condition, told=high)


class Held(Leaf):
    """Something is known of a contact or its account."""

    def holds(self, standing: Standing, at: int, epoch: int) -> bool:
        """Return whether it is known of anybody."""
        return any(True for _ in self.met(standing, at, epoch))

    def met(self, standing: Standing, at: int, epoch: int) -> Iterator[Met]:
        """Yield of whom."""
        del at, epoch
        told = self.condition.field
        assert told is not None  # noqa: S101 - who calls it has looked
        theirs, wanted = standing.fields.get(told.name, {}).items(), told.wanted
        fit = tuple(pair for pair in theirs if wanted is None or pair[1] in wanted)
        if fit:
            yield Met(self.condition, told=fit)


class AtStage(Leaf):
    """The seller put the opportunity to a stage, and not longer ago."""

    def __init__(self, condition: Condition) -> None:
        """Make a condition ready."""
        super().__init__(condition)
        told = condition.crm
        assert told is not None  # noqa: S101 - who calls it has looked
        self.stages = told.stages
        self.window = None if told.within is None else length(span(told.within))
        self.fades = None if self.window is None else True

    def holds(self, standing: Standing, at: int, epoch: int) -> bool:
        """Return whether it is at one of the stages."""
        del epoch
        if standing.stage is None or (self.stages and standing.stage not in self.stages):
            return False
        return self.window is None or standing.stage_since > at - self.window

    def met(self, standing: Standing, at: int, epoch: int) -> Iterator[Met]:
        """Yield at which."""
        if self.holds(standing, at, epoch):
            yield Met(self.condition, told=(("", standing.stage or ""),))

    def flip(self, standing: Standing, at: int, epoch: int) -> int | None:
        """Return when it came there too long ago."""
        if self.window is None or not self.holds(standing, at, epoch):
            return None
        return standing.stage_since + self.window


class Playing(Leaf):
    """Somebody has one of these parts in the opportunity."""

    def __init__(self, condition: Condition) -> None:
        """Make a condition ready."""
        super().__init__(condition)
        self.roles = condition.roles

    def holds(self, standing: Standing, at: int, epoch: int) -> bool:
        """Return whether anybody has."""
        del at, epoch
        return any(self.roles & person.roles for person in standing.people.values())

    def met(self, standing: Standing, at: int, epoch: int) -> Iterator[Met]:
        """Yield who has."""
        del at, epoch
        theirs = tuple(
            (who, ", ".join(sorted(self.roles & person.roles)))
            for who, person in standing.people.items()
            if self.roles & person.roles
        )
        if theirs:
            yield Met(self.condition, told=theirs)


SIMPLE: dict[str, type[Leaf]] = {
    "answer": Said,
    "score": High,
    "field": Held,
    "crm": AtStage,
    "role": Playing,
}


def leaf_of(condition: Condition, number: int) -> Leaf:
    """Return a single condition made ready; one about events counts in this series."""
    if condition.event is not None:
        if condition.watched is not None:
            return CountedFilms(condition, number)
        alone = condition.by == "same_contact" and condition.count.at_least > 1
        return (CountedOfOne if alone else Counted)(condition, number)
    if condition.quiet is not None:
        return Silence(condition, condition.quiet.span)
    return SIMPLE[str(condition.kind)](condition)


class Together:
    """Several conditions put together by all, any or none."""

    def __init__(self, how: str, parts: "Sequence[Leaf | Together]") -> None:
        """Put them together."""
        self.how, self.parts = how, parts
        tests = tuple(part.holds for part in parts)
        self.holds: Holds = {"all": _all, "any": _any, "none": _none}[how](tests)

    def met(self, standing: Standing, at: int, epoch: int) -> Iterator[Met]:
        """Yield the evidence, where it holds: of any those parts that do."""
        if self.holds(standing, at, epoch):
            for part in self.parts:
                if self.how == "none":
                    yield from (Met(leaf.condition, absent=True) for leaf in leaves_in(part))
                elif part.holds(standing, at, epoch):
                    yield from part.met(standing, at, epoch)


def leaves_in(part: Leaf | Together) -> Iterator[Leaf]:
    """Yield every single condition."""
    if isinstance(part, Leaf):
        yield part
    else:
        for each in part.parts:
            yield from leaves_in(each)


def _all(tests: tuple[Holds, ...]) -> Holds:
    """Return a function that says whether all of these hold."""
    if len(tests) == 1:
        return tests[0]

    def holds(standing: Standing, at: int, epoch: int) -> bool:
        for test in tests:  # noqa: SIM110 - all() would make a generator each time
            if not test(standing, at, epoch):
                return False
        return True

    return holds


def _any(tests: tuple[Holds, ...]) -> Holds:
    """Return a function that says whether any of these holds."""
    if len(tests) == 1:
        return tests[0]

    def holds(standing: Standing, at: int, epoch: int) -> bool:
        for test in tests:  # noqa: SIM110 - any() would make a generator each time
            if test(standing, at, epoch):
                return True
        return False

    return holds


def _none(tests: tuple[Holds, ...]) -> Holds:
    """Return a function that says whether none of these holds."""
    one = _any(tests)
    return lambda standing, at, epoch: not one(standing, at, epoch)
