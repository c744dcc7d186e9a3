"""What may be told of an interaction: one strict schema for each type, and nothing beside it."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from regportal.store.strict_json import AnyMoment, Strict, first_fault
from regportal.tracking.rules import merged

MOST = 50
"""Events of one call."""
MOST_PROPERTIES = 4096
"""Bytes of one event's properties, as JSON."""
KEPT_BACK = timedelta(hours=25)
"""How long a browser may hold an event back: one day without a network, and an hour to spare."""
ORDERED = 7
"""The version of UUID whose beginning is its time."""
CUSTOM = r"custom:[a-z0-9][a-z0-9_-]{0,63}"


def _printable(text: str) -> str:
    """Refuse characters that nobody can see."""
    if not text.isprintable():
        raise PydanticCustomError("text", "contains control characters")
    return text


def _in_order(spans: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Refuse a stretch that ends before it begins."""
    if any(end <= start for start, end in spans):
        raise PydanticCustomError("spans", "has a stretch that ends before it begins")
    return spans


Text = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_printable)]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
Span = Annotated[tuple[Seconds, Seconds], Field(strict=False)]
Amount = Annotated[str, Field(pattern=r"^\d{1,12}(\.\d{1,4})?$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class PageView(Strict):
    """A page that was opened; its address is the object."""

    title: Text | None = None


class PriceLookup(Strict):
    """A price that was looked at."""

    product: Text | None = None
    quantity: Annotated[int, Field(ge=1, le=10**9)] | None = None
    price: Amount | None = None
    currency: Currency | None = None


class Download(Strict):
    """A file that was taken; of our own gates only we tell it."""

    bytes: Annotated[int, Field(ge=0)] | None = None
    address: Text | None = None


class VideoWatch(Strict):
    """Stretches of a film that were really seen, in seconds from its beginning."""

    watched: Annotated[
        list[Span],
        Field(min_length=1, max_length=100),
        AfterValidator(_in_order),
    ]
    duration: Seconds | None = None


class Search(Strict):
    """What was looked for on the company's own site."""

    query: Text
    results: Annotated[int, Field(ge=0, le=10**9)] | None = None


class Share(Strict):
    """Something that was passed on."""

    channel: Text | None = None


class Form(Strict):
    """Another form of the site that was sent; never what was typed into it."""

    name: Text | None = None


class Talk(Strict):
    """A reply, a call or a meeting."""

    subject: Text | None = None
    seconds: Seconds | None = None


class Purchase(Strict):
    """Something that was bought."""

    amount: Amount | None = None
    currency: Currency | None = None
    order: Text | None = None


class Ticket(Strict):
    """A question to the company's support."""

    subject: Text | None = None
    priority: Text | None = None


class Custom(BaseModel):
    """What the site calls it: any properties of its own."""

    model_config = ConfigDict(extra="allow", frozen=True)


TYPES: Mapping[str, type[BaseModel]] = MappingProxyType(
    {
        "page_view": PageView,
        "price_lookup": PriceLookup,
        "download": Download,
        "video_watch": VideoWatch,
        "search": Search,
        "share": Share,
        "form": Form,
        "reply": Talk,
        "call": Talk,
        "meeting": Talk,
        "purchase": Purchase,
        "ticket": Ticket,
    }
)
"""What each type's properties are; of ``custom:<name>`` they are the site's own."""
Type = Annotated[str, Field(pattern=rf"^({'|'.join(TYPES)}|{CUSTOM})$")]
FROM_BROWSERS = frozenset({"page_view", "price_lookup", "video_watch", "search", "share", "form"})
"""What a visitor's browser may tell, beside ``custom:<name>``: a page cannot know the others."""


def _ordered(id: uuid.UUID) -> uuid.UUID:
    """Refuse an id that does not begin with its time."""
    if id.version != ORDERED:
        raise PydanticCustomError("uuid7", "is not a UUID of version 7")
    return id


def _where(text: str) -> str:
    """Return an object as it is kept: of an address no query, which may name people."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise PydanticCustomError("address", "is not an address") from None
    if parts.scheme not in {"http", "https"}:
        return text
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path or '/'}"


def _by_type(schema: dict[str, Any]) -> None:
    """Say in the document what the properties of each type are."""
    typed = {f"^{kind}$": model.model_json_schema() for kind, model in TYPES.items()}
    schema["anyOf"] = [
        {"properties": {"type": {"type": "string", "pattern": pattern}, "properties": properties}}
        for pattern, properties in [*typed.items(), (f"^{CUSTOM}$", Custom.model_json_schema())]
    ]


class EventTold(Strict):
    """
    One thing that somebody did.

    What `properties` holds depends on the type; of `custom:<name>` it is the site's own.
    """

    model_config = ConfigDict(json_schema_extra=_by_type)

    id: Annotated[
        uuid.UUID,
        Field(strict=False, description="UUID version 7, made once: told twice, it counts once."),
        AfterValidator(_ordered),
    ]
    type: Type
    object: Annotated[
        str,
        Field(min_length=1, max_length=1000, description="Key of an asset, or an address."),
        AfterValidator(_printable),
        AfterValidator(_where),
    ]
    category: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] | None = None
    properties: Annotated[dict[str, Any], Field(description="At most 4 KiB.")] = Field(
        default_factory=dict
    )
    occurred_at: AnyMoment
    contact: Annotated[
        str | None,
        Field(min_length=3, max_length=400, description="An e-mail address; only servers say it."),
    ] = None


class Event(NamedTuple):
    """An interaction that somebody told us of, understood and not yet kept."""

    id: str
    """As a UUID is written: in small letters, with hyphens."""
    type: str
    object: str
    category: str | None
    properties: Mapping[str, Any]
    occurred_at: datetime
    contact: str | None = None
    """Whose it is, by e-mail address: only servers say so."""


class NotAnEventError(ValueError):
    """What was told is no interaction; the message says why, in a few words."""


def understand(told: object, *, by_browser: bool) -> Event:
    """
    Return the event that was told; raise NotAnEventError, which says what is wrong with it.

    >>> event = understand(
    ...     {
    ...         "id": "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b",
    ...         "type": "video_watch",
    ...         "object": "https://www.acme.example/film?for=ann",
    ...         "properties": {"watched": [[10, 30], [0, 12.5], [40, 50]]},
    ...         "occurred_at": "2026-11-23T09:00:00+01:00",
    ...     },
    ...     by_browser=True,
    ... )
    >>> event.object, event.occurred_at.isoformat()
    ('https://www.acme.example/film', '2026-11-23T08:00:00+00:00')
    >>> event.properties
    {'watched': [[0.0, 30.0], [40.0, 50.0]], 'seconds': 40.0}

    A browser knows nothing of calls:

    >>> understand({"type": "call"}, by_browser=True)
    Traceback (most recent call last):
    regportal.tracking.events.NotAnEventError: a browser cannot tell of a call
    """
    if not isinstance(told, dict):
        raise NotAnEventError("it is not an object")
    kind = told.get("type")
    if by_browser and isinstance(kind, str) and kind in TYPES.keys() - FROM_BROWSERS:
        raise NotAnEventError(f"a browser cannot tell of a {kind}")
    if by_browser and "contact" in told:
        raise NotAnEventError("contact: a browser cannot say whose it is")
    event: EventTold = _read(EventTold, told)
    properties = properties_of(event.type, event.properties)
    return Event(
        id=str(event.id),
        type=event.type,
        object=event.object,
        category=event.category,
        properties=properties,
        occurred_at=event.occurred_at,
        contact=event.contact,
    )


def by_our_clock(occurred_at: datetime, sent_at: datetime | None, now: datetime) -> datetime:
    """
    Return when something happened by our clock, from the clock that says when it was sent.

    Raises NotAnEventError where that is longer ago than any browser of ours keeps it.

    >>> from datetime import UTC
    >>> nine = datetime(2026, 3, 4, 9, tzinfo=UTC)
    >>> by_our_clock(nine, nine + timedelta(minutes=2), nine + timedelta(hours=1)).isoformat()
    '2026-03-04T09:58:00+00:00'
    """
    try:
        then = occurred_at if sent_at is None else occurred_at + (now - sent_at)
    except OverflowError:
        raise NotAnEventError("occurred_at is not in the calendar") from None
    if now - then > KEPT_BACK:
        raise NotAnEventError("it is more than a day old")
    return min(then, now)


def properties_of(kind: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the properties of an event of a type as they are kept.

    Raises NotAnEventError, which says what is wrong with them.
    """
    read = _read(TYPES.get(kind, Custom), sent, "properties")
    kept: dict[str, Any] = read.model_dump(mode="json", exclude_none=True)
    if isinstance(read, VideoWatch):
        kept["watched"] = merged(read.watched)
        kept["seconds"] = round(sum(end - start for start, end in kept["watched"]), 3)
    if len(json.dumps(kept, ensure_ascii=False).encode()) + _zeros(kept) > MOST_PROPERTIES:
        raise NotAnEventError("properties: more than 4 KiB")
    return kept


def _zeros(value: Any) -> int:
    """
    Return how many zeros it takes to write the numbers of a value without exponents.

    PostgreSQL writes them so, and whoever reads them there has them all to carry:

    >>> _zeros([1e300, 2.5, {"small": 1e-9}])
    309
    """
    if isinstance(value, float):
        return abs(Decimal(str(value)).adjusted())
    if isinstance(value, dict):
        return sum(map(_zeros, value.values()))
    return sum(map(_zeros, value)) if isinstance(value, list) else 0


def _read(kind: type[BaseModel], value: object, *at: str) -> Any:
    """Return a value as a model; raise NotAnEventError with the first thing that is wrong."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        field, says = first_fault(error)
        place = ".".join([*at, *([field] if field else [])])
        raise NotAnEventError(f"{place}: {says}") from None
