"""What people read in a CRM: what a contact did, and what he is called."""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from regportal.connectors.orders import Day, Did
from regportal.connectors.rules import in_full

LONGEST = 250
"""Letters of a subject: what every CRM takes."""
MOST_LINES = 100
"""Of a note."""
BAD = re.compile(r"[<>=\x00-\x1f]+")
"""What no name contains, and some CRMs refuse in one."""
LONGEST_NAME = 100
UNNAMED = "(not yet known)"
VERBS = {
    "page_view": "Looked at",
    "download": "Downloaded",
    "price_lookup": "Looked up a price:",
    "video_watch": "Watched",
    "form_view": "Looked at the form",
}


def subject(told: Did | Day) -> str:
    """
    Return what was done, in a line: of a day the first deed, and how many others there are.

    >>> import uuid
    >>> from datetime import UTC, datetime
    >>> from regportal.connectors.orders import Whose
    >>> noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    >>> did = Did(
    ...     Whose("1", "ann@acme.example"),
    ...     uuid.UUID(int=1),
    ...     "download",
    ...     "prices",
    ...     "price-list",
    ...     noon,
    ...     {},
    ...     (),
    ...     "Price list 2026",
    ... )
    >>> subject(did)
    'Downloaded Price list 2026'
    >>> subject(Day(did.whose, did.id, noon.date(), (did, did), 0, noon, ()))
    '2026-03-04: Downloaded Price list 2026'
    """
    if isinstance(told, Did):
        return _short(_line(told))
    others = len({_line(one) for one in told.deeds}) - 1
    more = f", and {others} more" if others else ""
    return _short(f"{told.day.isoformat()}: {_line(told.deeds[0])}{more}")


def body(told: Did | Day) -> str:
    """Return when it was done, of which category it is, and what is known of it besides."""
    if isinstance(told, Day):
        return "\n".join([subject(told), *_lines(told)])
    lines = [subject(told), in_full(told.at)]
    if told.category:
        lines.append(f"Category: {told.category}")
    besides = told.properties.items()
    lines += [f"{name}: {value}" for name, value in besides if isinstance(value, (str, int, float))]
    return "\n".join(lines)


def last_name(email: str) -> str:
    """
    Return what a contact is called of whom only the address is known; CRMs ask for a name.

    >>> last_name("ann.smith@acme.example"), last_name("=@acme.example")
    ('ann.smith', '(not yet known)')
    """
    local = BAD.sub(" ", email.partition("@")[0]).strip()
    return local[:LONGEST_NAME] or UNNAMED


def _lines(day: Day) -> Iterator[str]:
    """Yield the deeds of a day, each on a line; what was done again and again is one."""
    times: dict[str, list[datetime]] = {}
    for one in sorted(day.deeds, key=lambda one: one.at):
        times.setdefault(_line(one), []).append(one.at)
    for line, at in islice(times.items(), MOST_LINES):
        often = f" ({len(at)} times, the last {in_full(at[-1])})" if len(at) > 1 else ""
        yield f"{in_full(at[0])}  {line}{often}"
    left_out = day.left_out + max(len(times) - MOST_LINES, 0)
    if left_out:
        yield f"and {left_out} more"


def _line(did: Did) -> str:
    """Return what was done, however long."""
    verb = VERBS.get(did.type) or did.type.removeprefix("custom:").replace("_", " ").capitalize()
    return " ".join(f"{verb} {did.title or did.object}".split())


def _short(line: str) -> str:
    """Return a line as every CRM takes it."""
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
