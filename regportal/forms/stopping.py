"""What is decided about newsletters after the gate: written down, and told ahead of all else."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from regportal.consent.actions import change_consent, states_of, subject_of_contact
from regportal.consent.lines import PERSON, Evidence
from regportal.consent.models import ConsentEvent, ConsentState
from regportal.consent.schema import Newsletter
from regportal.forms.news import tell_consent
from regportal.identity.models import Contact
from regportal.store.documents import Published


@dataclass(frozen=True, slots=True)
class Voice:
    """Who decides, which way it came, and what shows it."""

    method: str
    entity: str = PERSON
    evidence: Evidence | None = None


def stop(
    session: Session,
    published: Published,
    contact: Contact,
    newsletter: str,
    voice: Voice,
    *,
    now: datetime,
) -> ConsentEvent | None:
    """
    Stop one newsletter and tell of it; None where there was nothing (more) to stop.

    What somebody else stopped just now is stopped once more: he may still take his own back.
    """
    return _write(session, published, contact, newsletter, ConsentState.WITHDRAWN, voice, now=now)


def stop_all(
    session: Session, published: Published, contact: Contact, voice: Voice, *, now: datetime
) -> list[ConsentEvent]:
    """Stop every newsletter there is, also those never asked for: none can be imported later."""
    known = states_of(session, subject_of_contact(contact.id))
    keys = {newsletter.key for newsletter in published.all(Newsletter)} | known.keys()
    lines = [stop(session, published, contact, key, voice, now=now) for key in sorted(keys)]
    return [line for line in lines if line is not None]


def suppress_consents(
    session: Session, published: Published, contact: Contact, voice: Voice, *, now: datetime
) -> list[ConsentEvent]:
    """
    Suppress every newsletter a contact has to do with: its mail came back, or annoyed.

    Also what waits for a yes, ended or was stopped: it must not begin (again) by a late answer,
    or by a "stop" that is taken back.
    """
    known = states_of(session, subject_of_contact(contact.id))
    suppressed = ConsentState.SUPPRESSED
    lines = [
        _write(session, published, contact, key, suppressed, voice, now=now)
        for key in sorted(known)
    ]
    return [line for line in lines if line is not None]


def _write(
    session: Session,
    published: Published,
    contact: Contact,
    newsletter: str,
    state: ConsentState,
    voice: Voice,
    *,
    now: datetime,
) -> ConsentEvent | None:
    """Write that a newsletter is in another state, and owe the news of it."""
    line = change_consent(
        session,
        published,
        contact,
        newsletter,
        state,
        voice.method,
        evidence=voice.evidence,
        entity=voice.entity,
        now=now,
    )
    tell_consent(session, published, contact, line, now=now)
    return line
