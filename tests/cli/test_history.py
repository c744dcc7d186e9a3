"""What was published when, by whom and why; and an older version once more."""

import pytest

from tests.cli.test_documents_commands import acme, change  # noqa: F401 - a fixture

GATE = ("gate", "price-list")


@pytest.fixture
def changed(installed, acme, monkeypatch):  # noqa: F811 - the fixture
    """A site whose gate was worded anew."""
    monkeypatch.setenv("LOGNAME", "ann")
    installed("apply", acme)
    change(acme, "headline: All prices on two pages", "headline: All prices")
    installed("apply", acme, "--note", "Shorter.")
    return installed


def test_what_was_published_is_listed_with_who_and_why(changed):
    lines = changed("history").out.splitlines()

    assert len(lines) == 2
    assert lines[0].startswith("2  ")
    assert "  ann  gate price-list (2)  “Shorter.”" in lines[0]


def test_each_version_of_a_document_says_what_changed(changed):
    ran = changed("history", *GATE)

    assert ran.code == 0
    first, what, last = ran.out.splitlines()
    assert "ann  holds now  “Shorter.”" in first
    assert what == '      headline: "All prices on two pages" becomes "All prices"'
    assert last.startswith("1  ")


def test_programs_are_told_the_same(changed):
    [newest, _] = changed("history", *GATE, "--json").json()

    assert (newest["number"], newest["publication"], newest["by"]) == (2, 2, "ann")
    assert newest["holds"] is True
    assert changed("history", "site", "--json").json()[0]["number"] == 1
    assert [one["number"] for one in changed("history", "--most", "1", "--json").json()] == [2]


def test_an_older_version_holds_once_more(changed):
    ran = changed("rollback", *GATE, "1")

    assert ran.code == 0
    assert 'headline: "All prices" becomes "All prices on two pages"' in ran.out
    assert ran.out.endswith("Published as number 3.\n")
    assert "“back to version 1”" in changed("history").out.splitlines()[0]
    assert "All prices on two pages" in changed("export").out


def test_what_holds_already_is_not_published_again(changed):
    ran = changed("rollback", *GATE, "2")

    assert (ran.code, ran.out.splitlines()[-1]) == (0, "Nothing to publish.")
    assert len(changed("history").out.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("rollback", *GATE, "9"), 1, "there is no version 9 of a gate called 'price-list'"),
        (("rollback", "gate", "x", "1"), 1, "there is no version 1 of a gate called 'x'"),
        (("history", "gate", "x"), 1, "there never was a gate called 'x'"),
        (("history", "gate"), 2, "which gate? give its key as well"),
        (("history", "nothing", "x"), 1, "there never was a nothing called 'x'"),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(changed, arguments, code, says):
    ran = changed(*arguments)

    assert ran.code == code
    assert says in ran.err


def test_an_asset_whose_file_is_lost_does_not_come_back(changed, acme, tmp_path):  # noqa: F811 - the fixture
    change(acme, "title: Price list 2026", "title: Prices")
    changed("apply", acme)
    kept = (acme.parent / "files" / "price-list-2026.csv").read_bytes()
    for file in (tmp_path / "instance").rglob("*"):
        if file.is_file() and file.read_bytes() == kept:
            file.unlink()
    ran = changed("rollback", "asset", "price-list-2026", "1")

    assert ran.code == 1
    assert "asset price-list-2026: file: is not kept any more: upload it again" in ran.err


def test_before_the_first_publication_there_is_none(installed):
    assert installed("history").out == "Nothing is published yet.\n"
    assert installed("history", "--json").json() == []
