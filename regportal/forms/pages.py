"""What every page is told: whose site it is, in which language, inside which page."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from babel import Locale
from flask import request

from regportal.forms.fields import language
from regportal.library.schema import Asset
from regportal.store import current
from regportal.store.documents import Site, said

UNITS = ("bytes", "kB", "MB", "GB")


@dataclass(frozen=True, slots=True)
class Frame:
    """The page around ours: its exact origin, or None where we are alone."""

    origin: str | None

    @property
    def query(self) -> dict[str, Any]:
        """Return what an address of ours carries on while we are framed."""
        return {"in": "frame", "host": self.origin} if self.origin else {}


def frame(site: Site) -> Frame:
    """Return the page around ours: one of the site's origins, never another."""
    if request.args.get("in") != "frame":
        return Frame(None)
    referrer = urlsplit(request.headers.get("Referer", ""))
    asked = request.args.get("host") or f"{referrer.scheme}://{referrer.netloc}"
    own = current.settings().origin
    allowed = (*site.origins, own)
    return Frame(asked if asked in allowed else allowed[0])


def locale_of(site: Site) -> str:
    """Return the language of the visitor's browser; the site's where it names none."""
    wanted = request.accept_languages.best
    return language(wanted) if wanted and wanted != "*" else language(site.locale)


def around_page(site: Site) -> dict[str, Any]:
    """Return what every page is rendered with."""
    parent = frame(site).origin
    return {
        "site": site.shown(site.locale),
        "lang": site.locale,
        "dir": Locale.parse(site.locale, sep="-").text_direction,
        "framed": parent is not None,
        "parent": parent,
    }


def asset_shown(asset: Asset, locale: str) -> dict[str, str]:
    """Return what pages say about an asset."""
    content = asset.content
    kind = "Online"
    if content is not None:
        ending = content.name.rpartition(".")[2].upper()
        kind = f"{ending}, {size_shown(content.size)}"
    return {"title": said(asset.title, locale), "category": asset.category, "type": kind}


def size_shown(size: int) -> str:
    """
    Return a size as people read it.

    >>> size_shown(900), size_shown(245_760), size_shown(5_242_880)
    ('900 bytes', '246 kB', '5.2 MB')
    """
    step, number = 1000, float(size)
    for unit in UNITS:
        if number < step or unit == UNITS[-1]:
            break
        number /= step
    text = f"{number:.1f}" if unit in {"MB", "GB"} and number < 10 else f"{number:.0f}"  # noqa: PLR2004 - ten of a unit: one digit more
    return f"{text} {unit}"
