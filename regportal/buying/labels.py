"""What marketers call what their rules speak of by key: assets, questions, answers, scores."""

from regportal.buying.scores.schema import Score
from regportal.buying.voice import Labels
from regportal.forms.schema import Question
from regportal.library.schema import Asset
from regportal.store.documents import Published
from regportal.store.schema import Site, said


def locale_of(published: Published) -> str:
    """Return the language of the people who read reasons: the site's."""
    site = published.find(Site, "site")
    return site.locale if site else "en"


def title(published: Published, name: str) -> str:
    """Return what people call an object: an asset's title, or the address of a page."""
    asset = published.find(Asset, name)
    return said(asset.title, locale_of(published)) if asset else name


def labels_of(published: Published) -> Labels:
    """
    Return what questions, their answers and scores are called, in the language of the site.

    >>> when = {"key": "when", "label": "When?", "type": "choice", "choices": {"0-3m": "Soon"}}
    >>> labels_of(Published(1, [("question", "when", 1, when)]))
    {('question', 'when'): 'When?', ('answer', 'when', '0-3m'): 'Soon'}
    """
    locale = locale_of(published)
    labels: dict[tuple[str, ...], str] = {}
    for question in published.all(Question):
        labels["question", question.key] = said(question.label, locale)
        for code, choice in (question.choices or {}).items():
            labels["answer", question.key, code] = said(choice, locale)
    for score in published.all(Score):
        if score.label:
            labels["score", score.key] = said(score.label, locale)
    return labels
