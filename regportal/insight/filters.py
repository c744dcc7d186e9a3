"""What a list is narrowed to, as an address says it: a value, read strictly and written back."""

from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Any, Self
from urllib.parse import urlencode

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from regportal.store.asked import Asked, read, said_of

Owners = frozenset[str] | None
"""Whose opportunities a seller sees, by :func:`owner_key`; None: everybody's."""


def _printable(text: str) -> str:
    """Return a text in which nothing is hidden."""
    if not text.isprintable():
        raise PydanticCustomError("printable", "has signs that cannot be seen")
    return text


Word = Annotated[str, Field(min_length=1, max_length=320), AfterValidator(_printable)]
"""A name, or the beginning of one."""


class Filters(Asked):
    """What a list is narrowed to; what is left open narrows nothing."""

    @classmethod
    def of(
        cls, lists: Iterable[tuple[str, Sequence[str]]], *, beside: Collection[str] = ()
    ) -> Self:
        """
        Return what an address says, each name with all that is said of it.

        An empty field of a form says nothing. ``beside`` are names that are others' to read. Raises
        BadRequestError with one sentence for the first thing wrong.
        """
        said = ((name, [one for one in values if one]) for name, values in lists)
        return read(cls, said_of(cls, [(n, v) for n, v in said if v and n not in beside]))

    @property
    def given(self) -> dict[str, Any]:
        """Return it by name, as an address says it; what is left open is not."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def written(self, **beside: Any) -> str:
        """Return it as an address says it, with what else it says."""
        said = self.given | beside
        return urlencode({name: one for name, one in said.items() if one is not None}, doseq=True)
