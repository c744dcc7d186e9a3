"""What an operator does for a person who asks: a copy of everything, and to be forgotten."""

import csv
import io
import json

import pytest

from tests.portal import SECRET, Portal
from tests.privacy.people import Person


@pytest.fixture
def ann(installed, database_url, tmp_path, monkeypatch):
    """Somebody who has been here a while, in the installation of the command."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    portal = Portal(database_url, tmp_path, limits="off")
    portal.publish()
    yield Person(portal, "ann@example.com").arrives()
    portal.close()


def test_export_prints_everything_of_a_person(regportal, ann):
    told = json.loads(regportal("contact", "export", ann.email).out)
    rows = list(csv.DictReader(io.StringIO(regportal("contact", "export", ann.email, "--csv").out)))

    assert told["addresses"] == [ann.email]
    assert told["data"]["answer"][0]["value"] == "DE"
    assert ann.email in {row["value"] for row in rows}


def test_forget_erases_and_prints_the_proof(regportal, ann):
    ran = regportal("contact", "forget", ann.email, "--yes", "--json")
    report = ran.json()

    assert ran.code == 0
    assert report["rows"]["contact"] == 1
    assert report["told"] == {"crm": 2}
    assert len(report["sha256"]) == 64
    assert ann.email not in ran.out
    assert regportal("show", "contact", ann.email).code == 1


def test_forget_says_in_words_what_was_done(regportal, ann):
    ran = regportal("contact", "forget", ann.email, "--yes")

    assert "Newsletters ended: news." in ran.out
    assert "To be told: crm." in ran.out


@pytest.mark.parametrize("command", [("export",), ("forget", "--yes")])
def test_somebody_unknown_is_refused_with_one_sentence(regportal, ann, command):
    name, *options = command
    for email in ("nobody@example.com", "not an address", "a\x00b@example.com"):
        ran = regportal("contact", name, email, *options)

        assert (ran.code, ran.out) == (1, ""), email
        assert ran.err.startswith("nobody is known by the address ")


def test_doctor_says_when_the_clean_up_last_ran(regportal, ann):
    checks = {one["check"]: one for one in regportal("doctor", "--json").json()}

    assert checks["retention"]["fine"]
    assert "every night" in checks["retention"]["says"]


@pytest.mark.parametrize("command", [("export",), ("forget", "--yes")])
def test_what_only_a_crm_takes_for_the_persons_is_left_out_and_named(regportal, ann, command):
    colleague = "bob@example.com"
    ann.portal.hook("contact.merged", {"email": colleague, "into": ann.email})
    ann.portal.work()
    name, *options = command
    ran = regportal("contact", name, ann.email, *options)

    assert ran.code == 0
    assert colleague not in ran.out
    assert ran.err == (
        f"Left out: {colleague}. Only a CRM says that it is this person's, too"
        " (see `regportal contact join`).\n"
    )
    assert regportal("show", "contact", colleague).code == 0
