"""What a visitor's browser tells: whose it is, and kept with what others tell at once."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask import Request
from sqlalchemy.orm import Session

from regportal.errors import TooManyError
from regportal.identity import browser, limits, wire
from regportal.identity.api import Refused
from regportal.identity.recognising import Bearer, Known, recognise_all
from regportal.store import current
from regportal.store.documents import NEWEST
from regportal.store.tokens import hash_of
from regportal.tracking.collecting import Teller, Telling, take_all
from regportal.tracking.events import Event, NotAnEventError, by_our_clock, understand
from regportal.tracking.models import Source
from regportal.tracking.ordinary import understood
from regportal.tracking.telling import Events, Touch

BEYOND = "regportal.beyond"
"""Where the door in front leaves word in a request that it has counted it, and as too many."""


@dataclass(frozen=True, slots=True)
class Sender:
    """All that a request says besides its body: nothing of it depends on when it came."""

    teller: Teller
    cookie: str | None
    """The token that the browser keeps."""
    script: str | None
    """The token that a script of the page keeps, where it sent a header."""
    is_linked: bool
    """Whether what he does may be linked to him; his browser may say that it may not."""
    family: str
    spot: limits.Spot | None
    """Where it counts against the limit; None where there are none."""
    number: int
    """The publication under which it was understood."""


def sender_of(sent: Request) -> Sender:
    """Return what a request says of who sent it."""
    site = current.site()
    return Sender(
        Teller(
            Source.BROWSER,
            own_staff=wire.is_own_staff(sent, site, None),
            agent=wire.agent_of(sent),
            network=wire.network_of(sent),
            purpose=wire.purpose_of(sent),
        ),
        browser.jar(sent).token,
        sent.headers.get(browser.SCRIPT_HEADER),
        not browser.objects(site, sent),
        browser.browser_name(sent),
        limits.spot("events", limits.LIMITS["events"].window, sent=sent)
        if limits.is_on()
        else None,
        current.published().number,
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """What a browser told, and who sent it; the writer looks up whose it is."""

    telling: Telling
    sender: Sender
    token: bytes | None
    """The hash of the token that names the visitor; None where nothing may be linked."""
    by_script: bool
    """Whether a script of the page holds the token: it is never worth a proof."""


def hear(call: Events, sender: Sender, *, now: datetime) -> tuple[Heard, list[Refused]]:
    """Return what a browser tells, and which of its events are none."""
    events, refused = _events(call, now)
    teller = replace(sender.teller, touch=_touch(call.touch)) if call.touch else sender.teller
    by_script = call.visitor or sender.script
    token = (by_script or sender.cookie) if sender.is_linked else None
    heard = Heard(
        Telling(teller, events, now), sender, hash_of(token) if token else None, bool(by_script)
    )
    return heard, refused


Taken = int | TooManyError | None
"""
How many events of a call were new, once it is kept; TooManyError where too much came from there.

None: something was published since it was understood, and nothing is kept.
"""


def keep(heard: Heard) -> int | None:
    """Keep what a browser told; return how many events were new, or raise TooManyError."""
    kept = current.store().write_together(keep_all, heard)
    if isinstance(kept, TooManyError):
        raise kept
    return kept


def begin_to_keep(heard: Heard) -> Future[Taken]:
    """Begin to keep what a browser told, with what others tell meanwhile."""
    return current.store().begin_together(keep_all, heard)


def keep_all(session: Session, heard: Sequence[Heard]) -> list[Taken]:
    """Keep what several browsers told; return of each how many events were new, or why none is."""
    now = max(one.telling.at for one in heard)
    number = session.connection().scalar(NEWEST) or 0
    answers: list[Taken] = [None] * len(heard)
    places = [place for place, one in enumerate(heard) if one.sender.number == number]
    counted = [(place, spot) for place in places if (spot := heard[place].sender.spot)]
    if counted:
        fine = limits.within(session, "events", [spot for _, spot in counted], now=now)
        for (place, _), is_fine in zip(counted, fine, strict=True):
            if not is_fine:
                answers[place] = limits.too_many("events", now=now)
    places = [place for place in places if answers[place] is None]
    bearers = {
        (one.token, one.sender.family) for one in (heard[each] for each in places) if one.token
    }
    known = recognise_all(session, bearers, now=now)
    tellings = [_told_by(heard[place], known) for place in places]
    for place, taken in zip(places, take_all(session, tellings) if tellings else (), strict=True):
        answers[place] = taken
    return answers


def _told_by(heard: Heard, known: Mapping[Bearer, Known]) -> Telling:
    """
    Return what was told, by whom: where he does not allow us to follow him, by nobody.

    A token that the site's own scripts can read is never worth a proof (security.md 3.2, M4).
    """
    found = known.get((heard.token, heard.sender.family)) if heard.token else None
    if found is None or not found.tracks:
        return heard.telling
    teller = replace(
        heard.telling.teller,
        visitor_id=found.visitor_id,
        claim_id=found.claim_id,
        proven=found.proven and not heard.by_script,
    )
    return replace(heard.telling, teller=teller)


def _events(call: Events, now: datetime) -> tuple[list[Event], list[Refused]]:
    """Return the events of a call by our clock, and why the others are none."""
    events: list[Event] = []
    refused: list[Refused] = []
    for index, told in enumerate(call.events):
        try:
            event = understood(told) or understand(told, by_browser=True)
            at = by_our_clock(event.occurred_at, call.sent_at, now)
        except NotAnEventError as error:
            refused.append(Refused(index=index, reason=str(error)))
        else:
            events.append(event if at == event.occurred_at else event._replace(occurred_at=at))
    return events, refused


def _touch(touch: Touch) -> dict[str, Any]:
    """Return where a visit came from, cleaned as the gate does it."""
    return {
        "referrer": wire.place_of(touch.referrer or ""),
        "parameters": wire.campaign_of(touch.parameters),
    }
