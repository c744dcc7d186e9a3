"""
Reading a buying phase from behaviour: the engine, which knows no database and no clock.

A *standing* is where one opportunity (or one contact, for the phase of his own) stands under a
compiled model. Moments are microseconds (`facts.moment`, `facts.when`). Whoever keeps standings:

1. **Begin** one with `start`, or `kept.read` its row. The row belongs to one model
   (`Model.digest`); under another one `read` gives None: `fold` the facts anew.
2. **Hear** each fact in the order of the log, at its `since`: when it became known to be this
   subject's (the latest of: received, proven, acquitted, and for an opportunity: the contact has a
   part). Before that, `tick` fires the timers until that moment. Late or not, a fact is heard the
   same way. Of a contact an opportunity hears `Joined` when his part begins or becomes another
   (a new one with all the contact's signs, answers, scores and fields until then), his facts as
   they come, and `Reached` whenever his own standing takes a step.
3. **Settle** once after each line of the log, with the bits that its facts returned. A contact's
   own standing is settled first, so that the opportunity hears of the sign and of `Reached`
   before it settles. A step that comes back is one move, with its evidence.
4. **Keep** in one transaction the move, the phase and its `since`, `kept.written`, and
   `wake_at` in an indexed column: a sweep reads what is due and lets it `tick`. Writing a standing
   only when it changed is safe; losing one loses nothing.
5. **Rebuild** when something is taken away (denied, judged a machine's, a part ended, a split, a
   revert, an erasure): `fold` what holds now, in the order of (since, place in the log), instead
   of hearing anything. Where another phase comes out than the opportunity is in, that is one move
   now. While an opportunity is closed its phase stays all the same.

`following.Following` does so on the database, `replaying.Replay` on the files of another system.

A contact's own standing hears no `Joined`, `Reached`, `Staged` or `Closed`: conditions about the
group, parts and the CRM are the opportunity's.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from regportal.buying.compiled import Model
from regportal.buying.counting import Leaf, Met
from regportal.buying.facts import (
    Answered,
    Closed,
    Fact,
    Joined,
    Noted,
    Reached,
    Reopened,
    Scored,
    Sign,
    Staged,
    moment,
)
from regportal.buying.standing import NEVER, Person, Standing

EVERYTHING = -1
"""All entries and exits: each is a bit (see `compiled.Model.masks`)."""


@dataclass(frozen=True, slots=True)
class Step:
    """Which phase a standing left, to which it came, why, and who of its group came as far."""

    came_from: str
    to: str
    because: tuple[Met, ...]
    group: tuple[Hashable, ...] = ()


def start(model: Model, *, alone: bool = False) -> Standing:
    """
    Return the standing of whom nothing is known: in the first phase, since ever.

    ``alone``: a single contact's own, which no group binds (method.md 1.5).
    """
    rings = [None] * len(model.series)
    return Standing(0, NEVER, [NEVER] * len(model.names), rings, alone=alone)


# --- hearing ---


def hear(model: Model, standing: Standing, fact: Fact, at: int) -> int:
    """
    Let a standing know a fact, which became known at this moment.

    Returns which entries and exits it can have made true, for `settle`. An interaction that is told
    again, by the same id and of the same moment, changes nothing.
    """
    return _HEARD[type(fact)](model, standing, fact, at)


def _sign(model: Model, standing: Standing, sign: Sign, at: int) -> int:
    """Count an interaction; one that has not happened yet waits for its moment."""
    told = (sign.id, sign.contact, sign.type, sign.category, sign.object, sign.watched)
    occurred = moment(sign.occurred_at)
    if occurred > at:
        if (occurred, told) not in standing.ahead:
            standing.ahead.append((occurred, told))
            standing.ahead.sort(key=lambda waiting: waiting[0])
            _wake(standing, occurred)
        return 0
    return _count(model, standing, occurred, told, at)


def _count(model: Model, standing: Standing, occurred: int, told: Any, at: int) -> int:
    """Count an interaction that has happened."""
    sign, contact, event, category, *about = told
    if standing.last is None or occurred > standing.last:
        standing.last = occurred
        quiet = model.quietest[standing.phase]
        if quiet is not None:
            _wake(standing, max(occurred + quiet, at))
    bits = model.stirred
    for number in model.touched(event, category, about[0]):
        if model.add(number, standing.rings, occurred, sign, contact, about):
            bits |= model.masks[number]
            for bit, leaf in model.expiring[number]:
                _expect(standing, bit, leaf, at)
    return bits


def _expect(standing: Standing, bit: int, leaf: Leaf, at: int) -> None:
    """Wake up when a condition that must not hold ends, where that could move the standing."""
    place, is_exit = divmod(bit, 2)
    if place == standing.phase if is_exit else place > standing.phase:
        flip = leaf.flip(standing, at, standing.epochs[place])
        if flip is not None:
            _wake(standing, flip)


def _wake(standing: Standing, at: int) -> None:
    """Wake up at this moment, or before."""
    if standing.wake_at is None or at < standing.wake_at:
        standing.wake_at = at


def _answered(model: Model, standing: Standing, fact: Answered, at: int) -> int:
    """Keep the newest answer of a contact to a question; who answers is not silent."""
    del model
    given = min(moment(fact.at), at)
    theirs = standing.answers.setdefault(fact.question, {})
    if fact.contact not in theirs or given >= theirs[fact.contact][1]:
        theirs[fact.contact] = fact.values, given
    standing.last = given if standing.last is None else max(standing.last, given)
    return _look_at_all(standing, at)


def _scored(model: Model, standing: Standing, fact: Scored, at: int) -> int:
    """Keep a contact's score."""
    del model
    standing.scores.setdefault(fact.name, {})[fact.contact] = fact.value
    return _look_at_all(standing, at)


def _noted(model: Model, standing: Standing, fact: Noted, at: int) -> int:
    """Keep what is known of a contact."""
    del model
    theirs = standing.fields.setdefault(fact.name, {})
    theirs.pop(fact.contact, None)
    if fact.value is not None:
        theirs[fact.contact] = fact.value
    return _look_at_all(standing, at)


def _joined(model: Model, standing: Standing, fact: Joined, at: int) -> int:
    """Keep which parts a contact has; how far he has come by himself stays."""
    del model
    person = standing.people.setdefault(fact.contact, Person(fact.roles))
    person.roles = fact.roles
    return _look_at_all(standing, at)


def _reached(model: Model, standing: Standing, fact: Reached, at: int) -> int:
    """Keep how far a contact with a part has come by himself."""
    person = standing.people.get(fact.contact)
    if person is None:
        return 0
    person.phase = model.index(fact.phase)
    return _look_at_all(standing, at)


def _staged(model: Model, standing: Standing, fact: Staged, at: int) -> int:
    """Keep the seller's stage, and since when."""
    del model
    if fact.stage != standing.stage:
        standing.stage, standing.stage_since = fact.stage, at
    return _look_at_all(standing, at)


def _closed(model: Model, standing: Standing, fact: Closed, at: int) -> int:
    """Freeze the standing."""
    del model, fact, at
    standing.frozen, standing.wake_at = True, None
    return 0


def _reopened(model: Model, standing: Standing, fact: Reopened, at: int) -> int:
    """Go on from where it was frozen: what was done until now is spent."""
    del fact
    if standing.frozen:
        standing.frozen = False
        standing.epochs = [at] * len(model.names)
    return _look_at_all(standing, at)


def _look_at_all(standing: Standing, at: int) -> int:
    """Look at everything, and at every timer, when it settles."""
    _wake(standing, at)
    return EVERYTHING


_HEARD: dict[type, Callable[[Model, Standing, Any, int], int]] = {
    Sign: _sign,
    Answered: _answered,
    Scored: _scored,
    Noted: _noted,
    Joined: _joined,
    Reached: _reached,
    Staged: _staged,
    Closed: _closed,
    Reopened: _reopened,
}

# --- settling ---


def settle(model: Model, standing: Standing, at: int, bits: int = EVERYTHING) -> Step | None:
    """
    Let a standing go where its facts lead at a moment, and return the step, or None to stay.

    Forward to the furthest phase that is entered by what happened after its epoch; else back,
    where the exit of the present one holds (by what happened after the epoch of that one) and it
    has lasted long enough: what was done until then is spent for all that lies after. So until
    nothing moves. Only where it ends is a step; `since` is the moment all the same. Silence knows
    no epoch. ``bits`` are those that `hear` returned; whatever else holds was looked at before.
    """
    if standing.frozen:
        standing.wake_at = None
        return None
    is_due = standing.wake_at is not None and standing.wake_at <= at
    if is_due and standing.ahead:
        _let_happen(model, standing, at)
    bits = EVERYTHING if is_due else bits
    began, because = standing.phase, None
    while bits and (found := next_phase(model, standing, at, bits)) is not None:
        place, because = found
        bits = EVERYTHING
        if place < standing.phase:
            standing.epochs[place + 1 :] = [at] * (len(model.names) - place - 1)
            bits = model.exit_bits  # an entry needs something newer than its epoch, which is now
        standing.phase, standing.since = place, at
    if is_due or because is not None:
        standing.wake_at = _wakes(model, standing, at)
    if because is None or standing.phase == began:
        return None
    group = model.group_of(standing) if standing.phase > began else ()
    return Step(model.names[began], model.names[standing.phase], because, group)


def _let_happen(model: Model, standing: Standing, at: int) -> None:
    """Count the signs whose moment has come."""
    while standing.ahead and standing.ahead[0][0] <= at:
        occurred, told = standing.ahead.pop(0)
        _count(model, standing, occurred, told, at)


def next_phase(
    model: Model, standing: Standing, at: int, bits: int
) -> tuple[int, tuple[Met, ...]] | None:
    """Return the phase to go to and why, or None to stay."""
    here, epochs = standing.phase, standing.epochs
    for place in range(len(model.names) - 1, here, -1):
        enter, group = model.enters[place], model.groups[place]
        if (
            enter
            and bits >> 2 * place & 1
            and enter.holds(standing, at, epochs[place])
            and (group is None or standing.alone or group.holds(standing, place))
        ):
            return place, enter.met(standing, at, epochs[place])
    leave = model.exits[here]
    if (
        leave
        and bits >> 2 * here + 1 & 1
        and at >= standing.since + model.stays[here]
        and leave.holds(standing, at, epochs[here])
    ):
        return model.falls[here], leave.met(standing, at, epochs[here])
    return None


def _wakes(model: Model, standing: Standing, at: int) -> int | None:
    """Return the first moment after this one at which time alone could move the standing."""
    here, epochs = standing.phase, standing.epochs
    flips = [
        leaf.flip(standing, at, epochs[place])
        for place in range(here + 1, len(model.names))
        if (tree := model.enters[place])
        for leaf in tree.timers
    ]
    leave = model.exits[here]
    if leave:
        flips += [leaf.flip(standing, at, epochs[here]) for leaf in leave.timers]
        flips.append(standing.since + model.stays[here])
    flips += [occurred for occurred, _ in standing.ahead[:1]]
    return min((flip for flip in flips if flip is not None and flip > at), default=None)


# --- time, and the whole history ---


def tick(model: Model, standing: Standing, until: int) -> Iterator[tuple[int, Step]]:
    """Fire every timer that is due until a moment (and at it), and yield each step and when."""
    while standing.wake_at is not None and standing.wake_at <= until:
        at = standing.wake_at
        step = settle(model, standing, at)
        if step is not None:
            yield at, step


def fold(
    model: Model,
    lines: Iterable[tuple[int, Sequence[Fact]]],
    until: int,
    *,
    alone: bool = False,
    standing: Standing | None = None,
) -> tuple[Standing, list[tuple[int, Step]]]:
    """
    Return the standing that these facts make until a moment, and each step on the way.

    A line is when something became known, and all that it brought; lines come in the order in
    which they became known, and later ones than ``until`` are not read. Timers that are due at a
    moment fire before its lines; only how far contacts came by themselves as time passed (a line
    of nothing but `Reached`) is heard before that. ``alone`` as for `start`; it goes on from a
    ``standing``, which it changes, where there is one.
    """
    standing = standing or start(model, alone=alone)
    steps: list[tuple[int, Step]] = []
    for at, facts in lines:
        if at > until:
            break
        by_time_alone = all(type(fact) is Reached for fact in facts)
        steps += tick(model, standing, at - 1 if by_time_alone else at)
        bits = 0
        for fact in facts:
            bits |= hear(model, standing, fact, at)
        step = settle(model, standing, at, bits)
        if step is not None:
            steps.append((at, step))
    steps += tick(model, standing, until)
    return standing, steps
