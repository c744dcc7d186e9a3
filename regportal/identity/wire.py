"""Reading what a browser sent, and refusing what no page of ours would send."""

import hashlib
import ipaddress
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Request

from regportal.errors import BadRequestError, ForbiddenError
from regportal.identity.browser import SYSTEMS
from regportal.store import current
from regportal.store.documents import Site
from regportal.store.words import N_, translated

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_FIELDS = 64
FORM = "application/x-www-form-urlencoded"
ONE_CLICK = {"List-Unsubscribe": ["One-Click"]}
"""What a mail program sends to stop letters, and nothing beside it (RFC 8058)."""
NOT_THEIRS = N_("This form was sent from a page that may not send it.")
SIGNALS = ("Sec-GPC", "DNT", "Sec-Fetch-User")
PURPOSES = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
CAMPAIGN = re.compile(r"^(utm_[a-z_]{1,32}|[a-z_]{0,12}clk?id|gbraid|wbraid|li_fat_id)$")


def read_form(sent: Request) -> dict[str, list[str]]:
    """
    Return every field of a form as it was sent.

    Raises BadRequestError for another content type, bytes that are not UTF-8, NUL, or more
    fields than any form of ours has.
    """
    if sent.mimetype != FORM:
        raise BadRequestError(N_("Please send the form as a browser does."))
    try:
        body = sent.get_data().decode("utf-8")
        pairs = parse_qsl(body, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise BadRequestError(N_("This form cannot be read.")) from error
    fields: dict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        if "\x00" in name + value:
            raise BadRequestError(N_("This form cannot be read."))
        fields[name].append(value)
    return dict(fields)


def is_one_click(sent: Request) -> bool:
    """Return whether a body is what a mail program sends: this and nothing else."""
    if sent.mimetype == "multipart/form-data":
        return not sent.files and sent.form.to_dict(flat=False) == ONE_CLICK
    return sent.mimetype == FORM and read_form(sent) == ONE_CLICK


def only(fields: Mapping[str, list[str]], name: str) -> str:
    """Return a field that is sent once, empty where it is not sent; raise BadRequestError."""
    values = fields.get(name, [])
    if len(values) > 1:
        raise BadRequestError(N_("This form answers one thing twice."))
    return values[0] if values else ""


def check_origin(sent: Request, site: Site) -> None:
    """
    Refuse a form that was sent from a page that may not send it (security.md 3.4).

    Raises ForbiddenError.
    """
    if not is_ours(sent, site):
        raise ForbiddenError(NOT_THEIRS)


def check_own(sent: Request) -> None:
    """
    Refuse what was not sent from the portal's own origin, which a page around ours is not.

    Raises ForbiddenError.
    """
    own = current.settings().origin
    if sent.headers.get("Origin", own) != own:
        raise ForbiddenError(NOT_THEIRS)


def check_caller(sent: Request, site: Site, *, keys: bool) -> None:
    """
    Refuse a program's call likewise; say what would let it in, where ``keys`` also a key.

    Raises ForbiddenError.
    """
    if not is_ours(sent, site):
        origin = clean(sent.headers.get("Origin", ""), 200)
        says = f"Origin {origin} is not in site.origins" if origin else "There is no Origin"
        raise ForbiddenError(f"{says}; a server sends an API key." if keys else f"{says}.")


def is_ours(sent: Request, site: Site) -> bool:
    """Return whether a page of ours, or one that may embed us, sent this."""
    origin = sent.headers.get("Origin")
    if origin is None:
        return sent.headers.get("Sec-Fetch-Site") == "same-origin"
    own = {current.settings().origin, f"{sent.scheme}://{sent.host}"}
    return origin in own or origin in site.origins


def clean(text: str, most: int) -> str:
    """
    Return what of a text can be stored and shown: no control characters, nothing endless.

    >>> clean("spring" + chr(0) + chr(10) + "fair", 8)
    'springfa'
    """
    if not text.isprintable():
        text = "".join(sign for sign in text if sign.isprintable())
    return text[:most]


def campaign_of(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of an address that say which campaign led to it."""
    return {
        name[:40]: clean(value, 200)
        for name, value in list(parameters.items())[:20]
        if CAMPAIGN.match(name)
    }


def came_from(sent: Request) -> str | None:
    """
    Return the page a visitor came from: as the page around ours says it, or else the browser.

    A page that says it is empty (``rp_ref=``) means: from nowhere.
    """
    said = sent.args.get("rp_ref")
    return place_of((sent.referrer or "") if said is None else said)


def place_of(address: str) -> str | None:
    """Return the page a visitor came from, without its query; None where it is ours, or none."""
    try:
        parts = urlsplit(clean(address, 500))
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return None
    origin = f"{parts.scheme}://{parts.netloc}"
    return None if origin == current.settings().origin else f"{origin}{parts.path}"


def network_of(sent: Request) -> str | None:
    """Return the visitor's network: /24 of IPv4, /48 of IPv6."""
    try:
        address = ipaddress.ip_address(sent.remote_addr or "")
    except ValueError:
        return None
    length = 24 if address.version == 4 else 48  # noqa: PLR2004 - versions of IP
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False))


def agent_of(sent: Request) -> str:
    """Return the name that the browser gives itself; empty where it gives none."""
    return clean(sent.headers.get("User-Agent", ""), 300)


def purpose_of(sent: Request) -> str | None:
    """Return for what a page was fetched, where the browser says that nobody asked for it yet."""
    said = next((sent.headers[name] for name in PURPOSES if name in sent.headers), None)
    return clean(said, 60) if said else None


def agent_hash(sent: Request) -> str:
    """Return the hash of the browser's name."""
    return hashlib.sha256(str(sent.user_agent).encode("utf-8", "replace")).hexdigest()


def signals_of(sent: Request, names: Sequence[str] = SIGNALS) -> dict[str, str]:
    """Return what the browser says of the person's wishes."""
    return {name: clean(sent.headers[name], 16) for name in names if name in sent.headers}


def browser_shown(name: str, locale: str) -> str:
    """
    Return the rough name of a browser in a language.

    >>> browser_shown("Firefox on Linux", "de"), browser_shown("a browser", "de")
    ('Firefox unter Linux', 'ein Browser')
    """
    for says in (*(says for _, says in SYSTEMS), "%(browser)s"):
        before, after = says.split("%(browser)s")
        if name.startswith(before) and name.endswith(after):
            browser = name.removeprefix(before).removesuffix(after)
            return translated(says, locale) % {"browser": translated(browser, locale)}
    return name


def is_own_staff(sent: Request, site: Site, email: str | None) -> bool:
    """Return whether ``site.ignore`` names whoever sent a form."""
    return is_ignored(site, sent.remote_addr, email)


def is_ignored(site: Site, place: str | None, email: str | None = None) -> bool:
    """Return whether ``site.ignore`` names a network address, or an e-mail address."""
    if email and any(fnmatch(email.lower(), one.lower()) for one in site.ignore.addresses):
        return True
    if not site.ignore.networks:
        return False
    try:
        address = ipaddress.ip_address(place or "")
    except ValueError:
        return False
    return any(address in network for network in _ignored(site))


def is_ignored_network(site: Site, kept: str | None) -> bool | None:
    """
    Return whether ``site.ignore`` names whoever came from a network, of which no more was kept.

    None where that cannot be said: only a part of the network is named, or nothing was kept.

    >>> from regportal.store.schema import Ignore
    >>> site = Site.model_construct(ignore=Ignore(networks=("10.1.0.0/16", "192.0.2.7/32")))
    >>> is_ignored_network(site, "10.1.2.0/24"), is_ignored_network(site, "203.0.113.0/24")
    (True, False)
    >>> is_ignored_network(site, "192.0.2.0/24") is None
    True
    """
    if kept is None:
        return None
    network = ipaddress.ip_network(kept)
    ours = [one for one in _ignored(site) if one.version == network.version]
    if any(_contains(one, network) for one in ours):
        return True
    return None if any(network.overlaps(one) for one in ours) else False


def _ignored(site: Site) -> list[Network]:
    """Return the networks of the company's own staff."""
    return [ipaddress.ip_network(one, strict=False) for one in site.ignore.networks]


def _contains(one: Network, other: Network) -> bool:
    """Return whether all of the other network, of the same version, lies in the one."""
    return one.prefixlen <= other.prefixlen and one.overlaps(other)
