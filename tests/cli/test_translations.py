"""What a site in several languages lacks, as a marketer is told."""

import pytest

GATES = """
gates:
  - key: paper
    asset: paper
    headline: {en: The paper, de: Das Papier}
    text: Ten pages.
    questions: [size]
    newsletters: [news]
"""
BOOK = """
site:
  name: Acme
  controller: Acme Ltd
  privacy_notice: https://www.acme.example/privacy
newsletters:
  - key: news
    title: {en: News, de: Neues}
    topics: [a]
    wording: Send me the news.
    frequency: monthly
questions:
  - key: size
    label: {en: How big, de: Wie groß}
    type: choice
    choices: {s: {en: Small, de: Klein}, l: Large}
assets:
  - key: paper
    title: {en: The paper, de: Das Papier}
    category: paper
    topics: [a]
    url: https://www.acme.example/paper
"""
COMPLETE = """
site: {name: Acme, controller: Acme Ltd, privacy_notice: "https://www.acme.example/privacy"}
"""


@pytest.fixture
def book(tmp_path):
    """A site in English and German, with three texts in English only."""
    file = tmp_path / "regportal.yaml"
    file.write_text(BOOK + GATES)
    return file


def test_texts_that_lack_a_language_are_named(installed, book):
    installed("apply", book)
    ran = installed("translations")

    assert ran.code == 0
    assert ran.out.splitlines() == [
        "en: no texts missing",
        "de: 3 texts missing",
        "  newsletter news: wording",
        "  question size: choices.l",
        "  gate paper: text",
    ]


def test_programs_are_told_the_same(installed, book):
    installed("apply", book)
    told = installed("translations", "--json").json()

    assert [one["language"] for one in told["languages"]] == ["en", "de"]
    assert told["languages"][0] == {
        "language": "en",
        "spoken": True,
        "own_words_missing": 0,
        "missing": [],
    }
    assert told["languages"][1]["missing"][1] == {
        "kind": "question",
        "key": "size",
        "field": "choices.l",
        "language": "de",
    }


def test_a_language_that_we_do_not_speak_is_said_to_be_so(installed, book):
    book.write_text(book.read_text().replace("Ten pages.", "{en: Ten pages., fr: Dix pages.}"))
    installed("apply", book)
    ran = installed("translations")
    french = next(line for line in ran.out.splitlines() if line.startswith("fr"))

    assert french == "fr: not spoken by us (docs/languages.md: how to add it); 8 texts missing"
    assert "  newsletter news: frequency" in ran.out, "we cannot say it in French for them"


def test_a_site_in_one_language_lacks_nothing(installed, tmp_path):
    file = tmp_path / "regportal.yaml"
    file.write_text(COMPLETE)
    installed("apply", file)

    assert installed("translations").out == "en: no texts missing\n"
    assert "language" not in installed("plan", file).out


def test_the_plan_says_how_many_there_will_be(installed, book):
    lines = installed("plan", book).out.splitlines()

    assert (
        "  ? 3 texts lack a language (de); `regportal translations` names what is published"
        in lines
    )


def test_before_the_first_publication_there_is_nothing_to_name(installed):
    ran = installed("translations")

    assert (ran.code, ran.out) == (1, "")
    assert "site" in ran.err
