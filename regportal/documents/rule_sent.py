"""What a form of rules sent: the values of its controls, by the paths they are called by."""

import re
from collections import defaultdict
from collections.abc import Iterable

from regportal.errors import BadRequestError
from regportal.store.words import N_

MOST_CONTROLS, LONGEST_NAME, DEEPEST = 8_000, 160, 6
"""More controls, longer names and lists deeper within each other no page of ours sends."""
PATH = re.compile(r"[a-z_]+(?:\[[0-9]{1,3}\]|\.[a-z_]+)*")
PLACE = re.compile(r"\[([0-9]{1,3})\]")
NUMBER = re.compile(r"-?[0-9]{1,15}")
TOO_MUCH = N_("This form is larger than any phase can be. Please open the page anew.")


class Sent:
    """The values of a form, by the paths of their controls."""

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        """Take them in; raise BadRequestError for more than a page of ours could send."""
        self._values: defaultdict[str, list[str]] = defaultdict(list)
        self._places: defaultdict[str, set[int]] = defaultdict(set)
        for number, (name, text) in enumerate(fields):
            if number >= MOST_CONTROLS or len(name) > LONGEST_NAME or name.count("[") > DEEPEST:
                raise BadRequestError(TOO_MUCH)
            if PATH.fullmatch(name) is None:
                continue
            self._values[name].append("".join(char for char in text if char.isprintable()).strip())
            for found in PLACE.finditer(name):
                self._places[name[: found.start()]].add(int(found[1]))

    def text(self, path: str) -> str:
        """Return what stands in a control; empty where there is none."""
        return self._values.get(path, [""])[-1]

    def has(self, path: str) -> bool:
        """Return whether there is such a control."""
        return path in self._values

    def places(self, path: str) -> list[int]:
        """Return the places of a list, in their order."""
        return sorted(self._places.get(path, ()))

    def listed(self, path: str) -> list[str]:
        """Return what was ticked of a list, and what was written beside it; each once."""
        told = [*self._values.get(path, ()), *self._values.get(f"{path}.more", ())]
        return [*dict.fromkeys(one for one in told if one)]

    def number(self, path: str) -> int | str | None:
        """Return a number; a text that is none as it is, and None where nothing stands."""
        text = self.text(path)
        return int(text) if NUMBER.fullmatch(text) else text or None

    def span(self, path: str) -> str | None:
        """Return a length of time; None where no number stands."""
        number = self.text(f"{path}.number")
        return f"{number}{self.text(f'{path}.unit') or 'd'}" if number else None
