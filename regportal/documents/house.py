"""All documents of a site, as a check of one of them sees them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from regportal.documents.sentences import nearest, one_of, shown, there_is_no
from regportal.forms.schema import TIMEFRAMES, Question
from regportal.library.schema import Asset
from regportal.store.schema import Document

Name = tuple[str, str]
Path = tuple[str | int, ...]
Finds = Iterator[tuple[Path, str]]

OF_ASSETS = frozenset({"download", "video_watch"})
"""Events whose category is that of an asset."""
WELL_KNOWN = frozenset(
    {
        "brochure",
        "case-study",
        "catalogue",
        "comparison",
        "contract",
        "data-sheet",
        "demo",
        "guide",
        "manual",
        "order-form",
        "paper",
        "price",
        "price-list",
        "pricing",
        "product",
        "quote",
        "trial",
        "video",
        "webinar",
        "white-paper",
    }
)
"""Categories that rules may speak of before the first asset has them."""


ALSO_CALLED = {"UK": "GB", "EL": "GR"}
"""Codes of countries that others use, and those of ISO 3166."""
FEW = 8
"""So many answers are listed where none of them was written."""
ADDRESSES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class House:
    """All documents of a site, as a check of one of them sees them."""

    documents: Mapping[Name, Document]
    named: Collection[Name]
    countries: Mapping[str, str]
    """By the codes of ISO 3166 their names."""

    def keys(self, kind: str) -> list[str]:
        """Return what documents of this kind are called."""
        return sorted(key for name, key in self.named if name == kind)

    def question(self, key: str) -> Question | None:
        """Return a question that is written without faults."""
        found = self.documents.get(("question", key))
        return found if isinstance(found, Question) else None

    def no_question(self, key: str) -> str | None:
        """Say that there is no such question; None where there is one."""
        if ("question", key) in self.named:
            return None
        return there_is_no("question", key, self.keys("question"))

    def impossible(self, question: Question, value: str) -> str | None:
        """Say why nobody can answer a question so; None: somebody can."""
        if question.choices:
            known: Collection[str] = question.choices
        elif question.type == "timeframe":
            known = TIMEFRAMES
        elif question.type == "yes-no":
            known = ("yes", "no")
        elif question.type == "country":
            return self.country(value)
        else:
            return None
        if value in known:
            return None
        meant = _labelled(question, value) or nearest(value, known)
        says = f"{shown(question.key)} cannot be answered with {shown(value)}"
        if meant:
            return f"{says}; did you mean {shown(meant)}?"
        return f"{says}: there are {', '.join(known)}" if len(known) <= FEW else says

    def one_of(self, value: str, known: Collection[str]) -> str | None:
        """Say that a value is none of those there are; None: it is one."""
        return None if value in known else one_of(value, [*known])

    def country(self, value: str) -> str | None:
        """Say that a value is no country's code; None: it is one."""
        if value in self.countries:
            return None
        codes = {name: code for code, name in self.countries.items()}
        meant = ALSO_CALLED.get(value) or codes.get(value) or codes.get(nearest(value, codes) or "")
        tip = f"; did you mean {shown(meant)}?" if meant else ""
        return f"{shown(value)} is not the code of a country, like GB or US{tip}"

    def no_asset(self, event: str, key: str) -> str | None:
        """Say that rules count what happened to an asset there is not; None: it may happen."""
        if event not in OF_ASSETS or "://" in key or not self.knows_all_assets():
            return None
        assets = self.assets()
        if any(key == asset.key for asset in assets):
            return None
        files = {PurePath(asset.file).name: asset.key for asset in assets if asset.file}
        if key in files:
            return f"{shown(key)} is a file: write the key of its asset, {shown(files[key])}"
        return there_is_no("asset", key, self.keys("asset"))

    def no_assets(self, event: str, prefix: str) -> str | None:
        """Say that no asset's key begins so; None: one does, or an address may."""
        if event not in OF_ASSETS or "://" in prefix or not self.knows_all_assets():
            return None
        known = [*ADDRESSES, *(asset.key for asset in self.assets())]
        if any(one.startswith(prefix) for one in known):
            return None
        return f"no asset has a key that begins with {shown(prefix)}"

    def assets(self) -> list[Asset]:
        """Return every asset that is written without faults."""
        return [document for document in self.documents.values() if isinstance(document, Asset)]

    def knows_all_assets(self) -> bool:
        """Return whether every asset is written without faults, so that we know what there is."""
        return all(("asset", key) in self.documents for key in self.keys("asset"))

    def no_category(self, event: str, category: str) -> str | None:
        """Say that no asset has a category that rules count; None: one has, or might."""
        if event not in OF_ASSETS or not self.knows_all_assets():
            return None
        known = WELL_KNOWN | {asset.category for asset in self.assets()}
        if category in known:
            return None
        meant = nearest(category, known)
        tip = f"; did you mean {shown(meant)}?" if meant else ""
        return f"no asset has the category {shown(category)}{tip}"


def _labelled(question: Question, value: str) -> str | None:
    """Return the choice that people read so; None: it is no choice's label."""
    for code, text in (question.choices or {}).items():
        if value in ((text,) if isinstance(text, str) else text.values()):
            return code
    return None
