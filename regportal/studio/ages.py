"""How long ago something was, in words."""

from datetime import datetime, timedelta

from babel.dates import format_timedelta
from flask import g

from regportal.store.words import locale_known


def ago(at: datetime | None, now: datetime) -> str:
    """Return how long ago something was, in the language of this answer; empty where it was not."""
    if at is None:
        return ""
    return format_timedelta(max(now - at, timedelta(seconds=1)), locale=locale_known(g.locale))
