"""What a browser meets on a marketing page, as values."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

REFUSED = 400
"""What the portal says to an empty choice: it was reached, and the page may read its answer."""


@dataclass(frozen=True, slots=True)
class Ours:
    """What the portal knows of itself."""

    url: str
    origins: Collection[str]
    """The pages that may use it."""
    gates: Collection[str]
    hashes: Mapping[str, str]
    """The integrity of each script, by address."""
    by_mail: Collection[str] = ()
    """The gates whose file goes by mail."""
    films: Collection[str] = ()
    """The gates whose asset is a film that is played."""

    @property
    def origin(self) -> str:
        """Return its origin."""
        return origin_of(self.url)


@dataclass(frozen=True, slots=True)
class Script:
    """A script element that is ours by its name."""

    src: str
    kind: str
    integrity: str


@dataclass(frozen=True, slots=True)
class Element:
    """A gate's element."""

    gate: str
    upgraded: bool
    link: str | None
    room: bool = True
    """Whether the page's own style leaves room for it."""
    mode: str = ""
    """How the page asks for it to be shown: ``frame``, ``script``, or not at all."""
    light: bool = False
    """Whether the page asks for its own styles, without a shadow root."""
    link_status: int | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """What the page's own policy kept from happening."""

    directive: str
    address: str
    by: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from where the portal is."""

    url: str
    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a browser met on a page."""

    url: str
    status: int
    scripts: tuple[Script, ...] = ()
    elements: tuple[Element, ...] = ()
    states: Mapping[str, str] = field(default_factory=dict)
    """What each gate said last."""
    blocked: tuple[Blocked, ...] = ()
    answers: tuple[Answer, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    console: tuple[str, ...] = ()
    api: int | None = REFUSED
    """What the portal answered a script of the page; None: it could not be read."""
    chooses: bool = True


def is_near(page: str, portal: str) -> bool:
    """
    Return whether a page and the portal look like one site, as our script guesses it.

    >>> is_near("https://www.acme.example/prices", "https://go.acme.example")
    True
    """
    hosts = [(urlsplit(one).hostname or "").split(".")[-2:] for one in (page, portal)]
    return hosts[0] == hosts[1]


def origin_of(url: str) -> str:
    """Return the origin of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
