"""One glance at signs: how far they would lead, without keeping anything."""

from collections.abc import Sequence
from datetime import datetime

from regportal.buying.compiled import compiled
from regportal.buying.facts import Sign, moment
from regportal.buying.rules import Step, hear, next_phase, start
from regportal.buying.schema import Buying, Condition
from regportal.buying.standing import Standing


def furthest(buying: Buying, current: str, signs: Sequence[Sign], at: datetime) -> Step | None:
    """
    Return the step these signs let an opportunity take at a moment, or None to stay.

    A price list moves a customer who has shown nothing yet; steps may be left out:

    >>> import uuid
    >>> from datetime import UTC
    >>> from regportal.buying.default import DEFAULT
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> ann = uuid.uuid4()
    >>> taken = Sign(uuid.uuid4(), ann, "download", "price-list", noon, noon)
    >>> furthest(DEFAULT, "unaware", [taken], noon).to
    'comparison'

    Behaviour never moves anybody backwards; only exit criteria or a person may:

    >>> furthest(DEFAULT, "decision", [taken], noon) is None
    True

    What is older than the window of a condition no longer counts for it:

    >>> furthest(DEFAULT, "unaware", [taken], datetime(2026, 4, 18, 12, tzinfo=UTC)).to
    'interest'

    A phase the model does not have (any more) counts as its first.
    """
    model, now = compiled(buying), moment(at)
    standing = start(model)
    standing.phase = model.index(current)
    for sign in signs:
        hear(model, standing, sign, now)
    found = next_phase(model, standing, now, model.entry_bits)
    return Step(current, model.names[found[0]], found[1]) if found else None


def suggested(
    buying: Buying, current: str, known: Sequence[Sign], held: Sequence[Sign], at: datetime
) -> Step | None:
    """
    Return the step an opportunity would take if ``held`` signs were those of one who has a part.

    Nobody has proven yet that they are, so nothing moves by them (R6); a person may ask. None
    where what is known goes as far without them.
    """
    step, alone = (furthest(buying, current, signs, at) for signs in ([*known, *held], known))
    return None if step is None or (alone is not None and alone.to == step.to) else step


def ahead(buying: Buying, current: str) -> tuple[Condition, ...]:
    """
    Return the conditions about interactions that could still move an opportunity forward.

    >>> from regportal.buying.default import DEFAULT
    >>> [condition.categories for condition in ahead(DEFAULT, "comparison")]
    [('order-form', 'contract')]
    """
    place = compiled(buying).index(current)
    entries = [phase.enter for phase in buying.phases[place + 1 :] if phase.enter]
    return tuple(each for enter in entries for each in enter.leaves() if each.event)


def consensus(buying: Buying, standing: Standing, phase: str) -> float | None:
    """
    Return which share of the buying group has come to a phase by themselves; None without a group.

    Where the phase weighs parts, they weigh so here, too; else everybody counts for one.
    """
    model = compiled(buying)
    place = model.index(phase)
    group = model.groups[place]
    weights = group.weights if group else None
    parts = [
        (person.phase >= place, max((weights.get(role, 0) for role in person.roles), default=0))
        if weights
        else (person.phase >= place, 1)
        for person in standing.people.values()
    ]
    whole = sum(weight for _, weight in parts)
    return sum(weight for is_there, weight in parts if is_there) / whole if whole else None
