"""Our own words in other languages: what pages and letters say around the marketers' texts."""

from typing import Any

from jinja2 import Environment


def N_(sentence: str) -> str:  # noqa: N802 - gettext's own name for a mark that does nothing
    """Mark a sentence of ours that is translated where it is shown."""
    return sentence


def translated(sentence: str, locale: str) -> str:
    """Return a sentence of ours in a language; as it is where that language lacks it."""
    del locale
    return sentence


def speaking(locale: str) -> dict[str, Any]:
    """Return what a template needs to speak a language: ``_``, ``gettext``, ``ngettext``."""

    def one(sentence: str, **values: Any) -> str:
        return translated(sentence, locale) % values if values else translated(sentence, locale)

    def some(single: str, plural: str, number: int, **values: Any) -> str:
        return (single if number == 1 else plural) % {"num": number, **values}

    return {"_": one, "gettext": one, "ngettext": some}


def use(pages: Environment) -> None:
    """Let templates say ``_("…")`` and ``{% trans %}``; raises nothing."""
    pages.add_extension("jinja2.ext.i18n")
