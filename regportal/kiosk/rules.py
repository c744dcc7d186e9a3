"""What holds at a stand: how long a form may wait, when it was given, how long a code is good."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from regportal.forms.rules import Ask

SHEET = timedelta(days=14)
"""How old a page may be whose form is taken: a tablet keeps it while it has no line."""
WAITS = timedelta(days=7)
"""How long a tablet keeps a form that it cannot send (static/js/src/waiting.js has the same)."""
LEEWAY = timedelta(minutes=2)
"""How much our own clocks may differ from each other."""
PHONE = timedelta(minutes=5)
"""How long the code is good that a telephone reads."""
LIVE = timedelta(minutes=1)
"""A form that waited for longer belongs to somebody who has gone: it gets no code."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a stand's page asks of everybody, as it carries it: a form is judged against it."""

    stand: str
    gate: str
    question: str | None
    required: bool
    wording: str | None
    newsletter: str | None
    newsletter_wording: str | None
    locale: str
    issued: int
    """Unix seconds, by our clock."""

    def asks(self, nonce: str) -> Ask:
        """Return what one form asked, under a name of its own."""
        return Ask(
            nonce=nonce,
            gate=self.gate,
            email=True,
            question=self.question,
            required=self.required,
            wording=self.wording,
            newsletter=self.newsletter,
            newsletter_wording=self.newsletter_wording,
            visitor="",
            locale=self.locale,
            expires=self.issued + int(SHEET.total_seconds()),
        )

    @property
    def issued_at(self) -> datetime:
        """Return when the page was made."""
        return datetime.fromtimestamp(self.issued, UTC)


def is_fresh(sheet: Sheet, now: datetime) -> bool:
    """
    Return whether a form of this page may still be sent.

    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> sheet = Sheet("s", "g", None, False, None, None, None, "en", int(noon.timestamp()))
    >>> is_fresh(sheet, noon + timedelta(days=13)), is_fresh(sheet, noon + timedelta(days=15))
    (True, False)
    """
    return -LEEWAY <= now - sheet.issued_at <= SHEET


def given_at(waited: timedelta, issued: datetime, now: datetime) -> datetime:
    """
    Return when a form was given that says how long it waited.

    The tablet's clock says how long, never when. So that a wrong one does little harm, it is not
    before the page was made nor in the time to come:

    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> morning = noon - timedelta(hours=4)
    >>> given_at(timedelta(hours=1), morning, noon).isoformat()
    '2026-03-04T11:00:00+00:00'
    >>> given_at(timedelta(days=365), morning, noon) == morning
    True
    >>> given_at(timedelta(hours=-1), morning, noon) == noon
    True
    """
    return min(now, max(now - waited, issued))


class Carried(Protocol):
    """A form's way to a telephone; a row of the table is one."""

    @property
    def until(self) -> datetime | None:
        """Until when its code is good."""

    @property
    def used_at(self) -> datetime | None:
        """When it was used."""


def may_carry(form: Carried, now: datetime) -> bool:
    """
    Return whether a form's code still opens anything: once, and for a few minutes.

    >>> from types import SimpleNamespace
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> form = SimpleNamespace(until=noon + PHONE, used_at=None)
    >>> may_carry(form, noon), may_carry(form, noon + PHONE)
    (True, False)
    >>> form.used_at = noon
    >>> may_carry(form, noon)
    False
    >>> may_carry(SimpleNamespace(until=None, used_at=None), noon)
    False
    """
    return form.until is not None and form.used_at is None and now < form.until
