"""Every example of docs/buying.md can be published, and shows what it says."""

import re
from pathlib import Path

import pytest

from regportal.buying.default import DEFAULT
from regportal.buying.lint import lints
from regportal.buying.vocabulary import BESIDE_EVENT, COMBINED, KINDS
from regportal.documents.reading import read_text

PAGE = (Path(__file__).parents[2] / "docs" / "buying.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def model(text):
    """The model of an example; raises DocumentError where it is refused."""
    book = read_text(text.encode())
    book.refuse_faults()
    return book.documents["buying", "default"]


@pytest.mark.parametrize("text", BLOCKS)
def test_every_example_is_a_model_without_fault(text):
    assert list(lints(model(text))) == []


def test_the_last_example_is_the_model_that_ships():
    assert model(BLOCKS[-1]) == DEFAULT


def test_every_word_of_the_vocabulary_is_shown_in_an_example():
    shown = "".join(BLOCKS)
    words = {*KINDS, *COMBINED, *BESIDE_EVENT, "exit", "falls_to", "min_stay", "group"}
    words |= {"quorum", "any_role", "weighted", "prefix", "equals", "in", "known"}

    assert [word for word in sorted(words) if f"{word}:" not in shown] == []
