"""Odd addresses are accepted, and whoever reads a list of ours sees what they are."""

import csv
import io
from datetime import UTC, datetime

import pytest

from tests.portal import SECRET, Portal

TRAP = "ann@xn--pypal-4ve.com"
READS = "ann@p\N{CYRILLIC SMALL LETTER A}ypal.com"
ANN = "ann@paypal.com"


@pytest.fixture
def portal(installed, database_url, tmp_path, monkeypatch):
    monkeypatch.setenv("CRM_SECRET", SECRET)
    portal = Portal(database_url, tmp_path, limits="off")
    portal.publish()
    yield portal
    portal.close()


def arrives(portal, email, *, proves=True):
    browser = portal.browser()
    page = browser.claim(email, n_news="yes")
    portal.work()
    if proves:
        browser.prove(portal)
        portal.work()
    return page


@pytest.mark.parametrize("what", [("claims",), ("contacts",), ("subscribers", "news")])
def test_every_list_shows_a_lookalike_as_what_it_is(installed, portal, what):
    arrives(portal, READS)
    arrives(portal, ANN)
    rows = {row["email"]: row for row in installed("list", *what, "--json").json()}
    table = installed("list", *what, "--csv").out

    assert rows.keys() == {TRAP, ANN}
    assert (rows[TRAP]["flags"], rows[TRAP]["reads"]) == (["idn", "lookalike"], READS)
    assert (rows[ANN]["flags"], rows[ANN]["reads"]) == ([], None)
    flags = {row["email"]: row["flags"] for row in csv.DictReader(io.StringIO(table, newline=""))}
    assert flags == {TRAP: '["idn", "lookalike"]', ANN: ""}


def test_one_contact_is_shown_so_by_either_of_its_names(installed, portal):
    arrives(portal, READS)
    by_letters = installed("show", "contact", READS, "--json").json()

    said = installed("show", "contact", TRAP).out

    assert by_letters == installed("show", "contact", TRAP, "--json").json()
    assert by_letters["email"] == TRAP
    assert f"email: {TRAP}\n" in said
    assert "idn" in said
    assert "lookalike" in said


def test_what_they_did_is_listed_under_the_same_name(installed, portal):
    arrives(portal, READS)
    (done,) = installed("list", "interactions", "--json").json()

    assert done["contact"] == TRAP


def test_a_throw_away_address_is_flagged_and_let_in(installed, portal):
    page = arrives(portal, "bob@mailinator.com", proves=False)
    (claim,) = installed("list", "claims", "--json").json()

    assert page.status == 303
    assert claim["flags"] == ["disposable"]


def test_addresses_that_differ_by_dots_or_a_tag_point_at_each_other(installed, portal):
    arrives(portal, "a.nn+news@example.com")
    arrives(portal, "ann@example.com", proves=False)
    arrives(portal, "anne@example.com", proves=False)
    claims = {row["email"]: row["related"] for row in installed("list", "claims", "--json").json()}
    (contact,) = installed("list", "contacts", "--json").json()

    assert claims == {
        "a.nn+news@example.com": ["ann@example.com"],
        "ann@example.com": ["a.nn+news@example.com"],
        "anne@example.com": [],
    }
    assert contact["related"] == ["ann@example.com"]
    assert "a.nn+news@example.com" in installed("show", "contact", "ann@example.com").out


def test_an_address_that_is_nothing_but_a_tag_is_related_to_nobody(installed, portal):
    arrives(portal, "+a@example.com", proves=False)
    arrives(portal, "+b@example.com", proves=False)

    assert [row["related"] for row in installed("list", "claims", "--json").json()] == [[], []]
    assert "+b@example.com" not in installed("show", "contact", "+a@example.com").out


def test_the_visitor_learns_nothing_of_it(portal):
    arrives(portal, "ann+news@example.com")
    page = portal.browser().claim("a.n.n@example.com")

    assert "ann+news" not in page.text


def test_suggestions_are_listed_and_name_the_address_as_what_it_is(installed, portal):
    now = datetime.now(UTC)
    assert installed("list", "suggestions", "--json").json() == []
    portal.hook("opportunity.upserted", {"external_id": "D-1", "name": "=Widgets"}, at=now)
    portal.hook("contact_role.added", {"opportunity": "D-1", "email": READS}, at=now)
    portal.work()
    arrives(portal, READS, proves=False)
    (one,) = installed("list", "suggestions", "--json").json()
    rows = installed("list", "suggestions", "--csv").out
    (row,) = csv.DictReader(io.StringIO(rows, newline=""))

    assert (one["email"], one["from"], one["to"]) == (TRAP, "unaware", "interest")
    assert row["name"] == "'=Widgets"
    assert row["reason"] == one["reason"]
    assert f"  Interest once {TRAP} confirms: somebody as {TRAP} downloaded A guide to widgets" in (
        installed("list", "suggestions").out
    )


def test_a_reason_names_a_lookalike_as_what_it_is(installed, portal):
    now = datetime.now(UTC)
    portal.hook("opportunity.upserted", {"external_id": "D-1", "name": "Widgets"}, at=now)
    portal.hook("contact_role.added", {"opportunity": "D-1", "email": READS}, at=now)
    portal.work()
    browser = portal.browser()
    browser.claim(READS, "prices")
    portal.work()
    browser.prove(portal)
    portal.work()
    *_, move = installed("list", "moves", "--json").json()

    assert f"{TRAP} downloaded" in move["reason"]
    shown = installed("show", "opportunity", "crm:D-1", "--json").json()
    assert [one["email"] for one in shown["contacts"]] == [TRAP]
