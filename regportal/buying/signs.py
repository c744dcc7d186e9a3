"""
What contacts did themselves, and from when until when we knew it.

Whose an interaction is, and that a person did it, may become known later than the interaction.
The weigher asks what was known when a line of the log was written, so that reading the log late,
or again, finds the same.
"""

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.buying.facts import Sign
from regportal.buying.films import watched_in
from regportal.buying.schema import Buying, Condition
from regportal.identity.models import Claim, ClaimState, Contact
from regportal.store.among import among
from regportal.tracking.actions import Seen, columns_of
from regportal.tracking.later import TAKEN
from regportal.tracking.models import (
    BY_HAND,
    Attributed,
    Attribution,
    Interaction,
    Judged,
    Verdict,
)

COLUMNS = columns_of(Interaction.attribution, Interaction.contact_id, TAKEN)
"""What there is to know of an interaction, as it was taken."""
LATER = (
    *(Attribution.id, Attribution.at, Attribution.attribution, Attribution.contact_id),
    *(Verdict.id, Verdict.at, Verdict.judged, Verdict.judged_by),
)
"""What became known of it later: whose it is, and who did it."""
Claimed = aliased(Contact, name="claimed")
CLAIM = (
    *(Claimed.id, Claimed.first_seen),
    sa.case((Claim.state.in_((ClaimState.REJECTED, ClaimState.EXPIRED)), Claim.decided_at)),
)
"""Whose address was claimed when it was done, since when we know him, until when that held."""
Proof, Acquittal = aliased(Attribution), aliased(Verdict)
LADDER = (Attributed.CLAIMED, Attributed.IMPORTED, Attributed.VERIFIED)
"""How sure we are whose an interaction is: the surest last."""


class Spell(NamedTuple):
    """A sign that was a contact's own, as far as was known in [since, until)."""

    sign: Sign
    since: datetime
    until: datetime | None

    def holds(self, at: datetime) -> bool:
        """Return whether it was known at a moment."""
        return self.since <= at and (self.until is None or at < self.until)


class Owned(NamedTuple):
    """
    An interaction as it was taken, and whose own it was when.

    Anonymous ones, and a machine's, have no spell.
    """

    taken: Seen
    spells: tuple[Spell, ...]
    """When it was proven to be whose."""
    counts: tuple[Spell, ...]
    """When it counts as whose for the rules, which may ask for less than a proof."""

    def owner(self, at: datetime) -> uuid.UUID | None:
        """Return the contact who did this himself, as it was known at a moment; else None."""
        return next((spell.sign.contact for spell in self.spells if spell.holds(at)), None)


def least_of(buying: Buying) -> Attributed:
    """Return how sure we must be whose an interaction is, so that a model counts it."""
    return Attributed(buying.min_attribution)


def owned(
    session: Session, ids: Collection[uuid.UUID], least: Attributed = Attributed.VERIFIED
) -> Iterator[Owned]:
    """Yield those of these interactions that ever were somebody's own, as sure as that."""
    if ids:
        yield from _read(session, _these(least), ids, least)


def done_by(
    session: Session,
    contacts: Collection[uuid.UUID],
    conditions: Collection[Condition],
    *,
    least: Attributed,
    first: datetime,
    last: datetime,
) -> Iterator[Owned]:
    """
    Yield what ever was the own of one of these contacts and can count for a condition.

    At some moment from ``first`` to ``last``: as far back as the longest condition looks.
    """
    if not contacts or not conditions:
        return
    since = first - max(condition.window for condition in conditions)
    lately = sa.and_(Interaction.occurred_at > since, Interaction.occurred_at <= last)
    query = _known(least).where(_theirs(least, lately), lately, _concerns(conditions))
    yield from _read(session, query, contacts, least)


def all_done_by(
    session: Session,
    contacts: Collection[uuid.UUID],
    least: Attributed = Attributed.VERIFIED,
) -> Iterator[Owned]:
    """Yield whatever ever was the own of one of these contacts, as far as it is kept."""
    if contacts:
        yield from _read(session, _all(least), contacts, least)


@cache
def _these(least: Attributed) -> sa.Select[Any]:
    """Select certain interactions."""
    return _known(least).where(among(Interaction.id))


@cache
def _all(least: Attributed) -> sa.Select[Any]:
    """Select whatever is, or became, the own of certain contacts."""
    return _known(least).where(_theirs(least))


def _theirs(least: Attributed, *which: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Say to the database that an interaction is, or became, the own of certain contacts."""
    first_hand = sa.select(Interaction.id).where(among(Interaction.contact_id), *which)
    later = sa.select(Attribution.interaction_id).where(among(Attribution.contact_id))
    ways = [first_hand, later]
    if least is Attributed.CLAIMED:
        claims = sa.select(Claim.id).join(Contact, Contact.match_key == Claim.match_key)
        theirs = claims.where(among(Contact.id))
        ways.append(sa.select(Interaction.id).where(Interaction.claim_id.in_(theirs), *which))
    return Interaction.id.in_(sa.union(*ways))


def _concerns(conditions: Collection[Condition]) -> sa.ColumnElement[bool]:
    """Say to the database which kinds of interaction can count."""
    kinds = {(condition.event, condition.categories) for condition in conditions}
    return sa.or_(
        *(
            sa.and_(Interaction.type == event, Interaction.category.in_(categories))
            if categories
            else Interaction.type == event
            for event, categories in sorted(kinds)
        )
    )


@cache
def _known(least: Attributed) -> sa.Select[Any]:
    """Select interactions of people who are known, with all that became known of them later."""
    proven = sa.exists().where(
        Proof.interaction_id == Interaction.id, Proof.attribution == Attributed.VERIFIED
    )
    acquitted = sa.exists().where(
        Acquittal.interaction_id == Interaction.id, Acquittal.judged == Judged.PERSON
    )
    query = (
        sa.select(*COLUMNS, *LATER)
        .outerjoin(Attribution, Attribution.interaction_id == Interaction.id)
        .outerjoin(Verdict, Verdict.interaction_id == Interaction.id)
        .where(
            sa.or_(Interaction.judged == Judged.PERSON, acquitted),
            sa.or_(Interaction.attribution.in_(_enough(least)), proven),
        )
        .order_by(Interaction.id, Attribution.at, Attribution.id, Verdict.at, Verdict.id)
    )
    if least is not Attributed.CLAIMED:
        return query
    return (
        query.add_columns(*CLAIM)
        .outerjoin(Claim, Claim.id == Interaction.claim_id)
        .outerjoin(Claimed, Claimed.match_key == Claim.match_key)
    )


def _enough(least: Attributed) -> Sequence[Attributed]:
    """Return what is as sure as that, or surer."""
    return LADDER[LADDER.index(least) :]


def _read(
    session: Session, query: sa.Select[Any], ids: Collection[uuid.UUID], least: Attributed
) -> Iterator[Owned]:
    """Read interactions, or those of contacts, with from when until when each was whose."""
    asked = [_enough(sure) for sure in dict.fromkeys((LADDER[-1], least))]
    rows = session.execute(query, {"ids": ids})
    for _, some in groupby(rows, key=itemgetter(0)):
        together: list[Any] = list(some)
        row = together[0]
        taken = Seen(*row[: len(COLUMNS)])
        if len(together) == 1 and not any(row[len(COLUMNS) :]):
            found = [_at_first(taken, sure) for sure in asked]
        else:
            whose, judged = _later(taken, together, *row[len(COLUMNS) + len(LATER) :])
            found = [tuple(_spells(taken, whose, judged, sure)) for sure in asked]
        yield Owned(taken, found[0], found[-1])


def _at_first(taken: Seen, enough: Sequence[Attributed]) -> tuple[Spell, ...]:
    """Return what `_spells` does where nothing became known later, as of nearly all there is."""
    owner, judged = taken.contact_id, taken.judged
    if owner is None or taken.attribution not in enough or judged is not Judged.PERSON:
        return ()
    return (Spell(_sign(taken, owner), taken.received_at, None),)


class Word(NamedTuple):
    """Whose it is, or who did it, from a moment on."""

    at: datetime
    says: Any
    overrules: bool = False
    """Whether it holds against whatever is said after it."""


def _later(
    taken: Seen,
    rows: Iterable[Any],
    claimed: uuid.UUID | None = None,
    known_since: datetime | None = None,
    ended_at: datetime | None = None,
) -> tuple[list[Word], list[Word]]:
    """Return all that was said of whose it is, and all that was said of who did it."""
    whose: dict[Any, Word] = {None: Word(taken.received_at, (taken.attribution, taken.contact_id))}
    if taken.attribution is Attributed.CLAIMED and claimed is not None:
        since = max(taken.received_at, known_since or taken.received_at)
        whose["claimed"] = Word(since, (Attributed.CLAIMED, claimed))
        if ended_at is not None:
            whose["ended"] = Word(max(ended_at, since), (Attributed.ANONYMOUS, None))
    judged = {None: Word(taken.received_at, taken.judged)}
    for row in rows:
        said, at, attribution, contact, verdict, then, who, by = row[len(COLUMNS) :][: len(LATER)]
        if said is not None:
            whose[said] = Word(max(at, taken.received_at), (attribution, contact))
        if verdict is not None:
            judged[verdict] = Word(max(then, taken.received_at), who, by == BY_HAND)
    return list(whose.values()), list(judged.values())


def _spells(
    taken: Seen, whose: Sequence[Word], judged: Sequence[Word], enough: Sequence[Attributed]
) -> Iterator[Spell]:
    """
    Yield from when until when it was whose own: of each moment the last word holds.

    What goes on under a surer word is one spell.
    """
    moments = sorted({word.at for word in (*whose, *judged)})
    owners = [_owner(whose, judged, enough, at) for at in moments]
    ends = [*moments[1:], None]
    for owner, some in groupby(zip(owners, moments, ends, strict=True), key=itemgetter(0)):
        if owner is not None:
            together = [*some]
            yield Spell(_sign(taken, owner), together[0][1], together[-1][2])


def _sign(taken: Seen, owner: uuid.UUID) -> Sign:
    """Return an interaction of a contact as the rules see it."""
    return Sign(
        taken.id,
        owner,
        taken.type,
        taken.category,
        taken.occurred_at,
        taken.received_at,
        taken.object,
        watched_in(taken.type, taken.properties),
    )


def _owner(
    whose: Sequence[Word], judged: Sequence[Word], enough: Sequence[Attributed], at: datetime
) -> uuid.UUID | None:
    """Return whose own it was at a moment, as sure as that; None: nobody's, or a machine's."""
    attribution, contact = _holds(whose, at)
    is_own = attribution in enough and _holds(judged, at) is Judged.PERSON
    return contact if is_own else None


def _holds(words: Sequence[Word], at: datetime) -> Any:
    """Return what holds at a moment of what was said until then."""
    said = [word for word in words if word.at <= at]
    return next((word for word in reversed(said) if word.overrules), said[-1]).says
