"""What these mails say somebody did, in the language of the site, and nothing a stranger wrote."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, tzinfo
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from regportal.buying.labels import title
from regportal.buying.voice import Voice
from regportal.buying.words import Deed, Ground, sentence
from regportal.library.schema import Asset
from regportal.store.documents import Published, Site
from regportal.store.words import N_, translated

DEEDS = {
    "page_view": N_("%(who)s viewed %(what)s."),
    "price_lookup": N_("%(who)s looked up the price of %(what)s."),
    "download": N_("%(who)s downloaded %(what)s."),
    "video_watch": N_("%(who)s watched %(what)s."),
    "search": N_("%(who)s searched for %(what)s."),
    "share": N_("%(who)s shared %(what)s."),
    "form": N_("%(who)s filled in %(what)s."),
    "reply": N_("%(who)s replied to %(what)s."),
    "call": N_("%(who)s talked on the phone about %(what)s."),
    "meeting": N_("%(who)s met us about %(what)s."),
    "purchase": N_("%(who)s bought %(what)s."),
    "ticket": N_("%(who)s opened a ticket about %(what)s."),
}
SO_MUCH = N_("%(who)s watched at least %(share)s of %(what)s.")
OTHERWISE = N_("%(who)s did something: %(what)s.")
ELSEWHERE = N_("something else on the site")
PATH = re.compile(r"/[\w/~%-]{0,100}(\.html?|\.php)?")
NAME = re.compile(r"[\w-]{1,64}")
LONGEST = 120


def did(kind: str, who: str, what: str, locale: str) -> str:
    """
    Return what somebody did.

    >>> did("download", "ann@example.com", "Price list 2026", "en")
    'ann@example.com downloaded Price list 2026.'
    >>> did("download", "ann@example.com", "Preisliste", "de")
    'ann@example.com hat Preisliste heruntergeladen.'
    """
    return translated(DEEDS.get(kind, OTHERWISE), locale) % {"who": who, "what": what}


def did_marked(kind: str, who: str, what: str, locale: str) -> Markup:
    """
    Return the same for a page, each name in a direction of its own.

    >>> did_marked("download", "ann@example.com", "<b>", "en")
    Markup('<bdi>ann@example.com</bdi> downloaded <bdi>&lt;b&gt;</bdi>.')
    """
    name = Markup("<bdi>{}</bdi>").format  # it escapes what stands in it
    says = escape(translated(DEEDS.get(kind, OTHERWISE), locale))
    return says % {"who": name(who), "what": name(what)}


def reason(
    phase: str, since: datetime, rests_on: Sequence[Ground | str], zone: tzinfo, locale: str
) -> str:
    r"""
    Return why an opportunity is in a phase: in English as the CRM is told, else translated.

    >>> from datetime import UTC
    >>> took = Deed("ann@example.com", "download", "Preisliste")
    >>> tenpast = datetime(2026, 3, 4, 10, 12, tzinfo=UTC)
    >>> reason("Vergleich", tenpast, [Ground((took, took), 2, "45d")], UTC, "de")
    'Vergleich seit 4. März 2026, 10:12 UTC: ann@example.com hat Preisliste heruntergeladen (2)
    (nötig: 2, Zeitraum: 45 Tage)'
    >>> seen = Ground((Deed("ann@example.com", "video_watch", "Der Film"),), 1, "45d", share=75)
    >>> reason("Vergleich", tenpast, [seen], UTC, "de")
    'Vergleich seit 4. März 2026, 10:12 UTC: ann@example.com hat mindestens 75\xa0% von Der Film
    angesehen (nötig: 1, Zeitraum: 45 Tage)'
    """
    voice = Voice(zone, locale)
    if voice.is_english:
        return sentence(phase, since, rests_on, zone)
    told = (one if isinstance(one, str) else _counted(one, voice) for one in rests_on)
    why = voice.says(N_("; ")).join(told)
    values = {"phase": phase, "when": voice.moment(since), "why": why}
    return voice.says(N_("%(phase)s since %(when)s: %(why)s"), **values)


def _counted(ground: Ground, voice: Voice) -> str:
    """Return what was done how often, and how much of it was needed."""
    deeds = voice.listed(
        _done(deed, often, ground.share, voice) for deed, often in Counter(ground.deeds).items()
    )
    long = voice.long(ground.within)
    values = {"deeds": deeds, "least": ground.at_least, "span": long}
    return voice.says(N_("%(deeds)s (needed: %(least)d within %(span)s)"), **values)


def _done(deed: Deed, often: int, share: int | None, voice: Voice) -> str:
    """Return what was done how often, or how much of a film was watched."""
    if share is not None:
        said = voice.says(SO_MUCH, who=deed.who, share=voice.share(share), what=deed.what)
        return said.removesuffix(".")
    said = did(deed.type, deed.who, deed.what, voice.locale).removesuffix(".")
    return f"{said} ({often})" if often > 1 else said


def object_said(published: Published, name: str, origins: Collection[str], locale: str) -> str:
    """
    Return what people call an object: an asset's title, or a page of the site by its path.

    A browser may tell of any object: whatever else it says is not repeated to a colleague, who
    would read it as ours, and find an address in it turned into a link by his mail program.

    >>> nothing, ours = Published(1, []), ["https://www.acme.example"]
    >>> object_said(nothing, "https://www.acme.example/prices", ours, "en")
    '/prices'
    >>> object_said(nothing, "Call us: https://evil.example/", ours, "en")
    'something else on the site'
    """
    if published.find(Asset, name) is not None:
        return one_line(title(published, name))
    if NAME.fullmatch(name) or PATH.fullmatch(name):
        return name
    try:
        parts = urlsplit(name)
    except ValueError:
        return translated(ELSEWHERE, locale)
    if f"{parts.scheme}://{parts.netloc}" in origins and PATH.fullmatch(parts.path):
        return parts.path
    return translated(ELSEWHERE, locale)


def object_of(published: Published, name: str, own: str, locale: str) -> str:
    """Return the same for pages of the published site, and of the portal's ``own`` origin."""
    return object_said(published, name, (*Site.of(published).origins, own), locale)


def one_line(text: str) -> str:
    r"""
    Return a text of others on one line, not too long, without signs that nobody sees.

    >>> one_line("500 widgets\r\nBcc: eve\u202e")
    '500 widgets Bcc: eve'
    """
    line = "".join(sign for sign in " ".join(text.split()) if sign.isprintable())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
