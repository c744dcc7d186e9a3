"""What search engines are told of what stands behind a gate: that it is there, and not for free."""

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from regportal.forms.schema import Gate
from regportal.library.schema import Asset
from regportal.store.documents import Site, said

CREATIVE_WORK = "CreativeWork"
BY_MEDIA_TYPE = {"audio": "AudioObject", "image": "ImageObject", "video": "VideoObject"}
BY_CATEGORY = {
    "case-study": "Report",
    "paper": "Report",
    "report": "Report",
    "study": "Report",
    "video": "VideoObject",
    "webinar": "VideoObject",
    "white-paper": "Report",
}
"""What schema.org calls the categories it has a name for."""


def teaser(gate: Gate, asset: Asset, site: Site, locale: str) -> Markup | None:
    """
    Return the abstract of a gate for search engines, as a script element that holds data alone.

    It can stand in any page: nothing that a marketer wrote ends it. None without an abstract, for
    then the page has nothing of its own that could be found.
    """
    if not gate.abstract:
        return None
    told = htmlsafe_json_dumps(linked_data(gate, asset, site, locale), indent=1)
    return Markup('<script type="application/ld+json">\n{}\n</script>').format(told)


def linked_data(gate: Gate, asset: Asset, site: Site, locale: str) -> dict[str, object]:
    """
    Return what a page says of the asset in JSON-LD, as Google asks of content one registers for.

    https://developers.google.com/search/docs/appearance/structured-data/paywalled-content; what
    is not free is named by a class, the only kind of selector that is read there.
    """
    content = asset.content
    return {
        "@context": "https://schema.org",
        "@type": kind_of(asset),
        "name": said(asset.title, locale),
        "headline": said(gate.headline, locale),
        "description": "\n\n".join(gate.abstract_in(locale)),
        "inLanguage": locale,
        **({"encodingFormat": content.type} if content else {}),
        "publisher": {"@type": "Organization", "name": said(site.name, locale)},
        "isAccessibleForFree": False,
        "hasPart": {
            "@type": "WebPageElement",
            "isAccessibleForFree": False,
            "cssSelector": f".{gated(gate)}",
        },
    }


def gated(gate: Gate) -> str:
    """
    Return the class of what stands in the page for the asset itself, which is not free.

    >>> gated(Gate(key="price-list", asset="prices", headline="Prices"))
    'regportal-price-list'
    """
    return f"regportal-{gate.key}"


def kind_of(asset: Asset) -> str:
    """
    Return what schema.org calls an asset: by its bytes, else by its category.

    >>> kind_of(Asset(key="a", title="Talk", category="paper", url="https://a.example"))
    'Report'
    >>> film = {"sha256": "0" * 64, "name": "a.mp4", "size": 1, "type": "video/mp4"}
    >>> kind_of(Asset(key="a", title="Talk", category="paper", file="a.mp4", content=film))
    'VideoObject'
    """
    media = asset.content.type.partition("/")[0] if asset.content else ""
    return BY_MEDIA_TYPE.get(media) or BY_CATEGORY.get(asset.category, CREATIVE_WORK)
