"""What every page is told: whose site it is, in which language, inside which page."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from babel.units import format_unit
from flask import g, request

from regportal.consent.schema import Newsletter
from regportal.forms.languages import languages_offered, read_by_visitors
from regportal.forms.schema import Gate
from regportal.library.schema import Asset
from regportal.store import current
from regportal.store.documents import Published, Site, said
from regportal.store.words import (
    N_,
    locale_known,
    nearest,
    speaking,
    translated,
)

STEP = 1000
UNITS = ("kilobyte", "megabyte", "gigabyte")


@dataclass(frozen=True, slots=True)
class Frame:
    """
    The page around ours: its exact origin, or None where we are alone.

    ``language`` is the one it asked us to speak, or None where the browser's holds.
    """

    origin: str | None
    language: str | None = None

    @property
    def query(self) -> dict[str, Any]:
        """Return what an address of ours carries on."""
        around = {"in": "frame", "host": self.origin} if self.origin else {}
        return {**around, **self.spoken}

    @property
    def spoken(self) -> dict[str, Any]:
        """Return what an address carries on that opens outside of the page around ours."""
        return {"lang": self.language} if self.language else {}


def frame(site: Site) -> Frame:
    """Return the page around ours: one of the site's origins, never another."""
    if request.args.get("in") != "frame":
        return Frame(None, language_asked())
    referrer = urlsplit(request.headers.get("Referer", ""))
    asked = request.args.get("host") or f"{referrer.scheme}://{referrer.netloc}"
    own = current.settings().origin
    allowed = (*site.origins, own)
    return Frame(asked if asked in allowed else allowed[0], language_asked())


@lru_cache(maxsize=4)
def languages(published: Published) -> tuple[str, ...]:
    """Return the languages visitors are answered in, as long as this publication holds."""
    documents = read_by_visitors(published)
    return languages_offered(documents, Site.of(published).locale)


def language_asked() -> str | None:
    """Return the language the address itself asks for (``?lang=de``), where the site offers it."""
    asked = request.args.get("lang")
    return nearest([asked], languages(current.published())) if asked else None


def locale_of(site: Site, chosen: str | None = None) -> str:
    """
    Return the language of an answer: the address's, else the browser's, else the site's.

    What the person whose page it is has ``chosen`` goes before what the browser prefers.
    """
    wanted = [name for name, quality in request.accept_languages if quality > 0]
    wanted = [chosen, *wanted] if chosen else wanted
    offered = languages(current.published())
    return language_asked() or nearest(wanted, offered) or site.locale


def around_page(site: Site, locale: str | None = None) -> dict[str, Any]:
    """Return what every page is rendered with, in the language of this answer or in another."""
    g.locale = locale = locale or locale_of(site)
    parent = frame(site).origin
    return {
        "site": site.shown(locale),
        "framed": parent is not None,
        "parent": parent,
        "handed": g.get("handed"),
        **speaking(locale),
    }


def gate_shown(gate: Gate, locale: str) -> dict[str, Any]:
    """Return what pages say about a gate, before and after it is passed."""
    return {
        "headline": said(gate.headline, locale),
        "text": said(gate.text, locale) if gate.text else None,
        "abstract": gate.abstract_in(locale),
    }


def asset_shown(asset: Asset, locale: str) -> dict[str, str]:
    """Return what pages say about an asset."""
    content = asset.content
    kind = translated(N_("Online"), locale)
    if content is not None:
        ending = content.name.rpartition(".")[2].upper()
        of_size = translated(N_("%(kind)s, %(size)s"), locale)
        kind = of_size % {"kind": ending, "size": size_shown(content.size, locale)}
    return {
        "key": asset.key,
        "title": said(asset.title, locale),
        "category": category_shown(asset.category, locale),
        "type": kind,
    }


def category_shown(category: str, locale: str) -> str:
    """
    Return a category as people read it.

    >>> category_shown("price-list", "de"), category_shown("anything-else", "de")
    ('Preisliste', 'anything else')
    """
    return translated(category.replace("-", " "), locale)


def frequency_shown(newsletter: Newsletter, locale: str) -> str | None:
    """Return how often a newsletter comes, in a word."""
    often = newsletter.frequency
    return translated(said(often, locale), locale) if often else None


def size_shown(size: int, locale: str) -> str:
    """
    Return a size as people read it.

    >>> size_shown(900, "en"), size_shown(245_760, "en"), size_shown(5_242_880, "de")
    ('900 bytes', '246 kB', '5,2 MB')
    """
    if size < STEP:
        ngettext = speaking(locale)["ngettext"]
        return str(ngettext("%(num)d byte", "%(num)d bytes", size))
    number, unit = size / STEP, 0
    while number >= STEP and unit < len(UNITS) - 1:
        number, unit = number / STEP, unit + 1
    number = round(number, 1 if unit and number < 10 else None)  # noqa: PLR2004 - ten of a unit: one digit more
    return format_unit(number, f"digital-{UNITS[unit]}", "short", locale=locale_known(locale))
