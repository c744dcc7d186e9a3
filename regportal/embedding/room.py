"""How much room a page leaves for a gate, so that nothing moves when it comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from regportal.forms.schema import Gate
from regportal.store.documents import said

PHONE = "max-width: 40rem"


@dataclass(frozen=True, slots=True)
class Measure:
    """How tall gates are in rem: measured in Chromium, in English and German."""

    base: int
    """With the address, one newsletter and its buttons."""
    line: int
    """Characters that stand on one line of a text."""


DRAWN = Measure(29, 70), Measure(38, 38)
FRAMED = Measure(40, 45), Measure(41, 36)
"""Each on a wide page, and on a phone."""
QUESTION = 3
"""What most questions of a returning visitor take more: the longest move the page a little."""
LINE, GAP, RULE = 1.55, 0.75, 2.25
"""The height of a line, what is between two paragraphs, and what divides them from the form."""


def room_for(gate: Gate, locale: str, *, framed: bool) -> str:
    """
    Return the rule of a page's style sheet that leaves room for a gate.

    >>> print(room_for(Gate(key="a", asset="b", headline="C"), "en", framed=False))
    regportal-gate { display: block }
    regportal-gate[gate="a"] { min-height: 29rem; --rp-space: 29rem }
    @media (max-width: 40rem) { regportal-gate[gate="a"] { min-height: 38rem; --rp-space: 38rem } }
    """
    wide, narrow = (_height(gate, locale, one) for one in (FRAMED if framed else DRAWN))
    name = f'regportal-gate[gate="{gate.key}"]'
    return (
        "regportal-gate { display: block }\n"
        f"{name} {{ {_space(wide)} }}\n"
        f"@media ({PHONE}) {{ {name} {{ {_space(narrow)} }} }}"
    )


def _space(height: int) -> str:
    """Return what keeps a height free; a drawn gate fills it."""
    return f"min-height: {height}rem; --rp-space: {height}rem"


def _height(gate: Gate, locale: str, measure: Measure) -> int:
    """Return how tall a gate is at most before it is passed, in rem."""
    text = [said(gate.text, locale)] if gate.text else []
    abstract = gate.abstract_in(locale)
    height = measure.base + _paragraphs(text, measure.line) + _paragraphs(abstract, measure.line)
    height += QUESTION if gate.questions else 0
    return ceil(height + (RULE if abstract else 0))


def _paragraphs(texts: Sequence[str], line: int) -> float:
    """Return how tall some paragraphs are, in rem."""
    return sum(GAP + LINE * ceil(len(one) / line) for one in texts)
