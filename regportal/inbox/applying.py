"""Doing what a CRM says, once it is understood."""

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from regportal.buying.actions import (
    Heard,
    add_role,
    end_parts,
    find_opportunity,
    model_of,
    remove_role,
    upsert_opportunity,
)
from regportal.buying.models import Opportunity
from regportal.connectors.base import Link
from regportal.connectors.judging import is_our_no
from regportal.consent.actions import contact_of_subject, subject_of_contact
from regportal.consent.suppression import ERASED, reasons
from regportal.forms.joining import join_people
from regportal.forms.stopping import Voice, stop, stop_all
from regportal.identity.actions import contact_from_crm, find_contact
from regportal.identity.addresses import read_address
from regportal.identity.models import Contact
from regportal.inbox.models import Notice, NoticeState
from regportal.inbox.rules import NotUnderstoodError
from regportal.inbox.telling import (
    GoneTold,
    MergedTold,
    Named,
    OpportunityGoneTold,
    OpportunityTold,
    RoleTold,
    Understood,
    WithdrawnTold,
)
from regportal.outbox.links import links_of, subjects_of, unlink
from regportal.store.documents import Published
from regportal.tracking.actions import met

OLDER = "older than what we were told before"
ECHO = "an echo: it says what we know, or wrote there ourselves"
NOBODY = "names nobody we know"
NOTHING = "names no opportunity we know"
ERASED_TOO = "erased here, too"
log = logging.getLogger(__name__)
Erase = Callable[[Session, Published, Contact], object]
"""Leaves nothing of a person; it is the privacy room's to know how."""


class ErasedError(Exception):
    """A notice names somebody who was erased: nobody but himself can bring him back."""


class WaitingError(Exception):
    """A notice speaks of an opportunity we have not heard of yet."""


@dataclass(frozen=True, slots=True)
class Applying:
    """One CRM, whose word is done now."""

    session: Session
    published: Published
    connector: str
    pepper: str
    erase: Erase
    now: datetime

    def do(self, told: Understood) -> str | None:
        """
        Do what a notice says; return why nothing came of it, if so.

        Raises NotUnderstoodError for whom or what nobody knows, ErasedError, WaitingError.
        """
        if isinstance(told, OpportunityTold):
            return self._opportunity(told)
        if isinstance(told, OpportunityGoneTold):
            return self._opportunity_gone(told)
        if any(self._is_erased(one) for one in _named(told)):
            raise ErasedError
        if isinstance(told, MergedTold):
            return self._merge(told)
        if isinstance(told, WithdrawnTold):
            return self._withdrawal(told)
        if isinstance(told, GoneTold):
            return self._gone(told)
        return self._role(told)

    def _opportunity(self, told: OpportunityTold) -> str | None:
        """Keep the description, and look again at what waited for it."""
        model, _ = model_of(self.published)
        opportunity, heard = upsert_opportunity(
            self.session, self.connector, told.about, start=model.start, now=self.now
        )
        self.session.execute(
            sa.update(Notice)
            .where(
                Notice.state == NoticeState.WAITING,
                Notice.connector == self.connector,
                Notice.waits_for == told.about.external_id,
            )
            .values(state=NoticeState.TAKEN)
            .execution_options(synchronize_session=False)
        )
        changed = heard is not Heard.OLDER and self._parts(opportunity, told.parts)
        if heard is Heard.OLDER:
            return OLDER
        return ECHO if heard is Heard.KNOWN and not changed else None

    def _parts(self, opportunity: Opportunity, parts: Sequence[RoleTold] | None) -> bool:
        """Let those named, and nobody else, have a part; return whether anybody's ended."""
        if parts is None:
            return False
        there = []
        for one in parts:
            for contact in () if self._is_erased(one.whose) else self._contacts(one.whose):
                there.append(contact.id)
                add_role(self.session, opportunity, contact, one.part, now=self.now)
        return end_parts(self.session, opportunity, there, now=self.now)

    def _opportunity_gone(self, told: OpportunityGoneTold) -> str | None:
        """Close what is not there any more; one that we never heard of is not made for it."""
        known = find_opportunity(self.session, self.connector, told.about.external_id)
        return NOTHING if known is None else self._opportunity(OpportunityTold(told.about))

    def _role(self, told: RoleTold) -> str | None:
        """Begin or end a contact's part."""
        contacts = self._contacts(told.whose)
        if not contacts:
            return NOBODY
        opportunity = find_opportunity(self.session, self.connector, told.opportunity)
        if opportunity is None:
            raise WaitingError(told.opportunity)
        change = add_role if told.added else remove_role
        done = [change(self.session, opportunity, one, told.part, now=self.now) for one in contacts]
        return None if any(done) else OLDER

    def _merge(self, told: MergedTold) -> str | None:
        """
        Join who the CRM says is one person: by a link that can be undone; no permission widens.

        Two who have both proven their addresses are left to a person to decide.
        """
        kept, joined = (self._contacts(one) for one in (told.kept, told.joined))
        if not (kept and joined):
            return NOBODY
        because, by = "merged in the CRM", f"crm:{self.connector}"
        for one in joined:
            if one.person_id != kept[0].person_id:
                join_people(
                    self.session, self.published, kept[0], one, because=because, by=by, now=self.now
                )
        return None

    def _withdrawal(self, told: WithdrawnTold) -> str | None:
        """
        Stop a newsletter, or all of them; a CRM can take permissions away and never give one.

        An unknown address becomes a contact: its "no" stands in the way of a later import. A "no"
        that we wrote there ourselves, and no "yes" since, is not the CRM's.
        """
        contacts = self._contacts(told.whose)
        self.session.flush()
        because = [self._stopped(contact, told) for contact in contacts]
        return None if None in because else because[0] if because else NOBODY

    def _stopped(self, contact: Contact, told: WithdrawnTold) -> str | None:
        """Stop what a contact was sent; return why nothing came of it, if so."""
        voice = Voice("crm", f"connector {self.connector}")
        if told.newsletter is None:
            done = bool(stop_all(self.session, self.published, contact, voice, now=self.now))
        elif is_our_no(self._link(contact).wrote, told.newsletter, told.at):
            return ECHO
        else:
            line = stop(self.session, self.published, contact, told.newsletter, voice, now=self.now)
            done = line is not None
        return None if done else "stopped before"

    def _gone(self, told: GoneTold) -> str | None:
        """
        Forget which record a contact was; he himself stays, unless he was erased over there.

        Where it is said which record is gone, only that one is forgotten.
        """
        contacts = self._known(told.whose)
        if not contacts:
            return NOBODY
        if told.is_erased:
            return self._erased(contacts, told.whose.record)
        gone = [
            subject_of_contact(contact.id)
            for contact in contacts
            if (ref := self._link(contact).ref) and told.whose.record in (None, ref)
        ]
        for subject in gone:
            unlink(self.session, self.connector, subject, now=self.now)
        return None if gone else "it was not known as this record"

    def _erased(self, contacts: Sequence[Contact], record: str | None) -> str:
        """
        Leave nothing of everybody who was a record; return what became of it.

        Whom we told of before we heard it the CRM may have anew: that is said, too.
        """
        refs = {self._link(one).ref for one in contacts} - {None, record}
        anew = sorted(str(ref) for ref in refs if record is not None)
        for key in [one.id for one in contacts]:
            still = sa.select(Contact).where(Contact.id == key)
            for contact in self.session.scalars(still).all():  # not erased with another one
                self.erase(self.session, self.published, contact)
        says = [ERASED_TOO if len(contacts) == 1 else f"{ERASED_TOO}: {len(contacts)} contacts"]
        if anew:
            says.append(f"the CRM has them anew, delete {', '.join(anew)} there")
            log.warning("%s: somebody was erased there, and %s", self.connector, says[-1])
        return "; ".join(says)

    def _link(self, contact: Contact) -> Link:
        """Return what is known of a contact over there."""
        subject = subject_of_contact(contact.id)
        return links_of(self.session, self.connector, [subject]).get(subject, Link())

    def _is_erased(self, told: Named) -> bool:
        """Return whether somebody was erased: then a CRM cannot bring him back."""
        try:
            match_key = read_address(told.email or "").match_key
        except ValueError:
            return False
        erased = ERASED in reasons(self.session, match_key, self.pepper)
        return erased and find_contact(self.session, match_key) is None

    def _contacts(self, told: Named) -> list[Contact]:
        """
        Return who is meant; an unknown address becomes a contact.

        A record may be several contacts of ours, or nobody.
        """
        if told.email is not None:
            try:
                made = contact_from_crm(self.session, told.email, now=self.now)
            except ValueError:
                raise NotUnderstoodError("email is not an e-mail address") from None
            return [met(self.session, made, now=self.now)]
        contacts = self._known(told)
        if told.contact is not None and not contacts:
            raise NotUnderstoodError("contact is the key of nobody we know")
        return contacts

    def _known(self, told: Named) -> list[Contact]:
        """Return who is meant, as far as we know him; raise NotUnderstoodError for no name."""
        if told.email is not None:
            try:
                contact = find_contact(self.session, read_address(told.email).match_key)
            except ValueError:
                raise NotUnderstoodError("email is not an e-mail address") from None
            return [contact] if contact else []
        if told.contact is not None:
            try:
                keys = [uuid.UUID(told.contact)]
            except ValueError:
                raise NotUnderstoodError("contact is not a key of ours") from None
        else:
            subjects = subjects_of(self.session, self.connector, str(told.record))
            keys = [key for one in subjects if (key := contact_of_subject(one))]
        found = (self.session.get(Contact, key) for key in keys)
        return [one for one in found if one is not None]


def _named(told: Understood) -> Sequence[Named]:
    """Return whom a notice names."""
    if isinstance(told, MergedTold):
        return (told.kept, told.joined)
    if isinstance(told, WithdrawnTold | GoneTold):
        return (told.whose,)
    return (told.whose,) if isinstance(told, RoleTold) else ()
