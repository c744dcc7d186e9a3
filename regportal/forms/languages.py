"""Which languages a site speaks, and what marketers have not said in one of them yet."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from regportal.consent.schema import Newsletter
from regportal.forms.schema import Gate, Question
from regportal.library.schema import Asset
from regportal.store.documents import Published
from regportal.store.schema import Document, Site, texts_in
from regportal.store.words import N_, is_spoken

READ_BY_VISITORS = (Site, Newsletter, Question, Asset, Gate)
"""The documents whose texts stand on public pages and in letters."""
CATEGORIES = (
    N_("brochure"),
    N_("case study"),
    N_("catalogue"),
    N_("checklist"),
    N_("comparison"),
    N_("contract"),
    N_("data sheet"),
    N_("demo"),
    N_("guide"),
    N_("manual"),
    N_("order form"),
    N_("paper"),
    N_("price"),
    N_("price list"),
    N_("pricing"),
    N_("product"),
    N_("quote"),
    N_("trial"),
    N_("video"),
    N_("webinar"),
    N_("white paper"),
)
"""What marketers usually call their assets; another category is shown as it is written."""
FREQUENCIES = (
    N_("daily"),
    N_("weekly"),
    N_("fortnightly"),
    N_("monthly"),
    N_("quarterly"),
    N_("yearly"),
)
"""How often newsletters usually come; anything else is shown as it is written."""
ONE_FOR_ALL = frozenset({"name", "privacy_notice"})
"""Texts that may well be the same in every language."""


@dataclass(frozen=True, slots=True)
class Lack:
    """One text that is not written in one of the site's languages."""

    kind: str
    key: str
    field: str
    language: str


def languages_of(documents: Iterable[Document], own: str) -> tuple[str, ...]:
    """
    Return every language the texts for visitors are written in, the site's own first.

    >>> gate = Gate(key="prices", asset="list", headline={"en": "Prices", "fr": "Les prix"})
    >>> languages_of([gate], "en")
    ('en', 'fr')
    """
    texts = (text for _, _, text in _texts(documents) if isinstance(text, Mapping))
    return tuple(dict.fromkeys((own, *(language for text in texts for language in text))))


def read_by_visitors(published: Published) -> list[Document]:
    """Return every document with texts for visitors."""
    return [one for kind in READ_BY_VISITORS for one in published.all(kind)]


def languages_offered(documents: Iterable[Document], own: str) -> tuple[str, ...]:
    """
    Return the languages visitors are answered in: the site's own, and those we speak as well.

    So nobody is shown our words in a language in which the marketer said nothing, nor the
    other way round.
    """
    written = languages_of(documents, own)
    return (own, *(language for language in written[1:] if is_spoken(language)))


def lacking(documents: Iterable[Document], own: str) -> list[Lack]:
    """
    Return what is said in the site's own language, or in another, and not in each of them.

    >>> gate = Gate(
    ...     key="p", asset="a", headline={"en": "Prices", "de": "Preise"}, text="Two pages."
    ... )
    >>> [(one.field, one.language) for one in lacking([gate], "en")]
    [('text', 'de')]
    """
    documents = list(documents)
    languages = languages_of(documents, own)
    return [
        Lack(document.kind, document.key, field, language)
        for document, field, text in _texts(documents)
        for language in languages
        if not _is_said(field, text, language, own)
    ]


def _texts(
    documents: Iterable[Document],
) -> Iterator[tuple[Document, str, str | Mapping[str, str]]]:
    """Yield every text a visitor may read, and where it stands."""
    for document in documents:
        if isinstance(document, READ_BY_VISITORS):
            yield from ((document, field, text) for field, text in texts_in(document))


def _is_said(field: str, text: str | Mapping[str, str], language: str, own: str) -> bool:
    """Return whether a text is there in a language, or in that of which it is a country's kind."""
    if isinstance(text, str):
        ours = text in FREQUENCIES and is_spoken(language)
        return language == own or field in ONE_FOR_ALL or ours
    return language in text or language.partition("-")[0] in text
