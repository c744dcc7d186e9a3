"""All documents of a site, as a check of one of them sees them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from regportal.documents.sentences import nearest, shown
from regportal.forms.schema import Question
from regportal.store.schema import Document

Name = tuple[str, str]
Path = tuple[str | int, ...]
Finds = Iterator[tuple[Path, str]]


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


def impossible(question: Question, value: str, countries: Collection[str]) -> str | None:
    """Return why nobody can answer this question with this value, or None."""
    if question.choices:
        known: Collection[str] = question.choices
    elif question.type == "yes-no":
        known = ("yes", "no")
    elif question.type == "country":
        known = countries
    else:
        return None
    if value in known:
        return None
    if question.type == "country":
        return f"{shown(value)} is not the code of a country, like GB or US"
    meant = nearest(value, known)
    says = f"{shown(question.key)} cannot be answered with {shown(value)}"
    return f"{says}; did you mean {shown(meant)}?" if meant else says
