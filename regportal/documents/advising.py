"""What of documents is worth a second look: beside which field, and in a line for all of a kind."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from regportal.buying.schema import Buying
from regportal.buying.scores.schema import Score
from regportal.connectors.schema import Connector
from regportal.documents.house import Name
from regportal.documents.plans import called
from regportal.forms.languages import lacking
from regportal.forms.schema import Gate, Question
from regportal.store.schema import Document, Site
from regportal.store.words import N_, Sentence

ASKS_PERMISSION = (
    r"\bnewsletters?\b",
    r"\b(may|can|shall) we (e-?mail|call|phone|contact|write|send)\b",
    r"\b(dürfen|können) wir (Sie|Ihnen|dich|dir)\b.*\b(anrufen|schreiben|kontaktieren|senden)\b",
)
BUNDLES = (
    r"\bby (downloading|submitting|continuing|clicking|registering)\b[^.]*\b(agree|accept|consent)",
    r"\byou (agree|consent) to (receive|be contacted|our)\b",
    r"\bmit (dem|der|Ihrem|Ihrer) (Download|Absenden|Anmeldung)\b[^.]*\b(stimm|willig|erklär)",
)

NO_REASON = N_("does not say why it is asked: visitors answer what they understand")
NO_OWNER = N_("names nobody who answers for it: write owner")
NO_PURPOSE = N_(
    "has no purpose: no rule, score, connector or other question uses the answer, and it says none"
)
NO_EXIT = N_("has no exit: whoever enters it never falls back, however silent he is")
PERMISSION = N_("asks for a permission (%(words)s): a newsletter asks so that it can be proven")
BUNDLED = N_("asks for a permission beside the file (%(words)s): a permission stands alone")
UNTRANSLATED = N_("is not written in %(language)s")


@dataclass(frozen=True, slots=True)
class Advice:
    """What may be meant, and is worth a second look, beside which field of which document."""

    name: Name
    field: str
    """As `when.answer.in[0]`; empty: the whole document."""
    says: str
    thing: str
    """How a line about several names it; empty: that is told elsewhere."""


def advice(documents: Mapping[Name, Document]) -> Iterator[Advice]:
    """
    Yield what is worth a second look, each beside its field.

    >>> asked = Question(key="size", label="May we call you?", type="yes-no")
    >>> for one in advice({("question", "size"): asked}):
    ...     print(one.field, one.says)
    label asks for a permission (May we call): a newsletter asks so that it can be proven
    why does not say why it is asked: visitors answer what they understand
    owner names nobody who answers for it: write owner
    purpose has no purpose: no rule, score, connector or other question uses the answer, and it
    says none
    """
    used = {*_used(documents)}
    for name, document in documents.items():
        match document:
            case Question():
                yield from _question(name, document, used)
            case Gate():
                yield from _gate(name, document)
            case Buying():
                yield from _phases(name, document)
    yield from _untranslated(documents)


def in_few_lines(found: Iterator[Advice]) -> Iterator[str]:
    """
    Yield a line for each kind of advice, with all it is about.

    >>> asked = [Question(key=key, label="?", type="text", why="So.") for key in ("a", "b")]
    >>> documents = {("question", one.key): one for one in asked}
    >>> next(in_few_lines(advice(documents)))
    'question a, question b: names nobody who answers for it: write owner'
    """
    about: defaultdict[str, list[str]] = defaultdict(list)
    for one in found:
        if one.thing:
            about[one.says].append(one.thing)
    for says, names in about.items():
        yield f"{', '.join(dict.fromkeys(names))}: {says}"


def _question(name: Name, question: Question, used: set[str]) -> Iterator[Advice]:
    """Yield what a question lacks; permissions are not asked by questions."""
    for path, text in _each("label", question.label):
        words = _found(ASKS_PERMISSION, text)
        if words:
            says = Sentence(PERMISSION, words=words)
            yield Advice(name, path, says, called(name))
    if question.why is None:
        yield Advice(name, "why", NO_REASON, called(name))
    if question.owner is None:
        yield Advice(name, "owner", NO_OWNER, called(name))
    if question.purpose is None and question.key not in used:
        yield Advice(name, "purpose", NO_PURPOSE, called(name))


def _gate(name: Name, gate: Gate) -> Iterator[Advice]:
    """Yield where a gate's text takes the download for a permission."""
    for field in ("headline", "text", "abstract"):
        for path, text in _each(field, getattr(gate, field)):
            words = _found(BUNDLES, text)
            if words:
                says = Sentence(BUNDLED, words=words)
                yield Advice(name, path, says, called(name))


def _phases(name: Name, buying: Buying) -> Iterator[Advice]:
    """Yield each phase that nothing takes back."""
    if buying.forward_only:
        return
    for place, phase in enumerate(buying.phases[1:], 1):
        if phase.enter is not None and phase.exit is None:
            yield Advice(name, f"phases[{place}].exit", NO_EXIT, f"phase {phase.id}")


def _untranslated(documents: Mapping[Name, Document]) -> Iterator[Advice]:
    """Yield each text that lacks one of the site's languages; their number is told elsewhere."""
    site = documents.get(("site", "site"))
    for lack in lacking(documents.values(), site.locale) if isinstance(site, Site) else ():
        says = Sentence(UNTRANSLATED, language=lack.language)
        yield Advice((lack.kind, lack.key), lack.field, says, "")


def _used(documents: Mapping[Name, Document]) -> Iterator[str]:
    """Yield each question whose answer something uses."""
    for document in documents.values():
        match document:
            case Question():
                if document.crm_field is not None:
                    yield document.key
                if document.when is not None:
                    yield document.when.answer.question
            case Buying():
                yield from (one.answer.question for one in document.conditions() if one.answer)
            case Score(profile=profile) if profile is not None:
                yield from (one.answer.question for one in profile.points if one.answer)
            case Connector():
                yield from document.fields
            case _:
                pass


def _each(field: str, text: str | Mapping[str, str] | None) -> Iterator[tuple[str, str]]:
    """Yield a text, or each of its languages, with its field."""
    if isinstance(text, str):
        yield field, text
    elif text is not None:
        yield from ((f"{field}.{language}", one) for language, one in text.items())


def _found(expressions: tuple[str, ...], text: str) -> str | None:
    """Return the words that an expression finds."""
    found = (re.search(one, text, re.IGNORECASE) for one in expressions)
    return next((one[0] for one in found if one), None)
