"""Bringing in subscribers: with evidence, once, and nobody who left."""

import csv
import hashlib
import io

import pytest
import sqlalchemy as sa

from regportal.consent.models import ConsentEvent
from regportal.identity.actions import find_contact
from regportal.identity.models import Contact
from regportal.library.storage import open_storage
from tests.cli.conftest import regportal  # noqa: F401 - a fixture
from tests.portal import SITE

ANN = "ann@acme.example"


@pytest.fixture
def company(portal, monkeypatch, tmp_path):
    """The commands of the installation of ``portal``, and its files."""
    monkeypatch.chdir(tmp_path)
    url = portal.settings.database_url.get_secret_value()
    monkeypatch.setenv("REGPORTAL_DATABASE_URL", url)
    monkeypatch.setenv("REGPORTAL_INSTANCE", str(portal.settings.instance))
    (tmp_path / "proof.pdf").write_bytes(b"%PDF signed forms of the fair")
    return portal


@pytest.fixture
def run(company, regportal):  # noqa: F811 - the fixture
    """Import a file; return what the command said."""

    def imports(text, *more, newsletter="prices"):
        (company.folder / "list.csv").write_text(text, encoding="utf-8")
        options = ("--newsletter", newsletter, "--evidence", "proof.pdf", *more)
        return regportal("import", "subscribers", "list.csv", *options)

    imports.command = regportal
    return imports


def ledger(portal):
    with portal.store.read() as session:
        return session.scalars(sa.select(ConsentEvent).order_by(ConsentEvent.number)).all()


def test_a_list_with_evidence_is_brought_in(company, run):
    done = run(
        "email,since,wording\nann@acme.example,2024-05-01,Yes to prices\nbob@acme.example,,\n"
    )
    first, second = ledger(company)
    digest = hashlib.sha256(b"%PDF signed forms of the fair").hexdigest()

    assert (done.code, done.out) == (0, "2 imported, 0 there before\n")
    assert (first.state, first.method, first.entity) == (
        "imported",
        "import",
        "administrator operator",
    )
    assert first.evidence_file == second.evidence_file == digest
    assert open_storage(company.settings.storage_url).has(digest)
    with company.store.read() as session:
        assert find_contact(session, ANN).assurance == "imported"


def test_the_crm_is_told_what_was_brought_in(company, run):
    run("email\nann@acme.example\n")
    company.work()
    (told,) = company.news("consent.changed")

    assert (told["state"], told["contact"]["assurance"]) == ("imported", "imported")


def test_the_same_file_again_changes_nothing(company, run):
    run("email\nann@acme.example\n")
    lines = len(ledger(company))
    again = run("email\nann@acme.example\nANN@acme.example\n")

    assert again.out == "0 imported, 2 there before\n"
    assert len(ledger(company)) == lines


def test_every_row_that_is_refused_is_named_with_its_reason(company, run):
    done = run(
        "email;since;locale\n"
        "no address;;\n"
        "ann@acme.example;2099-01-01;\n"
        "bob@acme.example;yesterday;\n"
        "\n"
        "cyd@acme.example;;<script>\n"
        "dan@acme.example;;de\n",
        "--json",
    )

    assert done.json() == {
        "imported": 1,
        "there_before": 0,
        "refused": [
            {"row": 2, "reason": "not an e-mail address"},
            {"row": 3, "reason": "since is no day of the past, as 2026-03-04"},
            {"row": 4, "reason": "since is no day of the past, as 2026-03-04"},
            {"row": 6, "reason": "locale is no language, as de or de-AT"},
        ],
        "evidence": done.json()["evidence"],
    }
    assert (done.code, done.err.splitlines()[-1]) == (1, "4 rows were refused")
    with company.store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Contact)) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the first line must name the columns, and one of them email"),
        ("name\nAnn\n", "the first line must name the columns, and one of them email"),
        ("email,email\na@b.example,x\n", "the columns may be"),
        ("email,opted_in\na@b.example,true\n", "the columns may be"),
        ('email\n"a@b.example\n', "this is not a CSV file"),
    ],
)
def test_a_file_that_is_none_is_refused_whole(company, run, text, says):
    done = run(text)

    assert done.code == 1
    assert done.err.startswith(says)
    assert ledger(company) == []


def test_a_file_that_is_not_utf8_is_refused(company, run):
    (company.folder / "latin.csv").write_bytes(b"email,source\nann@acme.example,M\xfcller\n")
    options = ("--newsletter", "prices", "--evidence", "proof.pdf")
    done = run.command("import", "subscribers", "latin.csv", *options)

    assert (done.code, done.err) == (1, "the file is not UTF-8; save it as CSV UTF-8\n")


def test_a_newsletter_that_is_not_there_is_refused(company, run):
    assert run("email\na@b.example\n", newsletter="never").code == 1


def test_without_evidence_nothing_is_brought_in(company, run):
    (company.folder / "list.csv").write_text("email\na@b.example\n")
    done = run.command("import", "subscribers", "list.csv", "--newsletter", "prices")

    assert done.code == 2


def test_who_was_imported_and_proves_the_address_is_verified(company, run):
    run("email\nann@acme.example\n")
    browser = company.browser()
    browser.claim(ANN, "prices", n_prices="yes")
    company.work()
    browser.prove(company)
    company.work()
    with company.store.read() as session:
        contact = find_contact(session, ANN)

    assert contact.assurance == "verified"
    assert ledger(company)[-1].state == "confirmed"


# --- lists with proof ---


def test_who_may_be_written_to_is_listed_with_what_proves_it(company, run):
    run("email,wording\nann@acme.example,Yes to prices\n")
    done = run.command("list", "subscribers", "prices", "--csv")
    (row,) = csv.DictReader(io.StringIO(done.out))

    assert (row["email"], row["state"], row["wording"]) == (ANN, "imported", "Yes to prices")
    assert row["evidence_id"] == str(ledger(company)[-1].id)
    assert row["unsubscribe"].startswith("http://localhost:8000/u/")


def test_no_cell_of_the_list_is_computed(company, run):
    run('email,wording\n=cmd|calc@example.com,"=HYPERLINK(1)"\n+1@example.com,@SUM(A1)\n')
    done = run.command("list", "subscribers", "prices", "--csv")
    rows = [*csv.DictReader(io.StringIO(done.out))]

    assert [row["email"][0] for row in rows] == ["'", "'"]
    assert [row["wording"][0] for row in rows] == ["'", "'"]


def test_who_stopped_is_not_on_the_list(company, run):
    run("email\nann@acme.example\nbob@acme.example\n")
    company.hook("consent.withdrawn", {"email": ANN})
    company.work()
    done = run.command("list", "subscribers", "prices", "--json")

    assert [row["email"] for row in done.json()] == ["bob@acme.example"]


@pytest.mark.parametrize(
    "arguments",
    [("subscribers",), ("contacts", "prices"), ("subscribers", "prices", "--csv", "--json")],
)
def test_a_list_asked_for_the_wrong_way_is_wrong_usage(run, arguments):
    assert run.command("list", *arguments).code == 2


def test_a_list_of_no_newsletter_is_refused(run):
    assert run.command("list", "subscribers", "never").code == 1


def test_a_newsletter_that_was_archived_can_still_be_listed(company, run):
    run("email\nann@acme.example\n")
    company.publish(SITE)
    with company.store.engine.begin() as connection:
        connection.execute(
            sa.text("DELETE FROM current_document WHERE kind = 'newsletter' AND key = 'prices'")
        )

    assert len(run.command("list", "subscribers", "prices", "--json").json()) == 1
