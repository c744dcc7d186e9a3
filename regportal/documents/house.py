"""All documents of a site, as a check of one of them sees them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from regportal.documents.sentences import nearest, one_of, shown, there_is_no
from regportal.forms.schema import Question
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


@dataclass(frozen=True, slots=True)
class House:
    """All documents of a site, as a check of one of them sees them."""

    documents: Mapping[Name, Document]
    named: Collection[Name]
    countries: Collection[str]

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
        elif question.type == "yes-no":
            known = ("yes", "no")
        elif question.type == "country":
            return self.country(value)
        else:
            return None
        if value in known:
            return None
        meant = nearest(value, known)
        says = f"{shown(question.key)} cannot be answered with {shown(value)}"
        return f"{says}; did you mean {shown(meant)}?" if meant else says

    def one_of(self, value: str, known: Collection[str]) -> str | None:
        """Say that a value is none of those there are; None: it is one."""
        return None if value in known else one_of(value, [*known])

    def country(self, value: str) -> str | None:
        """Say that a value is no country's code; None: it is one."""
        if value in self.countries:
            return None
        return f"{shown(value)} is not the code of a country, like GB or US"

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
