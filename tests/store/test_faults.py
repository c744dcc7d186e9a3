"""Whoever sends something wrong reads what to send instead, in one short sentence of ours."""

from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import Field, ValidationError

from regportal.store.faults import SAYS, THEIRS
from regportal.store.strict_json import AnyMoment, Strict, first_fault

MOMENT = "must be a moment with its zone, like 2026-03-04T12:00:00Z"
OF_A_CHOICE = "must be one of call, visit, custom:…"


class Inner(Strict):
    """A thing within."""

    yes: bool = True


class Told(Strict):
    """One of everything."""

    name: Annotated[str, Field(min_length=1, max_length=5)] = "a"
    code: Annotated[str, Field(min_length=3)] = "abc"
    kind: Annotated[str, Field(pattern=r"^(call|visit|custom:[a-z]+)$")] = "call"
    money: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    odd: Annotated[str, Field(pattern=r"^x+y?$")] = "x"
    count: Annotated[int, Field(ge=1, le=9)] = 1
    seconds: Annotated[float, Field(gt=0, lt=9)] = 1.0
    some: Annotated[list[int], Field(min_length=1, max_length=2)] = Field(default=[1])
    two: tuple[int, int] = (1, 2)
    inner: Inner = Inner()
    free: dict[Annotated[str, Field(max_length=3)], int] = Field(default_factory=dict)
    id: Annotated[UUID | None, Field(strict=False)] = None
    at: AnyMoment | None = None
    way: Literal["in", "out"] = "in"


@pytest.mark.parametrize(
    ("sent", "field", "says"),
    [
        ([], "", "must be an object"),
        ({"nam": "a"}, "nam", "is not known here: leave it out"),
        ({"x" * 900: 1}, "x" * 64, "is not known here: leave it out"),
        ({"name": None}, "name", "must be a text"),
        ({"name": ""}, "name", "is empty"),
        ({"name": "abcdef"}, "name", "must have at most 5 characters"),
        ({"code": "ab"}, "code", "must have at least 3 characters"),
        ({"kind": "cal"}, "kind", OF_A_CHOICE),
        ({"money": "Euro"}, "money", "must be a currency, like EUR"),
        ({"odd": "z"}, "odd", "cannot be taken as it is"),
        ({"count": "1"}, "count", "must be a whole number"),
        ({"count": 0}, "count", "must be at least 1"),
        ({"count": 10}, "count", "must be at most 9"),
        ({"seconds": "1"}, "seconds", "must be a number"),
        ({"seconds": 0}, "seconds", "must be more than 0.0"),
        ({"seconds": 9}, "seconds", "must be less than 9.0"),
        ({"some": {}}, "some", "must be a list"),
        ({"some": []}, "some", "is empty"),
        ({"some": [1, 2, 3]}, "some", "must have at most 2 of them"),
        ({"some": [1, "2"]}, "some.1", "must be a whole number"),
        ({"inner": 5}, "inner", "must be an object"),
        ({"inner": {"yes": "yes"}}, "inner.yes", "must be true or false"),
        ({"free": []}, "free", "must be an object"),
        ({"free": {"long": 1}}, "free.long", "must have at most 3 characters"),
        ({"id": "one"}, "id", "must be a UUID"),
        ({"id": 1}, "id", "must be a UUID"),
        ({"at": "2024-05-01"}, "at", MOMENT),
        ({"at": "2024-05-01T10:00:00"}, "at", MOMENT),
        ({"at": "2024-13-01T10:00:00Z"}, "at", MOMENT),
        ({"at": "yesterday"}, "at", MOMENT),
        ({"at": 1714557600}, "at", MOMENT),
        ({"way": "up"}, "way", "must be 'in' or 'out'"),
    ],
)
def test_the_sentence_names_the_field_and_says_what_to_send(
    sent: Any, field: str, says: str
) -> None:
    with pytest.raises(ValidationError) as error:
        Told.model_validate(sent)

    assert first_fault(error.value) == (field, says)


def test_every_name_of_a_fault_is_one_of_the_library() -> None:
    assert SAYS.keys() <= THEIRS
