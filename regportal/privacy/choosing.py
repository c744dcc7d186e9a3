"""Deciding about newsletters on one's own page: stop, pause, go on, less often, yes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import request
from sqlalchemy.orm import Session

from regportal.consent.actions import change_consent, less_often, newest_line
from regportal.consent.lines import Evidence, hold_ledger
from regportal.consent.models import ConsentEvent, ConsentState
from regportal.consent.permission import permissions_of
from regportal.consent.rules import LIVE
from regportal.consent.rules import PAUSE as PAUSE_FOR
from regportal.consent.schema import Newsletter
from regportal.errors import BadRequestError
from regportal.forms.news import tell_consent
from regportal.forms.pages import frequency_shown
from regportal.identity import wire
from regportal.identity.models import Contact
from regportal.privacy.rules import PAUSE, STOP, WANT, choices
from regportal.privacy.saying import CONSENT
from regportal.store.documents import Published, said
from regportal.store.words import N_, moment_shown, translated

PAGE = "preference page"
"""How the ledger calls it when somebody decides here…"""
LINK = "preference link"
"""…and when he came by the link of a letter, which proves too little for a yes."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What was pressed, for which newsletter, in which language it was read."""

    newsletter: str
    choice: str
    locale: str
    proven: bool


def choose(
    session: Session,
    published: Published,
    contact: Contact,
    decided: Decided,
    evidence: Evidence,
    *,
    now: datetime,
) -> ConsentEvent | None:
    """
    Do what a button says, and owe the news of it; None where nothing changes.

    Raises BadRequestError for a button that was not there.
    """
    hold_ledger(session)  # what is read now still holds when it is written
    line = newest_line(session, contact.id, decided.newsletter)
    state = permissions_of(session, contact, at=now).get(decided.newsletter)
    newsletter = published.find(Newsletter, decided.newsletter)
    offered = choices(state.state if state else None, proven=decided.proven)
    said_now: dict[str, Any] = {}
    if decided.choice in less_often(newsletter, line):
        to = line.state if line else ConsentState.CONFIRMED
        said_now = {"until": line.until if line else None, "rhythm": decided.choice}
    elif decided.choice == STOP and (STOP in offered or line is not None):
        to = ConsentState.WITHDRAWN
    elif decided.choice not in offered:
        raise BadRequestError(N_("Please press one of the buttons."))
    elif decided.choice == PAUSE:
        to, said_now = ConsentState.PAUSED, {"until": now + PAUSE_FOR}
    elif not decided.proven:  # the pause ends, and what was allowed before it holds again
        to, said_now = ConsentState.PAUSED, {"until": now}
    else:
        to = ConsentState.CONFIRMED
        if decided.choice == WANT and newsletter is not None:
            if newsletter.confirm == "always":
                to = ConsentState.PENDING
            said_now = {
                "wording": said(newsletter.wording, decided.locale),
                "locale": decided.locale,
                "valid_for": newsletter.valid_for,
            }
    key = decided.newsletter
    written = change_consent(
        session,
        published,
        contact,
        key,
        to,
        PAGE if decided.proven else LINK,
        evidence=evidence,
        now=now,
        **said_now,
    )
    tell_consent(session, published, contact, written, now=now)
    return written


def newsletters_shown(
    session: Session,
    published: Published,
    contact: Contact,
    *,
    locale: str,
    proven: bool,
    now: datetime,
) -> list[dict[str, Any]]:
    """Return each newsletter with how it stands and what may be pressed."""
    stands = permissions_of(session, contact, at=now)
    listed = {one.key: one for one in published.all(Newsletter)}
    rows = []
    for key in dict.fromkeys((*stands, *listed)):
        newsletter, state = listed.get(key), stands.get(key)
        named = state.state if state else None
        line = newest_line(session, contact.id, key)
        offered = choices(named, proven=proven and newsletter is not None)
        if named is None and not offered:
            continue
        less = less_often(newsletter, line) if named in LIVE else ()
        until = line.until if named == "paused" and line is not None else None
        rows.append(
            {
                "key": key,
                "title": said(newsletter.title, locale) if newsletter else key,
                "wording": said(newsletter.wording, locale) if newsletter else "",
                "frequency": frequency_shown(newsletter, locale) if newsletter else None,
                "state": named or "none",
                "says": translated(CONSENT[named], locale) if named else None,
                "since": moment_shown(state.since, locale) if state and state.since else None,
                "until": moment_shown(until, locale) if until else None,
                "rhythm": translated(line.rhythm, locale) if line and line.rhythm else None,
                "choices": offered,
                "less": [(one, translated(one, locale)) for one in less],
            }
        )
    return rows


def evidence_here(contact: Contact) -> Evidence:
    """Return what shows that this request said so."""
    return Evidence(
        address=contact.email,
        network=wire.network_of(request),
        agent_hash=wire.agent_hash(request),
        signals=wire.signals_of(request),
    )
