"""What is known of one person: what is proven, and apart from it what is only claimed."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.models import ContactRole, Opportunity
from regportal.consent.actions import subject_of_claim, subject_of_contact
from regportal.consent.proof import proven_lines
from regportal.forms.answered import answers_of
from regportal.forms.models import Answer
from regportal.forms.schema import Question
from regportal.identity.models import Claim, ClaimState, Contact, ContactLink
from regportal.identity.people import contacts_of
from regportal.identity.visitors import browsers_of
from regportal.insight.filters import Owners
from regportal.insight.scope import contact_seen, owned_by
from regportal.store.documents import Published


@dataclass(frozen=True, slots=True)
class AddressRow:
    """One address of a person."""

    key: uuid.UUID
    email: str
    assurance: str
    first_seen: datetime
    joined_by: str | None
    """Who says that it is his, too; None: it is the main one."""
    because: str | None


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One answer, as it was given."""

    question: str
    value: Any
    """None where nobody gave one, or the question is sensitive: such answers are never shown."""
    declined: bool
    assurance: str
    answered_at: datetime
    gate: str | None
    wording: str | None
    because: str | None
    """Why he was asked this, and not another thing; kept as long as the form is."""


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """One line of the ledger, with its proof as far as that is still kept."""

    id: uuid.UUID
    newsletter: str
    state: str
    at: datetime
    method: str
    entity: str
    wording: str
    address: str | None
    message_id: str | None
    """Of the mail that was answered."""
    confirmed_at: datetime | None
    network: str | None
    number: int
    row_hash: str


@dataclass(frozen=True, slots=True)
class PartRow:
    """One opportunity in which somebody has a part."""

    key: uuid.UUID
    name: str
    role: str | None
    phase: str
    since: datetime
    is_open: bool


@dataclass(frozen=True, slots=True)
class BrowserRow:
    """One browser in which somebody is recognised."""

    key: uuid.UUID
    name: str
    seen: datetime
    remembered: bool


@dataclass(frozen=True)
class Known:
    """A person whom somebody looks at, under all addresses that count as his."""

    session: Session
    published: Published
    contacts: Sequence[Contact]
    """The main one first."""
    owners: Owners = None

    @property
    def main(self) -> Contact:
        """Return the one that stands for the person."""
        return self.contacts[0]

    @cached_property
    def ids(self) -> Collection[uuid.UUID]:
        """Return the keys of all addresses."""
        return [one.id for one in self.contacts]

    def addresses(self) -> Sequence[AddressRow]:
        """Return every address, and who says that it is his."""
        query = sa.select(ContactLink).where(
            ContactLink.contact_id.in_(self.ids), ContactLink.undone_at.is_(None)
        )
        links = {link.contact_id: link for link in self.session.scalars(query)}
        return [
            AddressRow(
                *(one.id, one.address.shown, one.assurance.value, one.first_seen),
                links[one.id].by if one.id in links else None,
                links[one.id].because if one.id in links else None,
            )
            for one in self.contacts
        ]

    def answers(self) -> Sequence[AnswerRow]:
        """Return what he answered, newest first."""
        return self._answered(Answer.contact_id.in_(self.ids))

    def claimed_answers(self) -> Sequence[AnswerRow]:
        """Return what somebody answered who only says that he is this person, newest first."""
        waiting = sa.select(Claim.id).where(self._claims(), Claim.state == ClaimState.OPEN)
        return self._answered(Answer.claim_id.in_(waiting))

    def consents(self) -> Sequence[ConsentRow]:
        """Return what he allowed and took back, newest first."""
        claims = self.session.scalars(sa.select(Claim.id).where(Claim.contact_id.in_(self.ids)))
        subjects = [*map(subject_of_claim, claims), *map(subject_of_contact, self.ids)]
        return [
            ConsentRow(
                *(line.id, line.newsletter, line.state.value, line.at, line.method, line.entity),
                wording,
                proof.address if proof else None,
                proof.message_id if proof else None,
                proof.confirmed_at if proof else None,
                network.network if network else None,
                *(line.number, line.row_hash),
            )
            for line, wording, proof, network in proven_lines(self.session, subjects)
        ]

    def parts(self) -> Sequence[PartRow]:
        """Return the opportunities in which he has a part now, the open ones first."""
        query = (
            sa.select(Opportunity, ContactRole.role)
            .join(ContactRole, ContactRole.opportunity_id == Opportunity.id)
            .where(ContactRole.contact_id.in_(self.ids), ContactRole.until.is_(None))
            .order_by(Opportunity.is_closed, Opportunity.phase_since.desc(), Opportunity.id)
        )
        return [
            PartRow(
                *(one.id, one.name or one.external_id, role, one.phase, one.phase_since),
                is_open=not one.is_closed,
            )
            for one, role in self.session.execute(owned_by(query, self.owners))
        ]

    def browsers(self) -> Sequence[BrowserRow]:
        """Return where he is recognised, where he was last first."""
        return [
            BrowserRow(one.id, one.family or name, one.last_seen, one.remembered)
            for one, name in browsers_of(self.session, self.ids)
        ]

    def _claims(self) -> sa.ColumnElement[bool]:
        """Return what is true of claims of one of his addresses."""
        return Claim.match_key.in_([one.match_key for one in self.contacts])

    def _answered(self, theirs: sa.ColumnElement[Any]) -> Sequence[AnswerRow]:
        """Return some answers."""
        return [
            AnswerRow(
                one.question,
                None if is_sensitive(self.published, one.question) else one.value,
                *(one.declined, one.assurance.value, one.answered_at, one.gate, wording),
                because,
            )
            for one, wording, because in answers_of(self.session, theirs)
        ]


def is_sensitive(published: Published, question: str) -> bool:
    """Return whether what somebody answered is never shown to anybody."""
    asked = published.find(Question, question)
    return asked is not None and asked.sensitive


def known(
    session: Session, published: Published, contact: uuid.UUID, *, owners: Owners = None
) -> Known:
    """
    Return the person who has an address, by its key.

    Raises NotHereError where there is none, or these sellers do not see him.
    """
    found = contact_seen(session, contact, owners)
    return Known(session, published, contacts_of(session, found.person_id), owners)
