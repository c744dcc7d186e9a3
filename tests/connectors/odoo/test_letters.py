"""What Odoo's mailing lists say of somebody, asked of one that is made."""

from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from regportal.connectors.desk import Allowing
from regportal.connectors.judging import EVERY
from regportal.connectors.odoo.letters import Letters
from regportal.connectors.rules import Outcome

ANN = "ann@acme.example"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
WANTED = MappingProxyType({"key": "1", "contact": "7", "email": ANN, "list": "news", "at": NOON})


class Odoo:
    """One reader on two lists of one name."""

    def __init__(self):
        self.black, self.places = True, {21: False, 22: False}

    def call(self, model, method, ids=(), **told):
        if method == "write":
            for id in ids:
                self.places[id] = told["vals"]["opt_out"]
            return True
        return {
            "mailing.list": [{"id": 1, "name": "news"}, {"id": 2, "name": "news"}],
            "mailing.contact": [{"id": 5, "email_normalized": ANN}],
            "mailing.subscription": [
                {
                    "id": id,
                    "contact_id": [5, "Ann"],
                    "list_id": [id - 20, "news"],
                    "opt_out": is_out,
                    "opt_out_datetime": "2026-03-04 12:00:00" if is_out else False,
                }
                for id, is_out in self.places.items()
            ],
            "mail.blacklist": [{"id": 3, "email": ANN}] if self.black else [],
        }[model]


@pytest.fixture
def odoo():
    return Odoo()


@pytest.fixture
def letters(odoo):
    return Letters(odoo)


def test_the_blacklist_is_a_no_to_everything_beside_what_the_lists_say(letters):
    there = letters.lists_of({"7": ANN})["7"]
    assert (there[EVERY].is_allowed, there["news"].is_allowed) == (False, True)


def test_of_two_lists_of_one_name_each_is_known_and_written_by_itself(odoo, letters):
    odoo.places[21] = True
    before = letters.lists_of({"7": ANN})["7"]["news"]
    lists = letters.lists(["news", "2", "jobs"])
    (no,) = letters.allow([Allowing(**WANTED, is_allowed=False, because="…", list_id="2")])
    after = letters.lists_of({"7": ANN})["7"]["news"]

    assert lists == {"news": ["1", "2"], "2": ["2"], "jobs": []}
    assert no.outcome is Outcome.DONE
    assert odoo.places == {21: True, 22: True}
    assert [before.is_mixed, after.is_mixed] == [True, False]
