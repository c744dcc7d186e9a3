"""Whoever is erased in an Odoo that does not let every note be deleted: one that is made."""

import pytest

from regportal.connectors.desk import Erased, NotTakenError
from regportal.connectors.odoo.answers import refusal
from regportal.connectors.odoo.desk import OdooDesk
from regportal.connectors.rules import Outcome
from regportal.connectors.schema import Connector

PEOPLE = [Erased("6b03", ("7",)), Erased("6b04", ("8",)), Erased("6b05", ("9",))]


class Odoo:
    """Three contacts with a note each; an unlink that is refused has deleted nothing."""

    uid = 5

    def __init__(self):
        self.notes = {id: f"<1.{one.key}@regportal>" for id, one in enumerate(PEOPLE, 21)}
        self.kept, self.emptied, self.error = set(), [], "odoo.exceptions.AccessError"

    def call(self, model, method, ids=(), **told):
        if method == "unlink":
            if self.kept & {*ids}:
                raise refusal(self.error, "Ann", "mail.message/unlink")
            self.notes = {id: one for id, one in self.notes.items() if id not in ids}
            return True
        if method == "write":
            self.emptied += ids
            return True
        if method != "search_read":
            return {}
        *_, (_, _, sought) = told["domain"]
        if model == "res.partner":
            return [{"id": id} for id in sought]
        ends = sought.removeprefix("%")
        fit = [(id, one) for id, one in self.notes.items() if one.endswith(ends)]
        return [{"id": id, "message_id": one} for id, one in fit]


@pytest.fixture
def odoo():
    return Odoo()


@pytest.fixture
def desk(odoo):
    told = {"key": "crm", "type": "odoo", "url": "https://odoo.example", "secret": "env:X"}
    return OdooDesk(Connector(**told, database="acme"), odoo)


def test_a_note_that_stays_keeps_nobody_else_from_being_forgotten(odoo, desk):
    odoo.kept = {22}
    first, kept, last = desk.forget(PEOPLE)

    assert [one.outcome for one in (first, kept, last)] == [
        *(Outcome.DONE, Outcome.REJECTED, Outcome.DONE)
    ]
    assert "AccessError" in kept.says
    assert ({*odoo.notes}, odoo.emptied) == ({22}, [7, 8, 9])
    odoo.kept.clear()
    assert desk.forget(PEOPLE[1:2])[0].outcome is Outcome.DONE
    assert odoo.notes == {}


def test_where_our_key_is_refused_nobody_is_forgotten(odoo, desk):
    odoo.kept, odoo.error = {22}, "odoo.exceptions.AccessDenied"
    with pytest.raises(NotTakenError) as caught:
        desk.forget(PEOPLE)

    assert caught.value.outcome is Outcome.AUTH
