"""What is sent to somebody: how it stands now, on what basis, and who answers for it."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.connectors.rules import in_full
from regportal.consent.actions import states_of, subject_of_claim, subject_of_contact
from regportal.consent.models import ConsentEvent
from regportal.consent.permission import permissions_of, standing
from regportal.consent.schema import Newsletter
from regportal.identity.models import Claim, Contact
from regportal.store.documents import Published, Site

Row = dict[str, Any]


def owner_of(published: Published, line: ConsentEvent) -> str:
    """
    Return who answers for a newsletter today.

    The ledger does not know: it is only ever added to, and an owner may be somebody's name.
    """
    document = published.find(Newsletter, line.newsletter)
    return document.answered_for_by(Site.of(published)) if document else line.controller


def newsletters_of(
    session: Session, published: Published, match_keys: Collection[str], *, now: datetime
) -> Iterator[Row]:
    """
    Yield how each newsletter stands for each of these addresses at this moment.

    What ended by time has ended, whether or not the worker has written it down yet. What was
    asked for under a claim counts where nothing is known of the contact itself.
    """
    for match_key in sorted(match_keys):
        known = sa.select(Contact).where(Contact.match_key == match_key)
        contact = session.scalars(known).one_or_none()
        claims = session.scalars(sa.select(Claim.id).where(Claim.match_key == match_key))
        subjects = [subject_of_claim(one) for one in claims]
        lines, holds = states_of(session, *subjects), dict(standing(session, subjects, at=now))
        if contact is not None:
            lines |= states_of(session, subject_of_contact(contact.id))
            holds |= permissions_of(session, contact, at=now)
        for key, line in sorted(lines.items()):
            allows = holds[key]
            yield {
                "address": contact.email if contact else match_key,
                "newsletter": key,
                "state": allows.state,
                "may_mail": allows.allowed,
                "because": allows.because,
                "since": in_full(allows.since) if allows.since else None,
                "purpose": line.purpose,
                "basis": line.lawful_basis,
                "owner": owner_of(published, line),
                "valid_until": in_full(line.valid_until) if line.valid_until else None,
            }
