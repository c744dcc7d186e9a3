"""What the form of one question says, and what is written of it: faults and all."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

from regportal.documents.keys import free_key
from regportal.documents.plans import Body
from regportal.documents.rule_controls import span_parts
from regportal.forms.fields import choices_of
from regportal.forms.schema import Declined, Question
from regportal.store.schema import said

CHOOSES = frozenset({"choice", "choices", "timeframe"})
"""Types whose answers are written down."""
MORE = 3
"""Empty lines for further answers."""
LONGEST_CODE = 64
FIELDS = (
    "label",
    "why",
    "type",
    "choices",
    "when",
    "ask_again_after",
    "declined",
    "sensitive",
    "expected",
    "crm_field",
    "owner",
    "purpose",
)
"""Beside each of these stands what is said of it."""

Sent = Mapping[str, str]
"""What a form sent, the first value of each name."""
Texts = Mapping[str, str]
"""What is said in which language."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A question as its form shows it; a draft may have faults."""

    label: Texts
    why: Texts
    type: str
    choices: Sequence[tuple[str, Texts]]
    """Each answer's code, and its words; empty lines at the end."""
    again: tuple[str, str]
    """After how long it is asked again: number and unit."""
    declined: tuple[str, str]
    at_most: str
    expected: str
    sensitive: bool
    crm_field: str
    owner: str
    purpose: str
    when: str
    """Key of the question on which it depends; empty: on none."""
    values: Sequence[str]
    """With which of its answers, as people read them."""


def shown(body: Body, languages: Sequence[str], bank: Mapping[str, Question], locale: str) -> Shown:
    """Return a question as its form shows it, in the languages of the site."""
    choices = _map(body.get("choices"))
    declined, answer = _map(body.get("declined")), _map(_map(body.get("when")).get("answer"))
    before = bank.get(str(answer.get("question", "")))
    usual = Declined()
    return Shown(
        label=_texts(body.get("label"), languages),
        why=_texts(body.get("why"), languages),
        type=str(body.get("type", "text")),
        choices=[
            *((code, _texts(text, languages)) for code, text in choices.items()),
            *(("", dict.fromkeys(languages, "")) for _ in range(MORE)),
        ],
        again=span_parts(body.get("ask_again_after")),
        declined=span_parts(declined.get("again_after", usual.again_after)),
        at_most=str(declined.get("at_most", usual.at_most)),
        expected=_typed(body.get("expected")),
        sensitive=body.get("sensitive") is True,
        crm_field=_typed(body.get("crm_field")),
        owner=_typed(body.get("owner")),
        purpose=_typed(body.get("purpose")),
        when=str(answer.get("question", "")),
        values=[*_named(answer.get("in"), before, locale)],
    )


def written(
    before: Body,
    sent: Sent,
    languages: Sequence[str],
    bank: Mapping[str, Question],
    locale: str,
) -> dict[str, Any]:
    """
    Return what a question says, as its form has it; what the form does not show stays.

    >>> sent = {"label.en": "How many?", "type": "number", "again.number": "6", "again.unit": "mo"}
    >>> written({}, sent, ["en"], {}, "en")
    {'label': 'How many?', 'type': 'number', 'ask_again_after': '6mo'}
    """
    kind = sent.get("type", "")
    own: dict[str, Any] = {
        "label": _words(before.get("label"), sent, "label", languages),
        "type": kind,
        "why": _words(before.get("why"), sent, "why", languages),
        "owner": _line(sent, "owner"),
        "purpose": _line(sent, "purpose"),
        "choices": _choices(before, sent, languages) if kind in CHOOSES else None,
        "ask_again_after": _span(sent, "again"),
        "sensitive": True if "sensitive" in sent else None,
        "expected": _number(sent, "expected"),
        "declined": _declined(before, sent),
        "crm_field": _line(sent, "crm_field"),
        "when": _when(sent, bank, locale),
    }
    rest = {name: value for name, value in before.items() if name not in own}
    return {**rest, **{name: value for name, value in own.items() if value}}


def label_of(body: Body, locale: str) -> str:
    """
    Return what a draft asks, in a language or in another; empty where it says nothing yet.

    >>> label_of({"label": {"de": "Wie viele?"}}, "en"), label_of({"label": {}}, "en")
    ('Wie viele?', '')
    """
    told = body.get("label")
    if isinstance(told, Mapping):
        texts = {str(one): str(text) for one, text in told.items() if text}
        return said(texts, locale) if texts else ""
    return _typed(told)


def moved_up(body: Body, code: str) -> dict[str, Any]:
    """
    Return a question whose answer stands one place further up.

    >>> moved_up({"choices": {"a": "A", "b": "B"}}, "b")
    {'choices': {'b': 'B', 'a': 'A'}}
    """
    choices = _map(body.get("choices"))
    codes = [*choices]
    if code in codes[1:]:
        at = codes.index(code)
        codes[at - 1], codes[at] = codes[at], codes[at - 1]
    return {**body, "choices": {one: choices[one] for one in codes}} if codes else {**body}


# --- what was sent ---


def _words(before: Any, sent: Sent, name: str, languages: Sequence[str]) -> Any:
    """Return a text, or one a language where it had several or several are written."""
    return texts_written(
        before, {one: sent.get(f"{name}.{one}", "").strip() for one in languages}, languages[0]
    )


def texts_written(before: Any, typed: Texts, own: str) -> str | dict[str, str] | None:
    """
    Return a text in these languages; None where nothing is said.

    >>> texts_written("Prices", {"en": "All prices", "de": ""}, "en")
    'All prices'
    >>> texts_written("Prices", {"en": "Prices", "de": "Preise"}, "en")
    {'en': 'Prices', 'de': 'Preise'}
    """
    kept = dict(before) if isinstance(before, Mapping) else {}
    told = {**kept, **typed}
    said_now = {language: text for language, text in told.items() if text}
    if not isinstance(before, Mapping) and {*said_now} <= {own}:
        return said_now.get(own)
    return said_now or None


def _line(sent: Sent, name: str) -> str | None:
    """Return what was typed into one line; None where nothing was."""
    return sent.get(name, "").strip() or None


def _number(sent: Sent, name: str) -> int | str | None:
    """Return a number, or what was typed in its place."""
    text = _line(sent, name)
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else text  # noqa: PLR2004 - so that it stays one


def _span(sent: Sent, name: str) -> str | None:
    """Return a length of time, or what was typed in its place."""
    number = _line(sent, f"{name}.number")
    return f"{number}{sent.get(f'{name}.unit', 'd')}" if number else None


def _declined(before: Body, sent: Sent) -> dict[str, Any] | None:
    """Return what happens after somebody would rather not say, where it is not as usual."""
    usual, kept = Declined(), _map(before.get("declined"))
    told = {"again_after": _span(sent, "declined"), "at_most": _number(sent, "at_most")}
    return {
        name: value
        for name, value in told.items()
        if value and (name in kept or value != getattr(usual, name))
    } or None


def _choices(before: Body, sent: Sent, languages: Sequence[str]) -> dict[str, Any] | None:
    """Return the answers in the order in which they stand; a new one gets a code by its words."""
    kept = _map(before.get("choices"))
    found: dict[str, Any] = {}
    for code, typed in _rows(sent, languages):
        old = kept.get(code)
        words = texts_written(old, typed, languages[0])
        if words is None:
            continue
        name = code or free_key(_first(words), {*kept, *found}, "answer")
        found[name[:LONGEST_CODE]] = words
    return found or None


def _rows(sent: Sent, languages: Sequence[str]) -> Iterator[tuple[str, Texts]]:
    """Yield every line of answers: its code, and its words."""
    for at in count():
        if f"choice.{at}" not in sent:
            return
        texts = {one: sent.get(f"choice.{at}.{one}", "").strip() for one in languages}
        yield sent[f"choice.{at}"], texts


def _when(sent: Sent, bank: Mapping[str, Question], locale: str) -> dict[str, Any] | None:
    """Return on which answers of which question it depends."""
    key = sent.get("when", "")
    if not key:
        return None
    lines = [one.strip() for one in sent.get("values", "").splitlines()]
    codes = [_code(one, bank.get(key), locale) for one in lines if one]
    return {"answer": {"question": key, "in": [*dict.fromkeys(codes)]}}


def _code(text: str, question: Question | None, locale: str) -> str:
    """Return the code of an answer as people read it; of one that there is not, what they wrote."""
    known = _known(question, locale)
    folded = {says.casefold(): code for code, says in known.items()}
    return text if text in known else folded.get(text.casefold(), text)


# --- what is shown ---


def _named(values: Any, question: Question | None, locale: str) -> Iterator[str]:
    """Yield answers as people read them."""
    known = _known(question, locale)
    for one in values if isinstance(values, list | tuple) else ():
        yield known.get(str(one), str(one))


def _known(question: Question | None, locale: str) -> dict[str, str]:
    """Return the answers that can be chosen, by their codes."""
    return dict(choices_of(question, locale, None)) if question else {}


def _texts(told: Any, languages: Collection[str]) -> Texts:
    """Return a text in each language; one that is the same for all stands in the first."""
    if isinstance(told, Mapping):
        return {one: str(told.get(one, "")) for one in languages}
    return {one: str(told or "") if at == 0 else "" for at, one in enumerate(languages)}


def _first(words: str | Mapping[str, str]) -> str:
    """Return a text in the first language in which it is written."""
    return said(words)


def _map(told: Any) -> Mapping[str, Any]:
    """Return what stands below a key, of a draft that may have anything there."""
    return cast("Mapping[str, Any]", told) if isinstance(told, Mapping) else {}


def _typed(told: Any) -> str:
    """Return a value as somebody typed it."""
    return "" if told is None else str(told)
