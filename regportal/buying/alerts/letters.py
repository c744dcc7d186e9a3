"""The mail that says which customers moved which opportunities, and why."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

import sqlalchemy as sa
from markupsafe import Markup
from sqlalchemy.orm import Session

from regportal.buying.alerts.actions import TOPIC, owner_of, still_done
from regportal.buying.alerts.links import doubt_token, link_token
from regportal.buying.alerts.models import Alert, AlertReader, Choice
from regportal.buying.alerts.words import did, did_marked, object_of, one_line, reason
from regportal.buying.explaining import next_told
from regportal.buying.models import ContactRole, Move, Opportunity
from regportal.buying.people import people_of
from regportal.buying.reading import grounds_of, label, model_of
from regportal.buying.schema import Buying
from regportal.buying.signs import owned
from regportal.buying.voice import Voice
from regportal.buying.words import Ground
from regportal.identity.addresses import read_address
from regportal.identity.contact_tokens import unsubscribe_headers
from regportal.identity.models import Contact
from regportal.mail.post import Draft, Kind, Owed, Recipient
from regportal.store.documents import Site
from regportal.store.words import N_, moment_shown, speaking, translated

MOST_TOLD = 25
"""Moves of one mail; of more it says how many there are."""


class _Row(NamedTuple):
    """A move, and what it is about."""

    alert: Alert
    move: Move
    opportunity: Opportunity
    contact: Contact


@dataclass(frozen=True, slots=True)
class Story:
    """One move, as the mail tells it."""

    name: str
    link: str | None
    """Where the CRM shows it."""
    before: str
    now: str
    did: str
    did_marked: Markup
    when: str
    company: str | None
    part: str | None
    why: str
    goes_on: str | None
    """What would move it next."""
    is_owned: bool
    """Whether the CRM says who looks after it."""
    wrong_url: str
    """Where its reader says that it was somebody else."""


@dataclass(frozen=True, slots=True)
class _Telling:
    """What is published, and kept, of which a letter tells."""

    session: Session
    owed: Owed
    locale: str
    now: datetime

    def stories(self, rows: Sequence[_Row]) -> list[Story]:
        """Return what the letter tells of each move."""
        rests_on = grounds_of(
            self.session,
            self.owed.published,
            [move for _, move, _, _ in rows],
            titled=lambda _, name: self._said(name),
            locale=self.locale,
        )
        return [self._story(*row, rests_on[row[1].id]) for row in rows]

    def _story(
        self,
        alert: Alert,
        move: Move,
        opportunity: Opportunity,
        contact: Contact,
        rests_on: Sequence[Ground | str],
    ) -> Story:
        """Return one move."""
        published = self.owed.published
        model, _ = model_of(published)
        now, owner = self._label(model, move.to_phase), owner_of(opportunity)
        (deed,) = owned(self.session, [alert.interaction_id])
        told = (deed.taken.type, contact.address.shown, self._said(deed.taken.object), self.locale)
        return Story(
            name=one_line(opportunity.name or opportunity.external_id),
            link=opportunity.url,
            before=self._label(model, move.from_phase),
            now=now,
            did=did(*told),
            did_marked=did_marked(*told),
            when=moment_shown(deed.taken.occurred_at, self.locale, model.zone),
            company=one_line((opportunity.account or {}).get("name") or "") or None,
            part=self._part(opportunity, contact),
            why=reason(now, move.at, rests_on, model.zone, self.locale),
            goes_on=self._next(opportunity, move),
            is_owned=owner is not None and owner.email == self.owed.payload["to"],
            wrong_url=self._wrong(move),
        )

    def _wrong(self, move: Move) -> str:
        """Return where the reader of the letter says that it was somebody else."""
        settings, reader = self.owed.settings, uuid.UUID(self.owed.payload["reader"])
        token = doubt_token(reader, move.id, settings.keys, now=self.now)
        return f"{settings.base_url}/alerts/wrong/{token}"

    def _said(self, name: str) -> str:
        """Return what people call an object."""
        return object_of(self.owed.published, name, self.owed.settings.origin, self.locale)

    def _part(self, opportunity: Opportunity, contact: Contact) -> str | None:
        """Return which part somebody has in a purchase, as the CRM calls it."""
        person = people_of(self.session, [contact.id])[contact.id]
        role = self.session.scalars(
            sa.select(ContactRole.role)
            .where(
                ContactRole.opportunity_id == opportunity.id,
                ContactRole.contact_id.in_(person.contacts),
                ContactRole.until.is_(None),
                ContactRole.role.is_not(None),
            )
            .limit(1)
        ).first()
        return one_line(Voice(locale=self.locale).role(role)) if role else None

    def _next(self, opportunity: Opportunity, move: Move) -> str | None:
        """Return what would move an opportunity next, where this was its last move."""
        if opportunity.phase != move.to_phase:
            return None
        published, now = self.owed.published, self.now
        return next_told(self.session, published, opportunity, now=now, locale=self.locale)

    def _label(self, model: Buying, phase: str) -> str:
        """Return what people call a phase; those of the house have a name in each language."""
        return translated(label(self.owed.published, model, phase), self.locale)


class LeadLetter:
    """A customer moved an opportunity of yours, or several did."""

    name: ClassVar[str] = "alert"

    def recipient(self, session: Session, owed: Owed) -> Recipient | None:
        """Return whoever looks after it; None where he stopped these mails, or nothing is left."""
        payload = owed.payload
        if not payload.get("to"):  # he was erased
            return None
        reader = session.get(AlertReader, uuid.UUID(payload["reader"]))
        if reader is None or reader.choice == Choice.OFF or not _left(session, owed):
            return None
        address = read_address(payload["to"])
        return Recipient(address.email, address.match_key, Site.of(owed.published).locale)

    def draft(self, session: Session, owed: Owed, recipient: Recipient, *, now: datetime) -> Draft:
        """Return what moved, and why; its links of ours act on no GET."""
        locale, rows = recipient.locale, _left(session, owed)
        stories = _Telling(session, owed, locale, now).stories(rows[:MOST_TOLD])
        token = link_token(uuid.UUID(owed.payload["reader"]), owed.settings.keys)
        url = f"{owed.settings.base_url}/alerts/{token}"
        subject = _subject(stories, len({opportunity.id for _, _, opportunity, _ in rows}), locale)
        about: Mapping[str, Any] = {
            "headline": subject,
            "stories": stories,
            "more": len(rows) - len(stories),
            "link": stories[0].link if len(stories) == 1 else None,
            "preferences_url": url,
        }
        return Draft(subject, "lead", about, unsubscribe_headers(url))


def _left(session: Session, owed: Owed) -> list[_Row]:
    """Return what a letter is to tell, oldest first, without what was taken back meanwhile."""
    moves = [uuid.UUID(each) for each in owed.payload["moves"]]
    rows = session.execute(
        sa.select(Alert, Move, Opportunity, Contact)
        .join(Move, Move.id == Alert.move_id)
        .join(Opportunity, Opportunity.id == Move.opportunity_id)
        .join(Contact, Contact.id == Alert.contact_id)
        .where(Alert.move_id.in_(moves))
        .order_by(Move.at, Move.id)
    ).all()
    still = still_done(session, [alert for alert, _, _, _ in rows])
    return [_Row(*row) for row in rows if row[0].interaction_id in still]


def _subject(stories: Sequence[Story], number: int, locale: str) -> str:
    """Return the letter's subject: what moved, and nobody's name."""
    said = speaking(locale)
    if len(stories) == 1:
        one = {"opportunity": stories[0].name, "phase": stories[0].now}
        moved: str = said["_"](N_("%(opportunity)s moved to “%(phase)s”"), **one)
        return moved
    ngettext = said["ngettext"]
    several: str = ngettext("%(num)d opportunity moved", "%(num)d opportunities moved", number)
    return several


LETTERS: dict[str, Kind] = {TOPIC: LeadLetter()}
"""Who writes which topic of the outbox."""
