"""What a CRM would be told if it were told all that there is to tell, as of now."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from regportal.buying.models import Move, Opportunity
from regportal.buying.news import phase_news
from regportal.buying.reading import reasons
from regportal.connectors.schema import Connector
from regportal.consent.actions import contact_of_subject, states_of, subject_of_contact
from regportal.forms.news import consent_news, contact_news, is_own_staff
from regportal.identity.actions import told
from regportal.identity.models import Assurance, Contact
from regportal.outbox.actions import News, named
from regportal.outbox.links import linked_after, links_of
from regportal.outbox.models import Linked
from regportal.outbox.rules import is_told
from regportal.store.documents import Published
from regportal.store.ids import uuid7

AT_ONCE = 100
"""Subjects that are read at a time."""
CONTACT = "contact:"
"""How the subjects of contacts begin."""
SCORE = "score:"
KNOWN = Contact.assurance != Assurance.CRM
"""Whom a CRM named, and of whom we know nothing more, is nobody to tell it about."""
Later = aliased(Move)
IS_LAST = ~(
    sa.select(sa.literal(1))
    .where(Later.opportunity_id == Move.opportunity_id, Later.id > Move.id)
    .exists()
)
"""No other move of its opportunity came after it."""


@dataclass(frozen=True, slots=True)
class Present:
    """What is to be told of one subject: first that it is there, then all else."""

    subject: str
    name: str
    """How people call it: an address, or an opportunity."""
    news: Sequence[News]


@dataclass(frozen=True, slots=True)
class Telling:
    """What one connector would be told."""

    published: Published
    connector: Connector
    only_linked: bool = False
    """Only of what we know the records of."""

    def number(self, session: Session) -> int:
        """Return how many subjects there are."""
        both = (self._some_contacts(), self._opportunities())
        rows = (sa.select(sa.func.count()).select_from(one.subquery()) for one in both)
        return sum(session.scalar(one) or 0 for one in rows)

    def contacts(self, session: Session, *, now: datetime) -> Iterator[list[Present]]:
        """Yield what is to be told of contacts, page by page."""
        pages = self._linked(session) if self.only_linked else self._all(session)
        for page in pages:
            people = [one for one in page if not is_own_staff(session, one)]
            yield [one for one in self.of(session, people, now=now) if one.news]

    def of(self, session: Session, people: Sequence[Contact], *, now: datetime) -> list[Present]:
        """Return what is to be told of these contacts."""
        subjects = [subject_of_contact(one.id) for one in people]
        links = links_of(session, self.connector.key, subjects)
        wrote = {subject: link.wrote for subject, link in links.items()}
        return [
            Present(
                subject,
                one.email,
                [*self._of_contact(session, one, wrote.get(subject, {}), now=now)],
            )
            for one, subject in zip(people, subjects, strict=True)
        ]

    def opportunities(self, session: Session) -> Iterator[list[Present]]:
        """Yield what is to be told of opportunities that were ever moved, page by page."""
        last = uuid.UUID(int=0)
        chosen = self._opportunities().order_by(Opportunity.id).limit(AT_ONCE)
        while rows := session.execute(chosen.where(Opportunity.id > last)).all():
            last = rows[-1][0].id
            why = reasons(session, self.published, [move for _, move in rows])
            yield [
                Present(
                    f"opportunity:{one.key}",
                    f"{one.connector}:{one.external_id}",
                    [*self._wanted(phase_news(one, move, why[move.id]))],
                )
                for one, move in rows
            ]

    def _of_contact(
        self, session: Session, contact: Contact, wrote: Mapping[str, Any], *, now: datetime
    ) -> Iterator[News]:
        """Yield who a contact is, what he allows, and the scores that the CRM was told last."""
        about = contact_news(session, self.published, contact, "contact.identified", now=now)
        yield from self._wanted(about)
        for line in states_of(session, subject_of_contact(contact.id)).values():
            yield from self._wanted(consent_news(contact, line, session))
        for name, value in wrote.items():
            if name.startswith(SCORE):
                yield from self._wanted(_score_again(contact, name.removeprefix(SCORE), value, now))

    def _wanted(self, news: News) -> Iterator[News]:
        """Yield news as the connector is told it, where it is."""
        if is_told(news.topic, self.connector.sends, self.connector.claimed):
            yield named(news, self.connector)

    def _some_contacts(self) -> sa.Select[Any]:
        """Return whom it is about, to be counted."""
        if not self.only_linked:
            return sa.select(Contact.id).where(KNOWN)
        theirs = Linked.connector == self.connector.key, Linked.subject.startswith(CONTACT)
        return sa.select(Linked.subject).where(*theirs)

    def _all(self, session: Session) -> Iterator[Sequence[Contact]]:
        """Yield all contacts, page by page."""
        last = uuid.UUID(int=0)
        chosen = sa.select(Contact).where(KNOWN).order_by(Contact.id).limit(AT_ONCE)
        while page := session.scalars(chosen.where(Contact.id > last)).all():
            last = page[-1].id
            yield page

    def _linked(self, session: Session) -> Iterator[Sequence[Contact]]:
        """Yield the contacts of which we know the records, page by page."""
        for page in linked_after(session, self.connector.key, CONTACT, AT_ONCE):
            keys = [key for subject in page if (key := contact_of_subject(subject))]
            yield session.scalars(sa.select(Contact).where(Contact.id.in_(keys))).all()

    def _opportunities(self) -> sa.Select[Opportunity, Move]:
        """Return the open opportunities that were ever moved, each with its last move."""
        return (
            sa.select(Opportunity, Move)
            .join(Move, Move.opportunity_id == Opportunity.id)
            .where(
                Opportunity.connector == self.connector.key,
                Opportunity.is_closed.is_(False),
                IS_LAST,
            )
        )


def _score_again(contact: Contact, score: str, value: float, now: datetime) -> News:
    """Return a score as the CRM took it last: it fades, and is told when that matters."""
    payload = {"id": str(uuid7()), "contact": told(contact), "score": score, "value": value}
    return News("score.changed", f"{CONTACT}{contact.key}", payload, now, f"{SCORE}{score}")
