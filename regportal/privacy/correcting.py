"""What a person puts right: an answer, a question too many, something somebody else did."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.errors import NotHereError
from regportal.forms.fields import LONGEST
from regportal.forms.models import Answer, NeverAsk
from regportal.forms.news import answers_of_contact, tell_contact
from regportal.forms.schema import Question
from regportal.identity.models import Assurance, Contact
from regportal.privacy.deeds import has_done
from regportal.privacy.proving import OWN_PAGE
from regportal.store.documents import Published, keep_wording, said
from regportal.store.facts import add_once
from regportal.store.ids import uuid7
from regportal.store.words import N_
from regportal.tracking.actions import attribute, log
from regportal.tracking.models import NOT_HIM, Attributed, EntryKind


def correct(  # noqa: PLR0913 - what an answer is made of; all by name
    session: Session,
    published: Published,
    contact: Contact,
    question: Question,
    value: Any,
    given: Sequence[str],
    *,
    visitor_id: uuid.UUID,
    locale: str,
    now: datetime,
) -> None:
    """Add an answer that holds from now on, and tell it; the one before stays as history."""
    held = answers_of_contact(session, contact).get(question.key)
    if held is not None and held.value == value:
        return
    session.add(
        Answer(
            id=uuid7(),
            question=question.key,
            value=value,
            original=" | ".join(given)[:LONGEST],
            declined=False,
            wording=keep_wording(session, said(question.label, locale), locale, now=now),
            gate=OWN_PAGE,
            visitor_id=visitor_id,
            contact_id=contact.id,
            assurance=Assurance.VERIFIED,
            answered_at=now,
        )
    )
    log(session, EntryKind.ANSWER, contact.id, now=now)
    tell_contact(session, published, contact, "contact.updated", now=now)


def never_ask(session: Session, contact: Contact, question: str, *, now: datetime) -> None:
    """Keep that somebody does not want to be asked this again; twice is the same as once."""
    add_once(session, NeverAsk(contact_id=contact.id, question=question, at=now))


def ask_again(session: Session, contacts: Sequence[Contact], question: str) -> None:
    """Take that back."""
    theirs = NeverAsk.contact_id.in_([one.id for one in contacts])
    session.execute(sa.delete(NeverAsk).where(theirs, NeverAsk.question == question))


def not_me(
    session: Session, contacts: Sequence[Contact], interaction: uuid.UUID, *, now: datetime
) -> None:
    """
    Let an interaction be nobody's, as a later fact; what rested on it is weighed anew.

    Raises NotHereError where it is not this person's.
    """
    if not has_done(session, contacts, interaction):
        raise NotHereError(N_("There is nothing to decide here."))
    attribute(session, [interaction], None, Attributed.ANONYMOUS, NOT_HIM, now=now)
