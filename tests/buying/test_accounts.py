"""Whose deeds are an account's, where no CRM says so: a company's, by the domain it registered."""

import pytest

from regportal.buying.accounts import contacts_of_account
from regportal.errors import NotHereError
from regportal.identity.models import Assurance, Contact
from regportal.store.ids import uuid7
from tests.buying.scene import NOON


@pytest.fixture
def proven(store):
    """Lets the owner of an address be known, and returns the contact's key."""

    def know(email, assurance=Assurance.VERIFIED):
        contact = Contact(
            id=uuid7(), email=email, match_key=email, assurance=assurance, first_seen=NOON
        )

        def work(session):
            session.add(contact)
            return contact.id

        return store.write(work)

    return know


def of(store, key):
    with store.read() as session:
        return set(contacts_of_account(session, key))


def test_every_name_below_the_domain_of_a_company_is_the_companys(store, proven):
    ann, bob = proven("ann@acme.co.uk"), proven("bob@leeds.acme.co.uk")
    proven("eve@notacme.co.uk")
    proven("joe@other.co.uk")

    for key in ("acme.co.uk", "leeds.acme.co.uk", "ACME.co.uk"):
        assert of(store, key) == {ann, bob}


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("ann@gmail.com", "gmail.com"),
        ("ann@staff.gmail.com", "gmail.com"),
        ("ann@acme.co.uk", "co.uk"),
        ("ann@acme.co.uk", "uk"),
        ("ann@acme.github.io", "github.io"),
    ],
)
def test_where_anybody_gets_an_address_or_a_domain_there_is_no_account(store, proven, email, key):
    proven(email)

    with pytest.raises(NotHereError):
        of(store, key)


def test_an_address_that_only_a_crm_knows_makes_no_account(store, proven):
    proven("ann@acme.co.uk", Assurance.CRM)

    with pytest.raises(NotHereError):
        of(store, "acme.co.uk")


def test_a_domain_of_odd_signs_is_no_pattern(store, proven):
    proven("ann@acme.co.uk")

    for key in ("%.co.uk", "_cme.co.uk", "%25"):
        with pytest.raises(NotHereError):
            of(store, key)
