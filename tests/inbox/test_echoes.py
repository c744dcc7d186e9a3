"""What we write into a CRM comes back from it: it is known for what it is, and moves nothing."""

import pytest
import sqlalchemy as sa

from regportal.buying.models import Snapshot
from regportal.inbox.applying import ECHO, OLDER
from regportal.tracking.models import EntryKind, LogEntry
from tests.inbox.test_understanding import ADDED, UPSERTED, count, shown

DEAL = {"external_id": "006", "name": "500 widgets", "stage": "Offer", "amount": "12000.50"}
ANN, BOB = {"email": "ann@example.com"}, {"email": "bob@example.com"}


def heard(crm):
    """Return how often the rules were to look at opportunities."""
    with crm.store.read() as session:
        chosen = sa.select(sa.func.count()).where(LogEntry.kind == EntryKind.OPPORTUNITY)
        return session.scalar(chosen)


def reasons(crm):
    return [notice.because for notice in crm.notices()]


def tell(crm, second, **more):
    crm.tell(UPSERTED, DEAL | more, timestamp=f"2026-03-04T11:00:{second:02}Z")
    crm.understand()


def test_the_same_description_again_is_no_other_one(crm):
    for second in range(3):
        tell(crm, second)

    assert (heard(crm), count(crm, Snapshot)) == (1, 1)
    assert reasons(crm) == [None, ECHO, ECHO]
    tell(crm, 4, stage="Won")
    assert (heard(crm), count(crm, Snapshot), reasons(crm)[-1]) == (2, 2, None)


def test_an_echo_is_newer_than_what_was_told_before(crm):
    tell(crm, 1)
    tell(crm, 9)
    tell(crm, 5, stage="Won")

    assert reasons(crm) == [None, ECHO, OLDER]


def test_what_is_said_otherwise_and_means_the_same_is_kept_and_moves_nothing(crm):
    tell(crm, 1, probability=38)
    tell(crm, 2, probability=38.2)

    assert (heard(crm), count(crm, Snapshot)) == (1, 2)


def test_who_is_not_named_any_more_has_no_part_any_more(crm):
    tell(crm, 1, contacts=[ANN, BOB])
    assert {one["email"] for one in shown(crm)["contacts"]} == {ANN["email"], BOB["email"]}
    before = heard(crm)
    tell(crm, 2, contacts=[BOB])

    assert [one["email"] for one in shown(crm)["contacts"]] == [BOB["email"]]
    assert (heard(crm), reasons(crm)[-1]) == (before + 1, None)
    tell(crm, 3, contacts=[BOB])
    assert reasons(crm)[-1] == ECHO


def test_a_description_that_names_nobody_ends_no_part(crm):
    tell(crm, 1)
    crm.tell(ADDED, {"opportunity": "006", **ANN}, timestamp="2026-03-04T11:00:02Z")
    tell(crm, 3)
    assert len(shown(crm)["contacts"]) == 1
    tell(crm, 4, contacts=[])

    assert shown(crm)["contacts"] == []


def test_an_older_description_ends_no_part(crm):
    tell(crm, 5, contacts=[ANN])
    tell(crm, 1, contacts=[BOB])

    assert [one["email"] for one in shown(crm)["contacts"]] == [ANN["email"]]


@pytest.mark.parametrize(
    ("contacts", "reason"),
    [
        ("ann@example.com", "contacts must be a list of objects"),
        ([1], "contacts must be a list of objects"),
        ([{}], "a contact role needs email, contact or record"),
        ([ANN] * 201, "contacts must be at most 200"),
    ],
)
def test_a_list_of_contacts_that_is_none_is_not_understood(crm, contacts, reason):
    tell(crm, 1, contacts=contacts)

    assert reasons(crm) == [reason]
