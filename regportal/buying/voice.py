"""In which language people are told of phases, and by which clock."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Literal

from babel.dates import format_timedelta
from babel.lists import format_list
from babel.numbers import format_percent

from regportal.buying.english import day_in_words, moment_in_words
from regportal.buying.vocabulary import named
from regportal.store.schema import span
from regportal.store.words import (
    N_,
    SOURCE,
    day_shown,
    locale_of_dates,
    moment_shown,
    speaking,
    translated,
)

Labels = Mapping[tuple[str, ...], str]
"""What marketers call things of theirs: by kind and key, an answer by that of its question."""
Grain = Literal["second", "minute", "hour", "day", "month"]
GRAINS: Mapping[str, Grain] = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "mo": "month",
}
"""By the sign of a length of time the unit in which it is said."""

ROLES = (
    N_("buyer"),
    N_("champion"),
    N_("decision maker"),
    N_("economic buyer"),
    N_("evaluator"),
    N_("executive sponsor"),
    N_("influencer"),
    N_("procurement"),
    N_("technical buyer"),
    N_("user"),
)
"""Parts in a purchase that most CRMs know."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A language and a clock. What CRMs, commands and programs read is in English."""

    zone: tzinfo = UTC
    locale: str = SOURCE
    labels: Labels = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_english(self) -> bool:
        """Return whether our sentences are said as they are written."""
        return self.locale.partition("-")[0] == SOURCE

    def says(self, sentence: str, **values: object) -> str:
        """
        Return a sentence of ours with its values.

        >>> Voice(locale="de").says("Not you?")
        'Nicht Sie?'
        """
        said = translated(sentence, self.locale)
        return said % values if values else said

    def counts(self, forms: tuple[str, str], number: int, **values: object) -> str:
        """
        Return one of a sentence's plurals.

        >>> Voice(locale="de").counts(("page view", "page views"), 2)
        'Seitenaufrufe'
        """
        said: str = speaking(self.locale)["ngettext"](*forms, number, **values)
        return said

    def category(self, name: str) -> str:
        """
        Return what we call a category, as it is written where this language has no word for it.

        >>> Voice(locale="de").category("price-list"), Voice().category("price-list")
        ('Preisliste', 'price-list')
        """
        return self._known(name.replace("-", " ")) or name

    def label(self, kind: str, key: str) -> str:
        """
        Return what marketers call a question or a score, as a name, else its key.

        >>> asked = {("question", "when"): "When do you decide?"}
        >>> Voice(labels=asked).label("question", "when"), Voice(labels=asked).label("score", "fit")
        ('“When do you decide?”', 'fit')
        """
        label = self.labels.get((kind, key))
        return key if label is None else self.says(N_("“%(label)s”"), label=label)

    def answer(self, question: str, value: str) -> str:
        """
        Return what marketers call an answer to choose, else what was answered.

        >>> Voice(labels={("answer", "when", "0-3m"): "Soon"}).answer("when", "0-3m")
        'Soon'
        """
        return self.labels.get(("answer", question, value), value)

    def role(self, name: str) -> str:
        """
        Return what people call a part in a purchase, however a CRM spells it.

        >>> Voice(locale="de").role("Decision Maker"), Voice(locale="de").role("shop_steward")
        ('Entscheider', 'shop steward')
        """
        return self._known(named(name).replace("_", " ")) or name.replace("_", " ")

    def _known(self, words: str) -> str | None:
        """Return words of ours in another language; None where it has none for them."""
        said = self.says(words)
        return None if said == words else said

    def moment(self, at: datetime) -> str:
        """
        Return a moment as people say it.

        >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
        >>> Voice().moment(noon), Voice(locale="de").moment(noon)
        ('4 Mar 2026 12:00', '4. März 2026, 12:00 UTC')
        """
        if self.is_english:
            return moment_in_words(at, self.zone)
        return moment_shown(at, self.locale, self.zone)

    def day(self, at: datetime) -> str:
        """
        Return a day as people say it.

        >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
        >>> Voice().day(noon), Voice(locale="de").day(noon)
        ('4 Mar 2026', '4. März 2026')
        """
        if self.is_english:
            return day_in_words(at, self.zone)
        return day_shown(at, self.locale, self.zone)

    def share(self, percent: int) -> str:
        r"""
        Return a share as people say it.

        >>> Voice().share(75), Voice(locale="de").share(75)
        ('75%', '75\xa0%')
        """
        return format_percent(percent / 100, locale=locale_of_dates(self.locale))

    def long(self, within: str) -> str:
        """
        Return a length of time as people say it.

        >>> Voice().long("45d"), Voice(locale="de").long("1mo")
        ('45 days', '1 Monat')
        """
        unit = GRAINS[within.lstrip("0123456789")]
        known = locale_of_dates(self.locale)
        return format_timedelta(span(within), unit, threshold=math.inf, locale=known)

    def listed(self, names: Iterable[str]) -> str:
        """
        Return several, one after the other.

        >>> Voice().listed(["a", "b"]), Voice(locale="ar").listed(["a", "b"])
        ('a, b', 'a، b')
        """
        return self.says(N_(", ")).join(names)

    def either(self, names: Sequence[str]) -> str:
        """
        Return several of which one will do.

        >>> Voice().either(["a", "b", "c"]), Voice(locale="de").either(["a", "b"])
        ('a, b or c', 'a oder b')
        """
        return format_list(names, "or", locale_of_dates(self.locale))

    def both(self, names: Sequence[str]) -> str:
        """
        Return several that belong together.

        >>> Voice().both(["Ann", "Bob"]), Voice().both(["Ann"])
        ('Ann and Bob', 'Ann')
        """
        return format_list(names, "standard", locale_of_dates(self.locale))


ENGLISH = Voice()
