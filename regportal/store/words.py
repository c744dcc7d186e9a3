"""
Our own words in other languages: what pages and letters say around the marketers' texts.

English is the source: it stands in the templates and in the code. Every other language is one
file of sentences, ``regportal/locale/<language>/LC_MESSAGES/messages.po``; `docs/languages.md`
tells how to add one.

- In a template: ``{{ _("Get it now") }}``, or ``{% trans %}…{% endtrans %}`` where a sentence has
  markup. Values have names: ``{{ _("Hello %(name)s", name=name) }}``.
- In Python: ``N_("Please give one answer.")`` marks a sentence, ``NN_("%(num)d day",
  "%(num)d days")`` its plurals; with values in it,
  ``Sentence("Please use at most %(most)d signs.", most=400)``. Both are plain strings in English,
  and ``translated(sentence, locale)`` says them in a language where they are shown.
"""

import gettext
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from babel import Locale, UnknownLocaleError, negotiate_locale
from babel.dates import format_date, format_time, get_datetime_format
from jinja2 import Environment

FOLDER = Path(__file__).parents[1] / "locale"
"""A folder a language, and in it LC_MESSAGES/messages.po."""
SOURCE = "en"


def N_(sentence: str) -> str:  # noqa: N802 - gettext's own name for a mark that does nothing
    """Mark a sentence of ours that is translated where it is shown."""
    return sentence


def NN_(single: str, plural: str) -> tuple[str, str]:  # noqa: N802 - as N_, for a sentence's plurals
    """Mark a sentence of ours that is said otherwise of one than of several."""
    return single, plural


class Sentence(str):
    """
    A sentence of ours with values in it: in English as it is, and translated with its values.

    >>> Sentence("Please use at most %(most)d characters.", most=400)
    'Please use at most 400 characters.'
    """

    __slots__ = ("says", "values")
    says: str
    values: Mapping[str, object]

    def __new__(cls, says: str, **values: object) -> Self:
        """Put the values in, and keep both apart for other languages."""
        made = super().__new__(cls, says % values)
        made.says, made.values = says, values
        return made

    def __str__(self) -> str:
        """Stay what it is: ``str(error)`` can be translated as well."""
        return self


def translated(sentence: str, locale: str) -> str:
    """
    Return a sentence of ours in a language; as it is where that language lacks it.

    >>> translated("Not you?", "de-AT"), translated("Not you?", "xx")
    ('Nicht Sie?', 'Not you?')
    """
    if isinstance(sentence, Sentence):
        return _catalogue(locale).gettext(sentence.says) % sentence.values
    return _catalogue(locale).gettext(sentence) if sentence else sentence


@lru_cache(maxsize=64)
def speaking(locale: str) -> Mapping[str, Any]:
    """
    Return what a template needs to speak a language.

    ``_`` and ``gettext`` say a sentence, ``ngettext`` one of its plurals, ``moment`` a time;
    ``lang`` and ``dir`` are for ``<html>``.
    """
    catalogue = _catalogue(locale)

    def one(sentence: str, **values: object) -> str:
        found = translated(sentence, locale)
        return found % values if values else found

    def some(single: str, plural: str, number: int, **values: object) -> str:
        found = catalogue.ngettext(single, plural, number)
        return found % {"num": number, **values}

    def moment(at: datetime) -> str:
        return moment_shown(at, locale)

    words: dict[str, Any] = {"_": one, "gettext": one, "ngettext": some, "moment": moment}
    return MappingProxyType(words | {"lang": locale, "dir": direction(locale)})


def use(pages: Environment) -> None:
    """
    Let templates say ``_("…")`` and ``{% trans %}``; raises nothing.

    What ``_`` returns is escaped as any other text; a ``{% trans %}`` may hold markup, and then
    its values are escaped. A sentence is one, however many lines it stands on.
    """
    pages.add_extension("jinja2.ext.i18n")
    pages.policies["ext.i18n.trimmed"] = True


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Return the languages that we speak: the source, and each that has a catalogue."""
    found = (file.parts[-3] for file in FOLDER.glob("*/LC_MESSAGES/messages.po"))
    return (SOURCE, *sorted(found))


def is_spoken(locale: str) -> bool:
    """
    Return whether our own words can be said in this language.

    >>> is_spoken("de-CH"), is_spoken("en"), is_spoken("fr")
    (True, True, False)
    """
    return any(name in languages() for name in _names(locale))


def unsaid(locale: str) -> int:
    """
    Return how many of our own sentences are not translated into a language that we speak.

    >>> unsaid("en"), unsaid("de")
    (0, 0)
    """
    from babel.messages import pofile  # noqa: PLC0415 - only who asks this needs it

    found = _file_of(locale)
    if found is None:
        return 0
    with found.open("rb") as source:
        said = [message.string for message in pofile.read_po(source) if message.id]
    return sum(not (one if isinstance(one, str) else one and all(one)) for one in said)


def nearest(wanted: Iterable[str], offered: Iterable[str]) -> str | None:
    """
    Return the offered language that is wanted most, or None where none of them is.

    >>> nearest(["de-AT", "en"], ["en", "de"])
    'de'
    >>> nearest(["de"], ["en", "de-CH"])
    'de-CH'
    >>> nearest(["fr", "*"], ["en", "de"]) is None
    True
    """
    here = {one.casefold(): one for one in offered}
    for one in wanted:
        found = negotiate_locale([one.replace("_", "-")], [*here], sep="-")
        if found is None:  # somebody's own kind of it is better than another language
            found = next((name for name in here if name.partition("-")[0] == one.casefold()), None)
        if found is not None:
            return here[found.casefold()]
    return None


def direction(locale: str) -> str:
    """
    Return from where a language is written.

    >>> direction("de"), direction("ar")
    ('ltr', 'rtl')
    """
    return locale_known(locale).text_direction


def moment_shown(at: datetime, locale: str, zone: tzinfo = UTC) -> str:
    """
    Return a time as people read it in a language, by the clock of a zone, which is named.

    >>> noon = datetime(2026, 3, 4, 12, 5, tzinfo=UTC)
    >>> moment_shown(noon, "en"), moment_shown(noon, "de")
    ('4 March 2026, 12:05 UTC', '4. März 2026, 12:05 UTC')

    >>> from zoneinfo import ZoneInfo
    >>> moment_shown(noon, "en", ZoneInfo("Europe/Berlin"))
    '4 March 2026, 13:05 CET'
    """
    known, at = locale_of_dates(locale), at.astimezone(zone)
    pattern = str(get_datetime_format("long", locale=known))
    day = format_date(at, "long", locale=known)
    hour = format_time(at, "short", tzinfo=zone, locale=known)
    return f"{pattern.replace('{1}', day).replace('{0}', hour)} {at.tzname()}"


def day_shown(at: datetime, locale: str, zone: tzinfo = UTC) -> str:
    """
    Return a day as people read it in a language, by the clock of a zone.

    >>> day_shown(datetime(2026, 3, 4, 23, 5, tzinfo=UTC), "en")
    '4 March 2026'
    """
    return format_date(at.astimezone(zone), "long", locale=locale_of_dates(locale))


@lru_cache(maxsize=64)
def locale_known(locale: str) -> Locale:
    """
    Return what CLDR knows of a language; of English where it does not know it.

    >>> locale_known("de-AT").territory, locale_known("tlh").language
    ('AT', 'en')
    """
    for name in _names(locale):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale(SOURCE)


def locale_of_dates(locale: str) -> Locale:
    """Return who says how dates and lists are written: English is that of most countries."""
    known = locale_known(locale)
    return Locale("en", "GB") if known == Locale(SOURCE) else known


@lru_cache(maxsize=64)
def _catalogue(locale: str) -> gettext.NullTranslations:
    """
    Return a language's sentences, read when it is first spoken and kept.

    There is no .mo file to be built, forgotten or stale (docs/decisions/0007).
    """
    found = _file_of(locale)
    if found is None:
        return gettext.NullTranslations()
    from babel.messages import mofile, pofile  # noqa: PLC0415 - who speaks English only never needs it

    compiled = io.BytesIO()
    with found.open("rb") as source:
        mofile.write_mo(compiled, pofile.read_po(source))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _file_of(locale: str) -> Path | None:
    """Return the catalogue of a language, or else of that of which it is a country's kind."""
    found = next((name for name in _names(locale) if name in languages()), SOURCE)
    return None if found == SOURCE else FOLDER / found / "LC_MESSAGES" / "messages.po"


def _names(locale: str) -> tuple[str, ...]:
    """
    Return what a language may be called, the most exact name first.

    >>> _names("pt-BR")
    ('pt_BR', 'pt')
    """
    exact = locale.replace("-", "_")
    return tuple(dict.fromkeys((exact, exact.partition("_")[0])))


def autonym(language: str) -> str:
    """
    Return what a language calls itself.

    >>> autonym("de"), autonym("fr"), autonym("ar")
    ('Deutsch', 'Français', 'العربية')
    """
    name = locale_known(language).display_name or language
    return name[:1].upper() + name[1:]
