"""What the kit spares a CRM, tried on one that is made."""

import pytest

from tests.connectors.changes import Outbox
from tests.connectors.worlds.made import MadeCrm


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
