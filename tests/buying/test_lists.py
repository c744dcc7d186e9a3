"""What lists show of people is kept by whatever changes it, and comes out the same made anew."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from regportal.buying.lists.keeping import list_missing
from regportal.buying.lists.models import ListedPerson
from regportal.buying.models import Opportunity
from regportal.buying.overriding import Word, override
from regportal.identity.models import Assurance, Contact
from regportal.identity.people import join, split
from regportal.privacy.erasing import PERSON, erase
from regportal.privacy.whom import whom_of
from regportal.tracking.actions import log
from regportal.tracking.models import EntryKind, Judged
from regportal.tracking.rejudging import judge_by_hand
from tests.buying.scene import NOON

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def listed(store):
    """Return every row, by the address."""
    with store.read() as session:
        rows = session.scalars(sa.select(ListedPerson)).all()
        return {
            row.address: (row.contact_id, row.assurance, row.last_at, row.account, row.phase)
            for row in rows
        }


@pytest.fixture
def same(scene):
    """Asks whether what is kept is what is made anew."""

    def check(now=NOON):
        scene.weigh(now=now)
        kept = listed(scene.store)
        scene.store.write(lambda session: session.execute(sa.delete(ListedPerson)))
        list_missing(scene.store)
        anew = listed(scene.store)
        assert kept == anew
        return kept

    return check


def last(rows, email="ann@example.com"):
    return rows[email][2]


def phase(rows, email="ann@example.com"):
    return rows[email][4]


def met(scene, contact):
    """Let the weigher hear of a contact."""
    scene.store.write(lambda session: log(session, EntryKind.ANSWER, contact, now=NOON))


def test_whoever_did_nothing_stands_where_he_became_known(scene, ann, same):
    met(scene, ann)
    rows = same()

    assert rows == {"ann@example.com": (ann, Assurance.CRM, NOON, None, None)}


def test_what_somebody_did_last_is_his_last(scene, ann, same):
    scene.did(ann, now=NOON + HOUR)
    scene.did(ann, now=NOON + 2 * HOUR, occurred_at=NOON)

    assert last(same(NOON + 2 * HOUR)) == NOON + HOUR


def test_a_machine_is_not_somebody(scene, ann, same):
    scene.did(ann, now=NOON + HOUR)
    scene.did(ann, now=NOON + 2 * HOUR, judged=Judged.MACHINE)

    assert last(same(NOON + 2 * HOUR)) == NOON + HOUR


def test_what_turns_out_to_be_a_machines_was_nobodys_and_back(scene, ann, same):
    scene.did(ann, now=NOON + HOUR)
    later = scene.did(ann, now=NOON + 2 * HOUR)
    assert last(same(NOON + 2 * HOUR)) == NOON + 2 * HOUR

    def judged(judged, now):
        scene.store.write(
            lambda session: judge_by_hand(session, later, judged, "looked at it", now=now)
        )

    judged(Judged.MACHINE, NOON + 3 * HOUR)
    assert last(same(NOON + 3 * HOUR)) == NOON + HOUR

    judged(Judged.PERSON, NOON + 4 * HOUR)
    assert last(same(NOON + 4 * HOUR)) == NOON + 2 * HOUR


def test_what_becomes_somebodys_later_moves_from_one_to_the_other(scene, ann, same):
    bob = scene.contact("bob@example.com")
    met(scene, bob)
    deed = scene.did(ann, now=NOON + HOUR)
    scene.weigh(now=NOON + HOUR)
    scene.attribute(bob, deed, now=NOON + 2 * HOUR)
    rows = same(NOON + 2 * HOUR)

    assert (last(rows), last(rows, "bob@example.com")) == (NOON, NOON + HOUR)


def test_the_phase_follows_the_open_purchase_that_moved_last(scene, ann, deal, same):
    assert phase(same()) == "unaware"

    scene.did(ann, now=NOON + HOUR)
    assert phase(same(NOON + HOUR)) == "comparison"

    second = scene.opportunity("007", now=NOON + 2 * HOUR)
    scene.role(second, ann, now=NOON + 2 * HOUR)
    rows = same(NOON + 2 * HOUR)
    assert phase(rows) == scene.phase(second)

    scene.opportunity("007", now=NOON + 3 * HOUR, is_closed=True)
    assert phase(same(NOON + 3 * HOUR)) == "comparison"

    scene.role(deal, ann, add=False, now=NOON + 4 * HOUR)
    assert phase(same(NOON + 4 * HOUR)) is None


def test_a_colleagues_word_is_seen_at_once(scene, ann, deal, same):
    same()
    with scene.store.read() as session:
        published = scene.shelf.published(session)
    word = Word("decision", "sam@acme.example", "they called", NOON + 30 * DAY)
    scene.store.write(
        lambda session: override(session, published, str(deal), word, now=NOON + HOUR)
    )

    assert phase(listed(scene.store)) == "decision"
    assert phase(same(NOON + HOUR)) == "decision"


def test_time_alone_moves_it_too(scene, ann, deal, same):
    scene.did(ann, now=NOON)
    assert phase(same()) == "comparison"

    much_later = NOON + 400 * DAY
    scene.weigh(now=much_later)

    assert scene.phase(deal) != "comparison"
    assert phase(same(much_later)) == scene.phase(deal)


def test_two_addresses_of_one_person_are_one_line_until_they_are_two_again(scene, ann, same):
    bob = scene.contact("bob@example.com")
    scene.did(bob, now=NOON + HOUR)
    met(scene, ann)
    same(NOON + HOUR)

    def both(session):
        return session.get_one(Contact, ann), session.get_one(Contact, bob)

    def joined(session):
        join(session, *both(session), because="one person", by="administrator", now=NOON + HOUR)
        log(session, EntryKind.ATTRIBUTION, bob, now=NOON + HOUR)

    scene.store.write(joined)
    rows = same(NOON + HOUR)
    assert rows == {"ann@example.com": (ann, Assurance.CRM, NOON + HOUR, None, None)}

    def parted(session):
        split(session, both(session)[1], because="two people", by="administrator", now=NOON + DAY)
        log(session, EntryKind.ATTRIBUTION, bob, now=NOON + DAY)
        log(session, EntryKind.ATTRIBUTION, ann, now=NOON + DAY)

    scene.store.write(parted)
    rows = same(NOON + DAY)
    assert (last(rows), last(rows, "bob@example.com")) == (NOON, NOON + HOUR)


def test_an_account_is_the_crms_where_it_names_one_else_the_companys(scene, same):
    ann, joe = scene.contact("ann@initech.example"), scene.contact("joe@initech.example")

    def proven(session):
        for one in (ann, joe):
            session.get_one(Contact, one).assurance = Assurance.VERIFIED
            log(session, EntryKind.ANSWER, one, now=NOON)

    scene.store.write(proven)
    deal = scene.opportunity("006", account={"external_id": "A-1", "name": "Initech"})
    scene.role(deal, ann)
    rows = same()

    assert rows["ann@initech.example"][3] == "crm:A-1"
    assert rows["joe@initech.example"][3] == "initech.example"


def test_whoever_is_missing_is_listed_and_the_others_are_left(scene, ann):
    for number in range(3):
        scene.contact(f"{number}@example.com")
    assert listed(scene.store) == {}

    list_missing(scene.store)
    list_missing(scene.store)

    assert len(listed(scene.store)) == 4


def test_an_owner_is_found_by_the_address_and_without_one_by_the_name(scene):
    def owner(external_id):
        with scene.store.read() as session:
            query = sa.select(Opportunity.owner_key).where(Opportunity.external_id == external_id)
            return session.scalar(query)

    scene.opportunity("1", owner={"name": "Sam Okafor", "email": "Sam@acme.example"})
    scene.opportunity("2", owner={"name": " Sam Okafor "})
    scene.opportunity("3", owner={"name": None, "email": None})
    scene.opportunity("4")
    found = [owner(str(number)) for number in range(1, 5)]
    scene.opportunity("1", owner=None, now=NOON + HOUR)

    assert found == ["sam@acme.example", "sam okafor", None, None]
    assert owner("1") is None


def test_nothing_is_left_of_whoever_is_erased(scene, ann, deal, same):
    scene.opportunity("006", owner={"email": "ann@example.com"}, now=NOON + HOUR)
    same(NOON + HOUR)

    def forget(session):
        whom = whom_of([session.get_one(Contact, ann)])
        erase(session, scene.shelf.published(session), whom, pepper="-", by=PERSON, now=NOON + DAY)

    scene.store.write(forget)
    scene.weigh(now=NOON + DAY)
    with scene.store.read() as session:
        owner = session.get_one(Opportunity, deal).owner_key

    assert listed(scene.store) == {}
    assert owner is None or "ann" not in owner
