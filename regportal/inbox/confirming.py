"""
Whether what a CRM's call said of a record is so: the record is looked for.

Calls come late, twice and in any order: what was deleted may have been restored since, and who was
taken off a deal put back. A call says which record to look at; the CRM says what is so.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.base import MOST_INBOUND, Connector, Kind
from regportal.connectors.rules import Outcome
from regportal.errors import JsonError
from regportal.inbox.models import Notice, NoticeState
from regportal.inbox.rules import NotUnderstoodError, understood
from regportal.inbox.telling import (
    GoneTold,
    MergedTold,
    OpportunityGoneTold,
    RoleTold,
)
from regportal.outbox.links import subjects_of
from regportal.store.sessions import Store
from regportal.store.strict_json import read_json

AT_ONCE = 100
"""Pieces of news that are looked at together."""
PATIENCE = timedelta(hours=1)
"""How long an erased record may still be there before a person must look."""
STILL_THERE = "the CRM still has what it said is gone"
NOT_ERASED = "says that somebody was erased, and the CRM still has the record"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A piece of news that is not sure, and of which records it is; of an ended part, of two."""

    number: int
    received_at: datetime
    contact: str | None = None
    opportunity: str | None = None
    is_erased: bool = False


def confirm(store: Store, key: str, connector: Connector, *, now: datetime) -> bool:
    """
    Ask a CRM whether what its calls said is so; return whether anything is.

    What is not so is over. Only of an erasure that is not so a person hears, and not at once. Of
    records that are nobody here the CRM is not asked. Raises what the connector raises.
    """
    last, is_any = 0, False
    while doubts := _doubts(store, key, last):
        last = doubts[-1].number
        stands = _still_there(connector, _known(store, key, doubts))
        store.write(_settling(doubts, stands, now=now))
        is_any |= any(one.number not in stands for one in doubts)
    return is_any


def _doubts(store: Store, key: str, after: int) -> list[Doubt]:
    """Return the next pieces of news that are not sure, in their order."""
    with store.read() as session:
        rows = session.scalars(
            sa.select(Notice)
            .where(
                Notice.state == NoticeState.WAITING,
                Notice.waits_for.is_(None),
                Notice.connector == key,
                Notice.number > after,
            )
            .order_by(Notice.number)
            .limit(AT_ONCE)
        ).all()
        return [_read(row) for row in rows]


def _read(row: Notice) -> Doubt:
    """Return of which records a piece of news is: of none where it cannot be understood."""
    doubt = Doubt(row.number, row.received_at)
    try:
        told = understood(read_json(row.body, most=MOST_INBOUND), row.received_at)
    except (NotUnderstoodError, JsonError):
        return doubt
    match told:
        case GoneTold(whose=whose, is_erased=is_erased):
            return replace(doubt, contact=whose.record, is_erased=is_erased)
        case MergedTold(joined=whose):
            return replace(doubt, contact=whose.record)
        case RoleTold(opportunity=opportunity, whose=whose) if whose.record:
            return replace(doubt, contact=whose.record, opportunity=opportunity)
        case OpportunityGoneTold(about=about):
            return replace(doubt, opportunity=about.external_id)
    return doubt


def _known(store: Store, key: str, doubts: Sequence[Doubt]) -> list[Doubt]:
    """Return those whose contact, if they name one, is somebody here."""
    with store.read() as session:
        return [
            one for one in doubts if one.contact is None or subjects_of(session, key, one.contact)
        ]


def _still_there(connector: Connector, doubts: Sequence[Doubt]) -> set[int]:
    """Return the numbers of those that are not so."""
    contacts = {one.contact for one in doubts if one.opportunity is None}
    opportunities = {one.opportunity for one in doubts if one.contact is None}
    with_part = {one.contact for one in doubts if one.opportunity is not None}
    there = {
        *((id, None) for id in _there(connector, "contact", contacts)),
        *((None, id) for id in _there(connector, "opportunity", opportunities)),
        *_parts(connector, with_part),
    }
    return {one.number for one in doubts if (one.contact, one.opportunity) in there}


def _there(connector: Connector, kind: Kind, ids: Collection[str | None]) -> Collection[str]:
    """Return the ids of the records that can be read; where none can, there is none."""
    asked = sorted(id for id in ids if id is not None)
    found = connector.read(kind, asked, ()) if asked else {}
    return () if found is Outcome.UNSUPPORTED else found.keys()


def _parts(connector: Connector, contacts: Collection[str | None]) -> set[tuple[str, str]]:
    """Return who of these contacts has a part in which open opportunity."""
    asked = sorted(id for id in contacts if id is not None)
    found = connector.open_opportunities(asked) if asked else {}
    known = {} if found is Outcome.UNSUPPORTED else found
    return {(contact, one.id) for contact, ones in known.items() for one in ones}


def _settling(
    doubts: Sequence[Doubt], stands: Collection[int], *, now: datetime
) -> Callable[[Session], None]:
    """Return what lets be understood what is so, and ends what is not."""

    def settle(session: Session) -> None:
        for one in doubts:
            values: dict[str, object] = {"state": NoticeState.TAKEN, "because": None}
            if one.number in stands:
                if one.is_erased and one.received_at <= now < one.received_at + PATIENCE:
                    continue
                state = NoticeState.UNKNOWN if one.is_erased else NoticeState.DONE
                because = NOT_ERASED if one.is_erased else STILL_THERE
                values = {"state": state, "because": because, "settled_at": now}
            session.execute(
                sa.update(Notice)
                .where(Notice.number == one.number, Notice.state == NoticeState.WAITING)
                .values(values)
                .execution_options(synchronize_session=False)
            )

    return settle
