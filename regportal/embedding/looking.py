"""Reading a page as it is sent: what of ours stands on it, before any script runs."""

from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from regportal.embedding.judging import NAMES
from regportal.embedding.seen import Element, Ours, Script, Seen

Attributes = list[tuple[str, str | None]]


def seen_in(url: str, status: int, body: bytes, ours: Ours) -> Seen:
    """
    Return what stands on a page, from its bytes alone.

    A gate that is shown in a frame of the page's own, or that is only linked, counts as shown:
    ``states`` names it. Whether a script runs can nobody tell without a browser, so that is taken
    for granted.

    >>> ours = Ours("https://go.acme.example", (), ("prices",), {})
    >>> page = b'<a href="https://go.acme.example/g/prices?lang=de">Prices</a>'
    >>> dict(seen_in("https://www.acme.example/", 200, page, ours).states)
    {'prices': 'linked'}
    """
    reader = _Reader(url, ours)
    reader.feed(body.decode("utf-8", "replace"))
    reader.close()
    states = {**reader.states, **{one.gate: "asked" for one in reader.elements}}
    return Seen(
        url=url,
        status=status,
        scripts=tuple(reader.scripts),
        elements=tuple(reader.elements),
        states=states,
    )


class _Reader(HTMLParser):
    """Notes our scripts, elements, frames and links."""

    def __init__(self, url: str, ours: Ours) -> None:
        """Take where the page is, and who we are."""
        super().__init__(convert_charrefs=True)
        self._url, self._ours = url, ours
        self.scripts: list[Script] = []
        self.elements: list[Element] = []
        self.states: dict[str, str] = {}
        self._open: Mapping[str, str] | None = None
        self._link: str | None = None

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        """Note what begins here."""
        told = {name: value or "" for name, value in attrs}
        if tag == "script" and told.get("src"):
            src = urljoin(self._url, told["src"])
            if urlsplit(src).path.rpartition("/")[2] in NAMES:
                self.scripts.append(Script(src, told.get("type", ""), told.get("integrity", "")))
        elif tag == "regportal-gate":
            self._end()
            self._open, self._link = told, None
        elif tag == "a" and told.get("href"):
            address = urljoin(self._url, told["href"])
            if self._open is not None:
                self._link = self._link or address
            else:
                self._note(address, "linked")
        elif tag == "iframe" and told.get("src"):
            self._note(urljoin(self._url, told["src"]), "framed")

    def handle_endtag(self, tag: str) -> None:
        """Note what ends here."""
        if tag == "regportal-gate":
            self._end()

    def close(self) -> None:
        """Note what never ended."""
        super().close()
        self._end()

    def _note(self, address: str, state: str) -> None:
        """Note a gate that is shown, or reached, without our script."""
        place = f"{self._ours.url}/g/"
        if address.startswith(place):
            self.states.setdefault(address.removeprefix(place).partition("?")[0], state)

    def _end(self) -> None:
        """Note a gate's element, with the link inside."""
        if self._open is None:
            return
        told, self._open = self._open, None
        self.elements.append(
            Element(
                gate=told.get("gate", ""),
                upgraded=True,
                link=self._link,
                mode=told.get("mode", ""),
                light="light" in told,
            )
        )
