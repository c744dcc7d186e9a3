"""Judging again who did something: one by hand, or all that is still known of by newer rules."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import NotHereError
from regportal.identity.models import Claim
from regportal.identity.wire import is_ignored, is_ignored_network
from regportal.store.among import among
from regportal.store.documents import Site
from regportal.store.ids import uuid7
from regportal.store.sessions import Store
from regportal.tracking import judging
from regportal.tracking.actions import log_all
from regportal.tracking.judging import RULES, WITHIN, by_pace
from regportal.tracking.later import JUDGED, JUDGED_BY, judged_now
from regportal.tracking.models import (
    BY_HAND,
    EntryKind,
    Interaction,
    Judged,
    Parcel,
    Verdict,
    Visit,
)
from regportal.tracking.verdicts import Circumstances, around, judge

WHOSE = (
    sa.select(Interaction.id, Interaction.contact_id)
    .where(among(Interaction.id))
    .order_by(Interaction.id)
)
AT_ONCE = 20
"""Parcels of one transaction: other writers wait no longer than for these."""
AFTER_ALL = "nothing speaks for a machine"
"""Why what was taken for a machine's is a person's."""


@dataclass(frozen=True, slots=True)
class Span:
    """What was received in [since, until)."""

    since: datetime | None = None
    until: datetime | None = None

    def covers(self, at: Any) -> sa.ColumnElement[bool]:
        """Return the condition that a moment lies in it."""
        bounds = [at >= self.since] if self.since is not None else []
        return sa.and_(sa.true(), *bounds, *([at < self.until] if self.until is not None else []))


@dataclass(slots=True)
class Report:
    """What became of judging again, so far."""

    judged: int = 0
    changed: Counter[tuple[Judged, str]] = field(default_factory=Counter)
    """How many are somebody else's now, by whose and why."""
    by_hand: int = 0
    """Judged by a colleague: they stay so."""
    cannot: int | None = None
    """Of which nothing is kept any more to judge by; None until the end is reached."""

    def add(self, other: "Report") -> None:
        """Add what became of some more."""
        self.judged += other.judged
        self.by_hand += other.by_hand
        self.changed += other.changed


@dataclass(frozen=True, slots=True)
class Part:
    """What became of some calls or forms."""

    size: int
    report: Report
    after: Any
    """Where to go on; None where these were the last."""


def judge_by_hand(
    session: Session, interaction_id: uuid.UUID, judged: Judged, because: str, *, now: datetime
) -> Judged:
    """
    Say who did something; it holds whatever rules say. Return whose it was taken for before.

    Raises NotHereError for an interaction that is not there.
    """
    found = session.execute(_standing().where(Interaction.id == interaction_id)).first()
    if found is None:
        raise NotHereError(f"there is no interaction {interaction_id}")
    _say(session, [(interaction_id, judged, because)], BY_HAND, now=now)
    return Judged(found[1])


def rejudge(
    store: Store,
    site: Site,
    span: Span,
    report: Report,
    on_judged: Callable[[int], object],
    *,
    dry: bool,
    now: datetime,
) -> None:
    """
    Judge by the present rules whatever can be; the report grows with each transaction.

    Own staff is whom the ``site`` names now. ``on_judged`` hears how many calls or forms more were
    looked at. Nothing is lost where it is broken off, and run again it finds the same.
    """
    for step in (_parcels, _forms):
        work = partial(step, site=site, span=span, dry=dry, now=now)
        go_through(store, work, report, on_judged, dry=dry)
    with store.read() as session:
        report.cannot = _all(session, span) - report.judged - report.by_hand


def go_through(
    store: Store,
    step: Callable[..., "Part"],
    report: Report,
    on_judged: Callable[[int], object],
    *,
    dry: bool,
) -> None:
    """Take a step after the other, a transaction each: ``step(session, after=…)``."""
    part: Part | None = None
    while part is None or part.after is not None:
        work = partial(step, after=part.after if part else None)
        part = _looked_at(store, work) if dry else store.write(work)
        report.add(part.report)
        on_judged(part.size)


def _looked_at(store: Store, work: Callable[[Session], "Part"]) -> "Part":
    """Return what some work finds that writes nothing."""
    with store.read() as session:
        return work(session)


def how_many(store: Store, span: Span) -> int:
    """Return how many calls and forms :func:`rejudge` will look at."""
    with store.read() as session:
        parcels = sa.select(sa.func.count()).select_from(Parcel).where(*_unpacked(span))
        forms = sa.select(sa.func.count()).select_from(Interaction).where(*_at_gates(span))
        return (session.scalar(parcels) or 0) + (session.scalar(forms) or 0)


# --- what was told: all that is kept of the call ---


def _unpacked(span: Span) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions for calls whose interactions are there."""
    return Parcel.unpacked_at.is_not(None), span.covers(Parcel.received_at)


def _parcels(
    session: Session, site: Site, span: Span, after: Any, *, dry: bool, now: datetime
) -> Part:
    """Judge some calls again."""
    order = (Parcel.received_at, Parcel.id)
    query = sa.select(Parcel).where(*_unpacked(span)).order_by(*order).limit(AT_ONCE)
    if after is not None:
        query = query.where(sa.tuple_(*order) > sa.tuple_(*map(sa.literal, after)))
    some = session.scalars(query).all()
    cases = (case for parcel in some for case in _of_parcel(session, site, parcel))
    last = some[-1] if len(some) == AT_ONCE else None
    report = _settle(session, cases, dry=dry, now=now)
    return Part(len(some), report, (last.received_at, last.id) if last else None)


@dataclass(frozen=True, slots=True)
class Case:
    """Who an interaction is taken for, by whom, and who did it by the present rules."""

    id: uuid.UUID
    judged: Judged
    judged_by: str | None
    judgement: judging.Judgement


def _of_parcel(session: Session, site: Site, parcel: Parcel) -> Iterator[Case]:
    """Yield what a call told and is still there, judged anew."""
    told = {uuid.UUID(kept["id"]): kept for kept in parcel.events}
    rows = session.execute(
        _standing(Visit.started_at)
        .outerjoin_from(Interaction, Visit, Visit.id == Interaction.visit_id)
        .where(Interaction.id.in_(told))
    )
    there = {row[0]: row for row in rows}
    events = {id: kept for id, kept in told.items() if id in there}
    if not events:
        return
    claim = session.get(Claim, parcel.claim_id) if parcel.claim_id else None
    circumstances = Circumstances(
        own_staff=claim is not None and _is_staff(site, claim),
        own_network=is_ignored_network(site, parcel.network),
        begun_at=there[next(iter(events))][3],
        around=around(session, parcel, [*events.values()]),
    )
    judgements = judge(parcel, [*events.values()], circumstances)
    for id, judgement in zip(events, judgements, strict=True):
        _, judged, by, _ = there[id]
        yield Case(id, judged, by, judgement)


def _is_staff(site: Site, claim: Claim) -> bool:
    """Return whether an address was our own staff's when it was claimed, or is named by now."""
    return claim.own_staff or is_ignored(site, None, claim.email)


def _standing(*more: Any) -> sa.Select[Any]:
    """Select interactions with the verdict that holds; nobody deletes them meanwhile."""
    query = judged_now(sa.select(Interaction.id, JUDGED, JUDGED_BY, *more))
    return query.with_for_update(read=True, key_share=True, of=Interaction)


# --- what was done at gates: only how fast ---


def _at_gates(span: Span) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions for downloads at gates; browsers cannot tell of others."""
    return (
        Interaction.type == "download",
        Interaction.visitor_id.is_not(None),
        span.covers(Interaction.received_at),
    )


def _forms(
    session: Session, site: Site, span: Span, after: Any, *, dry: bool, now: datetime
) -> Part:
    """Judge some downloads at gates again."""
    columns = (
        *(Interaction.visitor_id, Interaction.occurred_at, Interaction.object),
        *(Interaction.judged, Interaction.judged_because, Interaction.claim_id),
    )
    query = _standing(*columns).where(*_at_gates(span)).order_by(Interaction.id).limit(AT_ONCE)
    if after is not None:
        query = query.where(Interaction.id > after)
    some = session.execute(query).all()
    report = _settle(session, [_of_form(session, site, row) for row in some], dry=dry, now=now)
    return Part(len(some), report, some[-1][0] if len(some) == AT_ONCE else None)


def _of_form(session: Session, site: Site, row: Sequence[Any]) -> Case:
    """Judge a download again: what the form said of a machine stays, else its pace tells."""
    id, judged, by, visitor, at, name, taken, because, under = row
    if taken is Judged.MACHINE:
        return Case(id, judged, by, judging.Judgement(taken, because))
    claim = session.get(Claim, under) if under else None
    if claim is not None and _is_staff(site, claim):
        return Case(id, judged, by, judging.of_own_staff(yes=True))
    rows = session.execute(
        sa.select(Interaction.occurred_at, Interaction.object).where(
            Interaction.visitor_id == visitor,
            Interaction.occurred_at > at - WITHIN,
            Interaction.occurred_at < at + WITHIN,
        )
    )
    return Case(id, judged, by, by_pace([(at, name), *((when, what) for when, what in rows)]))


# --- both ---


def _settle(session: Session, cases: Iterable[Case], *, dry: bool, now: datetime) -> Report:
    """Write down every verdict that is another one now, and count them all."""
    report, new = Report(), []
    for case in cases:
        if case.judged_by == BY_HAND:
            report.by_hand += 1
            continue
        report.judged += 1
        judged, because = case.judgement.judged, case.judgement.because or AFTER_ALL
        if judged is not case.judged:
            report.changed[judged, because] += 1
            new.append((case.id, judged, because))
    if not dry:
        _say(session, new, RULES, now=now)
    return report


def _say(
    session: Session, new: Sequence[tuple[uuid.UUID, Judged, str]], by: str, *, now: datetime
) -> None:
    """Add verdicts, and let the weigher hear of each."""
    session.add_all(
        Verdict(
            id=uuid7(),
            interaction_id=interaction,
            judged=judged,
            judged_because=because,
            judged_by=by,
            at=now,
        )
        for interaction, judged, because in new
    )
    rows = session.execute(WHOSE, {"ids": [one for one, *_ in new]}) if new else ()
    lines = [(interaction, now, contact) for interaction, contact in rows]
    log_all(session, EntryKind.VERDICT, lines)


def _all(session: Session, span: Span) -> int:
    """Return how many interactions there are."""
    count = sa.select(sa.func.count()).select_from(Interaction)
    return session.scalar(count.where(span.covers(Interaction.received_at))) or 0
