"""News of a CRM, under names that stay the same however often it is asked."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from regportal.connectors.base import Notice
from regportal.store.compact import write_json

BESIDE = re.compile(r"^(https?://)?(www\.)?|[/:?].*$")
"""What an address of a website has beside its domain."""


def notice(type_: str, told: Mapping[str, Any], at: str | None, *about: str) -> Notice:
    """
    Return a piece of news; the same told again has the same id, and nothing else has.

    A CRM's moments are whole seconds or minutes, so what is told counts too.

    >>> notice("opportunity.upserted", {"name": "Pumps"}, None, "006").id
    'opportunity.upserted:006:e5f59006c0506d78'
    """
    body = {"type": type_, "data": dict(told)} | ({"timestamp": at} if at else {})
    digest = hashlib.sha256(write_json(body).encode()).hexdigest()[:16]
    return Notice(":".join((type_, *about, digest)), body)


def domain_of(website: str | None) -> str | None:
    """
    Return the domain of an account by its website, as people write that into a CRM.

    >>> [domain_of(one) for one in ("https://www.acme.example/en", "acme.example:8080", "", None)]
    ['acme.example', 'acme.example', None, None]
    """
    return BESIDE.sub("", website or "") or None
