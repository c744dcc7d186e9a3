"""What experiments on wording and order came to so far, and which arms are shown no longer."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.forms.arms import running
from regportal.forms.models import Answer, Exposure, Shown, StoppedArm
from regportal.forms.rules import ASK_LIFE, LEEWAY
from regportal.forms.schema import Experiment, Gate
from regportal.identity.models import Assurance, Claim
from regportal.insight.trials import Odds, Share, Verdict, needed, odds, verdict
from regportal.store.documents import Published, Shelf, span
from regportal.store.facts import add_once
from regportal.store.sessions import Store
from regportal.store.words import N_, Sentence
from regportal.tracking.models import Judged

SENT_WITHIN = ASK_LIFE + LEEWAY


@dataclass(frozen=True, slots=True)
class Met:
    """One visitor who met an experiment, and what became of it."""

    arm: str
    at: datetime
    sent: Sequence[datetime] = ()
    """When forms were sent that asked about it."""
    proven: Sequence[datetime] = ()
    """By when answers were given and their address was proven."""


@dataclass(frozen=True, slots=True)
class ArmState:
    """What an arm came to so far."""

    key: str
    seen: Share
    """Of those who met it at least a day ago, who sent the form."""
    proven: Share
    """Of those who met it so long ago that it counts, who answered and proved their address."""
    odds: Odds | None
    """None for the first arm: the others are compared with it."""
    verdict: Verdict
    stopped_at: datetime | None = None

    @property
    def says(self) -> Sentence | str:
        """Return what that means, in a sentence."""
        if self.odds is None:
            return N_("the others are compared with it")
        at = self.odds
        values = {
            "better": f"{at.better:.3g}",
            "worse": f"{at.worse:.3g}",
            "needed": f"{at.needed:.3g}",
        }
        if self.stopped_at is not None:
            day = self.stopped_at.date().isoformat()
            says = N_("stopped on %(day)s: more people went away than the guard allows")
            return Sentence(says, day=day)
        return Sentence(SAYS[self.verdict], **values)


SAYS: Mapping[Verdict, str] = {
    Verdict.STOPPED: N_("more people go away than the guard allows: it is about to be stopped"),
    Verdict.BETTER: N_(
        "better than the first (%(better)s to 1, needed are %(needed)s): publish it"
    ),
    Verdict.WORSE: N_("worse than the first (%(worse)s to 1, needed are %(needed)s)"),
    Verdict.OPEN: N_(
        "not decided: better %(better)s to 1, worse %(worse)s to 1, needed are %(needed)s"
    ),
}


@dataclass(frozen=True, slots=True)
class State:
    """What an experiment came to so far."""

    key: str
    version: int
    question: str | None
    gate: str | None
    arms: Sequence[ArmState]


def states(session: Session, published: Published, *, now: datetime) -> list[State]:
    """Return what every experiment that runs came to."""
    return [state_of(session, published, one, now=now) for one in running(published)]


def state_of(
    session: Session, published: Published, experiment: Experiment, *, now: datetime
) -> State:
    """Return what an experiment came to, since it was last changed."""
    version = published.version(Experiment, experiment.key)
    theirs = (StoppedArm.experiment == experiment.key, StoppedArm.version == version)
    stopped = {one.arm: one.at for one in session.scalars(sa.select(StoppedArm).where(*theirs))}
    met = met_by(session, published, experiment)
    arms = judged(experiment, met, stopped, now=now)
    return State(experiment.key, version, experiment.question, experiment.gate, arms)


def judged(
    experiment: Experiment,
    met: Iterable[Met],
    stopped: Mapping[str, datetime],
    *,
    now: datetime,
) -> list[ArmState]:
    """Return what each arm came to, and what is sure of it by now; a function of its arguments."""
    by_arm = defaultdict(list)
    for one in met:
        by_arm[one.arm].append(one)
    matures = span(experiment.matures)
    seen = {arm: _share(by_arm[arm], "sent", SENT_WITHIN, now) for arm in _keys(experiment)}
    proven = {arm: _share(by_arm[arm], "proven", matures, now) for arm in _keys(experiment)}
    first, limit = experiment.control.key, needed(experiment.sure, len(experiment.arms))
    found = [ArmState(first, seen[first], proven[first], None, Verdict.OPEN)]
    for arm in _keys(experiment)[1:]:
        sent = (seen[first], seen[arm])
        at = odds(proven[first], proven[arm], sent, experiment.guard / 100, limit)
        means = Verdict.STOPPED if arm in stopped else verdict(at)
        found.append(ArmState(arm, seen[arm], proven[arm], at, means, stopped.get(arm)))
    return found


def _keys(experiment: Experiment) -> list[str]:
    """Return what its arms are called."""
    return [arm.key for arm in experiment.arms]


def _share(met: Sequence[Met], what: str, within: timedelta, now: datetime) -> Share:
    """
    Return how many of those who met an arm so long ago did something within that time.

    Whoever met it later is not counted at all: counted at once, a yes would come before its no.
    """
    ripe = [one for one in met if one.at + within <= now]
    yes = sum(any(one.at <= at <= one.at + within for at in getattr(one, what)) for one in ripe)
    return Share(len(ripe), yes)


def met_by(session: Session, published: Published, experiment: Experiment) -> list[Met]:
    """Return every person who met an experiment, since it was last changed."""
    version = published.version(Experiment, experiment.key)
    whose = (Exposure.experiment == experiment.key, Exposure.version == version)
    people = session.execute(
        sa.select(Exposure.visitor_id, Exposure.arm, Exposure.at)
        .join(Shown, Shown.id == Exposure.shown_id)
        .where(*whose, Shown.judged == Judged.PERSON)
    ).all()
    asked: tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]
    asked = (Shown.question == experiment.question, Answer.question == experiment.question)
    if experiment.gate is not None:
        gate = published.find(Gate, experiment.gate)
        keys = gate.questions if gate else ()
        asked = (Shown.gate == experiment.gate, Answer.question.in_(keys))
    sent = _times(
        session.execute(
            sa.select(Shown.visitor_id, Shown.settled_at)
            .join(Exposure, Exposure.visitor_id == Shown.visitor_id)
            .where(*whose, asked[0], Shown.settled_at.is_not(None))
        )
    )
    proven = _times(
        session.execute(
            sa.select(Answer.visitor_id, Answer.answered_at, Claim.decided_at)
            .join(Exposure, Exposure.visitor_id == Answer.visitor_id)
            .outerjoin(Claim, Claim.id == Answer.claim_id)
            .where(*whose, asked[1], sa.not_(Answer.declined))
            .where(Answer.assurance == Assurance.VERIFIED, Answer.answered_at >= Exposure.at)
        )
    )
    return [Met(arm, at, sent[visitor], proven[visitor]) for visitor, arm, at in people]


def _times(rows: Iterable[Sequence[Any]]) -> defaultdict[UUID, list[datetime]]:
    """Return moments by visitor, of each row the last one that there is."""
    found: defaultdict[UUID, list[datetime]] = defaultdict(list)
    for visitor, *moments in rows:
        found[visitor].append(max(at for at in moments if at is not None))
    return found


def stop_losing(store: Store, shelf: Shelf, *, now: datetime) -> None:
    """Stop every arm in which surely more people go away than its guard allows."""
    with store.read() as session:
        found = states(session, shelf.published(session), now=now)
    for state in found:
        first = state.arms[0]
        for arm in state.arms[1:]:
            if arm.verdict is Verdict.STOPPED and arm.stopped_at is None:
                row = StoppedArm(
                    experiment=state.key,
                    version=state.version,
                    arm=arm.key,
                    at=now,
                    because={"first": asdict(first.seen), "arm": asdict(arm.seen)},
                )
                store.write(partial(add_once, row=row))
