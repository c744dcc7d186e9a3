"""What one question says, as people read it: its words in each language, and the rest of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from regportal.forms.fields import choices_of
from regportal.forms.planner import expected
from regportal.forms.schema import Question
from regportal.store.schema import Text, texts_in
from regportal.store.words import N_, NN_, locale_known
from regportal.studio.saying import Sayer

TYPES: Mapping[str, str] = {
    "text": N_("Words of their own"),
    "choice": N_("One of several answers"),
    "choices": N_("Any of several answers"),
    "yes-no": N_("Yes or no"),
    "number": N_("A number"),
    "date": N_("A date"),
    "phone": N_("A telephone number"),
    "company": N_("Their company"),
    "job-title": N_("Their position"),
    "country": N_("Their country"),
    "region": N_("Their state or province"),
    "timeframe": N_("When they want to buy"),
}
"""What people call each type."""
LONG = frozenset({"country", "region"})
"""Types whose answers are too many to be read: everybody knows them."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a visitor reads who speaks one language."""

    language: str | None
    """What it is called; None: the words are the same in every language."""
    locale: str
    label: str
    why: str
    answers: Sequence[str]


def wordings(question: Question, locale: str) -> list[Wording]:
    """
    Return what visitors read, in each language in which something of it is written.

    >>> asked = Question(key="seats", type="number", label={"en": "Seats?", "de": "Plätze?"})
    >>> [(one.language, one.label) for one in wordings(asked, "en")]
    [('English', 'Seats?'), ('German', 'Plätze?')]

    A language in which a text is not written has none: visitors get another one instead.

    >>> asked = Question(key="seats", type="number", label="Seats?", why={"de": "Für das Angebot"})
    >>> [(one.language, one.label, one.why) for one in wordings(asked, "en")]
    [('German', 'Seats?', 'Für das Angebot')]
    """
    told = [text for _, text in texts_in(question)]
    known = dict.fromkeys(one for text in told if isinstance(text, Mapping) for one in text)
    return [_wording(question, one, locale) for one in known] or [_wording(question, None, locale)]


def facts(question: Question, says: Sayer) -> Iterator[tuple[str, str]]:
    """Yield what else is said of a question: what it is about, and a sentence in this language."""
    voice = says.voice
    yield N_("Answers"), voice.says(TYPES[question.type])
    yield N_("Asked again"), _again(question, says)
    declined = question.declined
    forms = NN_(
        "after %(span)s, %(num)d time at most",
        "after %(span)s, %(num)d times at most",
    )
    long = voice.long(declined.again_after)
    yield (
        N_("Where somebody would rather not say"),
        voice.counts(forms, declined.at_most, span=long),
    )
    yield N_("Asked of"), _whom(question, says)
    if question.sensitive:
        yield N_("Sensitive"), voice.says(N_("the answer is shown to nobody in the Studio"))
    yield N_("Field in the CRM"), question.crm_field or question.key
    share = voice.share(expected(question))
    yield N_("Expected to answer"), share
    yield N_("Answers for it"), question.owner or ""
    yield N_("Purpose"), question.purpose or ""


def _again(question: Question, says: Sayer) -> str:
    """Return after how long somebody is asked again who has answered."""
    if question.ask_again_after is None:
        return says.voice.says(N_("never, once it is answered"))
    long = says.voice.long(question.ask_again_after)
    return says.voice.says(N_("%(span)s after the answer"), span=long)


def _whom(question: Question, says: Sayer) -> str:
    """Return who is asked."""
    voice = says.voice
    if question.when is None:
        return voice.says(N_("everybody"))
    before = question.when.answer
    asked = says.published.find(Question, before.question)
    names = dict(choices_of(asked, says.locale, None)) if asked else {}
    answers = [names.get(one, one) for one in before.values]
    told = {"question": says.question(before.question), "answers": voice.either(answers)}
    return voice.says(N_("whoever answered “%(question)s” with %(answers)s"), **told)


def _wording(question: Question, language: str | None, locale: str) -> Wording:
    """Return what a visitor reads in one language, or in every one."""
    own = language or locale
    answers = [] if question.type in LONG else [name for _, name in choices_of(question, own, None)]
    return Wording(
        language=locale_known(own).get_display_name(locale) if language else None,
        locale=own,
        label=_text(question.label, language),
        why=_text(question.why, language),
        answers=answers,
    )


def _text(text: Text | None, language: str | None) -> str:
    """Return a text as it is written in a language; empty where it is not."""
    if isinstance(text, Mapping):
        return text.get(language or "", "")
    return text or ""
