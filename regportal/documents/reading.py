"""Reading the file that marketers write: documents, or every fault with its place."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from regportal.buying.lint import lints
from regportal.buying.schema import Buying
from regportal.documents import nodes, sentences
from regportal.documents.nodes import Broken, Listing, Node, Scalar, Step
from regportal.documents.schema import SECTIONS, SINGLE, json_schema
from regportal.errors import DocumentError, Fault, Place
from regportal.library.schema import Content
from regportal.store.faults import plain
from regportal.store.schema import Document

WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
TRUTH = {"true": True, "false": False}
Name = tuple[str, str]
"""Kind and key of a document."""
MODEL: Name = (Buying.kind, SINGLE["buying"])


@dataclass(slots=True)
class Book:
    """What one file says: its documents in the order they were written, and where."""

    file: str
    folder: Path | None
    """Below it its files lie; None: there is no place where files lie beside it."""
    root: Node
    documents: dict[Name, Document] = field(default_factory=dict)
    paths: dict[Name, tuple[Step, ...]] = field(default_factory=dict)
    """Where each document begins; also of those with faults."""
    faults: list[Fault] = field(default_factory=list)
    labels: Mapping[str, str] = field(default_factory=dict)
    """The keys of what is labelled so: where a key is wanted, somebody may write the label."""
    kept: dict[Name, Content] = field(default_factory=dict)
    """Files of assets that do not lie beside it: their bytes are kept already."""

    def place(self, path: Sequence[Step]) -> Place:
        """Return where the key at this path stands."""
        return Place(self.file, nodes.line_of(self.root, path), nodes.path_text(path) or "file")

    def fault(self, path: Sequence[Step], says: str) -> None:
        """Note what is wrong at this path; raise DocumentError where there is too much."""
        self.faults.append(Fault(self.place(path), says))
        if len(self.faults) >= nodes.MOST_FAULTS:
            self.refuse_faults()

    def refuse_faults(self) -> None:
        """Raise DocumentError with every fault, in the order of the file, if there is one."""
        if self.faults:
            in_order = sorted(dict.fromkeys(self.faults), key=lambda fault: fault.place.line)
            raise DocumentError(*in_order)


def read(path: Path, *, alone: str | None = None) -> Book:
    """
    Return what the file at this path says; raise DocumentError where it cannot be read.

    It may be a section ``alone``, without its name.
    """
    try:
        with path.open("rb") as file:
            content = file.read(nodes.LARGEST + 1)
    except OSError as error:
        says = f"cannot be read: {error.strerror or error}"
        raise DocumentError(Fault(Place(path.name, 1, "file"), says)) from error
    return read_text(content, path.name, path.parent, alone=alone)


def read_text(
    content: bytes,
    file: str = "regportal.yaml",
    folder: Path | None = Path(),
    *,
    alone: str | None = None,
) -> Book:
    """Return what this content says; its files lie below the folder."""
    root, faults = nodes.parse(content, file)
    if alone and isinstance(root, nodes.Mapping) and not root.entries.keys() & SECTIONS.keys():
        root = nodes.Mapping(1, {alone: root}, {alone: 1})
    book = Book(file, folder, root, faults=faults, labels=dict(_labels(root)))
    if isinstance(root, nodes.Mapping):
        for name, path, node in _documents(book, root):
            _take(book, name, path, node)
    elif not isinstance(root, Broken):
        book.fault((), "must begin with a section: " + ", ".join(SECTIONS))
    return book


def read_model(path: Path) -> Buying:
    """
    Return the buying model of a file: of one with documents, with `buying` alone, or of it alone.

    Raises DocumentError where it cannot be read, or a lint refuses it.
    """
    book = read(path, alone="buying")
    model = model_of(book)
    for where, says in lints(model):
        book.fault((*book.paths[MODEL], *where), says)
    book.refuse_faults()
    return model


def model_of(book: Book) -> Buying:
    """Return the buying model of a book; raise DocumentError where it has faults, or none."""
    book.refuse_faults()
    model = book.documents.get(MODEL)
    if not isinstance(model, Buying):
        raise DocumentError(Fault(Place(book.file, 1, "buying"), "is missing: there are no rules"))
    return model


def _documents(book: Book, root: nodes.Mapping) -> Iterator[tuple[Name, tuple[Step, ...], Node]]:
    """Yield each document of the file with its name and where it begins."""
    for section, node in root.entries.items():
        if isinstance(node, Broken):
            continue
        if section not in SECTIONS:
            book.fault((section,), sentences.unknown_key(section, SECTIONS))
        elif section in SINGLE:
            yield (SECTIONS[section].kind, SINGLE[section]), (section,), node
        elif isinstance(node, Listing):
            for index, item in enumerate(node.items):
                path = (section, index)
                yield (SECTIONS[section].kind, _key_of(item) or f"[{index}]"), path, item
        else:
            book.fault((section,), _missing(node) or sentences.wanted(["array"]))


def _labels(node: Node) -> Iterator[tuple[str, str]]:
    """Yield each label in the file that is one text, and the key of what it labels."""
    if isinstance(node, Listing):
        for item in node.items:
            yield from _labels(item)
    elif isinstance(node, nodes.Mapping):
        key = node.entries.get("key") or node.entries.get("id")
        label = node.entries.get("label") or node.entries.get("title")
        if isinstance(key, Scalar) and isinstance(label, Scalar):
            yield label.text, key.text
        for below in node.entries.values():
            yield from _labels(below)


def _key_of(node: Node) -> str | None:
    """Return the key a document gives itself."""
    found = node.entries.get("key") if isinstance(node, nodes.Mapping) else None
    return found.text if isinstance(found, Scalar) else None


def _take(book: Book, name: Name, path: tuple[Step, ...], node: Node) -> None:
    """Add one document to the book, or its faults."""
    if name in book.paths:
        first = book.place(book.paths[name]).line
        book.fault((*path, "key"), f"{sentences.shown(name[1])} is taken: first in line {first}")
        return
    book.paths[name] = path
    kind = SECTIONS[str(path[0])]
    fitting = _Fitting(book)
    value = fitting.fit(node, _definitions()[kind.__name__], path)
    if fitting.broken:
        return
    try:
        book.documents[name] = kind.model_validate(value)
    except ValidationError as error:
        faults = error.errors()
        for fault in faults:
            # a list whose only item has a fault is called too short as well
            if not (fault["type"] == "too_short" and any(_lies_in(each, fault) for each in faults)):
                book.fault((*path, *fault["loc"]), plain(fault))


def _lies_in(fault: ErrorDetails, other: ErrorDetails) -> bool:
    """Return whether a fault is about a part of what another one is about."""
    return fault["loc"] != other["loc"] and fault["loc"][: len(other["loc"])] == other["loc"]


@cache
def _definitions() -> Mapping[str, Any]:
    """Return the schema of each part of the file by its name."""
    found: Mapping[str, Any] = json_schema()["$defs"]
    return found


class _Fitting:
    """Makes values of nodes as the schema asks for them: a text stays a text."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.broken = False

    def fault(self, path: Sequence[Step], says: str) -> None:
        """Note a fault of this document."""
        self.broken = True
        self.book.fault(path, says)

    def fit(self, node: Node, schema: Mapping[str, Any], path: tuple[Step, ...]) -> Any:
        """Return the value of a node, or None and a fault."""
        if isinstance(node, Broken):
            self.broken = True
            return None
        options = list(_options(schema))
        for option in options:
            if isinstance(node, nodes.Mapping) and option.get("type") == "object":
                return self._mapping(node, option, path)
            if isinstance(node, Listing) and option.get("type") == "array":
                return self._listing(node, option, path)
            if isinstance(node, Scalar) and option.get("type") not in {"object", "array"}:
                return self._scalar(node, option, path)
        self.fault(path, _missing(node) or _wanted(node, options))
        return None

    def _mapping(
        self, node: nodes.Mapping, schema: Mapping[str, Any], path: tuple[Step, ...]
    ) -> dict[str, Any]:
        """Return keys and values in the order they were written."""
        known = schema.get("properties", {})
        value = {}
        meant = set()
        for key, child in node.entries.items():
            here = (*path, key)
            if key in known:
                value[key] = self.fit(child, known[key], here)
            elif "properties" in schema:
                self.fault(here, sentences.unknown_key(key, known))
                meant.add(sentences.nearest(key, known))
            else:
                value[key] = self.fit(child, self._free_key(key, schema, here), here)
        for key in schema.get("required", ()):
            if key not in node.entries and key not in meant:
                self.fault((*path, key), "is missing")
        if len(node.entries) < schema.get("minProperties", 0):
            self.fault(path, "is empty")
        return value

    def _free_key(
        self, key: str, schema: Mapping[str, Any], path: tuple[Step, ...]
    ) -> Mapping[str, Any]:
        """Return what belongs under a key that the marketer chose; note if it cannot be one."""
        names = schema.get("propertyNames", {})
        if not names.get("minLength", 0) <= len(key) <= names.get("maxLength", len(key)):
            self.fault(path, f"a key has 1 to {names['maxLength']} characters")
        patterns: Mapping[str, Mapping[str, Any]] = schema.get("patternProperties", {})
        for expression, below in patterns.items():
            if not re.fullmatch(expression, key):
                self.fault(path, sentences.pattern(key, expression))
            return below
        free: Mapping[str, Any] = schema["additionalProperties"]
        return free

    def _listing(
        self, node: Listing, schema: Mapping[str, Any], path: tuple[Step, ...]
    ) -> list[Any]:
        """Return the items of a list."""
        if len(node.items) < schema.get("minItems", 0):
            self.fault(path, "the list is empty")
        most = schema.get("maxItems", len(node.items))
        if len(node.items) > most:
            self.fault(path, f"has more than {most} items")
        return [
            self.fit(item, schema["items"], (*path, index))
            for index, item in enumerate(node.items[:most])
        ]

    def _scalar(self, node: Scalar, schema: Mapping[str, Any], path: tuple[Step, ...]) -> Any:
        """Return a text, or the number or truth that the schema asks for."""
        says = _missing(node)
        if says:
            self.fault(path, says)
            return None
        kind = schema["type"]
        if kind == "boolean":
            if not node.plain or node.text not in TRUTH:
                self.fault(path, "must be true or false, without quotes")
            return TRUTH.get(node.text)
        if kind == "integer":
            return self._number(node, schema, path)
        self._text(node.text, schema, path)
        return node.text

    def _number(
        self, node: Scalar, schema: Mapping[str, Any], path: tuple[Step, ...]
    ) -> int | None:
        """Return a whole number within its bounds."""
        if not node.plain or not WHOLE.fullmatch(node.text):
            self.fault(path, "must be a whole number, without quotes")
            return None
        number = int(node.text)
        low, high = schema.get("minimum", number), schema.get("maximum", number)
        if not low <= number <= high:
            self.fault(path, f"must be from {low} to {high}")
        return number

    def _text(self, text: str, schema: Mapping[str, Any], path: tuple[Step, ...]) -> None:
        """Note what is wrong with a text."""
        options = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
        if options and text not in options:
            self.fault(path, sentences.one_of(text, options))
        elif "pattern" in schema and not re.fullmatch(schema["pattern"], text):
            meant = self.book.labels.get(text)
            is_it = meant is not None and re.fullmatch(schema["pattern"], meant)
            says = sentences.pattern(text, schema["pattern"])
            self.fault(path, sentences.only_a_label(text, str(meant)) if is_it else says)
        elif not text.strip():
            self.fault(path, "is empty: give it a text, or remove the line")
        elif len(text) > schema.get("maxLength", len(text)):
            self.fault(path, f"is longer than {schema['maxLength']} characters")


def _options(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the plain schemas that a value may fit."""
    if "anyOf" in schema:
        for option in schema["anyOf"]:
            yield from _options(option)
    elif "$ref" in schema:
        yield from _options(_definitions()[schema["$ref"].rpartition("/")[2]])
    else:
        yield schema


def _wanted(node: Node, options: Sequence[Mapping[str, Any]]) -> str:
    """Say what should stand here; where one key is all there is, how it is written."""
    says = sentences.wanted(list(dict.fromkeys(option["type"] for option in options)))
    keys = [[*option.get("properties", ())] for option in options if option["type"] == "object"]
    if isinstance(node, Scalar) and [len(each) for each in keys] == [1]:
        return f"{says}: write {{{keys[0][0]}: {node.text}}}"
    return says


def _missing(node: Node) -> str | None:
    """Say it where nothing was written."""
    if isinstance(node, Scalar) and node.plain and not node.text:
        return "has no value: give it one, or remove the line"
    return None
