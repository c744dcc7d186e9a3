"""A small stage: documents published by hand, contacts, what they do, and one weigher."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa

from regportal.buying import actions
from regportal.buying.models import Move, Opportunity
from regportal.buying.passing import pass_time
from regportal.buying.telling import Part, Told
from regportal.connectors.schema import Connector
from regportal.forms.models import Answer
from regportal.identity.actions import contact_from_crm, open_claim
from regportal.identity.addresses import read_address
from regportal.identity.models import Assurance, Visitor, VisitorState
from regportal.library.schema import Asset
from regportal.outbox.models import Message
from regportal.store.documents import CurrentDocument, DocumentVersion, Publication, Shelf
from regportal.store.ids import uuid7
from regportal.store.sessions import Store
from regportal.tracking.actions import attribute, log, record
from regportal.tracking.models import Attributed, EntryKind, Interaction, Judged
from tests.portal import patiently

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
CRM = Connector(key="crm", type="webhook", url="https://crm.example/in", secret="env:CRM_SECRET")
PRICES = Asset(
    key="price-list-2026", title="Price list 2026", category="price-list", file="prices.pdf"
)


@dataclass
class Scene:
    store: Store
    shelf: Shelf = field(default_factory=Shelf)

    def publish(self, *documents):
        """Publish these documents beside what is published already, each as a new version."""

        def work(session):
            publication = Publication(at=NOON)
            session.add(publication)
            for document in documents:
                self._publish_one(session, document)

        self.store.write(work)

    def _publish_one(self, session, document):
        session.flush()
        holds = session.get(CurrentDocument, (document.kind, document.key))
        before = session.get(DocumentVersion, holds.version_id).number if holds else 0
        version = DocumentVersion(
            id=uuid7(),
            kind=document.kind,
            key=document.key,
            number=before + 1,
            body=document.model_dump(mode="json", by_alias=True, exclude_unset=True),
            digest="-",
            published_at=NOON,
        )
        session.add(version)
        session.flush()
        if holds is None:
            holds = CurrentDocument(kind=document.kind, key=document.key, position=0)
            session.add(holds)
        holds.version_id = version.id

    def contact(self, email):
        """Return the key of a contact."""
        return self.store.write(lambda session: contact_from_crm(session, email, now=NOON).id)

    def opportunity(self, external_id="006", *, connector="crm", now=NOON, told_at=None, **columns):
        """Let the CRM describe an opportunity; return our key for it."""
        told = Told(external_id, columns, {"external_id": external_id} | columns, told_at or now)
        return self.store.write(
            lambda session: (
                actions.upsert_opportunity(session, connector, told, start="unaware", now=now)[0].id
            )
        )

    def role(self, opportunity, contact, *, add=True, now=NOON, told_at=None, role=None):
        """Let the CRM give a contact a part, or take it."""
        change = actions.add_role if add else actions.remove_role
        part = Part(role, is_primary=False, told_at=told_at or now)

        def work(session):
            from regportal.identity.models import Contact

            one = session.get_one(Opportunity, opportunity)
            return change(session, one, session.get_one(Contact, contact), part, now=now)

        return self.store.write(work)

    def claim(self, email, *, now=NOON):
        """Let a new browser say that an address is its owner's; return the claim's key."""

        def work(session):
            visitor = Visitor(id=uuid7(), first_seen=now, last_seen=now, state=VisitorState.CLAIMED)
            session.add(visitor)
            words = {"gate": "prices", "browser": "Firefox on Linux", "locale": "en"}
            return open_claim(session, visitor, read_address(email), **words, now=now).id

        return self.store.write(work)

    def did(
        self,
        contact,
        category="price-list",
        *,
        type="download",
        name="price-list-2026",
        now=NOON,
        occurred_at=None,
        attribution=Attributed.VERIFIED,
        judged=Judged.PERSON,
        claim=None,
        properties=None,
    ):
        """Record that somebody did something; return its key."""
        interaction = Interaction(
            id=uuid7(),
            type=type,
            object=name,
            category=category,
            properties=properties or {},
            occurred_at=occurred_at or now,
            received_at=now,
            contact_id=contact,
            claim_id=claim,
            attribution=attribution,
            judged=judged,
        )
        return self.store.write(lambda session: record(session, interaction, now=now).id)

    def answers(self, contact, question, value, *, now, assurance=Assurance.VERIFIED):
        """Let somebody answer a question."""

        def tell(session):
            session.add(
                Answer(
                    id=uuid7(),
                    question=question,
                    value=value,
                    declined=False,
                    contact_id=contact,
                    assurance=assurance,
                    answered_at=now,
                )
            )
            log(session, EntryKind.ANSWER, contact, now=now)

        self.store.write(tell)

    def attribute(self, contact, *interactions, now):
        """Find out later whose interactions these are."""
        self.store.write(
            lambda session: attribute(
                session, interactions, contact, Attributed.VERIFIED, "claim confirmed", now=now
            )
        )

    def weigh(self, *, now=NOON, limit=200):
        """
        Weigh what is in the log, and let time pass until now.

        Other tests share the PostgreSQL, and what runs in any of its databases holds lines back.
        """
        held = patiently(lambda: self.weigh_once(now=now, limit=limit))
        pass_time(self.store, self.shelf, now=now)
        return held

    def weigh_once(self, *, now=NOON, limit=200):
        """Weigh what may be weighed at this moment."""
        return actions.weigh(self.store, self.shelf, now=now, limit=limit)

    def phase(self, opportunity):
        """Return where an opportunity stands."""
        with self.store.read() as session:
            return session.get_one(Opportunity, opportunity).phase

    def moves(self):
        """Return every move, oldest first."""
        with self.store.read() as session:
            return session.scalars(sa.select(Move).order_by(Move.at, Move.id)).all()

    def messages(self, topic=None):
        """Return what is owed, oldest first; of one subject in its own order."""
        chosen = sa.select(Message).order_by(Message.occurred_at, Message.sequence, Message.id)
        if topic:
            chosen = chosen.where(Message.topic == topic)
        with self.store.read() as session:
            return session.scalars(chosen).all()
