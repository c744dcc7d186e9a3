"""Where other systems read in which phase an opportunity is, and say so over the rules."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from regportal.buying import overriding
from regportal.buying.believed import opportunity_on
from regportal.buying.judging import told_of
from regportal.buying.models import Ended, PhaseOverride
from regportal.buying.reading import opportunity_shown
from regportal.errors import BadRequestError
from regportal.identity.api import Api, Moment
from regportal.identity.models import ApiKey
from regportal.store import current
from regportal.store.asked import Asked
from regportal.store.prose import LONGEST
from regportal.store.strict_json import AnyMoment, Strict

bp = Api("phases", __name__, "opportunities", "In which phase purchases are.")

Line = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class OfOpportunity(Asked):
    """Which opportunity."""

    key: Annotated[
        str, Field(max_length=300, description="Our key, or `<connector>:<external id>`.")
    ]


class Said(Strict):
    """In which phase an opportunity is, whatever the rules say."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "phase": "comparison",
                "by": "Bo Lind",
                "because": "met them at the fair",
            }
        }
    )

    phase: Annotated[Line, Field(description="A phase of the published rules.")]
    by: Annotated[
        Line | None, Field(description="Who says so: a colleague's name; else that of the key.")
    ] = None
    because: Annotated[Line, Field(description="Why, on one line.")]
    until: Annotated[
        AnyMoment | None,
        Field(description="Until when it holds, at most 180 days; else for 30 days."),
    ] = None


class TakenBack(Strict):
    """Nothing but that it is: an empty object."""

    model_config = ConfigDict(json_schema_extra={"example": {}})


class OverrideRead(BaseModel):
    """What a colleague said over the rules, and what became of it."""

    key: uuid.UUID
    opportunity: Annotated[uuid.UUID, Field(description="Our key.")]
    phase: str
    rules_phase: Annotated[
        str,
        Field(description="What the rules said against it; the same phase: they say nothing else."),
    ]
    by: str
    through: Annotated[str | None, Field(description="The name of the key it was said with.")]
    because: str
    since: Moment
    until: Moment
    ended_at: Moment | None
    ended: Annotated[Ended | None, Field(description="How it ended.")]
    came_at: Annotated[
        Moment | None, Field(description="When, while it held, the rules came as far.")
    ]
    right: Annotated[
        bool | None, Field(description="Whether it was right; null: not yet, or nobody can tell.")
    ]


class OnMoment(Asked):
    """As it was believed when."""

    on: Annotated[
        AnyMoment | None,
        Field(description="As it was believed then, whatever became known later; else as now."),
    ] = None


class PartRead(BaseModel):
    """Somebody with a part in an opportunity."""

    email: str
    role: str | None


class RulesRead(BaseModel):
    """Where the rules are beside what is said over them."""

    phase: str | None
    since: Annotated[Moment | None, Field(description="Null: since ever.")]


class HeldRead(BaseModel):
    """What a colleague says over the rules; or said last, where its end moved nothing."""

    phase: str
    by: str
    because: str
    since: Moment
    until: Moment
    ended: Annotated[Ended | None, Field(description="How it ended; null: it holds.")]
    rules: Annotated[
        RulesRead, Field(description="Where they are; told of now, and as long as it holds.")
    ]


class OpportunityRead(BaseModel):
    """An opportunity, its phase, and why."""

    key: uuid.UUID
    external_id: str
    name: str | None
    phase: str
    since: Moment
    reason: Annotated[str | None, Field(description="One sentence; null: nothing moved it yet.")]
    evidence: Annotated[list[uuid.UUID], Field(description="The interactions behind it.")]
    contacts: list[PartRead]
    open: bool
    won: bool
    stage: Annotated[str | None, Field(description="The seller's, as the CRM told it.")]
    override: HeldRead | None


@bp.call("GET /opportunities/<key>", scope="opportunities", answers=OpportunityRead, refuses=(404,))
def opportunity(path: OfOpportunity, query: OnMoment) -> OpportunityRead:
    """Return an opportunity with its phase and why, as it is believed now, or was at a moment."""
    if query.on is not None and query.on > datetime.now(UTC):
        raise BadRequestError("on: lies ahead.", "on")
    with current.store().read() as session:
        found = (
            opportunity_shown(session, path.key)
            if query.on is None
            else opportunity_on(session, path.key, query.on)
        )
    return OpportunityRead.model_validate(found)


@bp.call(
    "POST /opportunities/<key>/override",
    scope="override",
    answers=OverrideRead,
    status=201,
    refuses=(404, 409),
)
def override_phase(path: OfOpportunity, body: Said, caller: ApiKey) -> OverrideRead:
    """
    Let an opportunity be in a phase because a colleague says so, whatever the rules say.

    It holds until its time is over, until somebody says otherwise, or until the opportunity is
    closed. The CRM is told as of any move.
    """
    published, now = current.published(), datetime.now(UTC)
    until = body.until or now + overriding.USUAL
    word = overriding.Word(
        body.phase, body.by or caller.name, body.because, until, through=caller.name
    )

    return _told(lambda session: overriding.override(session, published, path.key, word, now=now))


@bp.call(
    "POST /opportunities/<key>/override/end",
    scope="override",
    answers=OverrideRead,
    refuses=(404, 409),
)
def end_override(path: OfOpportunity, body: TakenBack) -> OverrideRead:
    """Take back what was said over the rules: the opportunity is where they are."""
    del body
    published, now = current.published(), datetime.now(UTC)

    return _told(lambda session: overriding.end_override(session, published, path.key, now=now))


def _told(work: Callable[[Session], PhaseOverride]) -> OverrideRead:
    """Return what was said or taken back; the worker tells the CRM, and looks when it ends."""

    def write(session: Session) -> OverrideRead:
        said = work(session)
        told = told_of(said)
        return OverrideRead.model_validate(
            {"key": said.id, "opportunity": said.opportunity_id, **told}
        )

    told = current.store().write(write)
    current.wake("weigh")
    return told
