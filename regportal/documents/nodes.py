"""YAML as marketers mean it: texts, lists and mappings that know their line."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import yaml

from regportal.errors import DocumentError, Fault, Place

LARGEST = 1024 * 1024
DEEPEST = 16
MOST_FAULTS = 100
"""Nobody reads more at once: what follows is not looked at."""
LONGEST_STEP = 64
LAYOUT = "\n\t"
QUESTION_MARK = "a text with ? that stands between brackets needs quotes"
PLAIN_WORDS = {
    "mapping values are not allowed here": (
        "there is a second colon in this line: put the text into quotes"
    ),
    "could not find expected ':'": "a colon is missing after the key, or a quote is not closed",
    "found character '\\t' that cannot start any token": (
        "there is a tab: indent with spaces only"
    ),
    "expected ',' or '}', but got '?'": QUESTION_MARK,
    "expected ',' or ']', but got '?'": QUESTION_MARK,
    "found unexpected end of stream": "a quote is opened and never closed",
    "expected <block end>, but found '-'": "this line is not indented like those above it",
    "expected <block end>, but found '<block mapping start>'": (
        "this line is not indented like those above it"
    ),
    "expected <block end>, but found '<scalar>'": (
        "there is text after a closing quote, or a line is not indented like those above it"
    ),
}
"""What the parser says, in words of people who do not know it."""

Step = str | int


@dataclass(slots=True)
class Scalar:
    """A text; ``plain`` when it stands without quotes."""

    line: int
    text: str
    plain: bool


@dataclass(slots=True)
class Listing:
    """Things in order."""

    line: int
    items: list["Node"] = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Things by key, in the order they were written, and the line of each key."""

    line: int
    entries: dict[str, "Node"] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Broken:
    """Something that was already found at fault: nothing more is said of it."""

    line: int


Node = Scalar | Listing | Mapping | Broken


def path_text(path: Sequence[Step]) -> str:
    """
    Return how a place inside a document is written.

    >>> path_text(("gates", 0, "asset"))
    'gates[0].asset'
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            short = step if len(step) <= LONGEST_STEP else step[: LONGEST_STEP - 1] + "…"
            text += f".{short}" if text else short
    return text


def find(node: Node, path: Sequence[Step]) -> Node:
    """Return the node at this path, or the last one on the way to it."""
    for step in path:
        if isinstance(node, Mapping) and step in node.entries:
            node = node.entries[str(step)]
        elif isinstance(node, Listing) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            break
    return node


def line_of(node: Node, path: Sequence[Step]) -> int:
    """Return the line where the key at this path stands, or the last one on the way to it."""
    line = node.line
    for step in path:
        if isinstance(node, Mapping) and step in node.entries:
            line, node = node.lines[str(step)], node.entries[str(step)]
        elif isinstance(node, Listing) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            line = node.line
        else:
            break
    return line


def parse(content: bytes, file: str) -> tuple[Node, list[Fault]]:
    """
    Return what a file says, and every fault of its notation.

    Raises DocumentError where it cannot be read on: it is too large, not UTF-8, not YAML, too
    deep, or has MOST_FAULTS faults.
    """
    return _Parser(file).parse(_decoded(content, file))


def _decoded(content: bytes, file: str) -> str:
    """Return the text of the file."""
    if len(content) > LARGEST:
        raise DocumentError(Fault(Place(file, 1, "file"), "is larger than 1 MiB"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fault = Fault(Place(file, line, "file"), "is not UTF-8: save it as UTF-8")
        raise DocumentError(fault) from None


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    node: Listing | Mapping
    path: tuple[Step, ...]
    key: str | None = None
    key_line: int = 0
    skipping: bool = False
    """The key of the value that follows was at fault."""

    def awaits_key(self) -> bool:
        """Whether the next thing is a key."""
        return isinstance(self.node, Mapping) and self.key is None and not self.skipping

    def here(self) -> tuple[Step, ...]:
        """Return the path of the next thing."""
        if isinstance(self.node, Listing):
            return (*self.path, len(self.node.items))
        return self.path if self.key is None else (*self.path, self.key)


class _Parser:
    """Builds nodes from the parser's events, which expand nothing and do not recurse."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.open: list[_Open] = []
        self.root: Node | None = None

    def parse(self, text: str) -> tuple[Node, list[Fault]]:
        """Return the root and the faults."""
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            problem = error.problem or "it cannot be read"
            self._stop(line, PLAIN_WORDS.get(problem, f"this is not YAML: {problem}"))
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            self._stop(line, "there is a character that no text may have")
        except (ValueError, OverflowError):  # PyYAML on \U00110000 or a directive of its own
            self._stop(1, "this is not YAML: an escape or a directive cannot be read")
        if self.root is None:
            self._stop(1, "the file is empty")
        return self.root, self.faults

    def _stop(self, line: int, says: str) -> NoReturn:
        """Give up, with everything found so far."""
        self._note(line, says)
        self._give_up()

    def _give_up(self) -> NoReturn:
        """Raise what was found so far."""
        raise DocumentError(*sorted(self.faults, key=lambda fault: fault.place.line)) from None

    def _fault(self, line: int, says: str, path: Sequence[Step] | None = None) -> None:
        """Note a fault at the place we are at; give up where there are too many."""
        self._note(line, says, path)
        if len(self.faults) >= MOST_FAULTS:
            self._give_up()

    def _note(self, line: int, says: str, path: Sequence[Step] | None = None) -> None:
        """Note a fault at the place we are at."""
        if path is None:
            path = self.open[-1].here() if self.open else ()
        self.faults.append(Fault(Place(self.file, line, path_text(path) or "file"), says))

    def _take(self, event: yaml.Event) -> None:
        """Take one event."""
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            if self.root is not None:
                self._stop(line, "a second document begins here: a file holds one")
        elif isinstance(event, yaml.AliasEvent):
            self._fault(line, f"*{event.anchor} refers to another place: write it out")
            self._add(Broken(line))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()
        elif isinstance(event, yaml.NodeEvent):
            self._begin(event, line)

    def _begin(self, event: yaml.NodeEvent, line: int) -> None:
        """Take a text, or the beginning of a list or mapping."""
        if event.anchor is not None:
            self._fault(line, f"&{event.anchor} names a place for others: write things out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._fault(line, f"the tag {tag!r} is not taken here: leave it out")
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line, is_tagged=tag is not None)
            return
        if len(self.open) >= DEEPEST:
            self._stop(line, f"is nested deeper than {DEEPEST} levels")
        node = Listing(line) if isinstance(event, yaml.SequenceStartEvent) else Mapping(line)
        self.open.append(_Open(node, self.open[-1].here() if self.open else ()))

    def _scalar(self, event: yaml.ScalarEvent, line: int, *, is_tagged: bool) -> None:
        """Take a key or a text."""
        text: str = event.value
        outer = self.open[-1] if self.open else None
        is_key = outer is not None and outer.awaits_key()
        if is_tagged:  # what it means, only the tag says
            self._add(Broken(line))
        elif any(
            unicodedata.category(char) in {"Cc", "Cs"} and (is_key or char not in LAYOUT)
            for char in text
        ):
            self._fault(line, "there is a control character that no text may have")
            self._add(Broken(line))
        elif outer is not None and is_key:
            self._key(outer, text, line)
        else:
            self._add(Scalar(line, text, plain=event.style is None))

    def _key(self, outer: _Open, text: str, line: int) -> None:
        """Take a key of the open mapping."""
        first = outer.node.lines.get(text) if isinstance(outer.node, Mapping) else None
        if first is not None:
            says = f"is written twice: first in line {first}"
            self._fault(line, says, (*outer.path, text))
            outer.skipping = True
        else:
            outer.key, outer.key_line = text, line

    def _close(self) -> None:
        """Close the open list or mapping."""
        self._add(self.open.pop().node)

    def _add(self, node: Node) -> None:
        """Put a finished node where it belongs."""
        if not self.open:
            self.root = node
            return
        outer = self.open[-1]
        if isinstance(outer.node, Listing):
            outer.node.items.append(node)
        elif outer.awaits_key():  # a list, mapping or broken text where a key should be
            if not isinstance(node, Broken):
                self._fault(node.line, "a key must be one text")
            outer.skipping = True
        else:
            if outer.key is not None:
                outer.node.entries[outer.key] = node
                outer.node.lines[outer.key] = outer.key_line
            outer.key, outer.skipping = None, False
