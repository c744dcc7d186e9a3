"""What each step of the way to a gate writes into its draft: an asset, and the gate before it."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from regportal.consent.schema import Newsletter
from regportal.documents.drafts import Piece
from regportal.documents.keys import free_key
from regportal.documents.plans import Name
from regportal.forms.schema import Gate
from regportal.library.naming import LONGEST_ENDING
from regportal.library.schema import Asset, Content
from regportal.store.documents import said

PLAIN = "paper"
"""The category of what is nothing else, as far as its name says."""
BY_ENDING = {"mp4": "video", "webm": "video", "mp3": "podcast", "csv": "spreadsheet"}
BY_WORD = {
    "price": "price-list",
    "preis": "price-list",
    "case": "case-study",
    "catalog": "catalogue",
    "katalog": "catalogue",
    "datasheet": "data-sheet",
    "datenblatt": "data-sheet",
}


@dataclass(frozen=True, slots=True)
class About:
    """What is said of a gate and of what it gives, in one language."""

    title: str
    category: str
    headline: str = ""
    """Empty: the title."""
    text: str = ""
    """Empty: none."""


@dataclass(frozen=True, slots=True)
class Written:
    """A draft of one gate."""

    asset: Piece
    gate: Piece

    @property
    def pieces(self) -> list[Piece]:
        """Return the documents of it, as a draft keeps them."""
        return [self.asset, self.gate]

    def about(self, locale: str) -> About:
        """Return what is said of it in a language."""
        title = _in(self.asset.body.get("title"), locale)
        headline = _in(self.gate.body.get("headline"), locale)
        return About(
            title,
            str(self.asset.body.get("category", PLAIN)),
            "" if headline == title else headline,
            _in(self.gate.body.get("text"), locale),
        )

    def listed(self, field: str) -> list[str]:
        """Return the keys that the gate lists under a field."""
        return [str(one) for one in self.gate.body.get(field, ())]


def written_of(pieces: Sequence[Piece]) -> Written | None:
    """Return a draft of one gate and its asset; None where it is of anything else."""
    found = {piece.kind: piece for piece in pieces}
    if set(found) != {Asset.kind, Gate.kind} or len(pieces) != len(found):
        return None
    return Written(found[Asset.kind], found[Gate.kind])


def begun(source: Content | str, taken: Collection[Name]) -> Written:
    """
    Return the draft of a gate before a file, or before an address elsewhere; all of it can change.

    >>> new = begun("https://www.acme.example/Price_List.pdf", {("gate", "price-list")})
    >>> new.gate.key, new.about("en").title, new.about("en").category
    ('price-list-2', 'Price List', 'price-list')
    """
    name = source if isinstance(source, str) else source.name
    title = title_of(name)
    gate = Piece(Gate.kind, "new", {"asset": "new", "headline": title})
    asset = Piece(Asset.kind, "new", {"title": title, "category": category_of(name)})
    return called(with_source(Written(asset, gate), source), title, taken)


def with_source(written: Written, source: Content | str) -> Written:
    """Return a draft that gives another file, or another address."""
    rest = {
        name: value
        for name, value in written.asset.body.items()
        if name not in {"file", "content", "url", "show"}
    }
    if isinstance(source, str):
        return replace(written, asset=replace(written.asset, body={**rest, "url": source}))
    body = {**rest, "file": source.name, "content": source.model_dump(mode="json")}
    return replace(written, asset=replace(written.asset, body=body))


def with_about(written: Written, about: About, locale: str, taken: Collection[Name]) -> Written:
    """Return a draft of which this is said; what other languages say stays."""
    asset, gate = dict(written.asset.body), dict(written.gate.body)
    asset["title"] = _worded(asset.get("title"), locale, about.title)
    asset["category"] = about.category
    gate["headline"] = _worded(gate.get("headline"), locale, about.headline or about.title)
    if about.text:
        gate["text"] = _worded(gate.get("text"), locale, about.text)
    else:
        gate.pop("text", None)
    new = Written(replace(written.asset, body=asset), replace(written.gate, body=gate))
    return called(new, about.title, taken)


def with_questions(written: Written, keys: Sequence[str]) -> Written:
    """Return a draft that asks these questions, in this order."""
    return replace(
        written, gate=replace(written.gate, body={**written.gate.body, "questions": [*keys]})
    )


def earlier(keys: Sequence[str], key: str) -> list[str]:
    """
    Return these keys with one of them a place further to the front.

    >>> earlier(["a", "b", "c"], "c"), earlier(["a", "b"], "a"), earlier(["a"], "x")
    (['a', 'c', 'b'], ['a', 'b'], ['a'])
    """
    moved = [*keys]
    at = moved.index(key) if key in moved else 0
    if at:
        moved[at - 1], moved[at] = moved[at], moved[at - 1]
    return moved


def with_newsletters(written: Written, chosen: Sequence[Newsletter]) -> Written:
    """
    Return a draft that offers these newsletters.

    A newsletter is offered with what it shares a topic with: what it shares none with yet, it
    gives its first one.
    """
    topics = [str(one) for one in written.asset.body.get("topics", ())]
    for letter in chosen:
        if letter.topics and not set(letter.topics) & set(topics):
            topics.append(letter.topics[0])
    gate = {**written.gate.body, "newsletters": [letter.key for letter in chosen]}
    asset = {**written.asset.body, "topics": topics}
    return Written(replace(written.asset, body=asset), replace(written.gate, body=gate))


def called(written: Written, title: str, taken: Collection[Name]) -> Written:
    """Return a draft whose keys come from its title; what was published before keeps its own."""
    if written.gate.base is not None or written.asset.base is not None:
        return written
    key = free_key(title, {name for _, name in taken}, "gate")
    gate = {**written.gate.body, "asset": key}
    return Written(replace(written.asset, key=key), replace(written.gate, key=key, body=gate))


def title_of(name: str) -> str:
    """
    Return a title that a file's name, or an address, suggests.

    >>> title_of("price_list-2026.pdf"), title_of("https://acme.example/")
    ('Price list 2026', 'Acme.example')
    """
    host = urlsplit(name).netloc if "://" in name else ""
    last = PurePosixPath(urlsplit(name).path).name if host else name
    stem, dot, ending = last.rpartition(".")
    words = (stem if dot and len(ending) <= LONGEST_ENDING else last) or host or name
    shown = re.sub(r"[\s_-]+", " ", words).strip() or words
    return shown[:1].upper() + shown[1:]


def category_of(name: str) -> str:
    """
    Return the category that a file's name suggests.

    >>> category_of("Price list.pdf"), category_of("film.mp4"), category_of("guide.pdf")
    ('price-list', 'video', 'paper')
    """
    low = name.lower()
    found = next((kind for word, kind in BY_WORD.items() if word in low), None)
    return found or BY_ENDING.get(low.rpartition(".")[2], PLAIN)


def _in(text: Any, locale: str) -> str:
    """Return a text in a language; empty where there is none."""
    return said(text, locale) if text else ""


def _worded(before: Any, locale: str, text: str) -> str | Mapping[str, str]:
    """Return a text that says this in one language, and what it said in the others."""
    return {**before, locale: text} if isinstance(before, Mapping) else text
