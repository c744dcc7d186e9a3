"""What SuiteCRM alone has, tried on a real one: by hand, and only where a variable names it."""

import uuid
from datetime import UTC, datetime

import pytest

from regportal.connectors.base import Vocabulary
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome
from tests.connectors.changes import MINUTE, Outbox, of_type
from tests.connectors.worlds.real import real_worlds

WORLD = real_worlds()["suitecrm"]
ANN = "ann@acme.example"


@pytest.fixture
def world():
    return WORLD()


@pytest.fixture
def outbox(world):
    return Outbox(world.connector(newsletters={"prices": "Price news"}))


def test_a_company_is_one_account_however_many_work_there(world, outbox):
    for name in ("ann", "bob"):
        address = f"{name}@acme.example"
        outbox.deliver(outbox.knows(str(uuid.uuid4()), address, company="Acme & Söhne <2>"))
        (there,) = world.people(address)
        assert world.hands.company_of(there) == "Acme & Söhne <2>"
    assert len(world.all("Accounts")) == 1
    again = outbox.knows(str(uuid.uuid4()), ANN, "contact.updated", company="Acme & Söhne <2>")
    assert outbox.deliver(again)[0].outcome is Outcome.NOOP


def test_whoever_has_the_address_as_a_second_one_is_that_contact(world, outbox, key):
    there = world.person("ann.smith@acme.example")
    second = {"email_address": ANN, "email_address_caps": ANN.upper()}
    id = world.hands.make("EmailAddresses", second)
    world.suite.link("Contacts", there, "email_addresses", "EmailAddresses", id)
    (result,) = outbox.deliver(outbox.knows(key, ANN))
    assert (result.outcome, result.link.ref) == (Outcome.DONE, there)


def test_notes_stand_beside_opportunities_too_and_go_with_whoever_is_forgotten(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = world.people(ANN)
    deal = world.opportunity(there)
    change = outbox.did(key, ANN, deal)
    assert outbox.deliver(change)[0].outcome is Outcome.DONE
    outbox.deliver(outbox.again(change))
    assert len(world.notes(deal)) == 1
    assert len(world.notes(there)) == 1
    outbox.deliver(outbox.forgets(key))
    assert world.notes(deal) == []
    assert world.all("Notes") == []


def test_a_note_that_somebody_deleted_is_there_again_where_it_is_told_again(world, outbox, key):
    change = outbox.did(key, ANN)
    outbox.deliver(change)
    (note,) = world.all("Notes")
    world.suite.delete("Notes", note)
    outbox.deliver(outbox.again(change))
    assert len(world.all("Notes")) == 1


def test_a_claim_is_a_lead_until_it_is_over(world):
    desk = world.connector()._desk
    claim = str(uuid.uuid4())
    who = Whose(claim, "carl@acme.example")
    (made,) = desk.lead([(who, {"company": "Acme", "regportal_fit_c": 7})])
    (again,) = desk.lead([(who, {})])
    assert (made.created, again.id, again.created) == (True, made.id, False)
    (other,) = desk.lead([(Whose(str(uuid.uuid4()), "carl@acme.example"), {})])
    assert (other.id, other.outcome) == (None, Outcome.NOOP)
    (done,) = desk.unlead([made.id])
    assert done.id == made.id
    assert world.all("Leads") == []
    (worked_on,) = desk.lead([(who, {})])
    world.suite.patch("Leads", worked_on.id, {"status": "Assigned"})
    (left,) = desk.unlead([worked_on.id])
    assert left.outcome is Outcome.NOOP
    assert world.all("Leads") == [worked_on.id]
    assert desk.unlead([made.id])[0].outcome is Outcome.NOOP


def test_an_opt_out_is_told_and_one_after_another_permission_once_more(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed", at=datetime.now(UTC)))
    connector, ids = outbox.connector, []
    assert of_type(connector.changes(None, 50)[0], "consent.withdrawn") == []
    for state in ("withdrawn", "confirmed", "withdrawn"):
        outbox.now += MINUTE
        outbox.deliver(outbox.allows(key, ANN, "prices", state))
        news, _ = connector.changes(None, 50)
        outs = [one for one in news if one.body["type"] == "consent.withdrawn"]
        ids += [one.id for one in outs]
        assert [one.body["data"] for one in outs] == (
            [{"email": ANN, "newsletter": "prices"}] if state == "withdrawn" else []
        )
    assert len(set(ids)) == 2


def test_a_newsletter_that_is_a_campaign_has_its_own_two_lists(world, outbox, key):
    campaign = {"name": "Price news", "campaign_type": "NewsLetter", "status": "Active"}
    campaign = world.hands.make("Campaigns", campaign | {"end_date": "2030-12-31"})
    lists, before = {}, {*world.all("ProspectLists")}
    for type_ in ("default", "exempt", "test"):
        lists[type_] = world.hands.make("ProspectLists", {"name": type_, "list_type": type_})
        world.suite.link("Campaigns", campaign, "prospectlists", "ProspectLists", lists[type_])
    outbox.deliver(outbox.knows(key, ANN))
    (ann,) = world.people(ANN)
    for state, on in (("confirmed", "default"), ("withdrawn", "exempt"), ("confirmed", "default")):
        outbox.now += MINUTE
        (result,) = outbox.deliver(outbox.allows(key, ANN, "prices", state))
        assert result.outcome is Outcome.DONE
        on_lists = world.suite.linked("Contacts", ann, "prospect_lists")
        assert [row["id"] for row in on_lists] == [lists[on]]
    assert {*world.all("ProspectLists")} - before == {*lists.values()}
    world.suite.link("ProspectLists", lists["exempt"], "contacts", "Contacts", ann)
    outs = of_type(outbox.connector.changes(None, 50)[0], "consent.withdrawn")
    assert outs == [{"email": ANN, "newsletter": "prices"}]


def test_whoever_wants_no_mail_at_all_is_told_once(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (ann,) = world.people(ANN)
    _, cursor = outbox.connector.changes(None, 50)
    (address,) = world.suite.linked("Contacts", ann, "email_addresses")
    world.suite.patch("EmailAddresses", address["id"], {"opt_out": "1"})
    ids = set()
    for at in (cursor, None, cursor):
        news, _ = outbox.connector.changes(at, 50)
        ours = [one for one in news if one.body["data"].get("email") == ANN]
        assert [one.body["data"] for one in ours] == [{"email": ANN, "newsletter": None}]
        ids |= {one.id for one in ours}
    assert len(ids) == 1


def test_an_opportunity_is_told_with_whoever_has_a_part_in_it(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (ann,) = world.people(ANN)
    bob = world.person("bob@acme.example")
    deal = world.opportunity(ann, bob, name="Tom & Jerry's <2> pumps")
    news, _ = outbox.connector.changes(None, 50)
    (one,) = of_type(news, "opportunity.upserted")
    assert (one["external_id"], one["name"]) == (deal, "Tom & Jerry's <2> pumps")
    assert (one["amount"], one["close_date"], one["is_closed"]) == ("12000.5", "2030-12-31", False)
    parts = of_type(news, "contact_role.added")
    assert {"opportunity": deal, "contact": key} in parts
    assert {"opportunity": deal, "email": "bob@acme.example"} in parts


def test_all_that_changed_is_told_page_by_page_though_it_was_within_a_minute(world):
    deals = {world.opportunity(name=f"deal {number}") for number in range(7)}
    connector, cursor, seen = world.connector(), None, set()
    for _ in range(12):
        news, cursor = connector.changes(cursor, 2)
        assert len(of_type(news, "opportunity.upserted")) <= 2
        seen |= {one["external_id"] for one in of_type(news, "opportunity.upserted")}
    assert seen == deals


def test_what_is_missing_is_for_an_administrator_to_make(world):
    vocabulary = Vocabulary({"interest": "Interest", "flying": "Flying"}, {"nosuch": "None"})
    planned = [one for one in world.connector().provision(vocabulary) if not one.fine]
    assert len(planned) == 2
    made = world.connector().provision(vocabulary, dry_run=False)
    assert {one.subject: one.fine for one in made} == {one.subject: False for one in planned}
    assert all("administrator" in one.says for one in made)


def test_a_list_in_a_field_of_several_choices_is_written_once(world, outbox, key):
    changes = [outbox.knows(key, ANN, lawful_basis=["consent", "contract"]) for _ in range(2)]
    found = [outbox.deliver(one)[0].outcome for one in changes]
    assert found == [Outcome.DONE, Outcome.NOOP]
