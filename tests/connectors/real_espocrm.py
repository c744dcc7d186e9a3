"""What EspoCRM alone has, tried on a real one: by hand, and only where a variable names it."""

import uuid
from datetime import UTC, datetime

import pytest

from regportal.connectors.base import Vocabulary
from regportal.connectors.orders import Whose
from regportal.connectors.rules import Outcome
from tests.connectors.changes import Outbox, of_type
from tests.connectors.worlds.espocrm import VOCABULARY, connected
from tests.connectors.worlds.real import real_worlds

WORLD = real_worlds()["espocrm"]
ANN = "ann@acme.example"
LINK = {
    "entity": "Opportunity",
    "link": "contacts",
    "entityForeign": "Contact",
    "linkForeign": "opportunities",
    "linkType": "manyToMany",
    "label": "Contacts",
    "labelForeign": "Opportunities",
    "audited": True,
    "auditedForeign": False,
    "linkMultipleField": True,
    "linkMultipleFieldForeign": False,
}
"""The link of contacts with opportunities, with a tick at "Audited"."""


@pytest.fixture
def world():
    return WORLD()


@pytest.fixture
def outbox(world):
    return Outbox(world.connector(newsletters={"prices": "Price news"}))


def test_a_company_is_one_account_however_many_work_there(world, outbox):
    for name in ("ann", "bob"):
        address = f"{name}@acme.example"
        outbox.deliver(outbox.knows(str(uuid.uuid4()), address, company="Acme Ltd"))
        (there,) = world.people(address)
        assert world.field(there, "accountName") == "Acme Ltd"
    assert len(world.all("Account")) == 1
    (ann,) = world.people(ANN)
    again = outbox.knows(str(uuid.uuid4()), ANN, "contact.updated", company="Acme Ltd")
    assert outbox.deliver(again)[0].outcome is Outcome.NOOP
    assert world.field(ann, "accountName") == "Acme Ltd"


def test_a_field_that_nobody_made_is_told(world, outbox, key):
    (result,) = outbox.deliver(outbox.knows(key, ANN, cNoField="x"))
    assert result.outcome in {Outcome.DONE, Outcome.NOOP}
    assert "cNoField" in result.says
    assert len(world.people(ANN)) == 1


def test_notes_stand_beside_opportunities_too_and_go_with_whoever_is_forgotten(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    (there,) = world.people(ANN)
    deal, gone = world.opportunity(there), world.opportunity(there, name="gone")
    world.admin.delete("Opportunity", gone)
    change = outbox.did(key, ANN, deal, gone)
    assert outbox.deliver(change)[0].outcome is Outcome.DONE
    outbox.deliver(outbox.again(change))
    assert len(world.admin.all(f"Opportunity/{deal}/posts")) == 1
    outbox.deliver(outbox.forgets(key))
    assert world.admin.all(f"Opportunity/{deal}/posts") == []


def test_a_claim_is_a_lead_until_it_is_over(world):
    desk = world.connector()._desk
    claim = str(uuid.uuid4())
    who = Whose(claim, "carl@acme.example")
    (made,) = desk.lead([(who, {"company": "Acme"})])
    (again,) = desk.lead([(who, {})])
    assert (made.created, again.id, again.created) == (True, made.id, False)
    (other,) = desk.lead([(Whose(str(uuid.uuid4()), "carl@acme.example"), {})])
    assert (other.id, other.outcome) == (None, Outcome.NOOP)
    (done,) = desk.unlead([made.id])
    assert done.id == made.id
    assert world.all("Lead") == []
    (worked_on,) = desk.lead([(who, {})])
    world.admin.put("Lead", worked_on.id, {"status": "Assigned"})
    (left,) = desk.unlead([worked_on.id])
    assert left.outcome is Outcome.NOOP
    assert world.all("Lead") == [worked_on.id]
    assert desk.unlead([made.id])[0].outcome is Outcome.NOOP


def test_parts_that_begin_and_end_are_told_where_the_link_is_audited(world, outbox, key):
    world.admin.do("EntityManager/action/updateLink", LINK)
    outbox.deliver(outbox.knows(key, ANN))
    (ann,) = world.people(ANN)
    bob = world.person("bob@acme.example")
    deal = world.opportunity(ann)
    news, cursor = world.connector().changes(None, 50)
    assert of_type(news, "contact_role.added") == [{"opportunity": deal, "contact": key}]
    world.admin.do(f"Opportunity/{deal}/contacts", {"id": bob})
    world.admin.do(f"Opportunity/{deal}/contacts", {"id": ann}, method="DELETE")
    news, after = world.connector().changes(cursor, 50)
    assert {"opportunity": deal, "email": "bob@acme.example"} in of_type(news, "contact_role.added")
    assert of_type(news, "contact_role.removed") == [{"opportunity": deal, "contact": key}]
    again, _ = world.connector().changes(after, 50)
    assert {one.id for one in again} >= {one.id for one in news}


def test_an_opt_out_is_told_and_one_after_another_permission_once_more(world, outbox, key):
    outbox.deliver(outbox.knows(key, ANN))
    outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed", at=datetime.now(UTC)))
    connector, ids = outbox.connector, []
    (ann,) = world.people(ANN)
    assert of_type(connector.changes(None, 50)[0], "consent.withdrawn") == []
    for state in ("withdrawn", "confirmed", "withdrawn"):
        outbox.deliver(outbox.allows(key, ANN, "prices", state, at=datetime.now(UTC)))
        news, _ = connector.changes(None, 50)
        outs = [one for one in news if one.body["type"] == "consent.withdrawn"]
        ids += [one.id for one in outs]
        assert [one.body["data"] for one in outs] == (
            [{"email": ANN, "newsletter": "prices"}] if state == "withdrawn" else []
        )
    assert len(set(ids)) == 2
    world.admin.put("Contact", ann, {"emailAddressIsOptedOut": True})
    outs = of_type(connector.changes(None, 50)[0], "consent.withdrawn")
    assert {"email": ANN, "newsletter": None} in outs


def test_all_that_changed_is_told_page_by_page(world):
    deals = {world.opportunity(world.person(ANN), name=f"deal {number}") for number in range(7)}
    connector, before, seen = world.connector(), None, set()
    news, cursor = connector.changes(None, 2)
    while cursor != before:
        assert len(of_type(news, "opportunity.upserted")) <= 2
        seen |= {one["external_id"] for one in of_type(news, "opportunity.upserted")}
        before, (news, cursor) = cursor, connector.changes(cursor, 2)
    assert seen == deals


def test_fields_are_planned_and_made_by_an_administrator_only(world):
    vocabulary = Vocabulary({**VOCABULARY.phases, "flying": "Flying"}, VOCABULARY.scores)
    word = f"trial_{uuid.uuid4().hex[:8]}"
    connector = world.connector(phase_field=word)
    planned = [one for one in connector.provision(vocabulary) if not one.fine]
    assert len(planned) == 3
    without = connected(world.url, "0", world.word, phase_field=word)
    with pytest.raises(Exception, match="does not know our key"):
        without.provision(vocabulary, dry_run=False)
    made = connector.provision(vocabulary, dry_run=False)
    assert [one.fine for one in made] == [True] * 3
    more = Vocabulary({**vocabulary.phases, "landing": "Landing"}, vocabulary.scores)
    assert len([one for one in connector.provision(more) if not one.fine]) == 1
    connector.provision(more, dry_run=False)
    assert all(one.fine for one in connector.check(more))
    spelled = connector._desk.spell(word)
    for name in (spelled, f"{spelled}Since", f"{spelled}Reason"):
        world.admin.delete("Admin/fieldManager/Opportunity", name)
    world.admin.do("Admin/rebuild", {})
