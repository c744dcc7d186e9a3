"""What ships to start from can be published as it is, and does what it says."""

import pytest

from regportal.buying.scores.rules import LEVELS
from regportal.buying.scores.scoring import Scoring
from regportal.buying.scores.templates import TEMPLATES, template_of
from regportal.buying.scores.titles import _phrases, level_of
from regportal.documents.reading import read_text
from regportal.documents.rules import check

SITE = "site: {name: Acme, controller: Acme, privacy_notice: 'https://acme.example/p'}\n"


def scores_of(*names):
    text = (
        SITE + "scores:\n" + "".join(template_of(name).partition("scores:\n")[2] for name in names)
    )
    book = read_text(text.encode())
    book.refuse_faults()
    assert check(book.documents, book.paths, {"GB": "United Kingdom"}) == []
    return [one for (kind, _), one in book.documents.items() if kind == "score"]


def test_all_templates_can_be_published_together():
    assert [score.key for score in scores_of(*TEMPLATES)] == [*TEMPLATES]


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_level_of_a_template_is_far_from_certain_and_can_be_reached(name):
    (score,) = scores_of(name)

    assert score.levels
    assert all(10 < at <= score.reachable() for _, at in score.levels)
    assert Scoring(score).level(score.reachable()) == len(score.levels)


@pytest.mark.parametrize(
    ("title", "level"),
    [
        ("Chief Technology Officer", "c-level"),
        ("C.E.O. & Co-Founder", "c-level"),
        ("Geschäftsführerin", "c-level"),
        ("Directrice générale", "c-level"),
        ("Vice President of Sales", "vp"),
        ("Leiter Einkauf", "director"),
        ("Head, Procurement", "director"),
        ("Product Owner", "specialist"),
        ("HR Business Partner", "specialist"),
        ("Responsable des achats", "manager"),
        ("Assistenz der Geschäftsleitung", "assistant"),
        ("Executive Assistant to the CFO", "assistant"),
        ("Praktikant im Vertrieb", "student"),
        ("Happiness hero", None),
        ("", None),
        ("مدير المبيعات", None),
    ],
)
def test_a_title_says_how_high_somebody_stands_or_nothing(title, level):
    assert level_of(title) == level


def test_every_word_of_the_list_means_one_of_the_levels_by_itself():
    phrases = _phrases()

    assert {one.level for one in phrases.values()} == set(LEVELS)
    assert [one for one in phrases.values() if level_of(" ".join(one.words)) != one.level] == []
