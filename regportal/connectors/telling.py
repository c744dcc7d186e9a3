"""News of a CRM, under names that stay the same however often it is asked."""

import hashlib
from collections.abc import Mapping
from typing import Any

from regportal.connectors.base import Notice
from regportal.store.compact import write_json


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
