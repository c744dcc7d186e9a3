"""What the kit spares a CRM, tried on one that is made."""

import uuid
from dataclasses import replace

import pytest

from regportal.connectors.base import Vocabulary
from regportal.connectors.calls import pages
from regportal.connectors.desk import NotTakenError, Written
from regportal.connectors.judging import EVERY, Subscription
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector
from regportal.connectors.wanted import planned
from tests.connectors.changes import Outbox
from tests.connectors.worlds.made import MadeCrm

ANN = "ann@acme.example"
DONE, NOOP, RETRY = Outcome.DONE, Outcome.NOOP, Outcome.RETRY


@pytest.fixture
def crm():
    return MadeCrm()


@pytest.fixture
def outbox(crm):
    return Outbox(crm.connector())


def test_a_crm_is_asked_for_its_options_only_where_a_phase_is_to_be_written(crm, outbox):
    deal = crm.opportunity()
    outbox.deliver(outbox.moves(deal, "interest"))
    asked = crm.asked_for_fields
    outbox.deliver(outbox.moves(deal, "interest"))
    outbox.deliver(outbox.moves("999", "interest"))
    crm.win(deal)
    outbox.deliver(outbox.moves(deal, "comparison"))

    assert (asked, crm.asked_for_fields) == (1, 1)


def test_a_crm_is_asked_for_its_fields_only_where_it_refuses(crm, outbox):
    outbox.deliver(outbox.knows("1", "ann@acme.example", country="DE"))
    outbox.deliver(outbox.scores("1", "ann@acme.example", "fit", 72))

    assert crm.asked_for_fields == 0


def test_a_no_to_all_lists_is_a_no_to_each_and_harms_no_withdrawal(crm, outbox):
    key = str(uuid.uuid4())
    outbox.deliver(outbox.allows(key, ANN, "prices", "confirmed"))
    (ann,) = crm.people(ANN)
    crm.readers[ann][EVERY] = Subscription(is_allowed=False)
    yes = outbox.deliver(outbox.allows(key, ANN, "news", "confirmed"))
    no = outbox.deliver(outbox.allows(key, ANN, "prices", "withdrawn"))

    assert [one.outcome for one in (*yes, *no)] == [Outcome.CONFLICT, Outcome.DONE]
    assert crm.wants(ann, ANN, "prices") is False


def test_records_that_a_crm_takes_a_new_one_for_are_told_to_a_person(crm, outbox):
    crm.create = lambda people: [Written(None, Outcome.AMBIGUOUS, "…", candidates=("7", "8"))]
    (result,) = outbox.deliver(outbox.knows(str(uuid.uuid4()), ANN))

    assert (result.outcome, result.candidates) == (Outcome.AMBIGUOUS, ("7", "8"))


@pytest.mark.parametrize("value", [0, 0.0, False])
def test_nought_and_no_are_values(crm, outbox, value):
    key = str(uuid.uuid4())
    there = crm.person(ANN, country="x")
    (result,) = outbox.deliver(outbox.knows(key, ANN, country=value))
    assert (result.outcome, crm.field(there, "country")) == (Outcome.DONE, value)


def test_a_list_that_is_read_page_by_page_has_an_end():
    with pytest.raises(NotTakenError, match="without end") as raised:
        for _ in pages():
            pass
    assert raised.value.outcome is Outcome.RETRY


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ({}, {"contact", "lead", "activity"}),
        ({"claimed": "off"}, {"contact", "activity"}),
        ({"sends": ("contact",)}, {"contact", "lead"}),
    ],
)
def test_our_key_is_looked_for_wherever_records_are_told_apart_by_it(crm, words, kinds):
    crm.capabilities = replace(crm.capabilities, keyed=("contact", "lead", "activity"))
    document = {"key": "crm", "type": "made", "url": "http://127.0.0.1:1", "secret": "env:X"}
    plan = planned(Connector(**document | words), crm, Vocabulary())

    assert {one.kind for one in plan if one.type == "key"} == kinds


def test_the_lead_of_a_claim_is_taken_back_though_its_answer_was_lost(crm):
    outbox = Outbox(crm.connector(claimed="lead"))
    claim = str(uuid.uuid4())
    told = {"id": claim, "email": ANN}
    crm.lose_answers()
    (made,) = outbox.deliver(outbox.claims("contact.claimed", told))
    (ended,) = outbox.deliver(outbox.claims("contact.claim_ended", told, ended="expired"))
    (again,) = outbox.deliver(outbox.claims("contact.claim_ended", told, ended="expired"))

    assert [made.outcome, ended.outcome, again.outcome] == [RETRY, DONE, NOOP]
    assert crm.leads == {}


def test_whoever_is_erased_while_he_only_claims_an_address_leaves_no_lead(crm):
    outbox = Outbox(crm.connector(claimed="lead"))
    claim = str(uuid.uuid4())
    outbox.deliver(outbox.claims("contact.claimed", {"id": claim, "email": ANN}))
    erased = outbox.forgets(claim)._replace(subject=f"claim:{claim}")

    assert [one.outcome for one in outbox.deliver(erased)] == [DONE]
    assert (crm.leads, outbox.links) == ({}, {})
