"""What a rule may ask of pages: they are told by their whole address, without its query."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from regportal.buying.schema import Buying, Prefix
from regportal.documents.house import ADDRESSES, House
from regportal.documents.sentences import nearest, shown
from regportal.store.schema import Site

PAGES = frozenset({"page_view", "search"})
"""Events whose object is a page."""
EXAMPLE = "https://www.acme.example"


def no_page(told: str, house: House) -> str | None:
    """Say why no page can have this address; None: one can, or it is an asset's key."""
    if ("asset", told) in house.named:
        return None
    says = no_pages(told, house)
    if says is None and not urlsplit(told).path:
        return f"a page's address has a path: write {shown(told + '/')}"
    return says


def no_pages(prefix: str, house: House) -> str | None:
    """Say why no page's address can begin so; None: one can."""
    if any(one.startswith(prefix) for one in ADDRESSES):
        return None
    if not prefix.startswith(ADDRESSES):
        path = prefix if prefix.startswith("/") else "/pricing"
        like = shown(_origin(house) + path.partition("*")[0].partition("?")[0])
        return f"{shown(prefix)} is no address: a page is named by the whole of it, like {like}"
    for sign in "?#*":
        before, found, _ = prefix.partition(sign)
        if found and sign == "*":
            return f"* stands for nothing here: for all that begin so write {{prefix: {before}}}"
        if found:
            return f"what follows {sign} is never kept of an address: write {shown(before)}"
    return None


def unlike_origins(buying: Buying, site: Site) -> Iterator[str]:
    """Yield the pages that rules ask for and that are on none of the site's origins."""
    origins = [*site.origins]
    for told in dict.fromkeys(_asked(buying) if origins else ()):
        roots = [f"{origin}/" for origin in origins]
        if not any(root.startswith(told) or told.startswith(root) for root in roots):
            meant = nearest("/".join(told.split("/")[:3]), origins)
            tip = f"; did you mean {meant}?" if meant else ""
            yield (
                f"the rules ask for {shown(told)}, which is on none of the site's origins:"
                f" only the portal and servers tell of it{tip}"
            )


def _asked(buying: Buying) -> Iterator[str]:
    """Yield the addresses of pages that rules ask for, or their beginnings."""
    for condition in buying.conditions():
        told = condition.where.object if condition.event in PAGES and condition.where else None
        if isinstance(told, Prefix):
            yield told.prefix
        elif told is not None:
            every = (told,) if isinstance(told, str) else told
            yield from (one for one in every if one.startswith(ADDRESSES))


def _origin(house: House) -> str:
    """Return where pages of this site are, for an example."""
    site = house.documents.get(("site", "site"))
    return site.origins[0] if isinstance(site, Site) and site.origins else EXAMPLE
