"""What people read in a CRM of what a contact did."""

from regportal.connectors.orders import Did
from regportal.connectors.rules import in_full

LONGEST = 250
"""Letters of a subject: what every CRM takes."""
VERBS = {
    "page_view": "Looked at",
    "download": "Downloaded",
    "price_lookup": "Looked up a price:",
    "video_watch": "Watched",
    "form_view": "Looked at the form",
}


def subject(did: Did) -> str:
    """
    Return what was done, in a line.

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
    """
    verb = VERBS.get(did.type) or did.type.removeprefix("custom:").replace("_", " ").capitalize()
    line = " ".join(f"{verb} {did.title or did.object}".split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def body(did: Did) -> str:
    """Return when it was done, of which category it is, and what is known of it besides."""
    lines = [subject(did), in_full(did.at)]
    if did.category:
        lines.append(f"Category: {did.category}")
    told = did.properties.items()
    lines += [f"{name}: {value}" for name, value in told if isinstance(value, (str, int, float))]
    return "\n".join(lines)
