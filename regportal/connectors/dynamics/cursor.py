"""How far each table is read: what Dataverse's own links say, and since which day they are good."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

TABLES = ("opportunities", "connections", "contacts", "msdynmkt_contactpointconsent4s")
KEPT = ("$deltatoken", "$skiptoken")
"""What of a link says from where to ask on; its host and the rest are ours to say."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """From where to ask each table on; nothing where it was never asked."""

    day: str = ""
    """When the tokens were given: they end after a week, so new ones are asked for every day."""
    places: tuple[str, ...] = ("",) * len(TABLES)

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """
        Return the cursor that a text says; the first one for none.

        >>> Cursor.read(str(Cursor("2026-03-04", ("$deltatoken=9%21x", "", "", ""))))
        Cursor(day='2026-03-04', places=('$deltatoken=9%21x', '', '', ''))
        """
        if text is None:
            return cls()
        day, *places = text.split("|")
        return cls(day, tuple(places))

    def __str__(self) -> str:
        """Return it as the text that is kept."""
        return "|".join((self.day, *self.places))


def place_of(link: str) -> str:
    """
    Return what of a link says from where to ask on.

    >>> place_of("https://x.example/api/data/v9.2/contacts?$select=a&$deltatoken=9%21x%2Fy")
    '%24deltatoken=9%21x%2Fy'
    """
    told = parse_qsl(urlsplit(link).query)
    return urlencode([(name, value) for name, value in told if name in KEPT])


def asked_of(place: str) -> Mapping[str, str]:
    """
    Return what is asked with, of a place.

    >>> asked_of("%24deltatoken=9%21x")
    {'$deltatoken': '9!x'}
    """
    return dict(parse_qsl(place))
