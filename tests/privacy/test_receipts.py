"""Receipts and proofs: what somebody allowed, for the person, for programs, and on paper."""

import io
import json
from datetime import UTC, datetime
from typing import get_args

import pytest
from pypdf import PdfReader

from regportal.consent.schema import Basis
from regportal.identity.actions import find_contact
from regportal.privacy.receipts import ARTICLES, BASES, proof_pdf, receipt
from tests.cli.conftest import regportal  # noqa: F401 - a fixture
from tests.portal import SITE
from tests.privacy.people import Person

ANN = "ann@acme.example"
WORDS = "Πρίσες, Цены, أسعار, מחירים, ราคา"


def reads(portal):
    browser = portal.browser()
    browser.claim(ANN, "prices", n_prices="yes")
    portal.work()
    browser.prove(portal)
    portal.work()


def told(portal, newsletter=None, kind=receipt):
    with portal.store.read() as session:
        published = portal.shelf.published(session)
        contact = find_contact(session, ANN)
        return kind(session, contact, newsletter, published, now=datetime.now(UTC))


def test_a_receipt_says_what_was_agreed_to_and_how(portal):
    reads(portal)
    (record,) = told(portal)["dpv:hasRecordOfActivity"]
    asked, *_, confirmed = record["rp:events"]

    assert (record["rp:newsletter"], record["rp:may_mail"]) == ("prices", True)
    assert record["dpv:hasConsentStatus"] == "dpv:ConsentGiven"
    assert (asked["rp:state"], asked["rp:wording"]) == ("pending", "Send me price alerts.")
    assert (asked["rp:box_default"], asked["rp:evidence"]["address"]) == ("unticked", ANN)
    assert (confirmed["rp:state"], confirmed["dpv:isIndicatedBy"]) == ("confirmed", "data subject")


def test_a_receipt_names_its_vocabularies_and_uses_no_other(portal):
    reads(portal)
    text = json.dumps(told(portal))
    found = json.loads(text)
    prefixes = {key.partition(":")[0] for key in _keys(found) if ":" in key}

    assert prefixes <= found["@context"].keys()
    assert found["@type"] == "dpv:ConsentReceipt"
    assert found["dct:conformsTo"].startswith("https://w3id.org/dpv/schema/dpv-27560")


def _keys(value):
    if isinstance(value, dict):
        for key, below in value.items():
            if key not in {"@context", "rp:evidence"}:
                yield key
                yield from _keys(below)
    elif isinstance(value, list):
        for one in value:
            yield from _keys(one)


def test_a_receipt_can_be_about_one_newsletter(portal):
    reads(portal)

    assert len(told(portal, "prices")["dpv:hasRecordOfActivity"]) == 1
    assert told(portal, "news")["dpv:hasRecordOfActivity"] == []


def test_on_paper_it_says_the_same_in_every_script(portal):
    portal.publish(SITE.replace("Send me price alerts.", WORDS))
    reads(portal)
    paper = PdfReader(io.BytesIO(told(portal, kind=proof_pdf)))
    text = "".join(page.extract_text() for page in paper.pages)
    (attached,) = paper.attachments["receipt.jsonld"]

    assert ANN in text
    assert "Цены" in text
    assert "Πρίσες" in text
    record = json.loads(attached)["dpv:hasRecordOfActivity"][0]
    assert record["rp:events"][0]["rp:wording"] == WORDS


@pytest.fixture
def command(portal, regportal, monkeypatch, tmp_path):  # noqa: F811 - the fixture
    """The commands of the installation of ``portal``."""
    monkeypatch.chdir(tmp_path)
    url = portal.settings.database_url.get_secret_value()
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", url)
    monkeypatch.setenv("REGPORTAL_INSTANCE", str(portal.settings.instance))
    reads(portal)
    return regportal


def test_an_operator_can_prove_what_somebody_allowed(command, tmp_path):
    shown = command("consent", "proof", ANN, "--json")
    written = command("consent", "proof", ANN, "--pdf", tmp_path / "proof.pdf")

    assert shown.json()["@type"] == "dpv:ConsentReceipt"
    assert written.code == 0
    assert (tmp_path / "proof.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nobody@acme.example", "--json"), 1),
        (("ann\x00@acme.example", "--json"), 1),
        ((ANN,), 2),
        ((ANN, "--json", "--pdf", "x.pdf"), 2),
        ((ANN, "--pdf", "/no/such/folder/x.pdf"), 1),
    ],
)
def test_a_proof_that_cannot_be_given_is_refused_in_one_sentence(command, arguments, code):
    done = command("consent", "proof", *arguments)

    assert done.code == code
    assert "Traceback" not in done.err


def test_the_ledger_says_that_it_is_whole(command):
    done = command("ledger", "verify")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("the ledger is as it was written: ")
    assert command("ledger", "verify", "--json").json()["whole"]


def test_a_head_that_was_kept_elsewhere_can_be_checked_against(command, tmp_path):
    (tmp_path / "heads").write_text(command("ledger", "head", "--json").out)
    good = command("ledger", "verify", "--heads", tmp_path / "heads")
    (tmp_path / "heads").write_text('{"forged": true}\n')
    bad = command("ledger", "verify", "--heads", tmp_path / "heads")

    assert "agrees with 1 signed heads" in good.out
    assert (bad.code, bad.err.count("\n")) == (1, 1)


def test_a_ledger_that_was_changed_makes_the_command_fail(command, portal):
    free = (
        "DROP TRIGGER consent_event_no_update"
        if portal.store.engine.dialect.name == "sqlite"
        else "ALTER TABLE consent_event DISABLE TRIGGER USER"
    )
    with portal.store.engine.begin() as connection:
        connection.exec_driver_sql(free)
        connection.exec_driver_sql("UPDATE consent_event SET locale = 'xx' WHERE number = 2")
    done = command("ledger", "verify", "--json")

    assert done.code == 1
    assert "line 2 was changed" in done.err
    assert [one["number"] for one in done.json()["faults"]] == [2]


def test_keys_are_made_listed_and_revoked(command):
    made = command("key", "add", "mailer", "--scope", "may-mail", "--json").json()
    command("key", "revoke", made["id"])
    (listed,) = command("key", "list", "--json").json()

    assert made["secret"].startswith("rpk_")
    assert "secret" not in listed
    assert listed["revoked_at"] is not None
    assert command("key", "revoke", "0" * 32).code == 1
    assert command("key", "add", "mailer").code == 2


def on_the_basis(portal, basis, **more):
    keys = "".join(f"    {name}: {value}\n" for name, value in {"basis": basis, **more}.items())
    portal.publish(SITE.replace("    frequency: monthly\n", f"    frequency: monthly\n{keys}"))


def test_a_proof_names_basis_and_owner_and_older_lines_keep_theirs(portal):
    reads(portal)
    on_the_basis(portal, "contract", owner="Sales, Leeds")
    ann = Person(portal, ANN)
    own = ann.opens_her_page()
    ann.browser.post("/me/newsletters", {**own.fields, "newsletter": "prices", "choice": "stop"})
    (record,) = told(portal)["dpv:hasRecordOfActivity"]
    bases = [event["dpv:hasLegalBasis"] for event in record["rp:events"]]
    paper = PdfReader(io.BytesIO(told(portal, kind=proof_pdf)))
    text = "".join(page.extract_text() for page in paper.pages)

    assert (bases[0], bases[-1]) == ("dpv:ExpressedConsent", "dpv:Contract")
    assert record["dpv:hasProcess"]["dpv:hasLegalBasis"] == "dpv:Contract"
    assert record["dpv:hasResponsibleEntity"] == "Sales, Leeds"
    assert "contract, GDPR Art. 6(1)(b)" in text
    assert "consent, GDPR Art. 6(1)(a)" in text
    assert "Sales, Leeds" in text


def test_without_an_owner_the_controller_answers(portal):
    reads(portal)
    (record,) = told(portal)["dpv:hasRecordOfActivity"]

    assert record["dpv:hasResponsibleEntity"] == "Acme Products Ltd, 1 High Street, Leeds"


@pytest.mark.parametrize("basis", get_args(Basis))
def test_every_basis_has_its_word_in_the_vocabulary_and_in_law(basis):
    assert ARTICLES[BASES[basis]].startswith(f"{basis.replace('-', ' ')}, GDPR Art. 6(1)(")
