"""`regportal sync …`, as an operator uses it before a CRM is told anything."""

import json

import pytest

from regportal.connectors.base import Finding
from regportal.connectors.desk import Field
from regportal.outbox import budget
from tests.connectors.worlds.made import MadeCrm


class Sparse(MadeCrm):
    """A CRM whose opportunities have no field for the buying phase yet."""

    def __init__(self):
        super().__init__()
        self.made = []

    def fields(self, kind):
        there = super().fields(kind)
        if kind == "contact":
            return there | {"regportal_id": Field("regportal_id", is_writable=False)}
        return {name: one for name, one in there.items() if name in self.made}

    def make(self, fields):
        self.made += [one.name for one in fields]
        return [Finding(f"{one.kind}.{one.name}", fine=True, says="made") for one in fields]


@pytest.fixture
def crm(monkeypatch):
    crm = Sparse()
    monkeypatch.setattr(budget, "connector_for", lambda *_, **__: crm.connector())
    return crm


@pytest.fixture
def sync(regportal, portal, database_url, monkeypatch):
    """Run `sync` on the portal and return exit code, lines and complaint."""
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", database_url)
    monkeypatch.setenv("REGPORTAL_INSTANCE", str(portal.settings.instance))

    def run(*arguments):
        ran = regportal("sync", *arguments)
        return ran.code, ran.out.splitlines(), ran.err

    return run


def test_what_is_missing_is_shown_and_nothing_is_made(sync, crm):
    code, said, complaint = sync("provision", "crm")
    assert (code, crm.made) == (1, [])
    assert "BAD  contact.regportal_id: is there, but we may not write it" in said
    assert "BAD  opportunity.buying_phase: is not there" in said
    assert "--make" in complaint


def test_what_is_missing_as_json(sync, crm):
    code, said, _ = sync("provision", "crm", "--json")
    told = json.loads("\n".join(said))
    missing = {"subject": "opportunity.buying_phase", "fine": False, "says": "is not there"}
    assert (code, told["connector"], missing in told["found"]) == (1, "crm", True)


def test_a_receiver_of_webhooks_has_no_fields_as_json(sync):
    code, said, _ = sync("provision", "crm", "--json")
    assert (code, json.loads("\n".join(said))) == (0, {"connector": "crm", "found": None})


def test_what_is_missing_is_made(sync, crm):
    code, said, _ = sync("provision", "crm", "--make")
    assert code == 0
    assert "ok   opportunity.buying_phase_reason: made" in said
    assert {"regportal_id", "buying_phase", "buying_phase_since"} <= {*crm.made}


def test_a_receiver_of_webhooks_makes_its_own(sync):
    code, said, _ = sync("provision", "crm")
    assert (code, said) == (0, ["crm makes its own fields: there is nothing to do."])


def test_a_connector_nobody_published_is_refused(sync):
    code, _, complaint = sync("provision", "other")
    assert code == 1
    assert "other" in complaint
