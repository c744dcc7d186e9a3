"""One person with several addresses: joined by links, and by nobody who may not."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from regportal.errors import RegportalError
from regportal.identity.actions import contact_from_crm, find_contact
from regportal.identity.kin import kin_of
from regportal.identity.models import Assurance, Contact, ContactLink
from regportal.identity.people import contacts_of, join, split
from regportal.identity.rules import ADMINISTRATOR, PROOF
from regportal.store.migrate import upgrade

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVERYBODY = ("ann@work.example", "ann@home.example", "ann@old.example", "bob@work.example")
ANN, HOME, OLD, BOB = EVERYBODY


@pytest.fixture
def people(store):
    """Four addresses that nobody has said to belong together."""

    def begin(session):
        for number, email in enumerate(EVERYBODY):
            contact_from_crm(session, email, now=NOON + number * HOUR)

    store.write(begin)
    return store


def decide(store, verb, *emails, by=ADMINISTRATOR, now=NOON):
    """Join or split."""

    def work(session):
        found = [find_contact(session, email) for email in emails]
        verb(session, *found, because="they said so", by=by, now=now)

    store.write(work)


def addresses(store, email):
    """Return all addresses of whoever has this one."""
    with store.read() as session:
        person = find_contact(session, email).person_id
        return [one.email for one in contacts_of(session, person)]


def test_everybody_begins_as_a_person_of_their_own(people):
    assert [addresses(people, email) for email in EVERYBODY] == [[email] for email in EVERYBODY]


def test_a_contact_that_the_previous_release_adds_is_a_person_too(store):
    columns = "id, email, match_key, assurance, first_seen"
    row = "'0199f2c45d0e7c3a9d443f1f4c1b7a10', 'x@a.example', 'x@a.example', 'crm', :now"
    when = {"now": NOON.replace(tzinfo=None) if "sqlite" in str(store.engine.url) else NOON}
    store.write(
        lambda session: session.execute(
            sa.text(f"INSERT INTO contact ({columns}) VALUES ({row})"),  # noqa: S608 - our own words
            when,
        )
    )

    assert addresses(store, "x@a.example") == ["x@a.example"]


def test_joined_addresses_are_one_person_with_the_kept_one_first(people):
    decide(people, join, HOME, ANN)

    assert addresses(people, ANN) == addresses(people, HOME) == [HOME, ANN]


def test_no_row_is_lost_when_people_are_joined_and_split(people):
    decide(people, join, ANN, HOME)
    decide(people, split, HOME, now=NOON + HOUR)

    with people.read() as session:
        [link] = session.scalars(sa.select(ContactLink)).all()
        assert len(session.scalars(sa.select(Contact)).all()) == len(EVERYBODY)
    assert (link.made_at, link.undone_at) == (NOON, NOON + HOUR)
    assert addresses(people, HOME) == [HOME]


def test_joining_brings_along_whoever_was_joined_before(people):
    decide(people, join, HOME, OLD)
    decide(people, join, ANN, OLD)

    assert addresses(people, OLD) == [ANN, HOME, OLD]


def test_splitting_gives_back_exactly_what_joining_brought(people):
    decide(people, join, HOME, OLD)
    decide(people, join, ANN, HOME)
    decide(people, split, HOME)

    assert addresses(people, ANN) == [ANN]
    assert addresses(people, OLD) == [HOME, OLD]


def test_of_two_either_may_be_named_to_split_them(people):
    decide(people, join, ANN, HOME)
    decide(people, split, ANN)

    assert addresses(people, ANN) == [ANN]
    assert addresses(people, HOME) == [HOME]


def test_whoever_was_split_can_be_joined_again(people):
    for _ in range(2):
        decide(people, join, ANN, HOME)
        decide(people, split, HOME)
    decide(people, join, ANN, HOME)

    assert addresses(people, HOME) == [ANN, HOME]


def test_the_main_one_of_several_is_not_split_off(people):
    decide(people, join, ANN, HOME)
    decide(people, join, ANN, OLD)

    with pytest.raises(RegportalError, match=f"split one of {HOME}, {OLD}"):
        decide(people, split, ANN)


@pytest.mark.parametrize("pair", [(ANN, ANN), (ANN, HOME), (HOME, ANN)])
def test_one_person_is_not_joined_with_itself(people, pair):
    decide(people, join, ANN, HOME)

    with pytest.raises(RegportalError, match="one person already"):
        decide(people, join, *pair)


def test_what_was_never_joined_cannot_be_split(people):
    with pytest.raises(RegportalError, match="joined to no other address"):
        decide(people, split, BOB)


@pytest.mark.parametrize(
    ("kept", "joined", "by", "may"),
    [
        ("verified", "verified", "crm:sales", False),
        ("verified", "verified", ADMINISTRATOR, True),
        ("verified", "verified", PROOF, True),
        ("verified", "crm", "crm:sales", True),
        ("crm", "verified", "crm:sales", True),
        ("imported", "crm", "crm:sales", True),
    ],
)
def test_two_who_proved_their_addresses_are_joined_only_by_a_person(people, kept, joined, by, may):
    def prove(session):
        find_contact(session, ANN).assurance = Assurance(kept)
        find_contact(session, BOB).assurance = Assurance(joined)

    people.write(prove)
    refused = nullcontext() if may else pytest.raises(RegportalError, match="contact join")
    with refused:
        decide(people, join, ANN, BOB, by=by)

    assert (len(addresses(people, ANN)) == 2) is may


def test_a_proven_address_among_several_counts_for_all_of_them(people):
    def prove(session):
        for email in (HOME, BOB):
            find_contact(session, email).assurance = Assurance.VERIFIED

    people.write(prove)
    decide(people, join, ANN, HOME)

    with pytest.raises(RegportalError, match="both have proven"):
        decide(people, join, BOB, ANN, by="crm:sales")


def test_the_links_tell_who_was_one_person_at_any_moment(people):
    decide(people, join, ANN, HOME, now=NOON)
    decide(people, join, ANN, OLD, now=NOON + 2 * HOUR)
    decide(people, split, HOME, now=NOON + 4 * HOUR)

    with people.read() as session:
        ids = {one.id: one.email for one in session.scalars(sa.select(Contact))}
        home = find_contact(session, HOME).id
        kin = kin_of(session, [home])
        at = {
            hours: sorted(ids[one] for one in kin.together(home, NOON + hours * HOUR))
            for hours in (-1, 0, 2, 4)
        }
        everybody = {ids[one] for one in kin.everybody([home])}

    assert at == {-1: [HOME], 0: [HOME, ANN], 2: [HOME, OLD, ANN], 4: [HOME]}
    assert everybody == {ANN, HOME, OLD}


def test_upgrading_makes_every_contact_its_own_person(database_url, store):
    upgrade(database_url)
    with store.read() as session:
        assert session.scalars(sa.select(Contact).where(Contact.person_id.is_(None))).all() == []
