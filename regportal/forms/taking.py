"""Taking what a gate was sent, by a page's form or as JSON: the same, whichever way it came."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from regportal.errors import BadRequestError, ForbiddenError, StaleError, TooManyError
from regportal.forms.actions import Opened, Sender, Sent
from regportal.forms.arriving import TooMany, arrival_of, take_form
from regportal.forms.asking import hash_named, read_ask, read_csrf_token
from regportal.forms.effort import FIELD as EFFORT
from regportal.forms.effort import Effort, effort_for
from regportal.forms.fields import HONEYPOT
from regportal.forms.forming import Fault, check_asked, read_sent, settle_shown
from regportal.forms.rules import Ask, is_fresh
from regportal.forms.visiting import Visiting, sender_of, visiting_of
from regportal.identity import browser, limits, wire
from regportal.identity.recognising import holds
from regportal.store import current
from regportal.store.words import N_

NOT_MINE = N_("This form was not made for this browser. Please open it again.")

Fields = Mapping[str, list[str]]
"""What was sent, as a form names it: ``email``, ``q-…``, ``n-…``, ``remember``, ``decline``."""


@dataclass(frozen=True, slots=True)
class Taken:
    """It was taken, now or when it was sent before."""

    visiting: Visiting
    sent: Sent
    sender: Sender
    opened: Opened


@dataclass(frozen=True, slots=True)
class Faulty:
    """Something has to be put right first."""

    visiting: Visiting
    ask: Ask
    fault: Fault


@dataclass(frozen=True, slots=True)
class Crowded:
    """Many come from its place: its browser has to do a small calculation first."""

    visiting: Visiting
    ask: Ask
    effort: Effort
    wait: int
    """Seconds until it may be sent without."""


def take_fields(
    key: str, fields: Fields, held: browser.Jar | None = None, *, as_form: bool
) -> Taken | Faulty | Crowded:
    """
    Judge what was sent against what was asked, and open the gate.

    ``as_form`` says that a page of ours sends it, with its token beside the ask. Raises
    BadRequestError for what was not asked, ForbiddenError for what no page of ours would send,
    StaleError where the page is too old, TooManyError where far too many come from its place.
    """
    with current.store().read() as session:
        visiting = visiting_of(session, key, held)
        ask = read_ask(wire.only(fields, "ask"), current.settings().keys)
        if ask.gate != key:
            raise BadRequestError(N_("This form belongs to another page."))
        check_asked(fields, ask)
        check_mine(session, visiting, ask, fields if as_form else None)
    sent = read_sent(visiting, ask, fields)
    if isinstance(sent, Fault):
        return Faulty(visiting, ask, sent)
    sender = sender_of(visiting, ask, sent, wire.only(fields, HONEYPOT))
    arrival = arrival_of(visiting, ask, sent, wire.only(fields, EFFORT))
    around, now = visiting.around, visiting.now
    opened = current.store().write(
        lambda writing: take_form(writing, arrival, around, sent, sender, now=now)
    )
    if isinstance(opened, TooMany):
        return _crowded(visiting, ask, opened)
    current.store().note(lambda writing: settle_shown(writing, sent, opened.machine, now=now))
    current.wake("weigh", "deliver")
    return Taken(visiting, sent, sender, opened)


def check_mine(session: Session, visiting: Visiting, ask: Ask, form: Fields | None = None) -> None:
    """
    Refuse what was asked of another browser, or too long ago: raise StaleError.

    A browser without cookies is taken at its ask's word. Where it is a ``form`` of a page, raise
    ForbiddenError for a forged token.
    """
    mine = visiting.is_new
    if not mine:
        keys = current.settings().keys
        if form is not None and read_csrf_token(wire.only(form, "csrf_token"), keys) != ask.visitor:
            raise ForbiddenError(NOT_MINE)
        named = ask.visitor
        mine = named == visiting.browser or holds(session, visiting.visitor, hash_named(named))
    if not mine or not is_fresh(ask, visiting.now):
        raise StaleError(N_("This page had been open for too long. Here it is anew."))


def _crowded(visiting: Visiting, ask: Ask, crowded: TooMany) -> Crowded:
    """Return what a browser is to find first; raise TooManyError where that does not help."""
    wait = limits.retry_after(limits.HOUR, visiting.now)
    if crowded is TooMany.LATER:
        raise TooManyError(limits.TOO_MANY, after=wait)
    return Crowded(visiting, ask, effort_for(ask.nonce, current.settings().keys), wait)
