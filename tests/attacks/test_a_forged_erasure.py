"""
Having somebody erased, by what a CRM is made to say.

Whoever can let a system believe "this person was deleted for privacy" deletes for good what no
backup may bring back. Systems that act on a webhook alone do so for whoever knows its address;
those that check a signature do so again for whoever recorded a genuine call; and an app has one
secret for all accounts it is installed in, so that a call of somebody else's account is signed as
well as one of our own, and names records by the same numbers.

What we do: a call is believed by its signature, for five minutes, and once. What it says of records
counts only where it names the account that the connector names, and only after HubSpot itself,
when it is asked, does not have the record any more. Where it has it, nobody is erased.
"""

import pytest
import requests
import sqlalchemy as sa

from regportal.inbox.actions import UNSURE
from regportal.inbox.models import Notice
from regportal.sandbox.hubspot import PORTAL
from tests.inbox.hubspot import called
from tests.patience import until

ANN, BOB = "ann@initech.example", "bob@initech.example"
TYPE = "contact.privacyDeletion"


@pytest.fixture
def crm(database_url, tmp_path, monkeypatch):
    with called(database_url, tmp_path, monkeypatch) as crm:
        yield crm


def calls(crm):
    """Return how many calls were kept."""
    with crm.portal.store.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Notice))


def gone_quietly(crm, email):
    """Let somebody's record be gone over there, and HubSpot not tell of it."""
    there = crm.visitor(email)
    crm.fake.forget(there)
    crm.fake.portal.events.clear()
    return {"subscriptionType": TYPE, "objectId": int(there)}


def settled(crm):
    """Let a genuine call come, and wait until the worker has done it: what came before is, too."""
    event = gone_quietly(crm, BOB)
    assert crm.send(event) == 202
    assert until(lambda: crm.contact(BOB) is None)


@pytest.mark.parametrize(
    "changed",
    [
        {"X-HubSpot-Signature-v3": ""},
        {"X-HubSpot-Signature-v3": "K36dawei4A/QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="},
        {"X-HubSpot-Request-Timestamp": "1693657560000"},
    ],
)
def test_whoever_only_knows_the_address_of_the_webhook_erases_nobody(crm, changed):
    event = gone_quietly(crm, ANN)
    before = calls(crm)

    assert crm.send(event, **changed) == 401
    assert calls(crm) == before
    settled(crm)
    assert crm.contact(ANN) is not None


def test_a_genuine_call_about_somebody_else_changed_on_its_way_erases_nobody(crm):
    event = gone_quietly(crm, ANN)
    headers, body = crm.fake.signed(crm.hook, [event | {"portalId": PORTAL, "objectId": 70007}])
    forged = body.replace(b"70007", str(event["objectId"]).encode())

    assert requests.post(crm.hook, data=forged, headers=headers, timeout=10).status_code == 401
    assert crm.contact(ANN) is not None


def test_a_genuine_call_that_is_sent_again_is_one_call_and_erases_no_one_else(crm):
    event = gone_quietly(crm, ANN) | {"portalId": PORTAL, "occurredAt": 1_772_625_600_000}
    headers, body = crm.fake.signed(crm.hook, [event])
    answers = [
        requests.post(crm.hook, data=body, headers=headers, timeout=10).status_code
        for _ in range(5)
    ]

    assert answers == [202] * 5
    assert until(lambda: crm.contact(ANN) is None)
    assert len(crm.notices("contact.erased")) == 1
    back = crm.visitor(ANN)  # she comes back, by her own mailbox
    for attempt in range(3):  # HubSpot itself tells it again
        assert crm.send(event | {"attemptNumber": attempt}) == 202
    settled(crm)
    assert crm.ref(ANN) == back
    assert {state for state, _ in crm.notices("contact.erased")} == {"done"}


@pytest.mark.parametrize("portal", [PORTAL + 1, None, str(PORTAL) + " ", [PORTAL]])
def test_a_call_of_another_account_erases_nobody_of_ours(crm, portal):
    event = gone_quietly(crm, ANN)

    assert crm.send(event | {"portalId": portal}) == 202
    settled(crm)
    assert crm.contact(ANN) is not None
    assert len(crm.notices("contact.erased")) == 1


def test_where_no_account_is_named_no_call_erases_anybody(database_url, tmp_path, monkeypatch):
    with called(database_url, tmp_path, monkeypatch, account=None) as crm:
        event = gone_quietly(crm, ANN)

        assert crm.send(event) == 202
        assert (calls(crm), crm.notices("contact.erased")) == (1, [])


def test_who_is_still_there_is_not_erased_whoever_signed_it(crm):
    """As somebody could who stole the secret of the app, and not the key of the account."""
    there = crm.visitor(ANN)

    assert crm.send({"subscriptionType": TYPE, "objectId": int(there)}) == 202
    settled(crm)
    assert crm.contact(ANN) is not None
    assert ("waiting", UNSURE) in crm.notices("contact.erased")
