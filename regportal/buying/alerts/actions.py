"""Noting which moves somebody is to be told of, and finding out whom, when and how."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.alerts.models import Alert, AlertReader, Choice
from regportal.buying.alerts.rules import HOUR, Rhythm, is_news, planned
from regportal.buying.evidence import people_in
from regportal.buying.models import Move, Opportunity
from regportal.buying.people import people_of
from regportal.buying.reading import interactions_of, model_of
from regportal.buying.signs import Owned, all_done_by, owned
from regportal.consent.suppression import has_bounced
from regportal.identity.addresses import Address, read_address
from regportal.identity.models import Contact
from regportal.identity.wire import is_ignored
from regportal.mail.actions import address_hash
from regportal.outbox.actions import News, put
from regportal.outbox.models import MAIL
from regportal.store.documents import Published, Shelf, Site
from regportal.store.facts import insert_in
from regportal.store.ids import uuid7
from regportal.store.sessions import Store

TOPIC = "mail.lead"
BY_DEED = "event"
"""The cause of moves that somebody made; time, the CRM, other rules and corrections have others."""
AT_ONCE = 200
"""New alerts looked at in one transaction."""

OFF = "the site sends no alerts"
CLOSED = "closed meanwhile"
TAKEN_BACK = "what was done no longer counts"
STAFF = "own staff did it"
NOBODY = "nobody looks after it, and the site names no address"
BOUNCED = "no mail reaches whoever looks after it"
STOPPED = "whoever looks after it wants no such mails"


def note(
    session: Session,
    published: Published,
    moves: Sequence[tuple[Opportunity, Move]],
    *,
    now: datetime,
) -> None:
    """
    Note the moves of this transaction of which somebody is to be told.

    Only what was just done is news: history that is filled in later tells nobody.
    """
    site = published.find(Site, "site")
    made = [move for _, move in moves if move.cause == BY_DEED]
    if not made or site is None or site.alerts.send == "off":
        return
    counted = {
        one.taken.id: one
        for one in owned(session, {each for move in made for each in _interactions(move)})
    }
    for move in made:
        deed = _last_deed(session, move, counted, now)
        if deed is not None and is_news(deed.at, now):
            session.add(
                Alert(
                    move_id=move.id,
                    contact_id=deed.contact,
                    interaction_id=deed.id,
                    at=now,
                    due=now,
                )
            )


def tell(store: Store, shelf: Shelf, *, pepper: str, now: datetime) -> datetime | None:
    """Owe the letters that are due; return when to come again, None where nothing waits."""
    while True:
        with store.read() as session:
            due: datetime | None = session.scalar(sa.select(sa.func.min(Alert.due)))
        if due is None or due > now:
            return due
        store.write(lambda session: _settle_some(session, shelf, pepper, now=now))


def choose(session: Session, reader: AlertReader, chosen: Choice, *, now: datetime) -> None:
    """Let a reader decide how often he is told; what waits for him is looked at again."""
    reader.choice, reader.chosen_at = chosen, now
    session.execute(
        sa.update(Alert)
        .where(Alert.reader_id == reader.id, Alert.due.is_not(None))
        .values(due=now)
        .execution_options(synchronize_session=False)
    )


def rhythm_of(published: Published, choice: Choice | None) -> Rhythm | None:
    """Return how often somebody who chose so is told; None: not at all."""
    alerts, model = Site.of(published).alerts, model_of(published)[0]
    said: str = choice or alerts.send
    if "off" in {alerts.send, said}:
        return None
    return Rhythm(alerts.hour, alerts.days, model.zone, together=said == "digest")


def reader_of(published: Published, opportunity: Opportunity) -> Address | None:
    """Return who is told of an opportunity: who looks after it, else whom the site names."""
    return owner_of(opportunity) or _read(Site.of(published).alerts.to)


def owner_of(opportunity: Opportunity) -> Address | None:
    """Return who looks after an opportunity, as the CRM says; None where that is no address."""
    return _read((opportunity.owner or {}).get("email"))


def _read(email: str | None) -> Address | None:
    """Return an address, or None where it is none: a CRM may say anything."""
    try:
        return read_address(email or "")
    except ValueError:
        return None


def still_done(session: Session, alerts: Sequence[Alert]) -> set[uuid.UUID]:
    """Return which of the deeds behind these alerts are still somebody's own."""
    done = owned(session, {alert.interaction_id for alert in alerts})
    return {one.taken.id for one in done if any(spell.until is None for spell in one.spells)}


# --- what was done ---


class _Deed(NamedTuple):
    """What somebody did himself."""

    at: datetime
    id: uuid.UUID
    contact: uuid.UUID


def _last_deed(
    session: Session, move: Move, counted: Mapping[uuid.UUID, Owned], now: datetime
) -> _Deed | None:
    """Return what was done last for a move: what it counts, or those did of whom it speaks."""
    known = max(move.at, now)  # a clock may be a little slow
    people = people_of(session, people_in(move.evidence))
    theirs = {each for person in people.values() for each in person.contacts}
    done = [counted[each] for each in _interactions(move) if each in counted]
    done += all_done_by(session, theirs) if theirs else ()
    deeds = (
        _Deed(one.taken.occurred_at, one.taken.id, whose)
        for one in done
        if (whose := one.owner(known)) is not None and one.taken.occurred_at <= known
    )
    return max(deeds, default=None)


def _interactions(move: Move) -> list[uuid.UUID]:
    """Return what a move counts."""
    return [uuid.UUID(each) for each in interactions_of(move)]


# --- whom, and when ---


@dataclass(frozen=True, slots=True)
class _Case:
    """An alert that is due, and what it is about."""

    alert: Alert
    opportunity: Opportunity
    contact: Contact


def _settle_some(session: Session, shelf: Shelf, pepper: str, *, now: datetime) -> None:
    """
    Decide of some alerts that are due whether, when and with which letter they are told.

    Of new ones, or of all that wait for one reader: what is told together is decided together.
    """
    published = shelf.published(session)
    turn = sa.select(Alert.reader_id).where(Alert.due <= now).order_by(Alert.due, Alert.move_id)
    whose = session.scalars(turn.limit(1)).first()
    due = session.execute(
        sa.select(Alert, Opportunity, Contact)
        .join(Move, Move.id == Alert.move_id)
        .join(Opportunity, Opportunity.id == Move.opportunity_id)
        .join(Contact, Contact.id == Alert.contact_id)
        .where(Alert.due <= now, Alert.reader_id.is_not_distinct_from(whose))
        .order_by(Alert.at, Alert.move_id)
        .limit(None if whose else AT_ONCE)
        .with_for_update(of=Alert)
    )
    cases = [_Case(*row) for row in due]
    still = still_done(session, [case.alert for case in cases])
    theirs: defaultdict[str, list[_Case]] = defaultdict(list)
    addresses: dict[str, Address] = {}
    for case in cases:
        address = reader_of(published, case.opportunity)
        because = _why_not(published, case, address, is_real=case.alert.interaction_id in still)
        if because is not None or address is None:
            _drop([case], because or NOBODY, now)
            continue
        addresses[address.match_key] = address
        theirs[address.match_key].append(case)
    for match_key in sorted(theirs):
        _plan(session, published, addresses[match_key], theirs[match_key], pepper, now=now)


def _why_not(
    published: Published, case: _Case, address: Address | None, *, is_real: bool
) -> str | None:
    """Return why nobody is told of it, if so."""
    site = Site.of(published)
    if site.alerts.send == "off":
        return OFF
    if case.opportunity.is_closed:
        return CLOSED
    if not is_real:
        return TAKEN_BACK
    himself = address is not None and address.match_key == case.contact.match_key
    if himself or is_ignored(site, None, case.contact.email):
        return STAFF
    return None if address else NOBODY


def _plan(
    session: Session,
    published: Published,
    address: Address,
    cases: Sequence[_Case],
    pepper: str,
    *,
    now: datetime,
) -> None:
    """Owe one reader the letters that may go now, and let the rest wait."""
    reader = _reader(session, address, pepper, now=now)
    for case in cases:
        case.alert.reader_id = reader.id
    rhythm = rhythm_of(published, reader.choice)
    if rhythm is None or has_bounced(session, address.match_key, pepper):
        _drop(cases, STOPPED if rhythm is None else BOUNCED, now)
        return
    by_move = {case.alert.move_id: case.alert for case in cases}
    waiting = [(case.alert.move_id, case.alert.at) for case in cases]
    letters, again = planned(waiting, _told(session, reader, now), rhythm, now)
    for alert in by_move.values():
        alert.due = again
    for moves in letters:
        letter = put(session, MAIL, _news(reader, address, moves, now), now=now)
        for move in moves:
            alert = by_move[move]
            alert.letter_id, alert.told_at, alert.due = letter, now, None


def _news(reader: AlertReader, address: Address, moves: Sequence[uuid.UUID], now: datetime) -> News:
    """Return what the outbox owes: to whom, and of which moves; what it says is written later."""
    payload: Mapping[str, Any] = {
        "reader": str(reader.id),
        "to": address.email,
        "moves": [str(move) for move in moves],
    }
    return News(topic=TOPIC, subject=f"alerts:{reader.id}", payload=payload, occurred_at=now)


def _drop(cases: Sequence[_Case], because: str, now: datetime) -> None:
    """Tell nobody, and say why."""
    for case in cases:
        case.alert.due, case.alert.told_at, case.alert.because = None, now, because


def _reader(session: Session, address: Address, pepper: str, *, now: datetime) -> AlertReader:
    """Return who reads at an address, held until the transaction ends."""
    known = address_hash(address.match_key, pepper)
    session.execute(
        insert_in(session.get_bind().dialect.name)(AlertReader)
        .values(id=uuid7(), address_hash=known, since=now)
        .on_conflict_do_nothing(index_elements=["address_hash"])
    )
    return session.scalars(
        sa.select(AlertReader).where(AlertReader.address_hash == known).with_for_update()
    ).one()


def _told(session: Session, reader: AlertReader, now: datetime) -> list[datetime]:
    """Return when a reader was sent letters within the last hour."""
    lately = sa.select(Alert.letter_id, sa.func.max(Alert.told_at)).where(
        Alert.reader_id == reader.id, Alert.told_at > now - HOUR, Alert.letter_id.is_not(None)
    )
    rows = session.execute(lately.group_by(Alert.letter_id))
    return [at for _, at in rows if at is not None]
