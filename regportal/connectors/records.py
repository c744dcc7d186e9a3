"""The connector to a CRM with records: what news asks for, done with the verbs of its desk."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from regportal.connectors import wording
from regportal.connectors.base import (
    Change,
    Finding,
    InboundReply,
    InboundRequest,
    Kind,
    Link,
    Notice,
    Record,
    Result,
    Unsupported,
    Vocabulary,
)
from regportal.connectors.consents import allowed, looked_up
from regportal.connectors.contacts import Contacts
from regportal.connectors.desk import Activity, Desk
from regportal.connectors.endings import forgotten, unclaimed
from regportal.connectors.judging import (
    PHASE,
    Guard,
    filled,
    phase_guard,
    sent_phase,
    wrote_phase,
)
from regportal.connectors.orders import (
    Allows,
    Claimed,
    Day,
    Did,
    Forget,
    InPhase,
    Known,
    Scored,
    Unclaimed,
)
from regportal.connectors.places import given, kept
from regportal.connectors.rehearsing import Rehearsal
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector as Document
from regportal.connectors.sparing import Told, keyed, sent, spared
from regportal.connectors.tasks import Task, task_of, updated
from regportal.connectors.wanted import compared, phase_field, planned, score_field


class Records:
    """
    A CRM, by its desk: every piece of news becomes what is to be so in its records.

    It decides nothing of its own and remembers nothing: what is known of a subject comes with the
    change (``Change.link``), and what became known goes back with the result.
    """

    def __init__(self, document: Document, desk: Desk) -> None:
        """Take how it is configured, and its desk."""
        self.capabilities = desk.capabilities
        self._document, self._desk = document, desk
        self._handlers: Mapping[type, Callable[[Any], Iterable[Result]]] = {
            Known: self._know,
            Did: self._log,
            Day: self._log,
            Allows: self._allow,
            Scored: self._score,
            InPhase: self._move,
            Forget: self._forget,
            Claimed: self._claim,
            Unclaimed: self._unclaim,
        }

    # --- what is told ---

    def deliver(self, changes: Sequence[Change], *, now: datetime) -> list[Result]:
        """
        Do what changes of different subjects ask for; one result a change, in the same order.

        What is refused, or not known, of one kind of them says nothing of the others.
        """
        results: dict[uuid.UUID, Result] = {}
        tasks = sorted((task_of(change, now) for change in changes), key=_kind)
        for _, some in groupby(tasks, key=_kind):
            results |= {one.id: one for one in self._done([*some])}
        return [results[change.id] for change in changes]

    def rehearse(self, changes: Sequence[Change], *, now: datetime) -> list[Result]:
        """Return what would become of changes, and write nothing."""
        return Records(self._document, Rehearsal(self._desk)).deliver(changes, now=now)

    def _done(self, tasks: Sequence[Task[Any]]) -> Sequence[Result]:
        """Do tasks of one kind."""
        return keyed(self._desk, tasks, self._handlers[type(tasks[0].order)])

    def _know(self, tasks: Sequence[Task[Known]]) -> Iterable[Result]:
        """Let contacts be there, each field by its policy."""
        told = {
            task.change.id: {name: value.value for name, value in task.order.fields.items()}
            for task in tasks
        }
        return spared(self._desk, tasks, told, self._known)

    def _known(self, tasks: Sequence[Task[Known]], told: Told) -> Iterator[Result]:
        """Let contacts be there with what is told of them."""
        fields = sorted({name for task in tasks for name in told[task.change.id]})
        contacts = Contacts(self._desk, tasks, fields, told)
        yield from contacts.results
        policies = self._document.policies
        yield from contacts.update(
            (task, record, filled(record.values, told[task.change.id], policies), Link(record.id))
            for task, record in contacts.known
        )

    def _score(self, tasks: Sequence[Task[Scored]]) -> Iterable[Result]:
        """Let scores of contacts be what they are."""
        told = {
            task.change.id: {
                score_field(self._document, self._desk, task.order.score): task.order.value
            }
            for task in tasks
        }
        return spared(self._desk, tasks, told, self._scored)

    def _scored(self, tasks: Sequence[Task[Scored]], told: Told) -> Iterator[Result]:
        """Let contacts have the scores that are told of them; one without a field is refused."""
        some = [task for task in tasks if told[task.change.id]]
        yield from (task.result(Outcome.REJECTED) for task in tasks if task not in some)
        names = sorted({name for task in some for name in told[task.change.id]})
        contacts = Contacts(self._desk, some, names)
        yield from contacts.results
        changes = []
        for task, record in contacts.there:
            values = told[task.change.id]
            link = Link(record.id, {f"score:{task.order.score}": task.order.value})
            is_so = all(record.values.get(name) == value for name, value in values.items())
            changes.append((task, record, {} if is_so else values, link))
        yield from contacts.update(changes)

    def _log(self, tasks: Sequence[Task[Did] | Task[Day]]) -> Iterator[Result]:
        """Let it be seen what contacts did: a deed, or a day of them."""
        contacts = Contacts(self._desk, tasks)
        yield from contacts.results
        activities = [
            Activity(
                task.order.id,
                task.order.whose.key,
                record.id,
                task.order.opportunities,
                wording.subject(task.order),
                wording.body(task.order),
                task.order.at,
            )
            for task, record in contacts.there
        ]
        logged = self._desk.log(activities) if activities else ()
        for (task, record), written in zip(contacts.there, logged, strict=True):
            yield task.written(written, Link(record.id))

    def _allow(self, tasks: Sequence[Task[Allows]]) -> Iterator[Result]:
        """Let newsletters be allowed, or no longer: never against a newer "no" of the CRM."""
        return allowed(self._document, self._desk, tasks)

    def _move(self, tasks: Sequence[Task[InPhase]]) -> Iterator[Result]:
        """Let opportunities be in their buying phase: only over what we wrote ourselves."""
        phase, since, reason = (
            phase_field(self._document, self._desk, name) for name in ("phase", "since", "reason")
        )
        asked = [task.order.opportunity for task in tasks]
        there = self._desk.read("opportunity", asked, [phase])
        changes = []
        for task in tasks:
            order = task.order
            record = there.get(order.opportunity)
            if record is None:
                yield task.result(Outcome.REJECTED, "the CRM has no such opportunity")
                continue
            now, wrote = record.values.get(phase), task.link.wrote
            guard = phase_guard(now, wrote, order.phase, is_closed=record.is_closed)
            link = Link(record.id, wrote_phase(order.phase))
            if guard is Guard.WRITE:
                values = {phase: order.phase, since: order.since, reason: order.reason}
                changes.append((task, record, values, link))
            elif guard is Guard.LEAVE:
                yield task.result(Outcome.NOOP, link=None if record.is_closed else link)
            else:
                ours = wrote.get(PHASE)
                says = f"somebody set {phase} to {now!r}, which we had left at {ours!r}"
                yield task.result(Outcome.CONFLICT, says, current=str(now))
        options = self._options(phase) if changes else None
        fit = [one for one in changes if options is None or one[0].order.phase in options]
        for task, *_ in changes:
            if options is not None and task.order.phase not in options:
                says = f"the field {phase} has no option {task.order.phase!r}"
                yield task.result(Outcome.REJECTED, says)
        known = {
            task.change.id: Link(record.id, sent_phase(task.link.wrote, task.order.phase))
            for task, record, *_ in fit
        }
        tasks = [task for task, *_ in fit]
        yield from sent(tasks, known, lambda _: updated(self._desk, "opportunity", fit))

    def _options(self, phase: str) -> Sequence[str] | None:
        """Return which phases the CRM's field may hold; None where it is not for it to say."""
        fields = self._desk.fields("opportunity")
        if fields is Outcome.UNSUPPORTED or phase not in fields:
            return None
        return fields[phase].options

    def _forget(self, tasks: Sequence[Task[Forget]]) -> Iterator[Result]:
        """Let nothing of ours be left of people; of whom the CRM knows nothing, nothing is."""
        return forgotten(self._desk, tasks)

    def _claim(self, tasks: Sequence[Task[Claimed]]) -> Iterator[Result]:
        """Let leads be there for addresses that nobody in the CRM has."""
        found = self._desk.find([task.order.whose for task in tasks], ())
        new = []
        for task, there in zip(tasks, found, strict=True):
            if there:
                yield task.result(Outcome.NOOP, "a contact of the CRM has this address")
            else:
                new.append(task)
        values = [
            (task.order.whose, {name: one.value for name, one in task.order.fields.items()})
            for task in new
        ]
        made = self._desk.lead(values) if new else ()
        for task, written in zip(new, made, strict=True):
            yield task.written(written, Link(written.id), created=written.created)

    def _unclaim(self, tasks: Sequence[Task[Unclaimed]]) -> Iterator[Result]:
        """Let leads of claims be over: who confirmed is a contact, who did not is nobody."""
        return unclaimed(self._desk, tasks)

    # --- what is asked ---

    def open_opportunities(self, contacts: Sequence[str]) -> Mapping[str, Sequence[Record]]:
        """Return the open opportunities of each contact, by the ids of the CRM."""
        return self._desk.opportunities_of(contacts)

    def read(self, kind: Kind, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Record]:
        """Return records as they are now, by id; one that is not there any more is left out."""
        return self._desk.read(kind, ids, fields)

    def changes(self, cursor: str | None, limit: int) -> tuple[Sequence[Notice], str]:
        """
        Return what happened after a cursor, and the cursor to ask with next.

        Raises NotTakenError for the cursor of another type of CRM: it is asked from the beginning.
        """
        type_ = self._document.type
        news, after = self._desk.changes(given(type_, cursor), limit)
        return news, kept(type_, after)

    def accept(self, request: InboundRequest, *, now: datetime) -> InboundReply:
        """Verify a call of the CRM and decide what it is answered; does nothing else."""
        return self._desk.accept(request, now=now)

    def check(self, vocabulary: Vocabulary) -> list[Finding]:
        """Look whether we are let in, and whether everything is there that we write."""
        found = self._desk.check()
        if all(one.fine for one in found):
            plan = planned(self._document, self._desk, vocabulary)
            found += [finding for _, finding in compared(self._desk, plan)]
            found += looked_up(self._document, self._desk, vocabulary)
        return found

    def provision(
        self, vocabulary: Vocabulary, *, dry_run: bool = True
    ) -> list[Finding] | Unsupported:
        """Make the fields we write there; with ``dry_run`` only say which."""
        found = compared(self._desk, planned(self._document, self._desk, vocabulary))
        amiss = [field for field, finding in found if not finding.fine]
        if not dry_run and amiss:
            return self._desk.make(amiss)
        return [finding for _, finding in found]

    def close(self) -> None:
        """Let go of connections."""
        self._desk.close()


def _kind(task: Task[Any]) -> str:
    """Return by what tasks are done together: they are of different subjects, in any order."""
    return type(task.order).__name__
