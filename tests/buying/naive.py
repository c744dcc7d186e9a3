"""
The rules once more, as plainly as they can be said: everything is read again each time.

No rings, no index, no wake-up times: at every moment at which anything could change, every
condition looks at every sign there ever was. Slow, and short enough to be believed.
"""

from dataclasses import replace

from regportal.buying.facts import Answered, Noted, Scored, Sign, length, moment, when
from regportal.buying.vocabulary import named
from regportal.store.schema import span

NEVER = -(2**62)


class Naive:
    """Where one subject stands, by reading everything it ever heard again."""

    def __init__(self, model):
        self.model, self.phases = model, model.phases
        self.place, self.since, self.epochs = 0, NEVER, [NEVER] * len(model.phases)
        self.signs, self.answers, self.scores, self.fields = [], [], {}, {}
        self.people, self.reached = {}, {}
        self.stage, self.stage_at, self.frozen = None, NEVER, False
        self.spans = {0} | {
            length(span(text))
            for one in model.conditions()
            for text in (
                one.within,
                one.quiet and one.quiet.span,
                one.answer and one.answer.within,
                one.crm and one.crm.within,
            )
            if text
        }

    def moments(self):
        """Every moment at which time alone could change anything."""
        told = [moment(one.occurred_at) for one in self.signs]
        told += [*(moment(one.at) for one in self.answers), self.stage_at]
        yield from (at + long for at in told for long in self.spans)
        yield self.since + length(self.phases[self.place].stay)

    def due(self, after, until):
        """The first of these moments after one and not after another."""
        return min((at for at in self.moments() if after < at <= until), default=None)

    def hear(self, fact, at):
        if isinstance(fact, Sign):
            if fact.id not in {one.id for one in self.signs}:
                self.signs.append(fact)
        elif isinstance(fact, Answered):
            self.answers.append(replace(fact, at=min(fact.at, when(at))))
        elif isinstance(fact, Scored):
            self.scores[fact.name, fact.contact] = fact.value
        elif isinstance(fact, Noted):
            self.fields[fact.name, fact.contact] = fact.value
        else:
            getattr(self, fact[0])(at, *fact[1:])

    def joined(self, _, who, roles):
        self.people[who] = roles

    def came(self, _, who, place):
        self.reached[who] = place

    def put(self, at, stage):
        if stage != self.stage:
            self.stage, self.stage_at = stage, at

    def closed(self, _):
        self.frozen = True

    def reopened(self, at):
        self.frozen, self.epochs = False, [at] * len(self.phases)

    def settle(self, at):
        """The phase it came from and the one it came to, where it moved."""
        began = self.place
        while not self.frozen and (found := self.next(at)) is not None:
            if found < self.place:
                self.epochs[found + 1 :] = [at] * (len(self.phases) - found - 1)
            self.place, self.since = found, at
        if self.place == began:
            return None
        return self.phases[began].id, self.phases[self.place].id

    def next(self, at):
        for place in reversed(range(self.place + 1, len(self.phases))):
            phase = self.phases[place]
            if (
                phase.enter
                and self.group(phase.enter, at, self.epochs[place])
                and self.is_agreed(phase, place)
            ):
                return place
        phase = self.phases[self.place]
        if (
            phase.exit
            and self.group(phase.exit, at, self.epochs[self.place])
            and at >= self.since + length(phase.stay)
        ):
            names = [one.id for one in self.phases]
            return names.index(phase.falls_to) if phase.falls_to else self.place - 1
        return None

    def is_agreed(self, phase, place):
        there = [roles for who, roles in self.people.items() if self.reached.get(who, 0) >= place]
        group = phase.group
        if group is None or group.quorum == 1:
            return True
        if group.quorum:
            return len(there) >= group.quorum
        if group.any_role:
            wanted = {named(role) for role in group.any_role}
            return any(wanted & roles for roles in there)
        weights = {named(role): weight for role, weight in group.weighted.items()}
        return sum(max([weights.get(r, 0) for r in roles] or [0]) for roles in there) >= (
            group.at_least
        )

    def group(self, told, at, epoch):
        return (
            all(self.holds(one, at, epoch) for one in told.all)
            and (not told.any or any(self.holds(one, at, epoch) for one in told.any))
            and not any(self.holds(one, at, epoch) for one in told.none)
        )

    def holds(self, one, at, epoch):
        if one.kind is None:
            return self.group(one, at, epoch)
        kinds = {
            "event": self.counted,
            "quiet": self.silent,
            "answer": self.answered,
            "score": self.scored,
            "field": self.noted,
            "crm": self.staged,
            "role": self.played,
        }
        return kinds[one.kind](one, at, epoch)

    def silent(self, one, at, _):
        done = [moment(each.occurred_at) for each in self.signs]
        done += [moment(each.at) for each in self.answers]
        return not any(at - length(span(one.quiet.span)) < each <= at for each in done)

    def scored(self, one, _, __):
        theirs = [value for (name, _), value in self.scores.items() if name == one.score.name]
        return any(value >= one.score.at_least for value in theirs)

    def noted(self, one, _, __):
        theirs = [value for (name, _), value in self.fields.items() if name == one.field.name]
        wanted = one.field.wanted
        return any(value and (wanted is None or value in wanted) for value in theirs)

    def staged(self, one, at, _):
        stages, within = one.crm.stages, one.crm.within
        return (
            self.stage is not None
            and (stages is None or self.stage in stages)
            and (within is None or self.stage_at > at - length(span(within)))
        )

    def played(self, one, _, __):
        return any(one.roles & roles for roles in self.people.values())

    def counted(self, one, at, epoch):
        oldest = max(epoch, at - length(one.window))
        whose = [
            each.contact
            for each in self.signs
            if each.type == one.event
            and oldest < moment(each.occurred_at) <= at
            and chosen(one.where and one.where.category, each.category)
            and chosen(one.where and one.where.object, each.object)
        ]
        if one.by == "distinct_contacts":
            return len({*whose}) >= one.count.at_least
        if one.by == "same_contact":
            return any(whose.count(who) >= one.count.at_least for who in whose)
        return len(whose) >= one.count.at_least

    def answered(self, one, at, epoch):
        asked, newest = one.answer, {}
        for each in sorted(self.answers, key=lambda told: told.at):
            if each.question == asked.question:
                newest[each.contact] = each
        oldest = max(epoch, at - length(span(asked.within)) if asked.within else NEVER)
        return any(
            moment(each.at) > oldest
            and (asked.wanted is None or not asked.wanted.isdisjoint(each.values))
            and (asked.at_least is None or float(each.values[0]) >= asked.at_least)
            and (asked.at_most is None or float(each.values[0]) <= asked.at_most)
            for each in newest.values()
        )


def chosen(asked, said):
    """Whether a category or an object is one of those asked for."""
    if asked is None:
        return True
    if hasattr(asked, "prefix"):
        return said is not None and said.startswith(asked.prefix)
    return said in ((asked,) if isinstance(asked, str) else asked)


def replayed(model, roles, told, facts, until):
    """Every move of every opportunity, each followed alone from the beginning."""
    everybody = {row.contact for row in facts} | {row.contact for row in roles}
    own = {who: personal(model, who, facts, until) for who in everybody}
    deals = {row.opportunity for row in roles} | {row.opportunity for row in told}
    moves = [
        move for deal in deals for move in of_deal(model, deal, roles, told, facts, until, own)
    ]
    return sorted(moves, key=lambda move: (move[3], move[0]))


def unique(facts):
    """The rows in their order, each interaction once."""
    seen = set()
    for row in sorted(facts, key=lambda row: row.at):
        if not (isinstance(row.fact, Sign) and row.fact.id in seen):
            seen.add(getattr(row.fact, "id", None))
            yield row


def personal(model, who, facts, until):
    """When somebody came how far by himself; by time alone is before the rows of a moment."""
    one, now, found = Naive(model), NEVER, []
    rows = [(number, row) for number, row in enumerate(unique(facts)) if row.contact == who]
    for number, row in [*rows, (None, None)]:
        at = row.at if row else until
        while (due := one.due(now, min(at, until))) is not None:
            now = due
            if one.settle(now):
                found.append(((now, -1), ("came", who, one.place)))
        if row is None or at > until:
            break
        now = max(now, at)
        one.hear(row.fact, at)
        if one.settle(at):
            found.append(((at, 10**9 + number), ("came", who, one.place)))
    return found


def of_deal(model, deal, roles, told, facts, until, own):
    """The moves of one opportunity."""
    parts = [row for row in roles if row.opportunity == deal]
    changes = sorted({at for row in parts for at in (row.since, row.until) if at is not None})
    rows = [((at, 0), "roles", None) for at in changes]
    mine = sorted((row for row in told if row.opportunity == deal), key=lambda row: row.at)
    rows += [((row.at, 1 + n), "told", row) for n, row in enumerate(mine)]
    rows += [((row.at, 10**9 + n), "fact", row) for n, row in enumerate(unique(facts))]
    rows += [(key, "own", fact) for reached in own.values() for key, fact in reached]
    one = Deal(model, deal, parts, facts, own)
    for key, kind, row in sorted(rows, key=lambda row: row[0]):
        is_ours = kind != "own" or row[1] in one.members
        if key[0] <= until and is_ours:
            one.wait(key[0] - (key[1] == -1))
            one.now = max(one.now, key[0])
            getattr(one, kind)(key, row)
    one.wait(until)
    return one.found


class Deal:
    """One opportunity, followed row by row."""

    def __init__(self, model, name, parts, facts, own):
        self.model, self.name, self.parts, self.all_facts, self.all_own = (
            model,
            name,
            parts,
            facts,
            own,
        )
        self.one, self.now, self.members, self.lines, self.found = Naive(model), NEVER, {}, [], []

    def wait(self, until):
        while (due := self.one.due(self.now, until)) is not None:
            self.now = due
            self.move(self.one.settle(due), due, "timer")

    def move(self, step, at, cause):
        if step:
            self.found.append((self.name, *step, at, cause))

    def hear(self, key, heard):
        self.lines.append((key, heard))
        for fact in heard:
            self.one.hear(fact, key[0])

    def roles(self, key, _):
        holding, before = held(self.parts, key[0]), self.members
        heard = [("joined", who, holding[who]) for who in holding.keys() & before.keys()]
        for who in holding.keys() - before.keys():
            heard += introduced(who, key, holding[who], self.all_facts, self.all_own[who])
        self.hear(key, heard)
        self.members = {who: before.get(who, key) for who in holding}
        if before.keys() <= holding.keys():
            self.move(self.one.settle(key[0]), key[0], "crm")
            return
        old = self.one
        self.one = again(self.model, self.lines, self.members, key[0])
        if old.frozen:
            self.one.place, self.one.since = old.place, old.since
        elif self.one.place != old.place:
            names = [phase.id for phase in self.model.phases]
            self.move((names[old.place], names[self.one.place]), key[0], "crm")

    def told(self, key, row):
        heard = [("reopened",)] if row.is_closed is False and self.one.frozen else []
        heard += [("put", row.stage)] if row.stage is not None else []
        self.hear(key, heard + ([("closed",)] if row.is_closed else []))
        self.move(self.one.settle(key[0]), key[0], "crm")

    def fact(self, key, row):
        if row.contact in self.members:
            self.hear(key, [row.fact])
            if not any(key == other for other, _ in self.all_own[row.contact]):
                self.move(self.one.settle(key[0]), key[0], "event")

    def own(self, key, reached):
        if reached[1] in self.members:
            self.hear(key, [reached])
            self.move(self.one.settle(key[0]), key[0], "timer" if key[1] == -1 else "event")


def held(parts, at):
    """Who has which parts at a moment."""
    found = {}
    for row in parts:
        if row.since <= at and (row.until is None or at < row.until):
            found.setdefault(row.contact, set()).add(named(row.role))
    return {who: roles - {""} for who, roles in found.items()}


def introduced(who, key, roles, facts, reached):
    """What is heard of somebody whose part begins."""
    before = [row.fact for row in unique(facts) if row.contact == who and row.at < key[0]]
    came = [fact for at, fact in reached if at < key]
    return [("joined", who, roles), *before, *came[-1:]]


def again(model, lines, members, until):
    """The same from the beginning, with those who have a part now, as long as they have it."""
    one = Deal(model, "", [], [], {})
    for number, (key, heard) in enumerate(lines):
        theirs = [fact for fact in heard if is_theirs(fact, key, members)]
        if theirs:
            one.wait(key[0] - (key[1] == -1))
            one.now = max(one.now, key[0])
            one.hear(key, theirs)
            if not any(other == key for other, _ in lines[number + 1 :]):
                one.one.settle(key[0])
    one.wait(until)
    return one.one


def is_theirs(fact, key, members):
    """Whether a fact is the seller's, or of somebody who has a part and had it then."""
    who = getattr(fact, "contact", None)
    if isinstance(fact, tuple):
        who = fact[1] if fact[0] in {"joined", "came"} else None
    return who is None or (who in members and key >= members[who])
