"""What time alone does: silences end phases, windows close, scores fade."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.batch import in_order, opportunities_of
from regportal.buying.facts import moment
from regportal.buying.following import Following
from regportal.buying.models import (
    ContactRole,
    KeptStanding,
    Opportunity,
    SubjectKind,
)
from regportal.buying.news import tell_moves
from regportal.buying.overrides import next_end, over
from regportal.buying.past import asks
from regportal.buying.people import Person, people_of
from regportal.buying.place import next_lines, own_every_place
from regportal.buying.scores.actions import cool, forget_gone, next_wake, score, unscored
from regportal.buying.scores.heard import Heard
from regportal.buying.scores.models import ScoreCrossing
from regportal.buying.scores.news import tell
from regportal.buying.shadow import Followed, find_lost_shadows
from regportal.buying.telling import SKEW
from regportal.identity.models import Contact
from regportal.store.documents import Shelf
from regportal.store.sessions import Store
from regportal.tracking.models import Parcel

AT_ONCE = 100
"""Standings looked at in one transaction."""
SOON = timedelta(milliseconds=200)
"""When to look again at what waits for something that became known and was not weighed yet."""
PATIENCE = timedelta(minutes=5)
"""How long time waits for a parcel that cannot be unpacked, or a line that cannot be weighed."""


class Moments(NamedTuple):
    """As of when a transaction looks at something."""

    until: datetime
    """Until when time passes."""
    known: datetime
    """As of when somebody is worked out anew: never before what was weighed already."""
    now: datetime


def pass_time(store: Store, shelf: Shelf, *, now: datetime) -> datetime | None:
    """
    Let every standing and score whose time has come be looked at, some of them a transaction.

    Each at its own moment, in their order, however late the worker comes. What is still to be
    unpacked, or to be weighed by another worker, became known before: nothing is looked at past
    it. What was worked out under other rules is worked out anew. Returns when to come again, or
    None.
    """
    while True:
        with store.read() as session:
            until = _horizon(session, now)
            followed = Followed.of(session, shelf.published(session)).all
            stale = any(_stale(each, 1) for each in followed)
            waits = {_wake: _next(followed), _lift: next_end(session), _cool: next_wake(session)}
        if stale:
            _do(store, shelf, _renew, until, now)
            continue
        coming = {work: at for work, at in waits.items() if at is not None}
        if not coming or min(coming.values()) > until:
            return max(min(coming.values()), now + SOON) if coming else None
        work = min(coming, key=lambda each: coming[each])
        # where no rule asks for a score, many may be looked at together
        in_turn = any("score" in asks(each.model.buying) for each in followed)
        others = [at for each, at in coming.items() if in_turn and each is not work]
        _do(store, shelf, work, min([until, *others]), now)


def score_everybody(store: Store, shelf: Shelf, *, now: datetime) -> None:
    """
    Let everybody stand under every score as it is written now, some people a transaction.

    Nothing is kept under scores that went. It can be stopped and begun again: whoever stands
    already is left where he is.
    """
    store.write(lambda session: forget_gone(session, shelf.published(session)))
    while True:
        with store.read() as session:
            if not unscored(session, shelf.published(session)):
                return
            until = _horizon(session, now)
        _do(store, shelf, _score, until, now)


def find_lost(session: Session, *, now: datetime) -> None:
    """
    Note every open opportunity without a standing, so that it is worked out again.

    And everybody, where there is none at all. A standing is a cache: whoever deletes the table
    while no worker runs loses nothing. It is noted as of all that was weighed, in whichever shard
    of the log: it is not worked out to a moment before.
    """
    weighed = own_every_place(session)
    is_lost = session.scalar(sa.select(KeptStanding.subject_id).limit(1)) is None
    read = None if weighed is None else sa.literal(min(weighed, now + SKEW))
    opportunity = Opportunity.id, Opportunity.phase, Opportunity.phase_since
    as_of = Opportunity.phase_since if read is None else read
    is_open = Opportunity.is_closed.is_(False)
    _note(session, SubjectKind.OPPORTUNITY, (*opportunity, as_of), is_open)
    if is_lost:
        person = Contact.id, sa.literal(""), sa.null().cast(KeptStanding.since.type)
        as_of = Contact.first_seen if read is None else read
        _note(session, SubjectKind.PERSON, (*person, as_of), Contact.id == Contact.person_id)
    find_lost_shadows(session)


def _note(
    session: Session, kind: SubjectKind, what: Sequence[Any], which: sa.ColumnElement[bool]
) -> None:
    """Note those of whom nothing is kept, by their key, phase, since when and as of when."""
    key, *beside = what
    there = sa.exists().where(KeptStanding.subject_id == key)
    under = sa.literal(kind, KeptStanding.subject.type), sa.literal(""), sa.literal("")
    columns = ["subject_id", "subject", "rules", "state", "phase", "since", "as_of"]
    lost = sa.select(key, *under, *beside).where(which, ~there)
    session.execute(sa.insert(KeptStanding).from_select(columns, lost))


def _do(
    store: Store,
    shelf: Shelf,
    work: Callable[[Followed, Moments], None],
    until: datetime,
    now: datetime,
) -> None:
    """Do some of this in a transaction of its own, while no line is weighed; tell what moved."""

    def write(session: Session) -> None:
        weighed = own_every_place(session) or until
        followed = Followed.of(session, shelf.published(session))
        work(followed, Moments(until, max(until, min(weighed, now + SKEW)), now))
        followed.keep()
        tell_moves(session, followed.live.published, followed.live.moves, now=now)

    store.write(write, patient=True)


def _horizon(session: Session, now: datetime) -> datetime:
    """Return until when all that became known was weighed; it waits for nothing for ever."""
    packed: datetime | None = session.scalar(
        sa.select(sa.func.min(Parcel.received_at)).where(Parcel.unpacked_at.is_(None))
    )
    unread = [*next_lines(session).values(), packed]
    oldest = min((at for at in unread if at is not None), default=now)
    return min(now, max(oldest, now - PATIENCE))


def _next(followed: Iterable[Following]) -> datetime | None:
    """Return when the next standing must be looked at; None: none."""
    found = (each.session.scalar(sa.select(sa.func.min(each.table.c.wake_at))) for each in followed)
    return min((at for at in found if at is not None), default=None)


def _stale(subjects: Following, most: int) -> Sequence[tuple[uuid.UUID, SubjectKind]]:
    """Return some of those that stand under other rules than these, people before any other."""
    digest, table = subjects.model.digest, subjects.table
    others = sa.or_(table.c.rules < digest, table.c.rules > digest)
    for kind in (SubjectKind.PERSON, SubjectKind.OPPORTUNITY):
        some = (
            sa.select(table.c.subject_id)
            .where(others, table.c.subject == kind)
            .order_by(table.c.subject_id)
            .limit(most)
        )
        found = [(key, kind) for key in subjects.session.scalars(some)]
        if found:
            return found
    return ()


def _renew(followed: Followed, at: Moments) -> None:
    """Work out anew where some stand that stood under other rules."""
    for each in followed.all:
        _renew_some(each, at.known)


def _renew_some(subjects: Following, at: datetime) -> None:
    """
    Work out anew where some stand under these rules.

    Opportunities that went on before those with a part hear of what time did to these meanwhile.
    """
    session, stale = subjects.session, _stale(subjects, AT_ONCE)
    people = people_of(session, [key for key, kind in stale if kind is SubjectKind.PERSON])
    theirs = {one for some in parts_now(session, people).values() for one in some}
    subjects.recall((), theirs)
    opportunities = opportunities_of(
        session,
        {key for key, kind in stale if kind is SubjectKind.OPPORTUNITY}
        | {one for one in theirs if subjects.stands(one)},
    )
    everybody = {one.id: one for one in people.values()}
    subjects.forget([key for key, _ in stale])
    subjects.read_ahead(everybody.values(), opportunities)
    subjects.look_again([*everybody.values()], in_order(opportunities.values()), at, "rules")


def _wake(followed: Followed, at: Moments) -> None:
    """Look at some of those whose time has come."""
    for each in followed.all:
        _wake_some(each, at.until)


def _wake_some(subjects: Following, until: datetime) -> None:
    """Look at some of those whose time has come, each at its own moment, people first."""
    session, table = subjects.session, subjects.table
    due = session.execute(
        sa.select(table.c.subject_id, table.c.subject, table.c.wake_at)
        .where(table.c.wake_at <= until)
        .order_by(table.c.wake_at)
        .limit(AT_ONCE)
    ).all()
    people = people_of(
        session, [one.subject_id for one in due if one.subject is SubjectKind.PERSON]
    )
    theirs = parts_now(session, people)
    opportunities = opportunities_of(
        session,
        {one.subject_id for one in due if one.subject is SubjectKind.OPPORTUNITY}
        | {one for some in theirs.values() for one in some},
    )
    subjects.recall({one.id for one in people.values()}, opportunities)
    for one in sorted(due, key=lambda each: (each.wake_at, each.subject is not SubjectKind.PERSON)):
        at = moment(one.wake_at)
        if one.subject is SubjectKind.PERSON and one.subject_id in people:
            open_ = [opportunities[each] for each in theirs.get(one.subject_id, ())]
            subjects.wake(people[one.subject_id], in_order(o for o in open_ if not o.is_closed), at)
            continue
        opportunity = opportunities.get(one.subject_id)
        if opportunity is None or opportunity.is_closed:
            subjects.forget([one.subject_id])
        else:
            subjects.wake_opportunity(opportunity, at)


def _lift(followed: Followed, at: Moments) -> None:
    """Let what was said over the rules end where its time is over."""
    subjects = followed.live
    ended = over(subjects.session, at.until, AT_ONCE)
    opportunities = opportunities_of(subjects.session, {said.opportunity_id for said in ended})
    subjects.read_ahead((), opportunities)
    subjects.recall((), opportunities)
    for said in ended:
        subjects.lift_what_is_over(opportunities[said.opportunity_id], at.until)


def _cool(followed: Followed, at: Moments) -> None:
    """Let the scores whose time has come pass their thresholds; rules that ask look again."""
    live = followed.live
    found = cool(live.session, live.published, now=at.until)
    tell(live.session, live.published, found.news, now=at.now)
    look_at_scores(followed, found.crossings, at.known)


def _score(followed: Followed, at: Moments) -> None:
    """Let some stand under scores under which they do not stand yet; rules that ask look again."""
    live = followed.live
    heard = Heard(anew={*unscored(live.session, live.published)})
    found = score(live.session, live.published, heard, now=at.now)
    tell(live.session, live.published, found.news, now=at.now)
    look_at_scores(followed, found.crossings, at.known)


def look_at_scores(followed: Followed, crossings: Sequence[ScoreCrossing], at: datetime) -> None:
    """Look again at everybody whose score passed a threshold a rule asks for."""
    for each in followed.all:
        _look_at_scores(each, crossings, at)


def _look_at_scores(subjects: Following, crossings: Sequence[ScoreCrossing], at: datetime) -> None:
    """
    Look again at everybody whose score passed a threshold that these rules ask for.

    At ``at``; but where time alone passed it, when it did, unless more was heard since then.
    """
    asked = {one.score.name for one in subjects.model.buying.conditions() if one.score}
    passed = [one for one in crossings if one.score in asked]
    if not passed:
        return
    subjects.forget_lives()
    people = people_of(subjects.session, {one.contact_id for one in passed})
    theirs = parts_now(subjects.session, people)
    opportunities = opportunities_of(
        subjects.session, {one for some in theirs.values() for one in some}
    )
    subjects.recall({one.id for one in people.values()}, opportunities)
    late = set[uuid.UUID]()
    for one in sorted(passed, key=lambda each: each.at):
        whose = people[one.contact_id]
        mine = in_order(opportunities[each] for each in theirs.get(whose.id, ()))
        keys = (whose.id, *(each.id for each in mine))
        there = all(subjects.stands_by(each, one.at) for each in keys)
        if one.cause == "timer" and there and whose.id not in late:
            subjects.look_again([whose], mine, one.at, "timer")
        else:
            late.add(whose.id)
    deals = {one for whose in late for one in theirs.get(whose, ())}
    mine = in_order(opportunities[one] for one in deals)
    subjects.look_again([people[whose] for whose in sorted(late)], mine, at, "event")


def parts_now(
    session: Session, people: Mapping[uuid.UUID, Person]
) -> dict[uuid.UUID, set[uuid.UUID]]:
    """Return by person the open opportunities in which he has a part."""
    rows = session.execute(
        sa.select(ContactRole.contact_id, ContactRole.opportunity_id)
        .join(Opportunity, Opportunity.id == ContactRole.opportunity_id)
        .where(
            ContactRole.contact_id.in_(people),
            ContactRole.until.is_(None),
            Opportunity.is_closed.is_(False),
        )
    )
    found: dict[uuid.UUID, set[uuid.UUID]] = {}
    for contact, opportunity in rows:
        found.setdefault(people[contact].id, set()).add(opportunity)
    return found
