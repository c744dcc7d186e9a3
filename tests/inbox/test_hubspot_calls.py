"""What HubSpot tells by its webhooks alone is done within a second, by the worker, and once."""

import pytest

from regportal.inbox.applying import NOBODY, NOTHING
from regportal.inbox.confirming import STILL_THERE
from tests.inbox.hubspot import called
from tests.patience import until

ANN, BOB = "ann@initech.example", "bob@initech.example"


@pytest.fixture
def crm(database_url, tmp_path, monkeypatch):
    with called(database_url, tmp_path, monkeypatch) as crm:
        yield crm


def test_whoever_is_deleted_for_privacy_there_is_erased_here(crm):
    there = crm.visitor(ANN)
    other = crm.visitor(BOB)
    crm.fake.forget(there)
    crm.call()

    assert until(lambda: crm.contact(ANN) is None)
    assert crm.ref(BOB) == other
    assert crm.notices("contact.erased") == [("done", "erased here, too")]


def test_whose_record_is_deleted_is_forgotten_and_the_erasure_that_follows_finds_him(crm):
    there = crm.visitor(ANN)
    record = crm.fake.portal.find("contacts", there)
    crm.fake.delete(there)
    crm.call()

    assert until(lambda: crm.ref(ANN) is None)
    assert crm.contact(ANN) is not None
    crm.fake.portal.erase(record, "CRM_UI")  # out of the bin
    crm.call()
    assert until(lambda: crm.contact(ANN) is None)


def test_whoever_is_taken_off_a_deal_has_no_part_and_a_deal_that_is_gone_is_closed(crm):
    ann, bob = crm.visitor(ANN), crm.visitor(BOB)
    deal = crm.fake.deal("500 widgets", f"{ann},{bob}")
    crm.call()
    assert until(lambda: crm.parts() == 2)
    crm.fake.apart(deal, ann)
    crm.call()

    assert until(lambda: crm.parts() == 1)
    assert crm.is_closed(deal) is False
    crm.fake.delete(deal)
    crm.call()
    assert until(lambda: crm.is_closed(deal))


def test_two_that_are_merged_there_and_have_both_proven_themselves_are_left_to_a_person(crm):
    crm.fake.merge(crm.visitor(ANN), crm.visitor(BOB))
    crm.call()

    assert until(lambda: {state for state, _ in crm.notices("contact.merged")} == {"unknown"})


def test_what_is_said_of_nobody_we_know_harms_nothing(crm):
    stranger, deal = crm.fake.contact("zoe@elsewhere.example"), crm.fake.deal("Theirs")
    events = [
        {"subscriptionType": "contact.privacyDeletion", "objectId": int(stranger) + 1000},
        {"subscriptionType": "deal.deletion", "objectId": int(deal) + 1000},
    ]

    assert crm.send(*events) == 202
    assert until(lambda: crm.notices("opportunity.deleted") == [("done", NOTHING)])
    assert until(lambda: crm.notices("contact.erased") == [("done", NOBODY)])


def test_what_was_restored_meanwhile_is_not_gone(crm):
    there = crm.visitor(ANN)
    event = {"subscriptionType": "contact.deletion", "objectId": int(there), "occurredAt": 1}

    assert crm.send(event) == 202
    assert until(lambda: crm.notices("contact.deleted") == [("done", STILL_THERE)])
    assert crm.ref(ANN) == there
