"""What is sent to the collector, and what it answers."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SkipValidation
from pydantic.config import JsonDict

from regportal.identity import browser
from regportal.identity.api import Counted, Refused
from regportal.store.strict_json import KIB, AnyMoment
from regportal.tracking.events import MOST, EventTold

LARGEST = 64 * KIB
MEDIA = ("application/json", "text/plain")
"""A page on another origin may send text without asking first, also while it is being closed."""
EXAMPLE: JsonDict = {
    "events": [
        {
            "id": "019ab0e2-6f3a-7c11-8d2e-6a4f0f1f2a3b",
            "type": "price_lookup",
            "object": "widget-9",
            "properties": {"quantity": 300, "currency": "GBP"},
            "occurred_at": "2026-03-04T12:00:00Z",
        }
    ]
}


class Touch(BaseModel):
    """Where a visit came from, as its first page saw it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    referrer: Annotated[str, Field(max_length=1000)] | None = None
    parameters: dict[str, str] = Field(default_factory=dict, max_length=20)


class Events(BaseModel):
    """What is told at once; an event that is none is refused alone."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": EXAMPLE})
    events: Annotated[list[SkipValidation[EventTold]], Field(min_length=1, max_length=MOST)]
    sent_at: Annotated[
        AnyMoment | None, Field(description="The browser's own time; sets a wrong clock right.")
    ] = None
    touch: Touch | None = None
    visitor: Annotated[
        str | None,
        Field(
            pattern=f"^{browser.TOKEN.pattern}$",
            description="The token of a page's script, as in X-RP-Visitor: beacons send no header.",
        ),
    ] = None


def counted(accepted: int, duplicate: int, refused: Iterable[Refused]) -> Counted:
    """Return what became of a call, refusals in the order in which they were sent."""
    in_order = sorted(refused, key=lambda one: one.index)
    return Counted(accepted=accepted, duplicate=duplicate, refused=in_order)
