"""What may be meant in documents, and is worth a second look before they are published."""

from collections.abc import Iterator, Mapping

from sqlalchemy.orm import Session

from regportal.buying.schema import Buying
from regportal.buying.told import told_roles, told_stages
from regportal.documents.advising import advice, in_few_lines
from regportal.documents.house import Name
from regportal.documents.phases import never_told
from regportal.documents.rules import changed_bases, remarks
from regportal.forms.languages import lacking
from regportal.store.schema import Document, Site


def remarks_on(
    session: Session, before: Mapping[Name, Document], documents: Mapping[Name, Document]
) -> Iterator[str]:
    """Yield what is worth a second look of these documents, also by what CRMs have told of."""
    yield from changed_bases(before, documents)
    yield from remarks(documents)
    for document in documents.values():
        if isinstance(document, Buying):
            yield from never_told(document, told_roles(session), told_stages(session))
    yield from in_few_lines(advice(documents))
    yield from _untranslated(documents)


def _untranslated(documents: Mapping[Name, Document]) -> Iterator[str]:
    """Say how many texts are not written in each of the site's languages."""
    site = documents.get(("site", "site"))
    lacks = lacking(documents.values(), site.locale) if isinstance(site, Site) else []
    if not lacks:
        return
    languages = ", ".join(sorted({lack.language for lack in lacks}))
    texts = "1 text lacks" if len(lacks) == 1 else f"{len(lacks)} texts lack"
    yield (f"{texts} a language ({languages}); `regportal translations` names what is published")
