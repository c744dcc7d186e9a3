"""How old something is, in words."""

from datetime import datetime, timedelta

from babel.dates import format_timedelta
from flask import g

from regportal.store.words import locale_known


def age_of(at: datetime | None, now: datetime) -> str:
    """Return how old something is, "5 minutes", in the language of this answer; empty: none."""
    if at is None:
        return ""
    return format_timedelta(max(now - at, timedelta(seconds=1)), locale=locale_known(g.locale))
