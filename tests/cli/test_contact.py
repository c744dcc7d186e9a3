"""What an administrator decides about people."""

from datetime import UTC, datetime

import pytest

from regportal.identity.actions import contact_from_crm, find_contact
from regportal.identity.people import contacts_of
from regportal.store.sessions import Store, make_engine

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ANN, HOME = "ann@work.example", "ann@home.example"


@pytest.fixture
def known(installed, database_url):
    """An installation that knows two addresses."""
    store = Store(make_engine(database_url))
    for email in (ANN, HOME):
        store.write(lambda session, email=email: contact_from_crm(session, email, now=NOON))
    yield installed, store
    store.close()


def addresses(store, email):
    """Return all addresses of whoever has this one."""
    with store.read() as session:
        found = find_contact(session, email)
        return [one.email for one in contacts_of(session, found.person_id)]


def test_joining_and_splitting_say_what_holds_now(known):
    regportal, store = known
    joined = regportal("contact", "join", ANN, HOME, "--because", "she said so")
    together = addresses(store, HOME)
    split = regportal("contact", "split", HOME, "--because", "another Ann")

    assert (joined.code, joined.out) == (0, f"{HOME} and {ANN} are one person now.\n")
    assert together == [ANN, HOME]
    assert (split.code, split.out) == (0, f"{HOME} is a person of its own again.\n")
    assert addresses(store, HOME) == [HOME]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("join", ANN, "bob@work.example"), 1, "nobody is known by the address"),
        (("join", ANN, ANN), 1, "one person already"),
        (("join", ANN, "no\x00body"), 1, "nobody is known"),
        (("split", HOME), 1, "joined to no other address"),
        (("split",), 2, "Missing argument"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(known, arguments, code, says):
    regportal, _ = known
    refused = regportal("contact", *arguments, "--because", "why")

    assert refused.code == code
    assert says in refused.err


def test_a_decision_needs_its_reason(known):
    regportal, store = known

    assert regportal("contact", "join", ANN, HOME).code == 2
    assert addresses(store, HOME) == [HOME]
