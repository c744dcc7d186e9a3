"""What all documents share: keys, texts, lengths of time; and the site itself."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self, TypeVar, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

SPAN = re.compile(r"^([1-9][0-9]{0,4})(s|m|h|d|mo)$")
UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "mo": timedelta(days=30),
}

Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""What documents are called: small letters, digits, ``-`` and ``_``."""

Span = Annotated[str, Field(pattern=SPAN.pattern, examples=["30m", "540d", "24mo"])]
"""A length of time: 30s, 30m, 2h, 540d, 24mo (a month is 30 days)."""

Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$")]
"""A language, or a country's kind of it: de, de-AT."""

Text = (
    Annotated[str, Field(min_length=1, max_length=2000)]
    | Annotated[dict[Language, str], Field(min_length=1)]
)
"""What people read: one text, or one a language."""

Passage = Annotated[str, Field(min_length=1, max_length=3000, pattern=r"^[\s\S]*\S[\s\S]*$")]
Prose = Passage | Annotated[dict[Language, Passage], Field(min_length=1)]
"""What people read in some paragraphs, with an empty line between: one text, or one a language."""

Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WORKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")


def _known_zone(value: str) -> str:
    """Refuse a zone no clock knows."""
    try:
        ZoneInfo(value)
    except (LookupError, OSError, ValueError):  # KeyError: not found; OSError: a folder of zones
        raise ValueError(f"{value!r} is not a time zone like Europe/Berlin") from None
    return value


Timezone = Annotated[str, AfterValidator(_known_zone)]
"""A time zone as clocks know it: Europe/Berlin."""

WORDS = re.compile(r"\^\(([^()]+)\)\$")
"""A pattern that is a list of words…"""
CLASS = re.compile(r"\[.*")
"""…of which the last may go on freely."""


def words_of(pattern: str) -> list[str]:
    """
    Return the words that a pattern is a choice of; empty where it is none.

    >>> words_of("^(call|custom:[a-z]+)$"), words_of("^[A-Z]{3}$")
    (['call', 'custom:…'], [])
    """
    words = WORDS.fullmatch(pattern)
    return [CLASS.sub("…", word) for word in words[1].split("|")] if words else []


def span(text: str) -> timedelta:
    """
    Return how long this is.

    >>> span("30m")
    datetime.timedelta(seconds=1800)
    >>> span("24mo").days
    720
    """
    match = SPAN.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a length of time like 30m, 2h, 540d or 24mo")
    return int(match[1]) * UNITS[match[2]]


def refuse_twice(what: str, field: str, key: str, names: Sequence[str]) -> None:
    """Raise ValidationError where parts have one name, at the place of each but the first."""
    faults: list[Any] = [
        {
            "type": "value_error",
            "loc": (field, index, key),
            "input": name,
            "ctx": {"error": ValueError(f"there are two {what} called {name!r}")},
        }
        for index, name in enumerate(names)
        if name in names[:index]
    ]
    if faults:
        raise ValidationError.from_exception_data(what, faults)


def said(text: str | Mapping[str, str], locale: str = "en") -> str:
    """
    Return the text in this language, else in its parent, else in the first one written.

    >>> said({"en": "Prices", "de": "Preise"}, "de-AT")
    'Preise'
    >>> said("Prices", "de")
    'Prices'
    """
    if isinstance(text, str):
        return text
    parent = locale.partition("-")[0]
    return text.get(locale) or text.get(parent) or next(iter(text.values()))


def paragraphs(text: str) -> list[str]:
    r"""
    Return the paragraphs of a text, each on one line.

    >>> paragraphs("One list,\nevery widget.\n \n\nSpares, too.\n")
    ['One list, every widget.', 'Spares, too.']
    """
    return [" ".join(one.split()) for one in re.split(r"\n\s*\n", text) if one.strip()]


def texts_in(document: BaseModel, path: str = "") -> Iterator[tuple[str, str | Mapping[str, str]]]:
    """
    Yield everything in a document that is (or may be) written in several languages.

    >>> acme = Site(
    ...     name={"en": "Acme", "de": "Acme"}, controller="Acme", privacy_notice="https://a.example"
    ... )
    >>> dict(texts_in(acme))
    {'name': {'en': 'Acme', 'de': 'Acme'}, 'privacy_notice': 'https://a.example'}
    """
    for name, field in type(document).model_fields.items():
        value, place = getattr(document, name), f"{path}{name}"
        if value is None:
            continue
        if _is_text(field.annotation):
            yield place, value
        elif isinstance(value, BaseModel):
            yield from texts_in(value, f"{place}.")
        elif isinstance(value, Mapping) and _is_text_by_key(field.annotation):
            yield from ((f"{place}.{key}", text) for key, text in value.items())
        elif isinstance(value, tuple):
            for index, one in enumerate(value):
                if isinstance(one, BaseModel):
                    yield from texts_in(one, f"{place}[{index}].")


def _is_text(annotation: Any) -> bool:
    """Return whether a field may say one thing a language."""
    return any(_by_language(one) for one in get_args(annotation))


def _by_language(annotation: Any) -> bool:
    """Return whether this is a map from languages."""
    inner = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return get_origin(inner) is dict and get_args(inner)[0] == Language


def _is_text_by_key(annotation: Any) -> bool:
    """Return whether a field names several texts, as the choices of a question."""
    kinds = (annotation, *get_args(annotation))
    return any(get_origin(one) is dict and _is_text(get_args(one)[1]) for one in kinds)


class Document(BaseModel):
    """One thing a marketer wrote down and published. Unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]
    key: Key


D = TypeVar("D", bound=Document)


class Documents(Protocol):
    """Whoever has the documents that hold now."""

    def one(self, kind: type[D], key: str) -> D:
        """Return the document; raise NotHereError where none is published under this key."""

    def find(self, kind: type[D], key: str) -> D | None:
        """Return the document, or None where none is published under this key."""


class Theme(BaseModel):
    """How the public pages look; colours and lengths as CSS writes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    accent: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{3,8}$")] = "#0b5cad"
    text: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{3,8}$")] = "#1a1a1a"
    background: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{3,8}$")] = "#ffffff"
    radius: Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]+)?(px|rem|em)$")] = "6px"
    font: Annotated[str, Field(pattern=r"^[A-Za-z0-9 ,'_-]{1,200}$")] = "system-ui"


class Keep(BaseModel):
    """How long each class of data is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    claims: Span = "90d"
    anonymous: Span = "90d"
    network: Span = "30d"
    contacts: Span = "24mo"


class Ignore(BaseModel):
    """Own staff: what they do is recorded as machine traffic."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    networks: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


class Alerts(BaseModel):
    """Telling whoever looks after an opportunity that a customer moved it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    send: Literal["each", "digest", "off"] = "each"
    to: Annotated[str, Field(min_length=3, max_length=254)] | None = None
    hour: Annotated[int, Field(ge=0, le=23)] = 8
    days: Annotated[tuple[Weekday, ...], Field(min_length=1, max_length=7)] = WORKDAYS


class Publish(BaseModel):
    """How what is written in the Studio comes to be published."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    approval: Literal["by-another", "by-owner", "off"] = "off"


class Site(Document):
    """Whose site this is, and what holds on all of it."""

    kind: ClassVar[str] = "site"
    key: Key = "site"
    name: Text
    controller: Annotated[str, Field(min_length=1, max_length=500)]
    privacy_notice: Url | Annotated[dict[Language, Url], Field(min_length=1)]
    privacy_notice_version: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    privacy_notice_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    valid_for: Span | None = None
    origins: tuple[Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$")], ...] = ()
    locale: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")] = "en"
    visit: Span = "30m"
    remember: Annotated[str, Field(pattern="^(ask|never)$")] = "ask"
    kiosk: bool = False
    do_not_track: Annotated[str, Field(pattern="^(honour|ignore)$")] = "ignore"
    theme: Theme = Theme()
    keep: Keep = Keep()
    ignore: Ignore = Ignore()
    alerts: Alerts = Alerts()
    publish: Publish = Publish()

    @classmethod
    def of(cls, published: Documents) -> Self:
        """Return the site; raise NotHereError before the first publication."""
        return published.one(cls, "site")

    def notice(self, locale: str) -> str:
        """Return where it is written what becomes of people's data."""
        return said(self.privacy_notice, locale)

    def shown(self, locale: str) -> dict[str, str]:
        """Return what pages and letters say about the site."""
        return {
            "name": said(self.name, locale),
            "controller": self.controller,
            "privacy_notice": self.notice(locale),
        }
