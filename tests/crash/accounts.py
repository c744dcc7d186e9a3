"""Whether everything that was acknowledged is there, once, in order, and told."""

from collections import Counter, defaultdict

import sqlalchemy as sa

from regportal.buying.models import ContactRole, Opportunity
from regportal.buying.place import unread
from regportal.consent.ledger import broken_lines
from regportal.forms.models import Answer
from regportal.identity.models import Claim, ClaimState, Contact
from regportal.inbox.models import Notice, NoticeState
from regportal.outbox.models import Message, MessageState
from regportal.tracking.models import Interaction


def left_to_do(session):
    """Return how much still waits, by kind; all zero when everything is done."""
    due = sa.select(sa.func.count(Message.id)).where(Message.state == MessageState.DUE)
    taken = sa.select(sa.func.count(Notice.number)).where(Notice.state == NoticeState.TAKEN)
    unsettled = sa.select(sa.func.count(Claim.id)).where(
        Claim.state == ClaimState.CONFIRMED, Claim.settled_at.is_(None)
    )
    return {
        name: session.scalar(query)
        for name, query in {
            "messages due": due,
            "notices not understood": taken,
            "claims not settled": unsettled,
        }.items()
    } | {"log entries not weighed": unread(session)}


def violations(session, book, receiver):
    """Yield a sentence for everything that is not as it was promised."""
    yield from book.faults
    yield from receiver.faults
    yield from _forms(session, book)
    yield from _downloads(session)
    yield from _notices(session, book)
    yield from _messages(session, receiver)
    yield from _order(session, receiver)
    yield from (f"line {line} of the ledger is broken" for line in broken_lines(session))


def _forms(session, book):
    """Every acknowledged form is there, and once."""
    claims = Counter(session.scalars(sa.select(Claim.email)))
    answers = Counter(map(tuple, session.execute(sa.select(Answer.question, Answer.value))))
    contacts = set(session.scalars(sa.select(Contact.email)))
    for address in book.claims:
        if claims[address] != 1:
            yield f"a claim was acknowledged and is there {claims[address]} times"
    for _, question, said in book.answers:
        if answers[question, said] != 1:
            yield f"an answer was acknowledged and is there {answers[question, said]} times"
    for address in book.confirmed:
        if address not in contacts:
            yield "a confirmed address has no contact"


def _downloads(session):
    """Every claim has what was taken under it, and a visit takes a thing once."""
    taken = sa.select(Interaction.visitor_id, Interaction.visit_id, Interaction.object)
    times = Counter(map(tuple, session.execute(taken.where(Interaction.type == "download"))))
    yield from (f"{who} downloaded {n} times in one visit" for who, n in times.items() if n != 1)
    visitors = {visitor for visitor, _, _ in times}
    for claim in session.scalars(sa.select(Claim)):
        if claim.visitor_id not in visitors:
            yield f"claim {claim.id} has no interaction"


def _notices(session, book):
    """Everything a CRM was told we took, we took, understood, and did once."""
    states = dict(map(tuple, session.execute(sa.select(Notice.message_id, Notice.state))))
    for message_id in book.notices:
        if states.get(message_id) is not NoticeState.DONE:
            yield f"notice {message_id} is {states.get(message_id)}"
    known = dict(map(tuple, session.execute(sa.select(Opportunity.external_id, Opportunity.id))))
    yield from (f"opportunity {id} is missing" for id in set(book.opportunities) - set(known))
    roles = sa.select(ContactRole.opportunity_id, Contact.email).join(
        Contact, Contact.id == ContactRole.contact_id
    )
    parts = Counter(map(tuple, session.execute(roles)))
    for external_id, address in book.roles:
        times = parts[known.get(external_id), address]
        if times != 1:
            yield f"a part in {external_id} was told and is there {times} times"


def _messages(session, receiver):
    """All was told, and nothing that is not so."""
    known = set()
    for message in _owed(session):
        known.add(str(message.id))
        if message.state is MessageState.SENT and str(message.id) not in receiver.effects:
            yield f"{message.id} counts as sent and never came"
        if message.state in {MessageState.DUE, MessageState.PARKED}:
            yield f"{message.id} is {message.state}: {message.trouble}"
    yield from (f"{id} was told and never happened" for id in set(receiver.effects) - known)


def _order(session, receiver):
    """Of each subject everything was told in its order, and no number is missing."""
    subjects = {str(message.id): message.subject for message in _owed(session)}
    told, owed, given = defaultdict(list), defaultdict(list), defaultdict(list)
    for message_id, body in receiver.effects.items():
        told[subjects.get(message_id)].append(body["data"]["sequence"])
    for message in _owed(session):
        given[message.subject].append(message.sequence)
        if message.state is MessageState.SENT:
            owed[message.subject].append(message.sequence)
    for subject, numbers in given.items():
        if told[subject] != sorted(owed[subject]):
            yield f"{subject} was told as {told[subject]}, owed {sorted(owed[subject])}"
        if sorted(numbers) != [*range(1, len(numbers) + 1)]:
            yield f"{subject} has a gap: {sorted(numbers)}"


def _owed(session):
    return session.scalars(sa.select(Message).where(Message.connector == "crm"))
