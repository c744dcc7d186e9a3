"""A connection begins with a few, stops where it seems to be the wrong one, and is let go on."""

from datetime import UTC, datetime, timedelta

import pytest

from regportal.outbox.budget import Budget
from regportal.outbox.leases import LEASE, Leases
from regportal.outbox.operating import pauses, resume
from regportal.sync import going
from regportal.sync.present import Telling
from tests.patience import Pausing


@pytest.fixture
def owed(town):
    """Owe the CRM so many contacts, or tell more of those."""

    def owed(number, *, topic="contact.identified", first=0):
        for each in range(first, first + number):
            town.knows(f"{each:032}", f"visitor-{each}@acme.example", topic)

    return owed


def held(town):
    with town.store.read() as session:
        return [one.because for one in pauses(session, now=datetime.now(UTC))]


def stands(town, **words):
    document = town.document.model_copy(update=words)
    with town.store.read() as session:
        return Budget.of(document).stands(session, now=datetime.now(UTC))


def go(town):
    now = datetime.now(UTC)
    town.store.write(lambda session: going.go(session, town.document, now=now))


@pytest.mark.parametrize("size", [1, 3, 50])
def test_the_first_run_tells_of_so_many_and_waits(town, owed, size):
    owed(12)
    town.tell(first_run=5, size=size)

    assert len(town.crm.contacts) == 5
    assert str(stands(town, first_run=5)).startswith("the first run is over: look at it")


@pytest.mark.parametrize("size", [1, 3, 50])
def test_whoever_was_begun_is_told_of_whole_and_nobody_else_is_begun(town, owed, size):
    owed(4)
    town.tell(first_run=2, size=size)
    begun = {one["email"] for one in town.crm.contacts.values()}
    for each in range(4):
        town.allows(f"{each:032}", f"visitor-{each}@acme.example", "confirmed")
        town.knows(f"{each:032}", f"visitor-{each}@acme.example", "contact.updated", country="DE")
    town.tell(first_run=2, size=size)

    assert {one["email"] for one in town.crm.contacts.values()} == begun
    assert [one.get("country") for one in town.crm.contacts.values()] == ["DE", "DE"]
    assert all(town.crm.wants(one, "", "prices") for one in town.crm.contacts)
    assert str(stands(town, first_run=2)).startswith("the first run is over")


def test_whoever_could_not_be_told_of_at_first_is_tried_again(town, owed):
    owed(3)
    town.crm.trouble("down")
    town.tell(first_run=1, size=1)
    later = datetime.now(UTC) + timedelta(hours=1)
    town.tell(clock=lambda: later, first_run=1, size=1)

    assert len(town.crm.contacts) == 1


def test_whose_claim_was_told_is_told_of_as_a_contact_too(town, owed):
    browser = town.portal.browser()
    browser.claim("ann@initech.example")
    town.understand()
    town.tell(first_run=1)
    owed(1)
    browser.prove(town.portal)
    town.understand()
    town.tell(first_run=1)

    assert [one["email"] for one in town.crm.contacts.values()] == ["ann@initech.example"]
    assert not town.crm.leads


def test_a_claim_and_its_contact_are_one_person(town):
    browser = town.portal.browser()
    left = []
    for step in (lambda: browser.claim("ann@initech.example"), lambda: browser.prove(town.portal)):
        step()
        town.understand()
        town.tell(first_run=2)
        left.append(stands(town, first_run=2).left)

    assert (len(town.crm.contacts), left) == (1, [1, 1])


def test_of_several_workers_one_counts_after_the_other(town, owed):
    owed(12)
    budget = Budget("crm", first_run=5)
    workers = [Leases("crm", size=50, budget=budget) for _ in range(2)]
    now = datetime.now(UTC)
    taken = []
    with town.store.read() as session:
        coming = workers[0].look(session, now=now)

    def take(session, worker):
        taken.append(len(worker.take(session, coming, now=now).changes))

    first = Pausing(town.store, lambda session: take(session, workers[0]))
    first.ends_soon()
    town.store.write(lambda session: take(session, workers[1]))
    first.thread.join()

    assert taken == [5, 0]


def test_withdrawals_go_out_meanwhile(town, owed):
    owed(3)
    town.tell(first_run=2)
    town.allows("0" * 32, "visitor-0@acme.example", "withdrawn")
    town.tell(first_run=2)

    assert len(town.crm.contacts) == 2
    assert town.crm.wants(town.crm.people("visitor-0@acme.example")[0], "", "prices") is False


def test_the_no_of_somebody_who_was_not_begun_goes_out_alone(town, owed):
    owed(1)
    town.tell(first_run=1)
    key, email = "9" * 32, "ann@acme.example"
    town.knows(key, email, "contact.identified", country="DE")
    town.score_of(key, email, 50)
    for _ in range(2):
        town.allows(key, email, "withdrawn")
    town.tell(first_run=1)
    (there,) = town.crm.people(email)

    assert town.crm.wants(there, "", "prices") is False
    assert (town.crm.field(there, "country"), town.crm.field(there, "regportal_fit")) == (None,) * 2
    town.knows(key, email, "contact.updated", country="FR", phone="+49 30 1")
    town.tell(first_run=1)
    assert town.crm.field(there, "phone") is None
    assert stands(town, first_run=2).left == 1
    go(town)
    town.tell(clock=lambda: datetime.now(UTC) + LEASE, first_run=1)
    assert (town.crm.field(there, "country"), town.crm.field(there, "phone")) == ("FR", "+49 30 1")
    assert town.crm.wants(there, "", "prices") is False
    assert town.crm.people(email) == [there]


def test_whoever_is_let_go_while_his_no_is_told_is_told_of_after_it(town, owed):
    owed(1)
    town.tell(first_run=1)
    town.knows("9" * 32, "ann@acme.example", "contact.identified")
    town.allows("9" * 32, "ann@acme.example", "withdrawn")
    worker, now = Leases("crm", budget=Budget("crm", first_run=1)), datetime.now(UTC)

    def taken(now):
        with town.store.read() as session:
            coming = worker.look(session, now=now)
        batch = town.store.write(lambda session: worker.take(session, coming, now=now))
        return [change.topic for change in batch.changes]

    assert taken(now) == ["consent.changed"]
    go(town)
    assert taken(now) == []
    assert taken(now + LEASE + timedelta(seconds=1)) == ["contact.identified"]


def test_let_go_it_goes_on_and_is_held_no_more(town, owed):
    owed(12)
    town.tell(first_run=5)
    go(town)
    assert not stands(town, first_run=5).holds
    town.tell(first_run=5)

    assert len(town.crm.contacts) == 12


def test_more_new_ones_than_expected_stop_it(town, owed):
    owed(40)
    town.tell(most_new=30, size=10)

    assert len(town.crm.contacts) < 40
    (because,) = held(town)
    assert "contacts were new over there, more than 30 %" in because


def test_where_they_are_there_already_nothing_stops(town, owed):
    for each in range(40):
        town.crm.person(f"visitor-{each}@acme.example")
    owed(40)
    town.tell(most_new=30, size=10)

    assert held(town) == []


def test_let_go_as_many_may_be_new_today_and_not_tomorrow(town, owed):
    owed(40)
    town.tell(most_new=30, size=10)
    go(town)
    town.tell(most_new=30, size=10)
    assert (len(town.crm.contacts), held(town)) == (40, [])
    owed(40, first=40)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    town.tell(clock=lambda: tomorrow, most_new=30, size=10)

    assert len(held(town)) == 1


def test_another_database_stops_it_even_if_nobody_set_anything(town, owed):
    owed(30)
    town.tell()
    town.crm.contacts.clear()
    owed(30, topic="contact.updated")
    town.tell(size=10)

    (because,) = held(town)
    assert "contacts that we knew there are gone: is it the right database?" in because
    assert len(town.crm.contacts) <= 20


def test_what_else_is_told_of_them_does_not_hide_that_they_are_gone(town, owed):
    owed(30)
    town.tell()
    town.crm.contacts.clear()
    for each in range(30):
        for _ in range(5):
            town.allows(f"{each:032}", f"visitor-{each}@acme.example", "confirmed")
    town.tell(size=10)

    assert len(held(town)) == 1
    assert len(town.crm.contacts) <= 20


def test_what_else_is_told_of_new_ones_does_not_hide_how_many_they_are(town, owed):
    owed(40)
    for each in range(40):
        for _ in range(5):
            town.allows(f"{each:032}", f"visitor-{each}@acme.example", "confirmed")
    town.tell(most_new=60, size=10)

    assert len(held(town)) == 1


def test_resumed_by_hand_it_is_judged_anew(town, owed):
    owed(90)
    town.tell(most_new=30, size=10)
    town.store.write(lambda session: resume(session, "crm", now=datetime.now(UTC)))
    town.tell(most_new=30, size=10)

    assert len(held(town)) == 1
    assert 40 <= len(town.crm.contacts) <= 60


def test_everybody_known_before_is_told_of_when_somebody_wants_it(town):
    town.visitor("ann@initech.example")
    town.forget_messages()
    assert town.tell() is None
    assert town.crm.contacts == {}
    telling = Telling(town.published(), town.document)
    assert [*going.tell_everybody(town.store, telling, now=town.now)] == [(1, 1)]
    assert [*going.tell_everybody(town.store, telling, now=town.now)] == [(1, 0)]
    town.tell()

    (ann,) = town.crm.people("ann@initech.example")
    assert town.crm.wants(ann, "", "prices") is True


def test_whoever_is_erased_while_all_are_told_is_left_out(town):
    """Of her nothing would ever be owed that ends it."""
    for email in ("ann@initech.example", "bob@initech.example"):
        town.visitor(email)
    town.forget_messages()
    erasing = []

    class Slow(Telling):
        """Has read who is there when one of them begins to be erased."""

        def contacts(self, session, *, now):
            (page,) = Telling.contacts(self, session, now=now)
            session.rollback()
            erasing.append(Pausing(town.store, lambda one: town.erase(one, page[0].name)))
            erasing[0].ends_soon()
            yield page

    telling = Slow(town.published(), town.document)
    assert [*going.tell_everybody(town.store, telling, now=town.now)] == [(2, 1)]
    erasing[0].thread.join()
    town.tell()

    assert len(town.crm.contacts) == 1
