"""What publishing a file would change, key by key."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from regportal.documents.files import Upload
from regportal.library.schema import Content

Name = tuple[str, str]
"""Kind and key of a document."""
Body = Mapping[str, Any]
"""A document as it was written."""


ALONE = frozenset({"site", "buying"})
"""Kinds of which there is one document: its key says nothing."""


def called(name: Name) -> str:
    """
    Return what people call a document.

    >>> called(("gate", "prices")), called(("buying", "default"))
    ('gate prices', 'buying')
    """
    kind, key = name
    return kind if kind in ALONE else f"{kind} {key}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One key that changes; None stands for "not written"."""

    key: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """A document that is new, or is worded anew."""

    name: Name
    body: Body
    differences: tuple[Difference, ...] = ()

    def as_kept(self, contents: Mapping[Name, Content]) -> dict[str, Any]:
        """Return the body of the version it makes: with all that is known of its file."""
        if "content" not in self.body:
            return dict(self.body)
        return {**self.body, "content": contents[self.name].model_dump(mode="json")}


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What would be published, and what the one who planned it saw.

    ``publication`` and ``digest`` name the set that was published then: another one now means
    that somebody published since.
    """

    file: str
    publication: int
    digest: str
    added: tuple[Change, ...]
    changed: tuple[Change, ...]
    unchanged: tuple[Name, ...]
    absent: tuple[Name, ...]
    """Published, not in the file, and staying."""
    archived: tuple[Name, ...]
    """Published, not in the file, and taken away by ``--prune``."""
    reordered: tuple[str, ...]
    """Kinds whose documents stand in another order."""
    order: tuple[Name, ...]
    """Every document afterwards, in order."""
    uploads: Mapping[Name, Upload]
    """The files of the assets in the file."""
    kept: Mapping[Name, Content] = field(default_factory=dict)
    """The files of assets that were kept before."""
    remarks: tuple[str, ...] = ()
    """What may be meant, and is worth a second look."""

    def is_empty(self) -> bool:
        """Whether publishing it would change nothing."""
        return not (self.added or self.changed or self.archived or self.reordered)

    def told(self) -> dict[str, Any]:
        """Return it as programs read it."""
        return {
            "publication": self.publication,
            "digest": self.digest,
            "added": [_named(change.name) for change in self.added],
            "changed": [
                _named(change.name)
                | {
                    "differences": [
                        {"key": one.key, "before": one.before, "after": one.after}
                        for one in change.differences
                    ]
                }
                for change in self.changed
            ],
            "unchanged": [_named(name) for name in self.unchanged],
            "absent": [_named(name) for name in self.absent],
            "archived": [_named(name) for name in self.archived],
            "reordered": list(self.reordered),
            "remarks": list(self.remarks),
        }


def _named(name: Name) -> dict[str, Any]:
    """Return a document's name as programs read it."""
    return {"kind": name[0], "key": name[1]}


def differences(before: Body, after: Body) -> tuple[Difference, ...]:
    """
    Return every key whose value differs; lists and orders are compared whole.

    >>> for one in differences({"title": "A", "keep": {"claims": "90d"}}, {"title": "B"}):
    ...     print(one.key, one.before, one.after)
    title A B
    keep {'claims': '90d'} None
    >>> differences({"theme": {"text": "#000"}}, {"theme": {"text": "#111"}})
    (Difference(key='theme.text', before='#000', after='#111'),)

    The order in which choices stand is part of what was written:

    >>> [
    ...     one.key
    ...     for one in differences(
    ...         {"choices": {"a": "A", "b": "B"}}, {"choices": {"b": "B", "a": "A"}}
    ...     )
    ... ]
    ['choices']
    """
    return tuple(_differences("", _compared(before), _compared(after)))


def _differences(prefix: str, before: Body, after: Body) -> Iterator[Difference]:
    """Yield the differences below one key."""
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        path = f"{prefix}{key}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            below = tuple(_differences(f"{path}.", old, new))
            moved = list(old) != list(new) and not below
            yield from [Difference(path, old, new)] if moved else below
        elif old != new:
            yield Difference(path, old, new)


def _compared(body: Body) -> Body:
    """Return a document as it is compared: a file is its name and its bytes, not its folder."""
    content = body.get("content")
    if not isinstance(content, Mapping):
        return body
    rest = {key: value for key, value in body.items() if key not in {"file", "content"}}
    return rest | {"file": f"{content['name']} ({content['sha256'][:16]})"}


def new_order(before: Sequence[str], written: Sequence[str]) -> list[str]:
    """
    Return the order of a kind after publishing; what the file leaves out keeps its place.

    >>> new_order(["a", "b", "c"], ["c", "b", "a"])
    ['c', 'b', 'a']
    >>> new_order(["a", "b", "c"], ["c", "d"])
    ['a', 'b', 'c', 'd']
    >>> new_order([], ["b", "a"])
    ['b', 'a']
    """
    coming = iter(written)
    listed = set(written)
    return [next(coming) if key in listed else key for key in before] + list(coming)
