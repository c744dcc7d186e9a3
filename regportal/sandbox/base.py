"""What a fake CRM is: the other side, written from the vendor's documentation."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol

from flask import Flask

from regportal.errors import ConfigError

GROUP = "regportal.sandboxes"
Deed = Callable[..., Any]
"""Something a person does in the CRM; its parameters are texts, and it may return an id."""


class Fake(Protocol):
    """
    A CRM with state, and no more than its vendor says of it.

    The frame calls it from one thread at a time. A deed that cannot be done raises ValueError with
    one sentence.
    """

    name: str

    @property
    def app(self) -> Flask:
        """Return what answers its API: the vendor's paths, shapes, limits and refusals."""

    def tables(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Return its records by table, as the page shows them."""

    def deeds(self) -> Mapping[str, Deed]:
        """Return what its people can do, by name: make a contact, win a deal, and so on."""


def installed() -> list[str]:
    """Return for which CRMs there is a sandbox."""
    return sorted(one.name for one in entry_points(group=GROUP))


def fake_for(name: str) -> Fake:
    """Return a new fake of a CRM, with its example records; raise ConfigError if there is none."""
    found = entry_points(group=GROUP, name=name)
    if not found:
        raise ConfigError(f"there is no sandbox {name!r}; there are: {', '.join(installed())}")
    made: Fake = next(iter(found)).load()()
    return made
