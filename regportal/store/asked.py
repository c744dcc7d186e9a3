"""What an address says of what is asked: read strictly, with one sentence for what is wrong."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from regportal.errors import BadRequestError
from regportal.store.strict_json import first_fault

M = TypeVar("M", bound=BaseModel)


class Asked(BaseModel):
    """What an address says of what is asked: texts, read as what they stand for."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read(kind: type[M], said: object) -> M:
    """Return what was said as a model; raise BadRequestError with the first thing wrong."""
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        field, says = first_fault(error)
        raise BadRequestError(f"{field or 'the body'}: {says}.", field) from error


def said_of(kind: type[BaseModel], lists: Iterable[tuple[str, Sequence[str]]]) -> dict[str, Any]:
    """
    Return what an address says, by name; raise BadRequestError where it says one thing twice.

    ``lists`` has each name with all that is said of it; only a tuple may have more than one.
    """
    given: dict[str, Any] = {}
    for name, values in lists:
        field = kind.model_fields.get(name)
        many = field is not None and get_origin(field.annotation) is tuple
        if len(values) > 1 and not many:
            raise BadRequestError(f"{name}: is given twice.", name)
        given[name] = values if many else values[0]
    return given
