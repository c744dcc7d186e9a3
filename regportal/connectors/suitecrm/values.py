"""Values as SuiteCRM writes them: texts are HTML, numbers and moments are texts."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from regportal.connectors.desk import NotTakenError
from regportal.connectors.rules import Outcome, in_full

MOMENT = "%Y-%m-%d %H:%M:%S"
"""How SuiteCRM keeps moments: in UTC."""
OURS = "_c"
"""How the names end of fields that an administrator made."""
BREAK = "\u200b"
"""A blank without width: SuiteCRM takes what stands behind it for text, and nobody sees it."""
TAG = re.compile(r"<(?=[^\s<>=0-9])|&(?=#?\w+;)")
"""Where SuiteCRM sees HTML: it would cut out a tag, and turn an entity into its letter."""
BROKEN = re.compile(rf"([<&]){BREAK}")
LETTERS = {"&quot;": '"', "&lt;": "<", "&gt;": ">", "&#039;": "'"}
"""What SuiteCRM puts in place of four letters, in every text that it tells."""
ENTITY = re.compile("|".join(LETTERS))
NUMBERS = frozenset({"int", "uint", "float", "decimal", "double", "currency"})


def spelled(name: str) -> str:
    """
    Return how SuiteCRM spells a field of ours.

    >>> spelled("buying_phase"), spelled("my_phase_c")
    ('buying_phase_c', 'my_phase_c')
    """
    return name if name.endswith(OURS) else f"{name}{OURS}"


def text(value: str) -> str:
    """
    Return a text so that SuiteCRM keeps it as it is.

    It takes every text for HTML: it cuts tags out, and of one with a script it keeps nothing.

    >>> text("a < b, <b>, R&D &amp;").replace(BREAK, "|")
    'a < b, <|b>, R&D &|amp;'
    """
    return TAG.sub(lambda found: f"{found[0]}{BREAK}", value)


def read_text(value: str) -> str:
    """
    Return a text as people read it in SuiteCRM.

    >>> read_text(f"&lt;{BREAK}b&gt; Ann &amp; &quot;Bob&quot;")
    '<b> Ann &amp; "Bob"'
    """
    return BROKEN.sub(r"\1", ENTITY.sub(lambda found: LETTERS[found[0]], value))


def written(value: Any) -> Any:
    """
    Return a value as SuiteCRM is told it: a number stays one, for texts are read as people write.

    >>> written(datetime(2026, 3, 4, 12, tzinfo=UTC)), written(["a", "b"]), written(7.5)
    ('2026-03-04 12:00:00', '^a^,^b^', 7.5)
    >>> written(True), written(None)
    ('1', '')
    """
    if value is None or isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(MOMENT)
    if isinstance(value, (list, tuple)):
        return ",".join(f"^{text(str(one))}^" for one in value)
    return text(value) if isinstance(value, str) else value


def read_value(type_: str | None, value: Any) -> Any:
    """
    Return a value as ours, of which SuiteCRM told the text.

    >>> read_value("decimal", "72.50000000"), read_value("multienum", "^a^,^b^")
    (72.5, ['a', 'b'])
    >>> read_value("bool", "1"), read_value("varchar", "12"), read_value("float", "")
    (True, '12', '')
    """
    if not isinstance(value, str):
        return value
    if type_ == "bool":
        return value == "1"
    if type_ == "multienum":
        return value.strip("^").split("^,^") if value else []
    try:
        return float(value) if type_ in NUMBERS and value else value
    except ValueError:
        return value


def moment(value: Any) -> datetime:
    """
    Return a moment that SuiteCRM told; raise NotTakenError where it is none.

    >>> moment("2026-03-04T12:00:00+00:00").isoformat()
    '2026-03-04T12:00:00+00:00'
    """
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (TypeError, ValueError):
        raise NotTakenError(Outcome.RETRY, "SuiteCRM answered no moment") from None


def told_at(row: Mapping[str, Any]) -> str:
    """Return when a record was changed last, as news say it."""
    return in_full(moment(row.get("date_modified")))
