"""Records that are gone over there: forgotten here, and nobody is deleted, unless he was erased."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.models import Opportunity
from regportal.identity.actions import find_contact
from regportal.inbox.applying import ECHO, NOBODY
from regportal.inbox.models import Notice
from regportal.outbox.budget import Budget
from regportal.outbox.models import Linked
from regportal.outbox.operating import pauses
from regportal.sync.gone import EVERY, SOON, find_gone

ANN, BOB = "ann@initech.example", "bob@initech.example"


@pytest.fixture
def found(town):
    """Two people the CRM has, and what is done about those that are gone."""
    for email in (ANN, BOB):
        town.visitor(email)
    town.tell()

    def found(days=0):
        now = datetime.now(UTC) + timedelta(days=days)
        budget = Budget("crm")
        again = find_gone(town.store, town.crm.connector(), budget, now=now)
        town.understand()
        return again - now

    return found


def linked(town):
    with town.store.read() as session:
        subjects = session.scalars(sa.select(Linked.subject)).all()
        return {subject.partition(":")[2] for subject in subjects}


def reasons(town):
    with town.store.read() as session:
        return session.scalars(sa.select(Notice.because).order_by(Notice.number)).all()


def test_as_long_as_all_is_there_nothing_happens(town, found):
    assert found() == EVERY
    assert linked(town) == {town.key(ANN), town.key(BOB)}
    assert reasons(town) == []


def test_whoever_is_gone_is_that_record_no_longer_and_stays_himself(town, found):
    town.crm.delete(town.crm.people(ANN)[0])
    found()

    assert linked(town) == {town.key(BOB)}
    town.knows(town.key(ANN), ANN, "contact.updated")
    town.tell()
    assert len(town.crm.people(ANN)) == 1
    assert linked(town) == {town.key(ANN), town.key(BOB)}


def test_an_opportunity_that_is_gone_is_closed(town, found):
    deal = town.opportunity(ANN)
    del town.crm.deals[deal]
    found()

    with town.store.read() as session:
        assert session.scalars(sa.select(Opportunity.is_closed)).one() is True


def test_it_is_asked_once_a_day_by_one(town, found):
    found()
    town.crm.delete(town.crm.people(ANN)[0])

    assert found() == SOON
    assert len(linked(town)) == 2
    assert found(days=1) == EVERY
    assert len(linked(town)) == 1


def test_a_crm_that_cannot_be_asked_has_lost_nobody(town, found):
    town.crm.trouble("down")
    assert found() == SOON
    assert len(linked(town)) == 2
    town.crm.delete(town.crm.people(ANN)[0])
    assert found() == EVERY
    assert len(linked(town)) == 1


def test_another_database_has_lost_everybody_and_nobody_is_forgotten(town, found):
    for each in range(18):
        town.knows(f"{each:032}", f"visitor-{each}@acme.example", "contact.identified")
    town.tell()
    town.crm.contacts.clear()
    found()

    assert len(linked(town)) == 20
    with town.store.read() as session:
        (held,) = pauses(session, now=datetime.now(UTC))
    assert held.because == (
        "20 of 20 records that we knew there are gone: is it the right database?"
    )


def test_where_the_calls_of_the_day_are_used_up_nobody_is_looked_for(town, found):
    budget = Budget("crm", 1)
    budget.meter.count()
    spent, now = budget.meter.read(), datetime.now(UTC)
    town.store.write(lambda session: budget.keep(session, spent, now=now))
    before = town.crm.calls()

    assert find_gone(town.store, town.crm.connector(), budget, now=now) == now + SOON
    assert town.crm.calls() == before


def test_what_the_crm_tells_of_a_deletion_counts_for_that_record_alone(town, found):
    town.portal.hook("contact.deleted", {"email": ANN, "record": "another"})
    town.portal.hook("contact.deleted", {"email": "nobody@acme.example"})
    town.understand()
    assert reasons(town) == ["it was not known as this record", NOBODY]
    town.portal.hook("contact.deleted", {"email": ANN})
    town.understand()

    assert linked(town) == {town.key(BOB)}
    with town.store.read() as session:
        assert find_contact(session, ANN) is not None


def test_whoever_was_erased_there_is_erased_here_too(town, found):
    town.portal.hook("contact.erased", {"contact": town.key(ANN)})
    town.understand()

    with town.store.read() as session:
        assert find_contact(session, ANN) is None
        assert find_contact(session, BOB) is not None
        bodies = session.scalars(sa.select(Notice.body)).all()
    assert bodies == [b""]
    assert reasons(town) == ["erased here, too"]
    town.portal.hook("consent.withdrawn", {"email": ANN})
    town.understand()
    with town.store.read() as session:
        assert find_contact(session, ANN) is None


def test_a_no_that_we_wrote_there_ourselves_is_no_word_of_the_crm(town, found):
    town.allows(town.key(ANN), ANN, "withdrawn")
    town.tell()
    town.portal.hook("consent.withdrawn", {"email": ANN, "newsletter": "prices"})
    town.understand()
    assert reasons(town) == [ECHO]
    assert town.state(ANN) == "confirmed"
    town.allows(town.key(ANN), ANN, "confirmed")
    town.tell()
    town.portal.hook("consent.withdrawn", {"email": ANN, "newsletter": "prices"})
    town.understand()

    assert town.state(ANN) == "withdrawn"


def test_whoever_wants_nothing_at_all_gets_nothing_whatever_we_wrote(town, found):
    town.allows(town.key(ANN), ANN, "withdrawn")
    town.tell()
    town.portal.hook("consent.withdrawn", {"email": ANN})
    town.understand()

    assert town.state(ANN) == "withdrawn"
