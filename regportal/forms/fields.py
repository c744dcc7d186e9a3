"""The fields of a form, and what people type turned into values (features B7)."""

import gettext
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import phonenumbers
import pycountry
from flask_wtf import FlaskForm
from markupsafe import Markup
from wtforms import (  # type: ignore[attr-defined] # SelectChoice is newer than the stubs
    BooleanField,
    EmailField,
    Field,
    HiddenField,
    RadioField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.widgets import (
    CheckboxInput,
    DateInput,
    ListWidget,
    Select,
    TelInput,
    TextInput,
    html_params,
)

from regportal.forms.schema import Question
from regportal.store.documents import Published, said
from regportal.store.words import N_, Sentence, locale_known, translated

LONGEST = 400  # characters of an answer; people type less
HONEYPOT = "website"
FRAMES = {
    "0-3m": N_("Within three months"),
    "3-6m": N_("In three to six months"),
    "6-12m": N_("In six to twelve months"),
    "later": N_("Later"),
}
SENSITIVE = N_("kept, and not shown")
YES_OR_NO = {"yes": N_("Yes"), "no": N_("No")}
CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What nobody types: controls, line separators, and what turns the direction of writing."""


class LongSelect(Select):
    """A list as long as that of all countries: its options are written once, not each time."""

    def __call__(self, field: Any, **more: Any) -> Markup:
        """Render the list, with what was chosen before."""
        more.setdefault("id", field.id)
        choices = tuple((one.value, one.label) for one in field.choices)
        chosen = next((value for value, _ in choices if value == field.data), None)
        options = _options(choices, chosen)
        said = Markup(html_params(name=field.name, **more))  # noqa: S704 - it escapes
        return Markup("<select {}>{}</select>").format(said, options)


@lru_cache(maxsize=128)
def _options(choices: tuple[tuple[str, str], ...], chosen: str | None) -> Markup:
    """Write the options of a list, one of them chosen."""
    option = Markup("<option {}>{}</option>")
    return Markup("").join(
        option.format(Markup(html_params(value=value, selected=value == chosen)), label)  # noqa: S704 - it escapes
        for value, label in choices
    )


class GateForm(FlaskForm):
    """What every gate form has; its tokens are checked by the view, not by Flask's session."""

    class Meta(FlaskForm.Meta):
        """Leave the CSRF token to us: it is bound to the visitor's cookie, not to a session."""

        csrf = False

    ask = HiddenField()
    csrf_token = HiddenField()
    honeypot = StringField("Leave this empty", name=HONEYPOT)

    email: EmailField | None = None
    question: Field | None = None
    newsletter: BooleanField | None = None


@lru_cache(maxsize=64)
def countries(locale: str) -> tuple[tuple[str, str], ...]:
    """
    Return every country as (ISO 3166-1 code, name in this language), sorted by name.

    >>> dict(countries("de"))["AT"]
    'Österreich'
    """
    names = locale_known(locale).territories
    known = ((country.alpha_2, names.get(country.alpha_2)) for country in pycountry.countries)
    return tuple(sorted(((code, name) for code, name in known if name), key=_by_name))


@lru_cache(maxsize=512)
def regions(country: str, locale: str) -> tuple[tuple[str, str], ...]:
    """
    Return a country's first-level regions as (ISO 3166-2 code, name), sorted by name.

    >>> dict(regions("US", "en"))["US-CA"], dict(regions("US", "de"))["US-CA"]
    ('California', 'Kalifornien')
    """
    found = pycountry.subdivisions.get(country_code=country) or []
    named = ((one.code, region_name(one, locale)) for one in found if not one.parent_code)
    return tuple(sorted(named, key=_by_name))


def region_name(region: Any, locale: str) -> str:
    """Return what a region is called in this language, or else in its own."""
    return _region_names(locale_known(locale).language).gettext(region.name)


@lru_cache(maxsize=16)
def _region_names(language: str) -> gettext.NullTranslations:
    """Return the names of regions in a language, as far as ISO's lists are translated into it."""
    place = pycountry.LOCALES_DIR
    return gettext.translation("iso3166-2", place, languages=[language], fallback=True)


def choices_of(question: Question, locale: str, country: str | None) -> list[tuple[str, str]]:
    """Return what a question lets one choose from, as (value, name); empty for free text."""
    if question.type == "country":
        return list(countries(locale))
    if question.type == "region":
        return list(regions(country, locale)) if country else []
    if question.type == "yes-no":
        return [(code, translated(says, locale)) for code, says in YES_OR_NO.items()]
    if question.choices:
        return [(code, said(text, locale)) for code, text in question.choices.items()]
    frames = FRAMES if question.type == "timeframe" else {}
    return [(code, translated(says, locale)) for code, says in frames.items()]


def country_told(published: Published, answers: Mapping[str, Any]) -> str | None:
    """Return the country among answers, by the key of their question; None where none is one."""
    for key, value in answers.items():
        question = published.find(Question, key)
        if question is not None and question.type == "country" and isinstance(value, str):
            return value
    return None


def answer_field(question: Question, locale: str, country: str | None) -> Any:
    """Return the unbound field that asks a question; a region needs the country he is in."""
    label = said(question.label, locale)
    name = f"q-{question.key}"
    choices = [SelectChoice(*one) for one in choices_of(question, locale, country)]
    few = 6  # so many fit on a phone without a list that must be opened
    if question.type == "choices":
        return SelectMultipleField(
            label,
            name=name,
            choices=choices,
            option_widget=CheckboxInput(),
            widget=ListWidget(prefix_label=False),
            validate_choice=False,
        )
    if choices and len(choices) <= few:
        return RadioField(label, name=name, choices=choices, validate_choice=False)
    if choices:
        return SelectField(
            label,
            name=name,
            choices=[SelectChoice("", translated(N_("Please choose"), locale)), *choices],
            widget=LongSelect(),
            validate_choice=False,
        )
    typed = {"date": DateInput, "phone": TelInput}.get(question.type, TextInput)
    return StringField(label, name=name, widget=typed())


def value_of(question: Question, given: Sequence[str], locale: str, country: str | None) -> Any:
    """
    Return what was given as a value, or None where nothing was.

    Raises ValueError with one sentence for the person who typed it.

    >>> seats = Question(key="seats", type="number", label="How many?")
    >>> value_of(seats, ["1 200"], "en", None)
    1200
    """
    texts = [text.strip() for text in given if text.strip()]
    if not texts:
        return None
    if question.type == "choices":
        return [_chosen(question, text, locale, country) for text in dict.fromkeys(texts)]
    if len(texts) > 1:
        raise ValueError(N_("Please give one answer."))
    text = texts[0]
    if len(text) > LONGEST:
        raise ValueError(Sentence("Please use at most %(most)d characters.", most=LONGEST))
    if CONTROL.search(text):
        raise ValueError(N_("Please use letters, digits and punctuation only."))
    reader = READERS.get(question.type)
    if reader is not None:
        return reader(text, country)
    if question.type in {"choice", "timeframe", "yes-no", "country", "region"}:
        return _chosen(question, text, locale, country)
    return " ".join(text.split())


def shown_value(question: Question | None, value: Any, locale: str) -> str:
    """
    Return a value as people read it: a country's name rather than its code.

    What was asked as sensitive is never shown again to anybody.

    >>> shown_value(Question(key="c", type="country", label="?"), "DE", "en")
    'Germany'
    >>> shown_value(Question(key="h", type="text", label="?", sensitive=True), "asthma", "en")
    'kept, and not shown'
    """
    if question is not None and question.sensitive:
        return translated(SENSITIVE, locale)
    values = value if isinstance(value, list) else [value]
    if question is None:
        return ", ".join(str(one) for one in values)
    if question.type == "region":
        found = (pycountry.subdivisions.get(code=str(one)) for one in values)
        return ", ".join(region_name(one, locale) if one else str(value) for one in found)
    names = dict(choices_of(question, locale, None))
    return ", ".join(names.get(str(one), str(one)) for one in values)


def _chosen(question: Question, text: str, locale: str, country: str | None) -> str:
    """Return a code that was really offered."""
    if question.type == "region" and country is None:
        raise ValueError(N_("Please tell us your country first."))
    if text not in dict(choices_of(question, locale, country)):
        raise ValueError(N_("Please choose one of the answers in the list."))
    return text


def _number(text: str, country: str | None) -> int | float:
    """Read a number, with spaces or the usual separators between thousands."""
    del country
    plain = re.sub(r"[\s\u00a0\u202f']", "", text)
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", plain):
        plain = plain.replace(",", "")
    elif re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?", plain):
        plain = plain.replace(".", "").replace(",", ".")
    else:
        plain = plain.replace(",", ".")
    if not re.fullmatch(r"[+-]?\d{1,15}(\.\d{1,6})?", plain):
        raise ValueError(N_("Please give a number, like 250."))
    try:
        number = Decimal(plain)
    except InvalidOperation as error:
        raise ValueError(N_("Please give a number, like 250.")) from error
    return int(number) if number == number.to_integral() else float(number)


def _date(text: str, country: str | None) -> str:
    """Read a date."""
    del country
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ValueError(N_("Please give a date, like 2026-11-30.")) from error


def _phone(text: str, country: str | None) -> str:
    """Read a telephone number into E.164."""
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise ValueError(
            N_("Please give your number with its country code, like +44 113 496 0000.")
        ) from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError(N_("This telephone number has too few or too many digits."))
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


READERS: Mapping[str, Callable[[str, str | None], Any]] = {
    "number": _number,
    "date": _date,
    "phone": _phone,
}


def _by_name(pair: tuple[str, str]) -> str:
    """Sort by name, accents after their letter."""
    return unicodedata.normalize("NFKD", pair[1]).casefold()
