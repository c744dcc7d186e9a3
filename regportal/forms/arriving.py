"""Counting a form before it is taken: one of too many, perhaps, or a machine's."""

import enum
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from regportal.forms.actions import Around, Opened, Sender, Sent, open_gate
from regportal.forms.effort import is_done
from regportal.forms.models import Submission
from regportal.forms.rules import ASK_LIFE, Ask
from regportal.forms.visiting import Visiting, is_proven
from regportal.identity import limits
from regportal.identity.limits import LIMITS, MINUTE, Spot
from regportal.store import current

QUICK = timedelta(seconds=2)
"""Nobody reads a form and types an address faster…"""
QUICK_BURST = 10
"""…but browsers fill in forms: only so many such ones within a minute are a machine's."""
BURST = 30
"""So many addresses from one place within a minute are a machine's, however slowly typed."""


class TooMany(enum.Enum):
    """Why a form is not taken."""

    WORK = enum.auto()
    """Too many from this place: its browser has to do a small calculation first."""
    LATER = enum.auto()
    """Far too many, with the calculation done."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is counted of one form; read from the request, judged where it is written."""

    spots: tuple[Spot, ...]
    """Where it is counted; nowhere where limits are off."""
    owes_mail: bool
    """Whether somebody may get a mail because of it."""
    worked: bool
    age: timedelta
    """How long the page had been open."""


def arrival_of(visiting: Visiting, ask: Ask, sent: Sent, effort: str) -> Arrival:
    """
    Return what is to be counted of the form in the current request.

    Whatever may owe a mail counts as a claim, not only what carries an address: a browser that
    comes back to a gate whose file goes by mail, or asks for a newsletter, has one sent as well.
    """
    owes_mail = _owes_mail(visiting, ask, sent)
    worked = owes_mail and effort != "" and is_done(ask.nonce, effort, current.settings().keys)
    windows: dict[str, timedelta] = {}
    if limits.is_on():
        hour = LIMITS["claims"].window
        windows = {"claims": hour, "burst": MINUTE} if owes_mail else {"answers": hour}
        windows |= {"claims-with-work": hour} if worked else {}
    shown = datetime.fromtimestamp(ask.expires, visiting.now.tzinfo) - ASK_LIFE
    spots = tuple(limits.spot(name, window) for name, window in windows.items())
    return Arrival(spots, owes_mail, worked, visiting.now - shown)


def _owes_mail(visiting: Visiting, ask: Ask, sent: Sent) -> bool:
    """Return whether a mail may be owed because of a form; a function of what this browser did."""
    if is_proven(visiting):
        return ask.email or sent.wants_newsletter
    return ask.email or visiting.by_mail


def take_form(
    session: Session,
    arrival: Arrival,
    around: Around,
    sent: Sent,
    sender: Sender,
    *,
    now: datetime,
) -> Opened | TooMany:
    """
    Count a form and open the gate for it, or return why not.

    A form that was taken before is answered as it was then, however many came since.
    """
    crowded, machine = _judged(session, arrival, now=now)
    if crowded is not None and session.get(Submission, uuid.UUID(sent.ask.nonce)) is None:
        return crowded
    sender = replace(sender, machine=sender.machine or machine)
    return open_gate(session, around, sent, sender, now=now)


def _judged(
    session: Session, arrival: Arrival, *, now: datetime
) -> tuple[TooMany | None, str | None]:
    """Count a form; return why it is not taken, and why it is taken for a machine's."""
    if not arrival.spots:
        return None, None
    counted = limits.used(session, arrival.spots, now=now)
    if not arrival.owes_mail:
        return (None if counted[0] <= LIMITS["answers"].most else TooMany.LATER), None
    claims, burst, *worked = counted
    machine = None if arrival.worked else _machine(burst, arrival.age)
    if claims <= LIMITS["claims"].most:
        return None, machine
    if not worked:
        return TooMany.WORK, machine
    return (None if worked[0] <= LIMITS["claims-with-work"].most else TooMany.LATER), machine


def _machine(burst: int, age: timedelta) -> str | None:
    """
    Return why a form is taken for a machine's, or None: speed alone is no reason.

    >>> _machine(1, timedelta(seconds=1)), _machine(11, timedelta(seconds=1))
    (None, 'burst')
    >>> _machine(11, timedelta(seconds=20)), _machine(31, timedelta(seconds=20))
    (None, 'burst')
    """
    most = QUICK_BURST if age < QUICK else BURST
    return "burst" if burst > most else None
