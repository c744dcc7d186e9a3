"""A field that went away is told to operators before a message is refused for it."""

import itertools
import logging
from datetime import UTC, datetime

import pytest

from regportal.connectors.base import Vocabulary
from regportal.outbox.budget import Budget
from regportal.sync.drifting import EVERY, amiss_at, look_over
from tests.connectors.worlds.made import MadeCrm

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
WORDS = Vocabulary({"interest": "Interest", "comparison": "Comparison"})
FIELD = "opportunity.buying_phase"


@pytest.fixture
def look(store, caplog):
    crm, hours = MadeCrm(), itertools.count()

    def look(now=None):
        caplog.clear()
        now = now or NOON + next(hours) * EVERY
        with caplog.at_level(logging.INFO):
            assert look_over(store, crm.connector(), WORDS, Budget("crm"), now=now) == now + EVERY
        with store.read() as session:
            return dict(amiss_at(session, "crm")), [one.levelname for one in caplog.records]

    look.crm = crm
    return look


def test_a_crm_that_has_everything_is_quiet(look):
    assert look() == ({}, [])


def test_an_option_that_went_away_is_said_once_and_its_return_too(look):
    there, look.crm.options = look.crm.options, ("interest",)
    assert look() == ({FIELD: "lacks the options comparison"}, ["WARNING"])
    assert look() == ({FIELD: "lacks the options comparison"}, [])
    look.crm.options = there
    assert look() == ({}, ["INFO"])


def test_while_it_cannot_be_asked_what_was_known_stays(look):
    look.crm.options = ("interest",)
    look()
    look.crm.trouble("down")
    assert look() == ({FIELD: "lacks the options comparison"}, ["INFO"])


def test_what_it_costs_is_kept_also_where_it_cannot_be_asked(store):
    crm, budget = MadeCrm(), Budget("crm", 100)
    crm.trouble("down")
    budget.meter.count()
    look_over(store, crm.connector(), WORDS, budget, now=NOON)
    with store.read() as session:
        assert Budget("crm", 100).stands(session, now=NOON).calls.used == 1


def test_of_several_workers_one_looks_an_hour(look):
    look()
    look.crm.options = ("interest",)
    assert look(NOON + EVERY / 2) == ({}, [])
    assert look(NOON + EVERY)[1] == ["WARNING"]


def test_a_clock_that_was_wrong_stops_nothing(look):
    look(NOON + 9_999 * EVERY)
    look.crm.options = ("interest",)
    assert look(NOON)[1] == ["WARNING"]
